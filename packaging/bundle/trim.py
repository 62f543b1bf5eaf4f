"""What is done to the files that PyInstaller has collected."""

from __future__ import annotations

import sys
from pathlib import Path

from .codecs import drop_codecs
from .contents import is_extension
from .elf import Dynamic, dynamic, elf_files, patch, symbols


def trim(folder: Path, has_services: bool) -> None:
    """Leave out what is not used, and have the rest look nowhere else. `folder` is the whole of a bundle."""
    if not has_services:
        drop_codecs(folder / "_internal" / "base_library.zip")
    if sys.platform == "linux":
        inner = folder / "_internal"
        _look_within(folder)
        _drop_unused_links(inner)
        _drop_unused_libraries(folder)
    elif sys.platform == "darwin":
        _replace_links(folder / "_internal")


def _look_within(folder: Path) -> None:
    """Have every file look for libraries in the bundle before LD_LIBRARY_PATH, where a host may have others of the same
    names: that is what RPATH does, and RUNPATH, which replaced it, does not. A Python that was built on this machine
    names the machine's folders too."""
    for path in elf_files(folder):
        search = dynamic(path).search
        kept = [place for place in search if place.startswith("$ORIGIN")]
        if path.parent == folder:
            kept = ["$ORIGIN/_internal"]
        if kept:
            patch(path, "--force-rpath", "--set-rpath", ":".join(kept))
        elif search:
            patch(path, "--remove-rpath")


def _drop_unused_links(folder: Path) -> None:
    """The wheel of pyarrow links each of its files with all of its libraries. A library is not needed by a file that
    takes none of its symbols; without three of them a bundle is 7 MB smaller, and starts 2 ms sooner."""
    by_name = {path.name: path for path in elf_files(folder)}
    defined = {name: symbols(path, "defined") for name, path in by_name.items()}
    for path in by_name.values():
        wanted = symbols(path, "undefined")
        for name in dynamic(path).needed:
            if name in by_name and wanted.isdisjoint(defined[name]):
                patch(path, "--remove-needed", name)


def _drop_unused_libraries(folder: Path) -> None:
    """Remove libraries that no file needs, until all that are left are needed."""
    while True:
        found: dict[Path, Dynamic] = {path: dynamic(path) for path in elf_files(folder)}
        needed = {name for each in found.values() for name in each.needed}
        unused = [path for path in found if _is_library(path) and path.name not in needed]
        for path in unused:
            path.unlink()
        if not unused:
            return


def _is_library(path: Path) -> bool:
    """Whether others are linked with it. The executable opens libpython, and Python its extension modules."""
    return path.name.startswith("lib") and not path.name.startswith("libpython") and not is_extension(path)


def _replace_links(folder: Path) -> None:
    """On macOS PyInstaller has every library look for others at the top, where it puts links to those within packages:
    these move there. (Written by its source, not run.)"""
    for link in sorted(path for path in folder.rglob("*") if path.is_symlink()):
        target = link.resolve()
        link.unlink()
        if target.is_file() and not target.is_symlink():
            target.rename(link)
