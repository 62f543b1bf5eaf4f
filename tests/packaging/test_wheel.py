"""The sdist and the wheel: what is in them, and that a wheel works where it is installed, without this folder."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from base64 import urlsafe_b64encode
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

from sidecar.version import PROTOCOL_VERSION, VERSION

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INFO = f"arrow_sidecar-{VERSION}.dist-info"
TIMEOUT_S = 120


def clean() -> dict[str, str]:
    """An environment that leads back to this folder in no way."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}


def run(folder: Path, *command: object, exit_code: int = 0) -> str:
    words = [str(word) for word in command]
    options = {"cwd": folder, "env": clean(), "timeout": TIMEOUT_S}
    done = subprocess.run(words, **options, capture_output=True, text=True, check=False)  # type: ignore[call-overload]
    assert done.returncode == exit_code, done.stdout + done.stderr
    return str(done.stdout)


# -- built -------------------------------------------------------------------------------------------------------


class Built(NamedTuple):
    sdist: Path
    from_sdist: Path
    from_tree: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Without isolation, so that no package index is needed: hatchling is among what tests need."""
    folder = tmp_path_factory.mktemp("dist")
    command = (sys.executable, "-m", "build", "--no-isolation", ROOT, "--outdir")
    run(folder, *command, folder / "both")  # the sdist from the tree, the wheel from the sdist
    run(folder, *command, folder / "tree", "--wheel")
    (sdist,) = (folder / "both").glob("*.tar.gz")
    (from_sdist,) = (folder / "both").glob("*.whl")
    (from_tree,) = (folder / "tree").glob("*.whl")
    return Built(sdist, from_sdist, from_tree)


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with ZipFile(built.from_sdist) as wheel:
        return message_from_string(wheel.read(f"{INFO}/METADATA").decode())


def of_the_project(*folders: str) -> set[str]:
    """The files in some folders of it, but for what was made from them: caches, hidden or not, and what tools build."""
    made = {"__pycache__", "node_modules", "target", "build", "dist"}
    within = {path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {
        path.as_posix()
        for path in within
        if not made & set(path.parts) and not any(part.startswith(".") for part in path.parts[1:-1])
    }


def names_in(wheel: Path) -> set[str]:
    with ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_the_sdist_has_what_it_takes_to_build_test_and_freeze(built: Built) -> None:
    top = {"Makefile", "constraints.txt", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md"}
    with tarfile.open(built.sdist) as sdist:
        names = {entry.name.partition("/")[2] for entry in sdist}
    assert names - {"PKG-INFO", ".gitignore"} == top | of_the_project("sidecar", "packaging", "tests", ".ci")


def test_the_wheel_is_the_same_from_both(built: Built) -> None:
    assert built.from_sdist.name == built.from_tree.name == f"arrow_sidecar-{VERSION}-py3-none-any.whl"
    assert built.from_sdist.read_bytes() == built.from_tree.read_bytes()


def test_the_wheel_has_the_package_and_nothing_else(built: Built) -> None:
    own = {name for name in names_in(built.from_sdist) if not name.startswith(f"{INFO}/")}
    assert own == of_the_project("sidecar")
    assert own > {"sidecar/py.typed", "sidecar/PROTOCOL.md", "sidecar/PROTOCOL_VERSION"}
    assert any(name.startswith("sidecar/commands/data/") for name in own)


def test_the_record_is_complete(built: Built) -> None:
    with ZipFile(built.from_sdist) as wheel:
        rows = csv.reader(io.StringIO(wheel.read(f"{INFO}/RECORD").decode()))
        record = {name: (digest, size) for name, digest, size in rows}
        assert set(record) == set(wheel.namelist())
        for name in set(record) - {f"{INFO}/RECORD"}:
            content = wheel.read(name)
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert record[name] == (f"sha256={digest}", str(len(content))), name


def test_what_the_metadata_says(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == ("arrow-sidecar", VERSION, "MIT")
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.get_all("Project-URL") is None
    assert metadata["Home-page"] is None


def test_systems_that_no_test_has_run_on_are_not_claimed(metadata: Message) -> None:
    """The README says which one is."""
    systems = [line for line in metadata.get_all("Classifier", []) if line.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
    assert "Linux is tested." in (ROOT / "README.md").read_text(encoding="utf-8")


def test_only_the_libraries_are_required(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(re.split(r"[<>=!~]", line)[0] for line in required) == ["msgspec", "polars", "pyarrow"]


# -- installed ---------------------------------------------------------------------------------------------------

GREETER = """
from typing import Protocol

