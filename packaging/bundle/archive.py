"""A folder as one .tar.xz that is the same, byte by byte, wherever and whenever it is written."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from .faults import BuildFault
from .targets import this_target

LZMA2 = {"id": lzma.FILTER_LZMA2, "preset": 9}


class Unarchivable(BuildFault):
    """The folder holds something other than files and folders."""


def write(folder: Path, archive: Path, epoch_s: int) -> str:
    """Pack `folder` under its own name, and write the checksum beside the archive, as `sha256sum` does. Returns it.

    Every time in the archive is `epoch_s`; owners and the order in which files were made leave no trace in it. What
    fails leaves neither a new archive nor a part of one. Raises `Unarchivable` or `OSError`.
    """
    names = _names(folder)
    part = archive.with_name(f"{archive.name}.part")
    checksum = archive.with_name(f"{archive.name}.sha256")
    try:
        with open(part, "wb") as file:
            sha256 = _pack(folder, names, _Hashed(file), epoch_s)
        checksum.unlink(missing_ok=True)  # never one of another archive than that beside it
        os.replace(part, archive)
    finally:
        part.unlink(missing_ok=True)
    checksum.write_text(f"{sha256}  {archive.name}\n", encoding="utf-8", newline="\n")
    return sha256


def _names(folder: Path) -> list[str]:
    """What is in the folder, by path within it, sorted; a folder comes before what it holds."""
    if not folder.is_dir():
        raise Unarchivable(f"{folder} is no folder: build the bundle first.")
    paths = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    for path in paths:
        kind = path.lstat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise Unarchivable(
                f"{path} is neither a file nor a folder (a link, for one): apps copy what links point to, some systems "
                "cannot make them. Replace it by what it stands for, or leave it out of the bundle."
            )
    return [path.relative_to(folder).as_posix() for path in paths]


def _pack(folder: Path, names: Sequence[str], file: _Hashed, epoch_s: int) -> str:
    filters = filters_for(this_target().python)
    with lzma.LZMAFile(cast(BinaryIO, file), "wb", filters=filters) as packed, _tar(packed) as tar:
        tar.addfile(_entry(folder, folder.name, epoch_s))
        for name in names:
            _add(tar, folder / name, f"{folder.name}/{name}", epoch_s)
    return file.sha256.hexdigest()


def _tar(file: lzma.LZMAFile) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)


def _add(tar: tarfile.TarFile, path: Path, name: str, epoch_s: int) -> None:
    entry = _entry(path, name, epoch_s)
    if entry.isdir():
        tar.addfile(entry)
    else:
        with open(path, "rb") as content:
            tar.addfile(entry, content)


def _entry(path: Path, name: str, epoch_s: int) -> tarfile.TarInfo:
    """Of `TarInfo`'s defaults this relies on: owner and group 0, without names."""
    status = path.stat()
    entry = tarfile.TarInfo(name)
    entry.mtime = epoch_s
    entry.mode = 0o755 if stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IXUSR else 0o644
    entry.type = tarfile.DIRTYPE if stat.S_ISDIR(status.st_mode) else tarfile.REGTYPE
    entry.size = 0 if entry.isdir() else status.st_size
    return entry


def filters_for(python_platform: str) -> list[dict[str, Any]]:
    """liblzma's filters for a target: a processor's own one makes all calls of one function the same bytes.

    Measured with 94 MB of pyarrow's libraries for x86-64, in MB and s: preset 6 20.9 and 39, with the filter 19.2 and
    30; preset 9 19.1 and 43, with the filter 17.5 and 37; PRESET_EXTREME 17.4 and 42. Unpacking takes 1 s in all.
    """
    processor = python_platform.rpartition("-")[2]
    if processor in ("x86_64", "amd64"):
        return [{"id": lzma.FILTER_X86}, LZMA2]
    arm64: int | None = getattr(lzma, "FILTER_ARM64", None)  # Python knows it from 3.15 on, liblzma from 5.4
    return [LZMA2] if arm64 is None else [{"id": arm64}, LZMA2]


class _Hashed:
    """A file to write, and the SHA-256 of what has been written."""

    def __init__(self, file: BinaryIO) -> None:
        self.sha256 = hashlib.sha256()
        self._file = file

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._file.write(data)
