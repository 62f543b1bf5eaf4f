"""Where the parts of a bundle come from: what PyInstaller's analysis knows, kept for the steps after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple


class Sources(NamedTuple):
    """The file on this machine of each part."""

    files: dict[str, Path]
    """By path below the bundle's inner folder."""

    modules: dict[str, Path]
    """Of the Python modules in the executable, by name."""


def record(analysis: Any, file: Path) -> None:
    """Write down what an analysis of PyInstaller's has found."""
    files = {name: source for name, source, _kind in [*analysis.binaries, *analysis.datas]}
    modules = {name: source for name, source, _kind in analysis.pure if source and source != "-"}
    file.write_text(json.dumps({"files": files, "modules": modules}), encoding="utf-8")


def recorded(file: Path) -> Sources:
    """What `record` has written."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return Sources(*({name: Path(source) for name, source in found[part].items()} for part in Sources._fields))
