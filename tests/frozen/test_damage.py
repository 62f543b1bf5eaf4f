"""An executable with a file missing, cut off or spoilt: `doctor` says which, and what needs it says where to look."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.client import Host, HostFault, SidecarError

from .conftest import Bundle

TIMEOUT_S = 60
TABLE = pa.table({"n": [1, 2, 3]})
NOT_PYTHONS_TO_TELL = {
    "libpython": "the bootloader opens it",
    "base_library.zip": "Python starts from it",
    "libz": "the bootloader is linked with it",
    "_struct": "PyInstaller's own modules import it",
    "zlib": "Python's modules in the executable are compressed",
    "sidecar/PROTOCOL_VERSION": "is no library; every command reads it",
}
"""Files without which no line of this project's is reached, and why."""


@pytest.fixture
def spoilt(bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy to be changed; of links, so that it costs nothing. What is changed is copied first."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.folder, folder, copy_function=os.link)
    return Bundle(folder / bundle.executable.name)


def libraries(bundle: Bundle) -> list[str]:
    """By their paths below `_internal`, those that `doctor` can tell of."""
    listed = json.loads((bundle.folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    inner = [each["path"].removeprefix("_internal/") for each in listed if each["path"].startswith("_internal/")]
    names = [name for name in inner if not any(part in name for part in NOT_PYTHONS_TO_TELL)]
    assert len(names) > 10
    return names


def found(bundle: Bundle, pattern: str) -> Path:
    """One file below `_internal`."""
    (path,) = (bundle.folder / "_internal").rglob(pattern)
    return path


def run(bundle: Bundle, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    settings: dict[str, Any] = {
        "capture_output": True,
        "text": True,
        "errors": "replace",
        "timeout": TIMEOUT_S,
        "check": False,
        **options,
    }
    return subprocess.run([*bundle.command, *arguments], **settings)


def cut(path: Path) -> None:
    """To half of its length."""
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    os.replace(copy, path)


def spoil(path: Path) -> None:
    """As long as it was, and no library any more."""
    copy = path.with_suffix(".copy")
    copy.write_bytes(bytes(64) + path.read_bytes()[64:])
    os.replace(copy, path)


def test_doctor_names_each_library_that_is_missing(spoilt: Bundle, tmp_path: Path) -> None:
    """Among them are those of Python's own that the rest of `doctor` imports."""
    aside = tmp_path / "aside"
    for name in libraries(spoilt):
        path = spoilt.folder / "_internal" / name
        path.rename(aside)
        done = run(spoilt, "doctor")
        assert (done.returncode, done.stderr) == (70, ""), name
        assert done.stdout.splitlines()[-1].split("FAILED: ")[1].startswith(f"_internal/{name} is missing (")
        aside.rename(path)
    assert run(spoilt, "doctor").returncode == 0


@pytest.mark.parametrize("pattern", ["_polars_runtime.*", "libarrow.so.*", "_core.*", "_sha256.*", "_hashlib.*"])
def test_doctor_names_what_is_shorter_than_it_was_built(spoilt: Bundle, pattern: str) -> None:
    paths = [*(spoilt.folder / "_internal").rglob(pattern)]
    for path in paths:
        cut(path)
    done = run(spoilt, "doctor")
    assert done.stderr == ""
    assert done.returncode == (70 if paths else 0)
    for path in paths:
        assert f"{path.relative_to(spoilt.folder).as_posix()} is shorter than it was built" in done.stdout


SPOILT = {
    "Polars": ("_polars_runtime.*", "_polars_runtime"),
    "Parquet": ("_parquet.*", "_parquet."),
    "Arrow": ("libarrow.so.*", "libarrow.so."),
    "msgspec": ("_core.*", "_core."),
}


@pytest.mark.parametrize(("pattern", "words"), SPOILT.values(), ids=SPOILT)
def test_doctor_loads_what_is_as_long_as_it_was(spoilt: Bundle, pattern: str, words: str) -> None:
    """A signature changes a file too: only its use shows whether it is damaged."""
    spoil(found(spoilt, pattern))
    done = run(spoilt, "doctor")
    assert (done.returncode, done.stderr) == (70, "")
    assert "was changed since: by a signature, or it is damaged" in done.stdout
    assert words in done.stdout.partition("FAILED: ")[2]


MANIFESTS = {
    "empty": "",
    "cut off": "{",
    "a list": "[]",
    "no files": '{"files": {}}',
    "nothing listed": '{"files": []}',
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_doctor_of_a_bad_manifest(spoilt: Bundle, text: str) -> None:
    path = spoilt.folder / "manifest.json"
    path.unlink()
    path.write_text(text, encoding="utf-8")
    done = run(spoilt, "doctor")
    assert (done.returncode, done.stderr) == (70, "")
    assert f"FAILED: {path} is no manifest: " in done.stdout


@pytest.mark.parametrize("pattern", ["libarrow.so.*", "_core.*"])
def test_serve_greets_and_says_what_is_missing(spoilt: Bundle, pattern: str) -> None:
    path = found(spoilt, pattern)
    path.unlink()
    done = run(spoilt, "serve", input="")
    assert done.returncode == 70
    assert '"method":"hello"' in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("arrow-sidecar: the installation is incomplete (")
    assert line.endswith(f"): run `{spoilt.executable.name} doctor`")


def test_a_host_is_told_too(spoilt: Bundle) -> None:
    found(spoilt, "libarrow.so.*").unlink()
    with pytest.raises(HostFault, match="the installation is incomplete") as raised:
        Host.spawn(spoilt.command)
    assert raised.value.exit_code == 70


@pytest.mark.parametrize("pattern", ["libarrow.so.*", "_core.*"])
def test_a_command_says_what_is_missing(spoilt: Bundle, tmp_path: Path, pattern: str) -> None:
    found(spoilt, pattern).unlink()
    (tmp_path / "a.csv").write_text("n\n1\n", encoding="utf-8")
    done = run(spoilt, "inspect", str(tmp_path / "a.csv"))
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith("arrow-sidecar: the installation is incomplete (")
    assert len(done.stderr.splitlines()) == 1


REMOVED: dict[str, Callable[[Path], None]] = {"missing": Path.unlink, "spoilt": spoil}


@pytest.mark.parametrize("damage", REMOVED.values(), ids=REMOVED)
def test_a_request_names_the_polars_library(spoilt: Bundle, damage: Callable[[Path], None]) -> None:
    """Each request that needs it, and none that does not."""
    damage(found(spoilt, "_polars_runtime.*"))
    with Host.spawn(spoilt.command, options=["--no-warm"]) as host:
        session = host.load(arrow=TABLE).session
        for _ in range(2):
            with pytest.raises(SidecarError, match="_polars_runtime"):
                host.tables.sql(f"SELECT max(n) FROM {session}")
        assert host.tables.rows(session, 0, 3).table.num_rows == 3
