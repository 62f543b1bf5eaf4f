"""What the Cython modules of pyarrow import, which no analysis of Python sees."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

IMPORT = re.compile(r"^ *(?:import|from) ([a-z_][\w.]*)", re.MULTILINE)
"""Also of a `cimport`'s module and of words in a docstring, which are no modules."""


def imports(modules: Iterable[str]) -> set[str]:
    """The modules that `pyarrow.lib` and others like it import, by the sources that pyarrow ships beside them; so an
    upgrade that imports more is seen. What is not installed is left out."""
    sources = {source for module in modules for source in _sources(module)}
    found = {name for source in sources for name in IMPORT.findall(source.read_text(encoding="utf-8"))}
    return {name for name in found if _exists(name)}


def _sources(module: str) -> list[Path]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return []
    folder, name = Path(spec.origin).parent, module.rpartition(".")[2]
    parts = [*folder.glob("*.pxi")] if name == "lib" else []
    return [source for source in (*parts, folder / f"{name}.pyx") if source.exists()]


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
