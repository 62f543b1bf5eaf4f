"""Which files are CPython's own, and where an installation of it keeps its licence."""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .component import Component, texts_of
from .distributions import ENVIRONMENTS
from .settings import PACKAGING

SPDX = "Python-2.0.1"
LIBRARY = re.compile(r"(lib)?python3[\w.]*\.(so|dylib|dll)[\d.]*|Python", re.ASCII)
"""The interpreter as a library: libpython3.11.so.1.0, python311.dll, `Python` in a framework of macOS."""

INCORPORATED = texts_of([PACKAGING / "licences" / "cpython-incorporated.txt"], PACKAGING / "licences")

STDLIB = Path(os.__file__).resolve().parent
PREFIX = Path(sys.base_prefix).resolve()
ROOT = Path(STDLIB.anchor)


def component_of(source: Path) -> Component | None:
    """CPython, if the file lies in its standard library, or is the interpreter."""
    return cpython() if _is_cpython(source.resolve()) else None


@cache
def cpython(stdlib: Path = STDLIB, prefix: Path = PREFIX, root: Path = ROOT) -> Component:
    """With the first licence that an installation has, and the terms of what CPython has copied in, which most have
    not; with no text if it has no licence."""
    found = (texts_of([folder / name], folder) for folder, name in _places(stdlib, prefix, root))
    texts = next(filter(None, found), ())
    return Component("CPython", platform.python_version(), SPDX, (*texts, *INCORPORATED) if texts else ())


def _is_cpython(path: Path) -> bool:
    if any(part in ENVIRONMENTS for part in path.parts):
        return False
    is_library = LIBRARY.fullmatch(path.name) is not None and any(path.is_relative_to(base) for base in _prefixes())
    return is_library or any(path.is_relative_to(folder) for folder in _folders())


@cache
def _prefixes() -> set[Path]:
    names = (sys.base_prefix, sys.base_exec_prefix, sysconfig.get_config_var("LIBDIR"))
    return {Path(name).resolve() for name in names if name}


@cache
def _folders() -> set[Path]:
    """On Windows the whole prefix: its licence is of all that the installer brings. Elsewhere the prefix may be /usr.

    The standard library is asked for by its module too: in a virtual environment `sysconfig` may have the environment.
    """
    paths, dynload = sysconfig.get_paths(), sysconfig.get_config_var("DESTSHARED")
    names = (STDLIB, paths["stdlib"], paths["platstdlib"], dynload, PREFIX if os.name == "nt" else None)
    return {Path(name).resolve() for name in names if name}


def _places(stdlib: Path, prefix: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """Folders, and paths within them.

    `make install`, and with it pyenv, containers, uv and python.org's framework, puts the licence into the standard
    library; the installers for Windows at the top; Debian and Fedora where they put all.
    """
    yield stdlib, "LICENSE.txt"
    for name in ("LICENSE.txt", "LICENSE", "LICENSE_PYTHON.txt"):
        yield prefix, name
    version = f"python3.{sys.version_info.minor}"
    for package in (f"{version}-minimal", version, f"lib{version}-minimal", f"lib{version}-stdlib"):
        yield root, f"usr/share/doc/{package}/copyright"
    for package in ("python3-libs", f"{version}-libs", "python3", version):
        yield root, f"usr/share/licenses/{package}/LICENSE"
