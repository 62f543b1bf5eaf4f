"""A table as the nouns use it: rows by range or by index, whole columns for what needs them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, Protocol

import pyarrow as pa

from .allocations import allocated_bytes
from .cache import Owner
from .plain import check_valid, large_type

INT32_OFFSETS_MAX_BYTES = 2**31 - 1

PIECE_ROWS = 1024 * 1024
"""Rows of an eager table that are worked on in one go, where something can be done piece by piece: between two of them
is a look at cancellation."""

PIECE_BYTES = 64 * 1024 * 1024
"""About how large such a piece may be."""


class Table(Protocol):
    """Either in memory (`EagerTable`) or behind a file (`lazy.py`). Columns are named by their position.

    What its methods return is valid Arrow data, wherever it came from. They raise `invalid_file` where it is not.
    """

    @property
    def schema(self) -> pa.Schema:
        """The columns; names are unique."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def bytes(self) -> int:
        """The memory that the table takes, without what caches keep of it."""

    @property
    def owner(self) -> Owner:
        """What caches know it by."""

    @property
    def is_lazy(self) -> bool:
        """Whether its columns are read when they are needed, and take memory only then."""

    def is_ready(self, columns: Sequence[int], gather: bool) -> bool:
        """Whether a page of these columns costs no more than its own rows, by `gather` or by `slice`."""

    def slice(self, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """The rows `start` to `stop`, which lie within the table."""

    def gather(self, indices: pa.Array, columns: Sequence[int]) -> pa.Table:
        """The rows at `indices` (uint32), in that order."""

    def ordered(self, order: pa.Array, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """As `gather` of the range `start` to `stop` of `order`, for whoever may ask for its neighbours next."""

    def select(self, columns: Sequence[int]) -> pa.Table:
        """All rows of some columns."""

    def pieces(self, columns: Sequence[int], max_bytes: int = PIECE_BYTES) -> Iterator[pa.Table]:
        """All rows of some columns, in order and in pieces of about `max_bytes`; only one need be in memory."""


class EagerTable:
    """A table in memory. What came over the wire is used where it lies, never copied."""

    is_lazy = False

    def __init__(self, table: pa.Table) -> None:
        self.owner = Owner()
        self._table = table
        self._lock = Lock()  # pages of one table may be made side by side
        self._checked: set[int] = set()
        self._gatherable: set[int] = set()
        self._dictionaries = {
            index for index, field in enumerate(table.schema) if pa.types.is_dictionary(field.type)
        }  # each page would check the dictionary again, which may be longer than the page: 4 ms for 1 M values
        self.schema: pa.Schema = table.schema
        self.rows: int = table.num_rows
        self.bytes: int = allocated_bytes(table.columns)

    def slice(self, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """A view: 1 µs at any size, and its values checked."""
        self._check(self._dictionaries.intersection(columns))
        page = self._table.select(columns).slice(start, stop - start)
        check_valid(page.select([place for place, column in enumerate(columns) if column not in self._checked]))
        return self._as_loaded(page, columns)

    def gather(self, indices: pa.Array, columns: Sequence[int]) -> pa.Table:
        """Copies the rows asked for. The first call checks the columns and joins their chunks, once."""
        if not self._gatherable.issuperset(columns):
            with self._lock:
                self._prepare([column for column in columns if column not in self._gatherable])
        return self._as_loaded(self._table.select(columns).take(indices), columns)

    def ordered(self, order: pa.Array, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """Nothing more: `gather` is as cheap as it gets."""
        return self.gather(order.slice(start, stop - start), columns)

    def select(self, columns: Sequence[int]) -> pa.Table:
        """A view."""
        self._check(columns)
        return self._table.select(columns)

    def pieces(self, columns: Sequence[int], max_bytes: int = PIECE_BYTES) -> Iterator[pa.Table]:
        """Views."""
        whole = self.select(columns)
        rows = min(PIECE_ROWS, max(1, max_bytes * self.rows // max(1, whole.nbytes)))
        for start in range(0, self.rows, rows):
            yield whole.slice(start, min(rows, self.rows - start))  # without columns, `slice` goes beyond the end

    def is_ready(self, columns: Sequence[int], gather: bool) -> bool:
        """Whether the work that is done once per column is done."""
        return self._gatherable.issuperset(columns) if gather else self._checked >= self._dictionaries & {*columns}

    def _check(self, columns: Iterable[int]) -> None:
        """Check whole columns, once."""
        for index in columns:
            if index not in self._checked:
                check_valid(self._table.select([index]))
                self._checked.add(index)

    def _prepare(self, columns: Sequence[int]) -> None:
        """Have one chunk a column: `take` joins all chunks at every call otherwise (measured: 25 ms against 10 µs
        for 256 of 10 M rows). It trusts what it reads, so the whole column must be valid, not only the page."""
        if not columns:
            return
        self._check(columns)
        prepared = self._table.columns
        for index in columns:
            if prepared[index].num_chunks != 1:
                prepared[index] = joined(prepared[index])
        self._table = pa.table(prepared, names=self.schema.names)
        self._gatherable.update(columns)
        self.bytes = allocated_bytes(self._table.columns)  # with the payload, while one column lies in it

    def _as_loaded(self, page: pa.Table, columns: Sequence[int]) -> pa.Table:
        """The page in the types and with the metadata that the table was loaded with."""
        schema = pa.schema([self.schema.field(column) for column in columns])
        if not columns or page.schema.equals(schema, check_metadata=True):
            return page
        if page.schema.types != schema.types:
            page = page.cast(pa.schema([field.with_nullable(True) for field in schema]))
        return pa.Table.from_arrays(page.columns, schema=schema)  # not a cast: it refuses what the load has accepted


def joined(column: pa.ChunkedArray) -> Any:
    """A column in one chunk, of a type that counts with 64 bits where 32 are not enough."""
    if column.nbytes > INT32_OFFSETS_MAX_BYTES:
        column = column.cast(_with_large_offsets(column.type))
    return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)


def _with_large_offsets(dtype: pa.DataType) -> pa.DataType:
    """The type that can hold more than 2 GiB in one chunk, for types that count with 32 bits."""
    return pa.large_list(dtype.value_field) if pa.types.is_list(dtype) else large_type(dtype)
