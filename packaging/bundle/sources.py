"""Where the parts of a bundle come from: what PyInstaller's analysis knows, kept for the steps after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from .data import end_of


class Sources(NamedTuple):
    """The file on this machine of each part."""

    files: dict[str, Path]
    """By path below the bundle's inner folder."""

    modules: dict[str, Path]
    """Of the Python modules in the executable, by name."""

    let_in: set[str]
    """The modules that a service reaches, and that may stay out otherwise."""


def record(analysis: Any, let_in: set[str], file: Path) -> None:
    """Write down what an analysis of PyInstaller's has found."""
    entries = [*analysis.binaries, *analysis.datas]
    files = {name: source for name, source, kind in entries if kind != "SYMLINK"}
    links = {name: end_of(name, source) for name, source, kind in entries if kind == "SYMLINK"}
    files |= {name: files[end] for name, end in links.items() if end in files}
    modules = {name: source for name, source, _kind in analysis.pure if source and source != "-"}
    found = {"files": files, "modules": modules, "let_in": sorted(let_in)}
    file.write_text(json.dumps(found), encoding="utf-8")


def recorded(file: Path) -> Sources:
    """What `record` has written."""
    found = json.loads(file.read_text(encoding="utf-8"))
    files, modules = ({name: Path(source) for name, source in found[part].items()} for part in ("files", "modules"))
    return Sources(files, modules, set(found["let_in"]))
