"""What is done to the files that PyInstaller has collected."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .codecs import drop_codecs
from .contents import INNER
from .elf import dynamic, elf_files, patch, place_of, strip, symbols
from .lean import LIBRARIES

PYARROW = "pyarrow"
LIBRARY = re.compile(r"lib[\w+-]+\.so[.\d]*")
"""By its name: not `lib.cpython-311-x86_64-linux-gnu.so`, which Python opens itself."""


def trim(folder: Path, has_services: bool) -> None:
    """Leave out what is not used, and have the rest look nowhere else. `folder` is the whole of a bundle."""
    if not has_services:
        drop_codecs(folder / INNER / "base_library.zip")
    if sys.platform == "linux":
        strip_common(folder)
        look_within(folder)
        drop_unused_links(folder)
        drop_unused_libraries(folder)
    elif sys.platform == "darwin":
        _replace_links(folder / INNER)


def strip_common(folder: Path) -> None:
    """Strip what every bundle has. What a service brings stays as it came, and the system's libraries are stripped."""
    inner = folder / INNER
    for path in elf_files(inner):
        top, *below = path.relative_to(inner).parts
        if below[:1] == ["lib-dynload"] or top.startswith("libpython") or (below and top in LIBRARIES):
            strip(path)


def look_within(folder: Path) -> None:
    """Have every file look for libraries in the bundle before LD_LIBRARY_PATH, where a host may have others of the same
    names: that is what RPATH does, and RUNPATH, which replaced it, does not. A Python that was built on this machine
    names the machine's folders too, and a wheel may name those of packages that it could be installed beside."""
    paths = elf_files(folder)
    for path in paths:
        needed, search, _ = dynamic(path)
        kept = [entry for entry in search if _is_within(entry, path, folder)]
        if path.parent == folder:
            kept = [f"$ORIGIN/{INNER}"]
        kept += _missed(path, kept, [other for other in paths if other.name in needed], folder)
        if kept:
            patch(path, "--force-rpath", "--set-rpath", ":".join(kept))
        elif search:
            patch(path, "--remove-rpath")


def _is_within(entry: str, path: Path, folder: Path) -> bool:
    place = place_of(entry, path)
    return place is not None and place.is_relative_to(folder)


def _missed(path: Path, search: Iterable[str], libraries: Iterable[Path], folder: Path) -> Iterator[str]:
    """Where libraries are that a file would not find: it found them by a link of PyInstaller's (see the spec)."""
    looked_in = {folder / INNER, *(place_of(entry, path) for entry in search)}
    by_name = {library.name: library.parent for library in libraries}
    there = {library.name for library in libraries if library.parent in looked_in}
    for place in sorted({by_name[name] for name in by_name.keys() - there}):
        yield f"$ORIGIN/{os.path.relpath(place, path.parent)}"


def drop_unused_links(folder: Path) -> None:
    """The wheel of pyarrow links each of its files with all of its libraries. A library is not needed by a file that
    takes none of its symbols; without three of them a bundle is 7 MB smaller, and starts 2 ms sooner. A service's files
    stay as they are: a library may be there for what it does when it is loaded."""
    by_name = {path.name: path for path in elf_files(folder / INNER / PYARROW)}
    defined = {name: symbols(path, "defined") for name, path in by_name.items()}
    for path in by_name.values():
        wanted = symbols(path, "undefined")
        for name in dynamic(path).needed:
            if name in by_name and wanted.isdisjoint(defined[name]):
                patch(path, "--remove-needed", name)


def drop_unused_libraries(folder: Path) -> None:
    """Remove pyarrow's libraries that no file needs, until all that are left are needed. Those of others may be opened
    by name, as ctypes does."""
    needed = {name for path in elf_files(folder) for name in dynamic(path).needed}
    libraries = [path for path in elf_files(folder / INNER / PYARROW) if LIBRARY.fullmatch(path.name)]
    unused = [path for path in libraries if path.name not in needed]
    for path in unused:
        path.unlink()
    if unused:
        drop_unused_libraries(folder)


def _replace_links(folder: Path) -> None:
    """On macOS PyInstaller has every library look for others at the top, where it puts links to those within packages:
    these move there. (Written by its source, not run.)"""
    for link in sorted(path for path in folder.rglob("*") if path.is_symlink()):
        target = link.resolve()
        link.unlink()
        if target.is_file() and not target.is_symlink():
            target.rename(link)
