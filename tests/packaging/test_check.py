"""Which files of a bundle are modules, and where its libraries may be looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bundle.contents import file_modules
from bundle.elf import place_of

DYNLOAD = "python3.11/lib-dynload"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("numpy/__init__.py", "numpy"),
        ("tkinter/constants.pyc", "tkinter.constants"),
        ("numpy/core/_multiarray.pyd", "numpy.core._multiarray"),
        (f"{DYNLOAD}/_zoneinfo.py", "_zoneinfo"),
        pytest.param("_ssl.so", "_ssl", marks=pytest.mark.skipif(sys.platform == "win32", reason="has no .so")),
        pytest.param("a/b.abi3.so", "a.b", marks=pytest.mark.skipif(sys.platform == "win32", reason="has no .so")),
    ],
)
def test_modules(tmp_path: Path, name: str, module: str) -> None:
    path = tmp_path / "_internal" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert file_modules(tmp_path) == {module}


@pytest.mark.parametrize("name", ["libz.so.1", "base_library.zip", "sidecar/PROTOCOL_VERSION", "numpy/notes.txt"])
def test_what_is_no_module(tmp_path: Path, name: str) -> None:
    path = tmp_path / "_internal" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert file_modules(tmp_path) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="RPATH is of ELF files")
@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("$ORIGIN", "/b/_internal/a"),
        ("${ORIGIN}/../a.libs/", "/b/_internal/a.libs"),
        ("$ORIGIN/../../../../opt/evil", "/opt/evil"),
        ("$ORIGINAL/x", None),
        ("$ORIGIN/$LIB", None),
        ("/opt/lib", None),
        ("lib", None),
        ("", None),
    ],
)
def test_an_entry_of_rpath(entry: str, place: str | None) -> None:
    assert place_of(entry, Path("/b/_internal/a/_core.so")) == (place and Path(place))
