"""The order of rows under a sort: computed once, kept within a byte budget, so that each page is a gather."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import pyarrow as pa
from msgspec import Struct

from ..protocol.errors import SidecarError
from .table import Table

CACHE_BYTES = 256 * 1024 * 1024
"""Row orders that are kept over all sessions: 4 bytes a row."""


class Sort(Struct, frozen=True, forbid_unknown_fields=True):
    """One key of a sort; the first is the most significant. NaN is larger than every number."""

    column: str
    descending: bool = False
    nulls_last: bool = True


class RowOrders:
    """A cache of row orders, by table and sort; the least recently used goes first."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._orders: OrderedDict[tuple[int, tuple[Sort, ...]], tuple[Table, pa.Array]] = OrderedDict()
        self._bytes = 0

    def has(self, table: Table, sort: Sequence[Sort]) -> bool:
        """Whether `get` would answer at once."""
        return (id(table), tuple(sort)) in self._orders

    def get(self, table: Table, sort: Sequence[Sort]) -> pa.Array:
        """The row indices (uint32) of `table` in sorted order. Stable: equal rows stay in the table's order.

        Raises `unknown_column` and `unsortable_column`.
        """
        key = (id(table), tuple(sort))  # the entry keeps the table, so its id is not used again meanwhile
        with self._lock:
            if key in self._orders:
                self._orders.move_to_end(key)
                return self._orders[key][1]
        order = row_order(table, sort)
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


def row_order(table: Table, sort: Sequence[Sort]) -> pa.Array:
    """Compute what `RowOrders.get` keeps."""
    keys = [position(table.schema, key.column) for key in sort]
    for index in keys:
        _check_sortable(table.schema.field(index))
    from .polars import pl

    data = table.select(keys)
    data.validate(full=True)  # bad offsets in a string column would be read out of bounds
    # A column may be named twice in a sort, and none may be called like the row index: so by position.
    frame = pl.from_arrow(data.rename_columns([f"key_{place}" for place in range(len(keys))]))
    ordered = (
        frame.lazy()
        .with_row_index("row")
        .sort(
            [f"key_{place}" for place in range(len(keys))],
            descending=[key.descending for key in sort],
            nulls_last=[key.nulls_last for key in sort],
            maintain_order=True,
        )
        .select("row")
        .collect()
    )
    # Twice as fast as `arg_sort_by` on strings (measured, 5 M rows: 0.86 s against 2.4 s).
    return ordered.to_series().rechunk().to_arrow()


def position(schema: pa.Schema, name: str) -> int:
    """The position of a column, or `unknown_column`."""
    index: int = schema.get_field_index(name)
    if index < 0:
        raise SidecarError("unknown_column", f"there is no column {name!r}", column=name, columns=schema.names)
    return index


def _check_sortable(field: pa.Field) -> None:
    types, dtype = pa.types, field.type
    if isinstance(dtype, pa.BaseExtensionType):
        dtype = dtype.storage_type
    if types.is_dictionary(dtype):
        dtype = dtype.value_type
    if types.is_nested(dtype) or types.is_interval(dtype) or types.is_decimal256(dtype):
        raise SidecarError(
            "unsortable_column",
            f"column {field.name!r} of type {field.type} has no order",
            column=field.name,
            dtype=str(field.type),
        )
