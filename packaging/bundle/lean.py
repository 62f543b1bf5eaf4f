"""Library modules without their docstrings, which are a megabyte of a bundle."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

Entry = tuple[str, str, str]
"""A line of PyInstaller's table of contents: name, file on this machine, kind."""

LIBRARIES = ("sidecar", "pyarrow", "polars", "msgspec", "_polars_runtime_32")
"""What every bundle has, beside the standard library."""


def lean(modules: Iterable[Entry], folder: Path) -> list[Entry]:
    """The same modules. A service and what comes with it stays as it is: `describe` shows its docstrings."""
    return [(name, *_lean(name, file, folder)) for name, file, _kind in modules]


def _lean(name: str, file: str, folder: Path) -> tuple[str, str]:
    if not is_library(name) or file == "-":
        return file, "PYMODULE"
    if name.partition(".")[0] in sys.stdlib_module_names:
        return file, "PYMODULE-2"  # as `python -OO` has it, which CPython's own tests are run with
    blank = folder / name / Path(file).name  # PyInstaller knows a package by `__init__.py`
    blank.parent.mkdir(parents=True)
    blank.write_text(blanked(Path(file).read_text(encoding="utf-8-sig")), encoding="utf-8")
    return str(blank), "PYMODULE"


def is_library(module: str) -> bool:
    """Whether a module is of the standard library, or of what every bundle has."""
    top = module.partition(".")[0]
    return top in LIBRARIES or top in sys.stdlib_module_names


def blanked(source: str) -> str:
    """A module whose docstrings have line ends alone, so that tracebacks stay right.

    Not `-OO`: it leaves `assert` out too, and Polars takes a method whose body is a docstring for one to be filled in.
    """
    lines = source.encode().splitlines(keepends=True)
    for start, end in _docstrings(ast.parse(source)):
        (first, left), (last, right) = start, end
        text = b'"""' + b"\n" * (last - first) + b'"""'
        whole = lines[first][:left] + text + lines[last][right:]
        lines[first : last + 1] = [*whole.splitlines(keepends=True)]
    return b"".join(lines).decode()


Place = tuple[int, int]
"""A line from 0 and a byte within it."""


def _docstrings(tree: ast.Module) -> Iterator[tuple[Place, Place]]:
    """Where each begins and ends."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body[:1]:
                case [ast.Expr(ast.Constant(str()) as text)] if text.end_lineno and text.end_col_offset is not None:
                    yield (text.lineno - 1, text.col_offset), (text.end_lineno - 1, text.end_col_offset)
