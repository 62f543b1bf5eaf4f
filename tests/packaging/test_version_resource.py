"""The version resource is text that PyInstaller's own reader turns into what Windows shows."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bundle.version_resource import version_file, version_resource

from sidecar.version import VERSION

READER = "PyInstaller.utils.win32.versioninfo"


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Any:
    """PyInstaller's. Elsewhere than on Windows its module lacks two others, which it needs for writing."""
    compat = pytest.importorskip("PyInstaller.compat", reason="PyInstaller is not installed")
    if sys.platform != "win32":
        monkeypatch.setitem(sys.modules, "pefile", ModuleType("pefile"))
        monkeypatch.setattr(compat, "win32api", None, raising=False)
        monkeypatch.delitem(sys.modules, READER, raising=False)
    return importlib.import_module(READER)


@pytest.fixture
def read(reader: Any, tmp_path: Path) -> Any:
    """Call as `version_resource`; returns what the reader makes of it."""

    def read(*arguments: str) -> Any:
        file = tmp_path / "version.txt"
        file.write_text(version_resource(*arguments), encoding="utf-8")
        return reader.load_version_info_from_text_file(str(file))

    return read


def strings(info: Any) -> dict[str, str]:
    (table,) = info.kids[0].kids
    return {entry.name: entry.val for entry in table.kids}


def test_what_is_shown(read: Any) -> None:
    info = read("my-sidecar", "1.2.3", "Ada & Söhne", "Tables for 'My App'\u2122")
    assert strings(info) == {
        "CompanyName": "Ada & Söhne",
        "FileDescription": "Tables for 'My App'\u2122",
        "FileVersion": "1.2.3",
        "InternalName": "my-sidecar",
        "OriginalFilename": "my-sidecar.exe",
        "ProductName": "my-sidecar",
        "ProductVersion": "1.2.3",
    }


def test_the_strings_are_filed_under_the_announced_language(read: Any) -> None:
    info = read("n", "1", "c", "d")
    (announced,) = info.kids[1].kids
    language, code_page = announced.kids
    assert info.kids[0].kids[0].name == f"{language:04X}{code_page:04X}" == "040904B0"
    assert announced.name == "Translation"


@pytest.mark.parametrize(
    ("version", "numbers", "flags"),
    [
        ("1", (1, 0, 0, 0), 0),
        ("0.1.0", (0, 1, 0, 0), 0),
        ("1.2.3.65535", (1, 2, 3, 65535), 0),
        ("1.2.0rc1", (1, 2, 0, 0), 2),
        ("2026.11.21.dev4+gabc", (2026, 11, 21, 0), 2),
        ("1.2.3.4.5", (1, 2, 3, 4), 2),
    ],
)
def test_numbers(read: Any, version: str, numbers: tuple[int, ...], flags: int) -> None:
    fixed = read("n", version, "c", "d").ffi
    words = (fixed.fileVersionMS, fixed.fileVersionLS)
    assert words == (fixed.productVersionMS, fixed.productVersionLS)
    assert tuple(half for word in words for half in (word >> 16, word & 0xFFFF)) == numbers
    assert (fixed.fileFlags, fixed.fileType, fixed.fileOS) == (flags, 1, 0x40004)
    assert strings(read("n", version, "c", "d"))["FileVersion"] == version


@pytest.mark.parametrize("version", ["", "v1.2", "one", "65536", "1.2.3.99999", "-1", "\u0661.2"])
def test_versions_that_windows_cannot_have(version: str) -> None:
    with pytest.raises(ValueError, match="four numbers of at most 65535") as caught:
        version_resource("n", version, "c", "d")
    assert repr(version) in str(caught.value)


def test_the_file_that_the_build_uses(reader: Any, tmp_path: Path) -> None:
    file = version_file("my-sidecar", tmp_path, "win32")
    shown = strings(reader.load_version_info_from_text_file(file))
    assert (shown["OriginalFilename"], shown["FileVersion"]) == ("my-sidecar.exe", VERSION)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_other_systems_have_none(tmp_path: Path, platform: str) -> None:
    assert version_file("my-sidecar", tmp_path, platform) is None
    assert not [*tmp_path.iterdir()]
