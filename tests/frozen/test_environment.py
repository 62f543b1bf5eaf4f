"""Whatever is in its environment and around it, a frozen executable answers the same and runs no code but its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import Host
from tests.peers.all_work import do_everything

from .conftest import Bundle

TIMEOUT_S = 60
NOWHERE = "/nonexistent/folder"
FAKE_MODULES = ("json", "os", "sitecustomize", "usercustomize", "msgspec", "encodings", "sidecar_build")
FAKE_PACKAGES = ("sidecar", "pyarrow", "polars", "_polars_runtime_32")
FAKE_LIBRARIES = ("libarrow.so.2600", "libparquet.so.2600", "libpython3.11.so.1.0", "libstdc++.so.6", "libgcc_s.so.1")
"""Without those that PyInstaller's bootloader is linked to, libz and libc: the system's loader takes them from
LD_LIBRARY_PATH before the first instruction of any program runs."""


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what would end the process if it were imported, loaded or run."""
    folder = tmp_path_factory.mktemp("fakes")
    for name in FAKE_MODULES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('the wrong {name}')\n", encoding="utf-8")
    for name in FAKE_PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise SystemExit('the wrong {name}')\n", encoding="utf-8")
    for name in FAKE_LIBRARIES:
        (folder / name).write_text("this is no library\n", encoding="utf-8")
    return folder


PLACES = ("TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
HOSTILE: dict[str, dict[str, str]] = {
    "places that do not exist": dict.fromkeys(PLACES, NOWHERE),
    "places where nobody can write": dict.fromkeys(PLACES, "/proc"),
    "PYTHONHOME": {"PYTHONHOME": NOWHERE},
    "PYTHONHOME with fakes": {"PYTHONHOME": "FAKES"},
    "PYTHONEXECUTABLE": {"PYTHONEXECUTABLE": "/bin/false"},
    "PYTHONPATH": {"PYTHONPATH": "FAKES"},
    "PYTHONPLATLIBDIR": {"PYTHONPLATLIBDIR": "FAKES"},
    "PYTHONSTARTUP": {"PYTHONSTARTUP": "FAKES/json.py", "PYTHONINSPECT": "1"},
    "LD_LIBRARY_PATH": {"LD_LIBRARY_PATH": "FAKES"},
    "PYTHONUNBUFFERED": {"PYTHONUNBUFFERED": "1"},
    "PYTHONDONTWRITEBYTECODE": {"PYTHONDONTWRITEBYTECODE": "1"},
    "PYTHONWARNINGS": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
    "PYTHONOPTIMIZE": {"PYTHONOPTIMIZE": "2"},
    "PYTHONMALLOC": {"PYTHONMALLOC": "debug"},
    "PYTHONHASHSEED": {"PYTHONHASHSEED": "0"},
    "PYTHONHASHSEED that is none": {"PYTHONHASHSEED": "many"},
    "PYTHONVERBOSE": {"PYTHONVERBOSE": "2", "PYTHONPROFILEIMPORTTIME": "1"},
    "PYTHONIOENCODING": {"PYTHONIOENCODING": "ebcdic-that-is-none", "PYTHONUTF8": "0"},
    "PYTHONUTF8 that is none": {"PYTHONUTF8": "many"},
    "PYTHONCASEOK": {"PYTHONCASEOK": "1", "PYTHONSAFEPATH": "", "PYTHONNOUSERSITE": ""},
    "LC_ALL=C": {"LC_ALL": "C"},
    "a locale that is none": {"LC_ALL": "xx_XX.none", "LANG": "", "LANGUAGE": "xx"},
    "a time zone that is none": {"TZ": "bogus/zone"},
    "another bundle's notes": {
        "_PYI_ARCHIVE_FILE": NOWHERE,
        "_PYI_APPLICATION_HOME_DIR": "FAKES",
        "_PYI_PARENT_PROCESS_LEVEL": "1",
        "_MEIPASS2": "FAKES",
        "LD_LIBRARY_PATH_ORIG": "FAKES",
    },
}


def made(variables: dict[str, str], fakes: Path) -> dict[str, str]:
    """The environment of the tests, and `variables` with the folder of fakes in them."""
    return {**os.environ, **{name: value.replace("FAKES", str(fakes)) for name, value in variables.items()}}


@pytest.mark.parametrize("variables", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_environment(
    bundle: Bundle,
    files: dict[str, Path],
    expected: list[Any],
    fakes: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    """In a folder full of fakes, too."""
    monkeypatch.chdir(fakes)
    with Host.spawn(bundle.command, env=made(variables, fakes)) as host:
        assert do_everything(host, files) == expected
        assert host.close() == 0
        assert host.stderr_tail() == ""


def test_all_of_it_at_once(
    bundle: Bundle, files: dict[str, Path], expected: list[Any], fakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fakes)
    variables = {name: value for case in HOSTILE.values() for name, value in case.items()}
    with Host.spawn(bundle.command, env=made(variables, fakes)) as host:
        assert do_everything(host, files) == expected
        assert host.close() == 0


def test_no_environment_at_all(bundle: Bundle, files: dict[str, Path], expected: list[Any]) -> None:
    with Host.spawn(bundle.command, env={}) as host:
        assert do_everything(host, files) == expected


def test_a_working_directory_that_was_deleted(
    bundle: Bundle, files: dict[str, Path], expected: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with Host.spawn(bundle.command) as host:
        assert do_everything(host, files) == expected


COMMANDS = {
    "version": (["--version", "--json"], '"build_id"'),
    "doctor": (["doctor"], "all is well"),
    "inspect": (["inspect", "FILE"], "5,000 rows x 2 columns"),
    "query": (["query", "SELECT count(*) AS found FROM self WHERE n < 7", "FILE", "--format", "csv"], "found\n7\n"),
}


@pytest.mark.parametrize(("arguments", "words"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_in_an_empty_environment(
    bundle: Bundle, files: dict[str, Path], arguments: list[str], words: str
) -> None:
    """In a directory where nothing can be written."""
    command = ["env", "-i", *bundle.command, *(word.replace("FILE", str(files["parquet"])) for word in arguments)]
    settings: dict[str, Any] = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": TIMEOUT_S}
    done = subprocess.run(command, cwd="/proc", check=False, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout


@pytest.mark.parametrize("arguments", [["inspect", "FILE"], ["doctor"]], ids=lambda words: words[0])
def test_a_command_starts_a_sidecar_of_its_own(bundle: Bundle, files: dict[str, Path], arguments: list[str]) -> None:
    """Not the program that PYTHONEXECUTABLE names, which Python takes for itself."""
    command = [*bundle.command, *(word.replace("FILE", str(files["parquet"])) for word in arguments)]
    env = {**os.environ, "PYTHONEXECUTABLE": "/bin/false"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")


CLOSED = {
    "version": (["--version"], ">&-"),
    "inspect": (["inspect", "FILE"], ">&-"),
    "inspect, all closed": (["inspect", "FILE"], "<&- >&- 2>&-"),
    "inspect without standard error": (["inspect", "FILE"], "2>&-"),
}


@pytest.mark.parametrize(("arguments", "closing"), CLOSED.values(), ids=CLOSED)
def test_a_command_whose_output_is_closed(
    bundle: Bundle, files: dict[str, Path], arguments: list[str], closing: str
) -> None:
    words = [word.replace("FILE", str(files["parquet"])) for word in arguments]
    command = ["sh", "-c", f'exec "$@" {closing}', "sh", *bundle.command, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
