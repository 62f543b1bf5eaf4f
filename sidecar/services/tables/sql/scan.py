"""Sessions as what a query of Polars reads: piece by piece, and of each piece the columns that the query needs."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ....protocol.errors import Cancelled
from ....protocol.methods import Work
from ...plain import holds
from ...sessions import Claim
from ...table import Table
from .column_types import sql_column, sql_type, unsupported
from .growth import Growth

if TYPE_CHECKING:
    import polars as pl

PART_ROWS = 32 * 1024
"""Rows that Polars gets at a time. It asks for more once it has worked on them, and then sees that the query is
cancelled: of a cross join, a million at once would be minutes of work."""

NO_TYPE = "Polars has no type for its values"


class Scans:
    """What one query reads, and the memory that it takes meanwhile.

    Polars reads on threads of its own, as many as there are tables in the query, and cannot be interrupted: that a
    read raises is what ends a query. So each read looks whether the work is cancelled, and what it finds is kept, as
    Polars makes another error of it where two threads fail. Close it when the query has ended: a thread of Polars may
    still be about to read.
    """

    def __init__(self, work: Work, claim: Claim, growth: Growth) -> None:
        self.fault: Exception | None = None
        self._work = work
        self._claim = claim
        self._growth = growth
        self._lock = Lock()
        self._is_closed = False
        self._rows = 0
        self._reading_bytes = 0
        self._result_bytes = 0

    def frame(self, name: str, table: Table) -> pl.LazyFrame:
        """`table`, of the session `name`. Columns that SQL has no type for stand last and raise `unsupported_type`
        when they are read; so that `count(*)`, which reads the first column, is fine."""
        from polars.io.plugins import register_io_source

        from ...polars import pl

        empty = {name: self._empty(table.schema.field(name)) for name in _ordered(table.schema)}

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_rows: int | None
        ) -> Iterator[pl.DataFrame]:
            try:
                yield from self._read(name, table, [*empty] if columns is None else columns, predicate, n_rows)
            except Exception as fault:
                self.fault = self.fault or fault
                raise

        return register_io_source(read, schema=pl.Schema(empty), is_pure=True)

    def hold_result(self, size: int) -> None:
        """The result has so many bytes by now. Raises `memory_limit`."""
        with self._lock:
            self._result_bytes = size
            self._hold()

    def close(self) -> None:
        """Nothing is read, held or told from here on."""
        with self._lock:
            self._is_closed = True

    def _empty(self, field: pa.Field) -> Any:
        from ...polars import pl

        wanted = sql_type(field.type)
        if wanted is None:
            return pl.Binary()
        return sql_column(field.name, pa.chunked_array([pa.array([], wanted)]), "").dtype

    def _read(
        self, name: str, table: Table, columns: list[str], predicate: pl.Expr | None, n_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        from ...polars import pl

        indices = [table.schema.get_field_index(column) for column in columns]
        for index in indices:
            if sql_type(table.schema.field(index).type) is None:
                raise unsupported(table.schema.field(index).name, table.schema.field(index).type, name, NO_TYPE)
        left = table.rows if n_rows is None else n_rows  # counted before the predicate
        held = 0
        try:
            for piece in table.pieces(indices):
                if left < piece.num_rows:  # without columns, `slice` goes beyond the end
                    piece = piece.slice(0, left)
                left -= piece.num_rows
                held = self._took(piece, table, held)
                for rows in _expandable(piece):
                    series = [sql_column(column, rows.column(place), name) for place, column in enumerate(columns)]
                    frame = pl.DataFrame(series or None, height=rows.num_rows)  # a cross join may need no column
                    for part in (frame if predicate is None else frame.filter(predicate)).iter_slices(PART_ROWS):
                        yield part
                        self._check()
                if left == 0:
                    break
        finally:
            with self._lock:
                self._reading_bytes -= held

    def _check(self) -> None:
        with self._lock:
            if self._is_closed:
                raise Cancelled
            self._work.check()

    def _took(self, piece: pa.Table, table: Table, held: int) -> int:
        """A piece was read, and the one before it, of `held` bytes, is gone. Those of a table in memory are views."""
        size = piece.nbytes if table.is_lazy else 0
        with self._lock:
            if self._is_closed:
                raise Cancelled
            self._rows += piece.num_rows
            self._work.progress(self._rows, None, "rows")
            self._reading_bytes += size - held
            self._hold()
        return size

    def _hold(self) -> None:
        self._claim.hold(max(self._result_bytes + self._reading_bytes, self._growth.bytes()))


def _expandable(piece: pa.Table) -> Iterator[pa.Table]:
    """The piece, a part at a time where it has dictionaries: 4 MB of indices may stand for 2 GB of text."""
    has_dictionaries = any(holds(field.type, pa.types.is_dictionary) for field in piece.schema)
    step = PART_ROWS if has_dictionaries else max(1, piece.num_rows)
    for start in range(0, piece.num_rows, step):
        yield piece.slice(start, min(step, piece.num_rows - start))


def _ordered(schema: pa.Schema) -> list[str]:
    """The names of the columns, those that SQL has no type for last."""
    return sorted(schema.names, key=lambda name: sql_type(schema.field(name).type) is None)
