"""sign.sh signs from the inside out, the executable last, and stops at the first failure. No Mac is needed: `codesign`
and `file` are played."""

from __future__ import annotations

import plistlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .programs import StandIns

MACOS = Path(__file__).parents[2] / "packaging" / "macos"
SIGN = MACOS / "sign.sh"
IDENTITY = "Developer ID Application: Ada (TEAM123456)"
MACH_O = [
    "_internal/pyarrow/deep/er/lib.so",
    "_internal/pyarrow/libarrow.dylib",
    "_internal/polars/runtime.abi3.so",
    "_internal/libpython3.11.dylib",
    "arrow-sidecar",
]
OTHERS = ["manifest.json", "_internal/base_library.zip", "_internal/pyarrow/notes.so.txt"]
FILE = "print('Mach-O 64-bit' if Path(arguments[-1]).read_bytes() == b'code' else 'data')"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")


@pytest.fixture
def tools(tmp_path: Path) -> StandIns:
    tools = StandIns(tmp_path / "tools")
    tools.add("file", FILE)
    tools.add("codesign")
    return tools


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "My App's folder"
    for name in [*MACH_O, *OTHERS]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"code" if name in MACH_O else b"text")
    return folder


def signed(tools: StandIns) -> list[list[str]]:
    return [call for call in tools.calls("codesign") if "--sign" in call]


def test_the_order_is_from_the_inside_out(tools: StandIns, folder: Path) -> None:
    done = tools.run(SIGN, folder, IDENTITY)
    assert (done.returncode, done.stderr) == (0, "")
    paths = [Path(call[-1]).relative_to(folder).as_posix() for call in signed(tools)]
    assert sorted(paths) == sorted(MACH_O)
    depths = [path.count("/") for path in paths]
    assert depths == sorted(depths, reverse=True)
    assert paths[-1] == "arrow-sidecar"


def test_each_file_is_verified_once_it_is_signed(tools: StandIns, folder: Path) -> None:
    tools.run(SIGN, folder, IDENTITY)
    calls = tools.calls("codesign")
    assert [call[-1] for call in calls[::2]] == [call[-1] for call in calls[1::2]]
    assert all(call[:-1] == ["--verify", "--strict"] for call in calls[1::2])


@pytest.mark.parametrize(
    ("identity", "options"),
    [
        pytest.param(IDENTITY, ["--options", "runtime", "--timestamp"], id="an identity"),
        pytest.param("-", ["--timestamp=none"], id="ad hoc: no server, and no runtime, which refuses such libraries"),
    ],
)
def test_options_are_those_that_notarisation_asks_for(
    tools: StandIns, folder: Path, identity: str, options: list[str]
) -> None:
    tools.run(SIGN, folder, identity)
    *libraries, executable = signed(tools)
    assert all(call[:-1] == ["--force", "--sign", identity, *options] for call in libraries)
    entitlements = ["--entitlements", str(MACOS / "entitlements.plist")]
    assert executable[:-1] == ["--force", "--sign", identity, *options, *entitlements]


@pytest.mark.parametrize("name", [".", "./", "../My App's folder/"])
def test_a_folder_named_from_where_it_lies(tools: StandIns, folder: Path, name: str) -> None:
    done = tools.run("bash", "-c", 'cd -- "$1" && "$2" "$3" -', "bash", folder, SIGN, name)
    assert (done.returncode, done.stderr) == (0, "")
    assert [Path(call[-1]).relative_to(folder).as_posix() for call in signed(tools)][-1] == "arrow-sidecar"


@pytest.mark.parametrize("at", ["_internal/pyarrow/libarrow.dylib", "arrow-sidecar"])
@pytest.mark.parametrize("step", ["--sign", "--verify"])
def test_the_first_failure_ends_it(tools: StandIns, folder: Path, at: str, step: str) -> None:
    tools.add("codesign", f"if {step!r} in arguments and arguments[-1].endswith({at!r}): sys.exit(3)")
    done = tools.run(SIGN, folder, IDENTITY)
    assert done.returncode == 3
    assert str(folder / at) in done.stderr
    assert tools.calls("codesign")[-1][-1] == str(folder / at)


def test_a_file_of_unknown_kind_is_not_left_unsigned(tools: StandIns, folder: Path) -> None:
    tools.add("file", f"sys.exit(2) if arguments[-1].endswith('libarrow.dylib') else None\n{FILE}")
    done = tools.run(SIGN, folder, IDENTITY)
    assert done.returncode == 2
    assert "libarrow.dylib" in done.stderr
    assert not signed(tools)


@pytest.mark.parametrize(
    "arguments",
    [[], ["folder"], ["folder", ""], ["", "-"], ["folder", "-", "more"]],
    ids=["none", "no identity", "an empty identity", "an empty folder", "too many"],
)
def test_wrong_usage(tools: StandIns, arguments: list[str]) -> None:
    done = tools.run(SIGN, *arguments)
    assert done.returncode == 64
    assert done.stderr.startswith("usage: sign.sh BUNDLE IDENTITY")


def remove_executable(folder: Path) -> None:
    (folder / "arrow-sidecar").unlink()


def add_executable(folder: Path) -> None:
    (folder / "second").write_bytes(b"code")


def add_framework(folder: Path) -> None:
    (folder / "_internal" / "Python.framework").mkdir()


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        pytest.param(remove_executable, 66, "no Mach-O file at its top", id="no executable"),
        pytest.param(add_executable, 65, "second", id="two executables"),
        pytest.param(add_framework, 65, "Python.framework", id="a framework"),
    ],
)
def test_folders_that_it_does_not_sign(
    tools: StandIns, folder: Path, change: Callable[[Path], None], code: int, says: str
) -> None:
    change(folder)
    done = tools.run(SIGN, folder, IDENTITY)
    assert (done.returncode, signed(tools)) == (code, [])
    assert says in done.stderr


def test_a_folder_that_is_not_there(tools: StandIns, tmp_path: Path) -> None:
    done = tools.run(SIGN, tmp_path / "nowhere", IDENTITY)
    assert done.returncode == 66
    assert "nowhere" in done.stderr


def test_entitlements_are_those_that_the_document_gives_reasons_for() -> None:
    entitlements = plistlib.loads((MACOS / "entitlements.plist").read_bytes())
    rows = re.findall(r"^\| (`com\.apple.*?) \| (yes|no) \|", (MACOS / "README.md").read_text(), re.MULTILINE)
    needed = [name.strip("`") for name, verdict in rows if verdict == "yes"]
    assert entitlements == dict.fromkeys(needed, True)
    assert len(rows) > len(needed) > 0


def test_entitlements_have_no_comment() -> None:
    """The parser of `codesign` refuses some that others pass."""
    text = (MACOS / "entitlements.plist").read_text()
    assert "<!--" not in text
    assert ElementTree.fromstring(text).tag == "plist"
