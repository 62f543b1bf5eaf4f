"""The rows of a view in steps of bounded size, whole tables and ordered ones, in memory and behind files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from ...table import Table
from ..selection import Selection

FIRST_GATHER_ROWS = 16 * 1024
"""Rows that are gathered first. How many bytes they take says how many are gathered next."""

Hold = Callable[[int], None]


class Size(NamedTuple):
    """What a step has at most, in rows, and about, in bytes."""

    max_rows: int
    max_bytes: int


def view_steps(
    table: Table, columns: Sequence[int], order: pa.Array | None, is_sorted: bool, size: Size, hold: Hold
) -> Iterator[pa.Table]:
    """The rows of `order`, or all where there is none, in steps. `hold` is told the bytes that were read or gathered
    for them; none are for a whole table in memory.

    Without a sort the table is read once, from its start to its end; with one, each gather reads what it needs.
    """
    if not columns:  # Arrow slices such a table beyond its end
        found = iter([pa.table([pa.nulls(table.rows if order is None else len(order))], ["row"]).select([])])
    elif order is None or not is_sorted:
        found = Selection(table, order).pieces(columns, size.max_bytes)
    else:
        found = _gathered(table, columns, order, size)
    is_view = order is None and not table.is_lazy
    return _of_size(found, size, _hold_nothing if is_view else hold)


def _hold_nothing(_bytes: int) -> None:
    pass


def _gathered(table: Table, columns: Sequence[int], order: pa.Array, size: Size) -> Iterator[pa.Table]:
    done, count = 0, min(FIRST_GATHER_ROWS, size.max_rows)
    while done < len(order):
        step = table.gather(order.slice(done, count), columns)
        yield step
        done += count
        count = _rows_within(step, size)


def _of_size(tables: Iterator[pa.Table], size: Size, hold: Hold) -> Iterator[pa.Table]:
    """The same rows: large tables are cut, small ones joined."""
    parts: list[pa.Table] = []
    rows = taken = 0
    for table in tables:
        hold(taken + table.nbytes)
        count = _rows_within(table, size)
        for start in range(0, table.num_rows, count):
            part = table.slice(start, min(count, table.num_rows - start))
            if parts and (rows + part.num_rows > size.max_rows or taken + part.nbytes > size.max_bytes):
                yield _joined(parts)
                parts, rows, taken = [], 0, 0
            parts.append(part)
            rows += part.num_rows
            taken += part.nbytes
    if parts:
        yield _joined(parts)


def _rows_within(table: pa.Table, size: Size) -> int:
    """How many rows like those of `table` a step has."""
    return max(1, min(size.max_rows, size.max_bytes * int(table.num_rows) // max(1, int(table.nbytes))))


def _joined(parts: list[pa.Table]) -> pa.Table:
    if len(parts) == 1:
        return parts[0]
    whole = pa.concat_tables(parts)
    try:
        return whole.combine_chunks()
    except pa.ArrowNotImplementedError:  # dictionaries of nested values, which differ
        return whole
