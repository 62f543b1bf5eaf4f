"""A table as aligned text that fits the width of a terminal."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .cells import clip, pad, width

GAP = "  "
MIN_CAP = 20
"""A cell may always be so wide. Where some are wider, all get what they need up to a cap at which all columns fit."""


@dataclass(frozen=True)
class GridColumn:
    """Printable texts, the head first."""

    head: str
    cells: Sequence[str]
    is_right: bool = False

    def width(self) -> int:
        """That of its widest cell."""
        return max(map(width, (self.head, *self.cells)))


class Grid:
    """The lines of a head, a rule and the rows, none wider than `max_width` where there is one. Columns are as wide as
    the first rows need; in a later piece of the table, a value that is wider pushes its row aside."""

    def __init__(self, max_width: int | None, ellipsis: str = "…") -> None:
        self.fitting = 0
        """How many columns there was room for, from the left. There is room for one always; it is cut if need be."""
        self._max_width = max_width
        self._ellipsis = ellipsis
        self._widths: list[int] | None = None

    def lines(self, columns: Sequence[GridColumn]) -> Iterator[str]:
        """Those of some rows, after those of the head the first time."""
        if self._widths is None:
            widths = [column.width() for column in columns]
            self._widths = widths if self._max_width is None else fitted(widths, self._max_width)
            self.fitting = len(self._widths)
            yield self._line(columns, [column.head for column in columns])
            yield GAP.join("-" * cells for cells in self._widths)
        for row in zip(*(column.cells for column in columns), strict=True):
            yield self._line(columns, row)

    def _line(self, columns: Sequence[GridColumn], texts: Sequence[str]) -> str:
        assert self._widths is not None
        parts = []
        for text, column, cells in zip(texts, columns, self._widths, strict=False):
            shown = text if self._max_width is None else clip(text, cells, self._ellipsis)
            parts.append(pad(shown, cells, column.is_right))
        return GAP.join(parts).rstrip()


def fitted(widths: Sequence[int], max_width: int) -> list[int]:
    """The widths of as many columns, from the left, as there is room for."""
    gaps = len(GAP) * (len(widths) - 1)

    def total(cap: int) -> int:
        return sum(min(cap, cells) for cells in widths) + gaps

    cap = max(MIN_CAP, bisect_right(range(max_width + 1), max_width, key=total) - 1)
    capped = [min(cap, cells) for cells in widths]
    if total(cap) <= max_width:
        return capped
    chosen: list[int] = []
    room = max_width
    for cells in capped:
        if chosen and cells > room:
            break
        chosen.append(max(1, min(cells, room)))
        room -= cells + len(GAP)
    return chosen
