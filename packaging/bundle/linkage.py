"""What the files of a bundle are linked with: each other, and the system's C library."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .contents import INNER
from .elf import dynamic, elf_files, place_of

GLIBC = re.compile(r"lib(c|m|dl|rt|pthread|util)\.so\.\d+|ld-linux[\w-]*\.so\.\d+")
"""All of them are parts of glibc, of which every system has its own."""

MACOS = ("/usr/lib/", "/System/Library/")
WINDOWS = re.compile(
    r"(kernel32|user32|advapi32|ntdll|ole32|oleaut32|shell32|shlwapi|ws2_32|bcrypt\w*|crypt32|secur32|rpcrt4|version"
    r"|userenv|psapi|pdh|powrprof|iphlpapi|netapi32|gdi32|comctl32|dbghelp|ucrtbase|api-ms-win-[\w-]+|ext-ms-[\w-]+)"
    r"\.(dll|drv)",
    re.IGNORECASE,
)
"""What Windows 10 has. The C++ runtime (msvcp140, vcruntime140) is not among it: a bundle has its own."""


def outside(folder: Path) -> Iterator[str]:
    """A line for each library that a file takes from elsewhere, and for each place that it looks in elsewhere."""
    found = {"linux": _outside_linux, "darwin": _outside_macos, "win32": _outside_windows}[sys.platform](folder)
    for path, what in found:
        yield f"{path.relative_to(folder)}: {what}"


def glibc(folder: Path) -> str | None:
    """The oldest glibc that a bundle runs with, as `2.36`; None on other systems."""
    if sys.platform != "linux":
        return None
    names = {name for path in elf_files(folder) for name in dynamic(path).versions}
    numbers = [tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in names if _is_number(name)]
    return ".".join(map(str, max(numbers)))


def _is_number(name: str) -> bool:
    return re.fullmatch(r"GLIBC_[\d.]+", name) is not None


def _outside_linux(folder: Path) -> Iterator[tuple[Path, str]]:
    inside = {path: dynamic(path) for path in elf_files(folder)}
    for path, (needed, search, _) in inside.items():
        places = {entry: place_of(entry, path) for entry in search}
        yield from ((path, f"looks for libraries in {entry}") for entry in places if not _within(places[entry], folder))
        looked_in = {folder / INNER, *places.values()}  # PyInstaller's bootloader sets LD_LIBRARY_PATH
        for name in needed:
            found = {library.parent for library in inside if library.name == name}
            if not found and not GLIBC.fullmatch(name):
                yield path, f"is linked with {name}, which is not in the bundle"
            elif found and not found & looked_in:
                yield path, f"is linked with {name}, and does not look for it in {_listed(found, folder)}"


def _within(place: Path | None, folder: Path) -> bool:
    return place is not None and place.is_relative_to(folder)


def _listed(places: Iterable[Path], folder: Path) -> str:
    return ", ".join(sorted(str(place.relative_to(folder)) for place in places))


def _outside_macos(folder: Path) -> Iterator[tuple[Path, str]]:
    yield from _imported(folder, (".so", ".dylib", ""), lambda name: name.startswith(MACOS))


def _outside_windows(folder: Path) -> Iterator[tuple[Path, str]]:
    yield from _imported(folder, (".pyd", ".dll", ".exe"), lambda name: WINDOWS.fullmatch(name) is not None)


def _imported(folder: Path, suffixes: tuple[str, ...], is_system: Callable[[str], bool]) -> Iterator[tuple[Path, str]]:
    """By PyInstaller's own reading of Mach-O and PE files. (Written by its source, not run.)"""
    from PyInstaller.depend.bindepend import get_imports

    inside = {path.name.lower() for path in folder.rglob("*")}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in suffixes):
        for name, _place in get_imports(str(path), [str(folder)]):
            if Path(name).name.lower() not in inside and not is_system(name):
                yield path, f"is linked with {name}, which is not in the bundle"
