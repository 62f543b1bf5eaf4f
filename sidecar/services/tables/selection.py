"""The rows of a view as a table, column by column: nothing of it is copied before it is needed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import pyarrow as pa

from .. import compute as pc
from ..table import PIECE_BYTES, Table


class Selection:
    """The rows at `order` (ascending, uint32) of a table, or all. What is done with whole columns works on it as on a
    table."""

    def __init__(self, table: Table, order: pa.Array | None = None) -> None:
        self.table = table
        self._order = order
        self.schema: pa.Schema = table.schema
        self.is_lazy = table.is_lazy
        self.rows: int = table.rows if order is None else len(order)

    def select(self, columns: Sequence[int]) -> pa.Table:
        """All rows of some columns."""
        if self._order is None:
            return self.table.select(columns)
        parts = list(self.pieces(columns))
        return pa.concat_tables(parts) if parts else self.table.select(columns).slice(0, 0)

    def pieces(self, columns: Sequence[int], max_bytes: int = PIECE_BYTES) -> Iterator[pa.Table]:
        """The same in order and in pieces."""
        pieces = self.table.pieces(columns, max_bytes)
        if self._order is None:
            yield from pieces
            return
        begin = start = 0
        for piece in pieces:
            stop = start + piece.num_rows
            end = begin + _count_below(self._order.slice(begin), stop)
            local = pc.subtract(self._order.slice(begin, end - begin).cast(pa.int64()), start)
            yield piece.take(local)
            begin, start = end, stop


def _count_below(order: pa.Array, row: int) -> int:
    """How many of some ascending rows come before `row`."""
    return bisect_left(range(len(order)), row, key=lambda place: order[place].as_py())
