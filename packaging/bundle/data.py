"""What `--data` brings: where it may go, and what becomes of links."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from .faults import BuildFault
from .lean import LIBRARIES, Entry

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
BUNDLES_OWN = {*LIBRARIES, "base_library.zip", "lib-dynload", PYTHON}
"""What the top of a bundle's inner folder has already."""


def check_data(data: Iterable[tuple[str, str]]) -> None:
    """Raise `BuildFault` for a place outside of the bundle, for one that is taken, and for a link that leads nowhere or
    to a folder, which PyInstaller would leave out."""
    for source, place in data:
        for fault in (*_misplaced(source, place), *_lost(source)):
            raise BuildFault(f"--data {source}={place}: {fault}")


def _misplaced(source: str, place: str) -> Iterator[str]:
    path = PurePath(place)
    if path.anchor or ".." in path.parts:
        yield "write the folder as it is within the bundle, as . or texts/en"
    names = os.listdir(source) if os.path.isdir(source) else [os.path.basename(source)]
    for name in sorted(names):
        top = (path / name).parts[0]
        if top in BUNDLES_OWN:
            yield f"the bundle has {top} of its own"


def _lost(source: str) -> Iterator[str]:
    for path in sorted(Path(source).rglob("*")):
        if path.is_symlink() and not path.exists():
            yield f"{path} is a link to nothing"
        elif path.is_symlink() and path.is_dir():
            yield f"{path} is a link to a folder: give that with a --data of its own"


def without_links(datas: Iterable[Entry], binaries: Iterable[Entry], keep: bool) -> list[Entry]:
    """The data of PyInstaller's analysis, where the target of a link is in the bundle too: a copy in place of each
    link, and none in place of those to libraries, which stay if `keep` is set."""
    datas, libraries = [*datas], {name for name, _source, _kind in binaries}
    files = {name: source for name, source, kind in datas if kind != "SYMLINK"}
    return [made for entry in datas for made in _resolved(entry, files, libraries, keep)]


def _resolved(entry: Entry, files: dict[str, str], libraries: set[str], keep: bool) -> Iterator[Entry]:
    name, target, kind = entry
    end = end_of(name, target)
    if kind != "SYMLINK" or (keep and end in libraries):
        yield entry
    elif end in files:
        yield name, files[end], "DATA"


def end_of(name: str, target: str) -> str:
    """The path in a bundle that a link there leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
