"""The statistics of columns as a table: one row a column, as many figures as the terminal has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..services.tables.stats.column_stats import ColumnStats
from .cells import clip
from .distributions import distribution, share
from .grid import GAP, Grid, GridColumn
from .terminal import Screen, screen

PICTURE = "distribution"
PICTURE_CELLS = 22
"""What a histogram takes: 20 bins and two tails."""
MAX_PICTURE_CELLS = 60

NARROW, WIDE = 60, 140
"""Terminals up to which pictures are cut, and from which on longer names and values are shown."""

HEADS = ("column", "dtype", "nulls", "distinct", "min", "q25", "median", "mean", "q75", "max", "std", PICTURE)
"""The order in which figures stand."""

BY_WEIGHT = (
    ("column",),
    (PICTURE,),
    ("dtype",),
    ("nulls",),
    ("min", "max"),
    ("distinct",),
    ("mean",),
    ("median",),
    ("std",),
    ("q25", "q75"),
)
"""The order in which they are given room; those of a group go together."""

_LEFT = ("column", "dtype", PICTURE)


def show_figures(stats: Sequence[ColumnStats], total: int) -> None:
    """Print them; `total` is the rows that they are of."""
    shown = screen()
    for line in Grid(shown.width, shown.glyphs.ellipsis).lines(figures(stats, total, shown)):
        print(line)


def figures(stats: Sequence[ColumnStats], total: int, shown: Screen) -> list[GridColumn]:
    """The columns of that table, their cells cut to the room that there is."""
    columns = {head: _column(head, stats, total, shown) for head in HEADS if head != PICTURE}
    if shown.width is None:
        return [*columns.values(), _pictures(stats, total, shown, MAX_PICTURE_CELLS)]
    widths = {head: min(column.width(), _cap(head, shown.width)) for head, column in columns.items()}
    picture_cells = PICTURE_CELLS if shown.width >= NARROW else PICTURE_CELLS // 2
    chosen, room = _chosen({**widths, PICTURE: picture_cells}, shown.width)
    made = [_cut(columns[head], min(widths[head], shown.width), shown) for head in HEADS if head in chosen - {PICTURE}]
    if PICTURE in chosen:
        made.append(_pictures(stats, total, shown, min(picture_cells + room, MAX_PICTURE_CELLS)))
    return made


def _cap(head: str, max_width: int) -> int:
    if head == "column":
        return 40 if max_width >= WIDE else 24
    return 26 if max_width >= WIDE else 14


def _chosen(widths: dict[str, int], max_width: int) -> tuple[set[str], int]:
    """The figures that there is room for, and the cells that are left."""
    chosen: set[str] = set()
    room = max_width + len(GAP)
    for group in BY_WEIGHT:
        needed = sum(widths[head] + len(GAP) for head in group)
        if needed <= room or not chosen:
            chosen |= set(group)
            room -= needed
    return chosen, max(0, room)


def _cut(column: GridColumn, cells: int, shown: Screen) -> GridColumn:
    made = [clip(text, cells, shown.glyphs.ellipsis) for text in (column.head, *column.cells)]
    return GridColumn(made[0], made[1:], column.is_right)


def _column(head: str, stats: Sequence[ColumnStats], total: int, shown: Screen) -> GridColumn:
    return GridColumn(head, [shown.text(_figure(head, one, total)) for one in stats], head not in _LEFT)


def _figure(head: str, stats: ColumnStats, total: int) -> Any:
    if head == "nulls":
        return counted(stats.null_count, total) if stats.null_count else "0"
    value = getattr(stats, f"{head}_count" if head == "distinct" else head)
    if value is None:
        return ""
    return f"{value:,}" if head == "distinct" else f"{value:.6g}" if isinstance(value, float) else value


def counted(count: int, total: int) -> str:
    """`521 (1.9%)`."""
    return f"{count:,} ({share(count, total)})"


def _pictures(stats: Sequence[ColumnStats], total: int, shown: Screen, cells: int) -> GridColumn:
    return GridColumn(PICTURE, [distribution(one, total, shown, cells) for one in stats])
