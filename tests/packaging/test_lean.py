"""Docstrings go, and nothing else does."""

from __future__ import annotations

import ast
from pathlib import Path

import polars
import pytest
from bundle.lean import blanked, is_library, lean

SOURCES = {
    "a module": '"""Says\nsomething."""\nx = 1\n',
    "a function": 'def f():\n    """Says\n    something."""\n    return 1\n',
    "a function that is its docstring": 'def f():\n    """Says something."""\n',
    "on one line": 'def f(): "says"; return 1\n',
    "a class": 'class C:\n    "says"\n    x = 1\n',
    "methods": 'class C:\n    def m(self):\n        r"""a\\b"""\n    async def n(self): "says"\n',
    "letters of several bytes": 'def größe():\n    """größer als 矢"""; y = "矢"\n    return y\n',
    "parts that are put together": 'def f():\n    ("one "\n     "two")\n    return 1\n',
    "other texts": 'def f():\n    x = """stays\nas it is"""\n    """stays too"""\n    return x\n',
    "windows' line ends": 'def f():\r\n    """a\r\n    b"""\r\n    return 1\r\n',
    "nothing": "",
}


def without_docstrings(source: str) -> str:
    """The tree of a module, but for what its docstrings say."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body[0].value.value = ""  # type: ignore[attr-defined]
    return ast.dump(tree)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_what_is_left(source: str) -> None:
    made = blanked(source)
    assert without_docstrings(made) == without_docstrings(source)
    docstrings = [ast.get_docstring(node) for node in ast.walk(ast.parse(made)) if hasattr(node, "body")]
    assert not any(docstrings)
    lines = [getattr(node, "lineno", None) for node in ast.walk(ast.parse(source))]
    assert [getattr(node, "lineno", None) for node in ast.walk(ast.parse(made))] == lines


def test_a_real_library() -> None:
    """The largest module of Polars."""
    source = Path(polars.__file__).with_name("dataframe").joinpath("frame.py").read_text(encoding="utf-8")
    made = blanked(source)
    assert len(made) < len(source) / 2
    assert without_docstrings(made) == without_docstrings(source)


def test_which_modules(tmp_path: Path) -> None:
    package = tmp_path / "msgspec" / "__init__.py"
    package.parent.mkdir()
    package.write_text('"""Says something."""\nx = 1\n', encoding="utf-8")
    own = str(tmp_path / "service.py")
    entries = [("msgspec", str(package), "PYMODULE-2"), ("json", "json.py", "PYMODULE"), ("service", own, "PYMODULE-2")]
    (_, blank, kind), *others = lean(entries, tmp_path / "work")
    assert (Path(blank).name, kind) == ("__init__.py", "PYMODULE")
    assert "Says" not in Path(blank).read_text(encoding="utf-8")
    assert others == [("json", "json.py", "PYMODULE-2"), ("service", own, "PYMODULE")]


def test_a_mark_of_the_byte_order(tmp_path: Path) -> None:
    module = tmp_path / "msgspec.py"
    module.write_text('"""Says something."""\nx = 1\n', encoding="utf-8-sig")
    ((_, blank, _),) = lean([("msgspec", str(module), "PYMODULE")], tmp_path / "work")
    assert Path(blank).read_text(encoding="utf-8") == '""""""\nx = 1\n'


@pytest.mark.parametrize(
    ("module", "expected"),
    [("polars.series", True), ("email.message", True), ("sidecar", True), ("polars_extra", False), ("cities", False)],
)
def test_libraries(module: str, expected: bool) -> None:
    assert is_library(module) is expected
