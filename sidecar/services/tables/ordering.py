"""The order of rows under a sort and a filter: computed once, kept within a byte budget, so that each page is a
gather."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from ...protocol.errors import SidecarError
from ..plain import check_valid, value_type
from ..table import Table
from .filters import Filter, expression, null_test

CACHE_BYTES = 256 * 1024 * 1024
"""Row orders that are kept over all sessions: 4 bytes a row."""

MAX_ROWS = 2**32 - 1
"""Rows are counted with 32 bits."""


class Sort(Struct, frozen=True, forbid_unknown_fields=True):
    """One key of a sort; the first is the most significant. NaN is larger than every number."""

    column: str
    descending: bool = False
    nulls_last: bool = True


class RowOrders:
    """A cache of row orders, by table, sort and filter; the least recently used goes first."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._orders: OrderedDict[tuple[int, bytes], tuple[Table, pa.Array]] = OrderedDict()
        self._bytes = 0

    def has(self, table: Table, sort: Sequence[Sort], filter: Sequence[Filter] = ()) -> bool:
        """Whether `get` would answer at once."""
        return _key(table, sort, filter) in self._orders

    def get(self, table: Table, sort: Sequence[Sort], filter: Sequence[Filter] = ()) -> pa.Array:
        """The row indices (uint32) that every filter lets through, in sorted order.

        Stable: equal rows stay in the table's order. Raises `unknown_column`, `unsortable_column`, `invalid_filter`.
        """
        key = _key(table, sort, filter)
        with self._lock:
            if key in self._orders:
                self._orders.move_to_end(key)
                return self._orders[key][1]
        order = row_order(table, sort, filter)
        with self._lock:
            if key not in self._orders and order.nbytes <= self._max_bytes:
                self._orders[key] = (table, order)
                self._bytes += order.nbytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._orders.popitem(last=False)[1][1].nbytes
        return order

    def forget(self, table: Table) -> None:
        """Drop what is kept for `table`, and the hold on it."""
        with self._lock:
            for key in [key for key in self._orders if key[0] == id(table)]:
                self._bytes -= self._orders.pop(key)[1].nbytes


def _key(table: Table, sort: Sequence[Sort], filter: Sequence[Filter]) -> tuple[int, bytes]:
    """The entry keeps its table, so the id is not used again meanwhile. Raises `invalid_filter`."""
    try:
        return id(table), msgspec.json.encode((sort, filter))
    except TypeError:
        raise SidecarError("invalid_filter", "the value of a filter is JSON, not a payload") from None


def row_order(table: Table, sort: Sequence[Sort], filter: Sequence[Filter] = ()) -> pa.Array:
    """Compute what `RowOrders.get` keeps."""
    if table.rows > MAX_ROWS:
        raise SidecarError("too_large", f"{table.rows} rows are too many to order", rows=table.rows, max_rows=MAX_ROWS)
    keys = [position(table.schema, key.column) for key in sort]
    for index in keys:
        _check_ordered(table.schema.field(index), "unsortable_column")
    columns = {_name(index, "key"): _ranked(_column(table, index)) for index in keys}
    tests = [_test(table, condition, columns) for condition in filter]
    from ..polars import pl, series

    frame = pl.LazyFrame({name: series(column) for name, column in columns.items()})
    frame = frame.with_row_index("row").filter(*tests)
    if keys:  # twice as fast as `arg_sort_by` on strings (measured, 5 M rows: 0.86 s against 2.4 s)
        frame = frame.sort(
            [_name(index, "key") for index in keys],
            descending=[key.descending for key in sort],
            nulls_last=[key.nulls_last for key in sort],
            maintain_order=True,
        )
    return frame.select("row").collect().to_series().rechunk().to_arrow()


def _test(table: Table, condition: Filter, columns: dict[str, pa.ChunkedArray]) -> Any:
    """`condition` as a Polars expression; the column that it looks at is added to `columns`."""
    from ..polars import pl

    index = position(table.schema, condition.column)
    field, column = table.schema.field(index), _column(table, index)
    passing = null_test(condition, field, column)
    if passing is not None:
        name = f"test_{len(columns)}"
        columns[name] = passing
        return pl.col(name)
    _check_ordered(field, "invalid_filter")
    columns[_name(index)] = column
    return expression(condition, field, pl.col(_name(index)))


def _name(index: int, role: str = "column") -> str:
    """Columns are named by position: a name of a user's could be that of the row index."""
    return f"{role}_{index}"


def _ranked(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """What a column is sorted by: an ordered dictionary says the order of its values itself."""
    if not (pa.types.is_dictionary(column.type) and column.type.ordered):
        return column
    return pa.chunked_array([column.combine_chunks().indices])  # joined: each chunk may have its own dictionary


def _column(table: Table, index: int) -> pa.ChunkedArray:
    from ..polars import comparable

    data = table.select([index])
    check_valid(data)  # bad offsets in a string column would be read out of bounds
    return comparable(data.column(0))


def position(schema: pa.Schema, name: str) -> int:
    """The position of a column, or `unknown_column`."""
    index: int = schema.get_field_index(name)
    if index < 0:
        raise SidecarError("unknown_column", f"there is no column {name!r}", column=name, columns=schema.names)
    return index


def has_order(dtype: pa.DataType) -> bool:
    """Whether values of a type can be compared: not nested ones, and none that Polars does not have."""
    types, dtype = pa.types, value_type(dtype)
    if types.is_decimal(dtype):
        return not types.is_decimal256(dtype) and 0 <= dtype.scale <= dtype.precision
    is_empty = types.is_fixed_size_binary(dtype) and dtype.byte_width == 0
    return not (types.is_nested(dtype) or types.is_interval(dtype) or is_empty)


def _check_ordered(field: pa.Field, kind: str) -> None:
    if not has_order(field.type):
        message = f"column {field.name!r} of type {field.type} has no order"
        raise SidecarError(kind, message, column=field.name, dtype=str(field.type))
