"""`packaging/build.py`: the same twice, a service of one's own, and mistakes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import Host
from tests.frozen.conftest import Bundle

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600


def build(*arguments: str, project: Path = ROOT, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Without an archive, which takes longer than all the rest."""
    command = [sys.executable, str(project / "packaging" / "build.py"), "--no-archive", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def manifest_of(folder: Path) -> dict[str, Any]:
    """Of the bundle in an output folder."""
    (file,) = folder.glob("*/manifest.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_two_builds_are_the_same(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another folder with a copy of the sources, at another time."""
    project = tmp_path / "a copy"
    project.mkdir()
    for name in ("packaging", "sidecar"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, project / name, ignore=ignored, copy_function=shutil.copyfile)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copyfile(ROOT / name, project / name)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    done = build("--output", str(tmp_path / "out"), project=project)
    assert done.returncode == 0, done.stderr
    first = json.loads((bundle.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest_of(tmp_path / "out") == first


@pytest.fixture(scope="module")
def cities(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, frozen as its own words say."""
    folder = tmp_path_factory.mktemp("cities")
    example = ROOT / "packaging" / "example"
    words = ("--name", "cities", "--service", "cities:make", "--data", "cities.csv=.")
    done = build(*words, "--output", str(folder), cwd=example)
    assert done.returncode == 0, done.stderr
    assert "libsqlite3" in done.stdout
    (made,) = folder.glob("cities-*/cities")
    return made


def test_a_service_of_one_s_own(cities: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With SQLite, which the sidecar does without, and a file of its own; from a folder that has neither."""
    monkeypatch.chdir(tmp_path)
    with Host.spawn([str(cities)]) as host:
        (service,) = host.describe()
        assert service.doc == "Finds cities."
        found = host.request("services/call", {"method": "Cities.nearest", "params": {"latitude": 60, "longitude": 11}})
        assert [city["name"] for city in found.result()["value"]] == ["Oslo", "Bergen", "Bonn"]
        host.load(path=ROOT / "sidecar" / "commands" / "data" / "flights.parquet", session="flights")
        assert host.tables.rows("flights", 0, 1).total == 27_004


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("call", "of", "country=IN"), '"name":"Mumbai"'),
        (("describe",), "The cities of a country, by name, one a batch."),
        (("--version", "--json"), '"build_id": "'),
        (("--help",), "usage: cities "),
    ],
    ids=["call", "describe", "version", "help"],
)
def test_its_command_line(cities: Path, words: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    done = subprocess.run([cities, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert expected in done.stdout


def test_its_manifest(cities: Path) -> None:
    found = json.loads(cities.with_name("manifest.json").read_text(encoding="utf-8"))
    assert (found["name"], found["services"]) == ("cities", ["cities:make"])
    with Host.spawn([str(cities)]) as host:
        assert host.methods_digest == found["methods_digest"]
        assert host.hello.methods_digest is None  # it is sent before the service is imported


MISTAKES = {
    "no factory": (("--service", "cities"), "--service cities: write it as module:factory"),
    "no such module": (("--service", "no_such:make"), "there is no module 'no_such' here (looked for in "),
    "no such function": (("--service", "cities:no_such"), "cities has no function 'no_such'"),
    "nothing to include": (("--include", "no_such"), "--include no_such: there is no module 'no_such' (looked for in "),
    "no folder": (("--path", "no_such"), "no_such: there is no such folder"),
    "a name that is a path": (("--name", "../victim"), "--name '../victim': write it with letters, digits, "),
    "the build's own name": (("--service", "sidecar_build:make"), "sidecar_build is a module that the build makes"),
    "no such file": (("--data", "no_such.csv=."), "'no_such.csv=.' is not FILE=FOLDER with a FILE that is there"),
    "a file without a place": (("--data", "cities.csv"), "'cities.csv' is not FILE=FOLDER with a FILE that is there"),
    "a size that is none": (("--max-size", "much"), "'much' is not a size in megabytes, as 300M"),
    "a licence that is not there": (("--licence", "x=no_such"), "'x=no_such' is not NAME=FILE with a FILE that is"),
}


@pytest.mark.parametrize(("words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(bundle: Bundle, words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """One line or some, no traceback, nothing in the output folder that looks like a bundle."""
    done = build(*words, "--output", str(tmp_path), cwd=ROOT / "packaging" / "example")
    assert done.returncode in (2, 70)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.glob("*/manifest.json")]


UNSOUND = {
    "a file is missing": ("open('no_such')", "importing unsound raised FileNotFoundError: "),
    "a library is missing": ("import no_such", "unsound needs a module 'no_such', which is missing: install it, "),
    "it ends the process": ("import os; os._exit(0)", "unsound: what is imported ends the process"),
    "it leaves": ("import sys; sys.exit('go away')", "go away"),
}


@pytest.mark.parametrize(("line", "said"), UNSOUND.values(), ids=UNSOUND)
def test_a_service_that_cannot_be_imported(bundle: Bundle, line: str, said: str, tmp_path: Path) -> None:
    """Is found before anything is frozen."""
    (tmp_path / "unsound.py").write_text(f"{line}\ndef make(): ...\n", encoding="utf-8")
    done = build("--service", "unsound:make", "--output", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 70
    assert said in done.stderr
    assert done.stdout == ""


def test_nothing_is_replaced_but_a_bundle(bundle: Bundle, tmp_path: Path) -> None:
    place = tmp_path / bundle.folder.name
    place.mkdir()
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    done = build("--output", str(tmp_path))
    assert (done.returncode, done.stdout) == (70, "")
    assert f"{place} is there and is no bundle" in done.stderr
    assert [*place.iterdir()] == [place / "notes.txt"]


@pytest.mark.parametrize("epoch", ["bad", "-1", ""])
def test_a_time_that_is_none(bundle: Bundle, epoch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    done = build("--output", str(tmp_path))
    assert done.returncode == 70
    assert f"SOURCE_DATE_EPOCH={epoch}: write it in whole seconds" in done.stderr


def test_an_output_that_is_a_file(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = build("--output", str(tmp_path / "file"))
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_without_a_tool_that_it_takes(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ldd = shutil.which("ldd")
    assert ldd is not None  # PyInstaller asks it about glibc as soon as it is imported
    (tmp_path / "ldd").symlink_to(ldd)
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{tmp_path}")
    done = build("--output", str(tmp_path / "out"))
    assert done.returncode == 70
    assert "strip, readelf, nm cannot be found: install binutils" in done.stderr