import sidecar
from sidecar import *
from sidecar import Sidecar

missing = [name for name in sidecar.__all__ if name not in globals()]
assert not missing, missing


class Greeter(Protocol):
    def greet(self, name: str) -> str: ...
    def whence(self) -> str: ...


class Impl:
    def greet(self, name: str) -> str:
        return f"hello {name}"

    def whence(self) -> str:
        return sidecar.__file__


if __name__ == "__main__":
    Sidecar().mount(Greeter, Impl()).run()
"""


class Installed(NamedTuple):
    python: Path
    script: Path
    site: Path


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, which finds the libraries of this one, after its own."""
    folder = tmp_path_factory.mktemp("a fresh one")
    venv.create(folder, symlinks=os.name != "nt")
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}))
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    python = scripts / Path("python.exe" if os.name == "nt" else "python")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("\n".join(sorted(libraries)), encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(folder, *pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", built.from_sdist)
    return Installed(python, scripts / ("arrow-sidecar.exe" if os.name == "nt" else "arrow-sidecar"), site)


@pytest.fixture
def greeter(tmp_path: Path) -> Path:
    """A service's own program, in a folder where nothing else is."""
    program = tmp_path / "greeter.py"
    program.write_text(GREETER, encoding="utf-8")
    return program


def test_the_package_is_the_installed_one(installed: Installed, tmp_path: Path) -> None:
    code = "import sidecar, importlib.metadata as m; print(sidecar.__file__); print(m.version('arrow-sidecar'))"
    file, version = run(tmp_path, installed.python, "-I", "-c", code).splitlines()
    assert Path(file).samefile(installed.site / "sidecar" / "__init__.py")
    assert version == VERSION == PROJECT["version"]


@pytest.mark.parametrize("as_module", [False, True], ids=["arrow-sidecar", "python -m sidecar"])
def test_its_versions(installed: Installed, tmp_path: Path, as_module: bool) -> None:
    command = (installed.python, "-I", "-m", "sidecar") if as_module else (installed.script,)
    said = json.loads(run(tmp_path, *command, "--version", "--json"))
    assert (said["version"], said["protocol_version"]) == (VERSION, PROTOCOL_VERSION)


def test_it_inspects_a_file(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,age\nAda,36\nGrace,85\n", encoding="utf-8")
    assert "Grace" in run(tmp_path, installed.script, "inspect", "people.csv")
    said = json.loads(run(tmp_path, installed.python, "-I", "-m", "sidecar", "inspect", "people.csv", "--json"))
    assert "Ada" in json.dumps(said)


def test_its_demo_runs(installed: Installed, tmp_path: Path) -> None:
    """With the data that it ships."""
    assert run(tmp_path, installed.script, "demo")


def test_a_service_has_every_public_name_and_is_called(installed: Installed, greeter: Path) -> None:
    command = (installed.python, "-I", greeter)
    assert json.loads(run(greeter.parent, *command, "call", "greet", "name=Ada")) == "hello Ada"
    assert Path(json.loads(run(greeter.parent, *command, "call", "whence"))).is_relative_to(installed.site)
    assert "Greeter" in run(greeter.parent, *command, "describe")


def test_type_checkers_see_it(installed: Installed, tmp_path: Path) -> None:
    program = tmp_path / "typed.py"
    program.write_text(
        "from sidecar import Sidecar\nright: Sidecar = Sidecar()\nwrong: int = Sidecar()\n", encoding="utf-8"
    )
    mypy = (sys.executable, "-m", "mypy", "--python-executable", installed.python, "--cache-dir", tmp_path / "cache")
    said = run(tmp_path, *mypy, "--strict", "--config-file=", program, exit_code=1).splitlines()
    assert len(said) == 2, said
    assert 'typed.py:3: error: Incompatible types in assignment (expression has type "Sidecar"' in said[0]
