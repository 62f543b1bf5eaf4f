"""Aligned text: tables that grow row by row, and names with their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from .cells import printable

MAX_CELLS = 60
"""A longer value is cut, and says so: the JSON format has all of it."""


def cell(value: Any) -> str:
    """A value in its JSON form on one line; text without quotes."""
    if value is None:
        return "null"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if not text.isprintable():
        text = printable(msgspec.json.encode(text).decode())  # JSON escapes only some of what steers a terminal
    return text if len(text) <= MAX_CELLS else f"{text[: MAX_CELLS - 1]}…"


class TextTable:
    """Columns as wide as the first rows need; a later value that is wider pushes its row aside."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = [printable(name) for name in names]
        self._widths: list[int] | None = None

    def lines(self, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
        """The lines of some rows, those of the head before the first."""
        cells = [[cell(value) for value in row] for row in rows]
        numbers = [all(isinstance(value, int | float) for value in column) for column in zip(*rows, strict=True)]
        if self._widths is None:
            columns = zip(self._names, *cells, strict=True)
            self._widths = [max(map(len, column)) for column in columns]
            self._is_number = numbers or [False] * len(self._names)
            yield self._line(self._names)
            yield "  ".join("-" * width for width in self._widths)
        for row in cells:
            yield self._line(row)

    def _line(self, row: Sequence[str]) -> str:
        assert self._widths is not None
        parts = zip(row, self._widths, self._is_number, strict=True)
        return "  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in parts).rstrip()


def named(values: dict[str, Any], indent: str = "") -> Iterator[str]:
    """One line a name."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        yield f"{indent}{printable(name).ljust(width)}  {cell(value)}"
