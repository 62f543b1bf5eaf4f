"""What is in a bundle: its files, and the modules within its executable."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path
from typing import NamedTuple

MANIFEST = "manifest.json"
LICENCES = "THIRD_PARTY_LICENSES.txt"
INNER = "_internal"

MODULE_SUFFIXES = (*SOURCE_SUFFIXES, *BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES, ".pyd")


class File(NamedTuple):
    """One file, by its path below the bundle's folder, with `/` on every system."""

    path: str
    size: int
    sha256: str


def files(folder: Path) -> Iterator[File]:
    """Every file but the manifest itself, in the order of their paths."""
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield File(name, path.stat().st_size, digest)


def modules(executable: Path) -> set[str]:
    """The Python modules in an executable and in the archive that Python starts from."""
    from PyInstaller.archive.readers import CArchiveReader

    archive = CArchiveReader(str(executable)).open_embedded_archive("PYZ.pyz")
    return {*archive.toc, *_library_modules(executable.parent / INNER / "base_library.zip")}


def _library_modules(library: Path) -> Iterator[str]:
    with zipfile.ZipFile(library) as archive:
        for name in archive.namelist():
            yield name.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".")


def file_modules(folder: Path) -> set[str]:
    """The modules that are files of their own. A library that is named as one, `libx.so`, is taken for one."""
    found = set()
    for path in sorted((folder / INNER).rglob("*")):
        if path.name.endswith(MODULE_SUFFIXES):
            parts = path.relative_to(folder / INNER).parts
            parts = parts[2:] if "lib-dynload" in parts else parts
            found.add(".".join([*parts[:-1], path.name.partition(".")[0]]).removesuffix(".__init__"))
    return found
