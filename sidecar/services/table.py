"""A table as the nouns use it: rows by range or by index, whole columns for what needs them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

INT32_OFFSETS_MAX_BYTES = 2**31 - 1


class Table(Protocol):
    """Either in memory (`EagerTable`) or behind a file (`lazy.py`). Columns are named by their position."""

    @property
    def schema(self) -> pa.Schema:
        """The columns; names are unique."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def bytes(self) -> int:
        """The memory that the table takes."""

    @property
    def in_memory(self) -> bool:
        """Whether a page costs no reading."""

    def slice(self, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """The rows `start` to `stop`, which lie within the table."""

    def gather(self, indices: pa.Array, columns: Sequence[int]) -> pa.Table:
        """The rows at `indices` (uint32), in that order."""

    def select(self, columns: Sequence[int]) -> pa.Table:
        """All rows of some columns."""


class EagerTable:
    """A table in memory. What came over the wire is used where it lies, never copied."""

    in_memory = True

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._is_joined = all(column.num_chunks == 1 for column in table.columns)
        self.schema: pa.Schema = table.schema
        self.rows: int = table.num_rows
        self.bytes: int = table.get_total_buffer_size()

    def slice(self, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """A view: 1 µs at any size."""
        return self._as_loaded(self._table.select(columns).slice(start, stop - start), columns)

    def gather(self, indices: pa.Array, columns: Sequence[int]) -> pa.Table:
        """Copies the rows asked for. The first call joins the table's chunks, once."""
        self._join()
        return self._as_loaded(self._table.select(columns).take(indices), columns)

    def select(self, columns: Sequence[int]) -> pa.Table:
        """A view."""
        return self._table.select(columns)

    def _join(self) -> None:
        """Have one chunk a column: `take` joins all chunks at every call otherwise (measured: 25 ms against 10 µs
        for 256 of 10 M rows)."""
        if not self._is_joined:
            self._table = pa.table([_joined(column) for column in self._table.columns], names=self.schema.names)
            self._is_joined = True
            self.bytes = self._table.get_total_buffer_size()

    def _as_loaded(self, page: pa.Table, columns: Sequence[int]) -> pa.Table:
        """The page in the types and with the metadata that the table was loaded with."""
        schema = pa.schema([self.schema.field(column) for column in columns])
        return page if page.schema.equals(schema, check_metadata=True) else page.cast(schema)


def _joined(column: pa.ChunkedArray) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.nbytes > INT32_OFFSETS_MAX_BYTES:
        column = column.cast(_with_large_offsets(column.type))
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def _with_large_offsets(dtype: pa.DataType) -> pa.DataType:
    """The type that can hold more than 2 GiB in one chunk, for types that count with 32 bits."""
    if pa.types.is_string(dtype):
        return pa.large_string()
    if pa.types.is_binary(dtype):
        return pa.large_binary()
    if pa.types.is_list(dtype):
        return pa.large_list(dtype.value_field)
    return dtype
