"""What a bundle has to be. A build that is not fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .contents import file_modules, modules
from .exclusions import LISTED
from .faults import BuildFault
from .linkage import outside
from .modes import wrong_modes

MB = 1_000_000

FORBIDDEN = {
    "numpy": "pyarrow imports it where it is there: 45 MB, and 45 ms at the first load",
    "pandas": "as numpy",
    **dict.fromkeys(("pip", "setuptools", "pkg_resources"), "installs software"),
    **dict.fromkeys(("pytest", "_pytest", "hypothesis"), "tests"),
    **{name: LISTED[name] for name in ("doctest", "multiprocessing", "ssl", "_ssl", "test", "tkinter", "unittest")},
}
"""Modules that no bundle has by accident. One that a service imports itself is let in."""


class Budget(NamedTuple):
    """What a bundle may take."""

    max_bytes: int = 225 * MB
    max_files: int = 60


WITH_SERVICES = Budget(300 * MB, 150)


def check(folder: Path, executable: Path, budget: Budget, let_in: set[str]) -> None:
    """Raise `BuildFault` with a line for everything that is wrong. `let_in` are modules that services import."""
    found = [*_modes(folder, executable)] or [  # of which some may say that a file cannot be read
        *_sizes(folder, budget),
        *_links(folder),
        *outside(folder),
        *_forbidden(folder, executable, let_in),
    ]
    if found:
        raise BuildFault("\n".join(["the bundle is not what it has to be:", *(f"  {line}" for line in found)]))


def _sizes(folder: Path, budget: Budget) -> Iterator[str]:
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    total = sum(sizes.values())
    if total > budget.max_bytes:
        largest = sorted(sizes, key=lambda path: -sizes[path])[:5]
        names = ", ".join(f"{path.relative_to(folder)} {sizes[path] / MB:.1f}" for path in largest)
        yield f"it takes {total / MB:.1f} MB of {budget.max_bytes / MB:.0f} (--max-size says more); largest: {names}"
    if len(sizes) > budget.max_files:
        yield f"it has {len(sizes)} files of {budget.max_files} (--max-files says more)"


def _links(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            yield f"{path.relative_to(folder)}: is a link, of which a copy that follows links makes a second file"


def _modes(folder: Path, executable: Path) -> Iterator[str]:
    yield from wrong_modes(folder)
    if not os.access(executable, os.X_OK):
        yield f"{executable.name}: cannot be executed"


def _forbidden(folder: Path, executable: Path, let_in: set[str]) -> Iterator[str]:
    found = modules(executable) | file_modules(folder)
    for name in sorted({module.partition(".")[0] for module in found} & FORBIDDEN.keys() - let_in):
        yield f"it has the module {name}: {FORBIDDEN[name]}"
