"""What stays out of a bundle, each for a reason."""

from __future__ import annotations

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from bundle.cython import imports
from bundle.exclusions import LISTED, PYARROW, STANDARD_LIBRARY, excluded, not_required, required_distributions

import sidecar


@pytest.mark.parametrize("name", LISTED)
def test_every_reason_is_one(name: str) -> None:
    """A reason that only names another module names one of the list."""
    reason = LISTED[name]
    assert reason
    if reason.startswith("as "):
        assert reason.removeprefix("as ").partition(",")[0].partition(";")[0] in LISTED


@pytest.mark.parametrize("name", [name for name in STANDARD_LIBRARY if "." not in name])
def test_they_are_names_of_the_standard_library(name: str) -> None:
    """A name that is mistyped would exclude nothing. (`lib2to3` and `distutils` are gone from later versions.)"""
    assert name in {*sys.stdlib_module_names, "lib2to3", "distutils", "test"}


@pytest.mark.parametrize("name", [name for name in PYARROW if name != "pyarrow._cuda"])
def test_they_are_names_of_pyarrow(name: str) -> None:
    assert find_spec(name) is not None


def test_only_what_is_required_gets_in() -> None:
    assert required_distributions("arrow-sidecar") == {
        "arrow-sidecar",
        "msgspec",
        "polars",
        "polars-runtime-32",
        "pyarrow",
    }
    out = not_required()
    assert {"pytest", "hypothesis", "PyInstaller", "mypy"} <= out
    assert out.isdisjoint({"sidecar", "msgspec", "polars", "_polars_runtime_32", "pyarrow"})


def test_the_sidecar_itself_imports_nothing_that_stays_out() -> None:
    """By its sources: an import within a function would fail in the executable alone."""
    out = excluded() - {"typing_extensions"}  # imported for type checkers alone
    for path in Path(sidecar.__file__).parent.rglob("*.py"):
        if path.name == "testing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                assert not {name, name.partition(".")[0]} & out, f"{path.name} imports {name}"


def test_what_cython_modules_import_is_read_from_their_sources() -> None:
    found = imports(["pyarrow.lib"])
    assert {"decimal", "queue", "pyarrow.util", "pyarrow.vendored.version"} <= found
    assert "ssl" not in found
    assert "ssl" in imports(["pyarrow._fs"])
    assert imports(["json", "no_such_module"]) == set()
