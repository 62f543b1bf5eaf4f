"""The order of rows under a sort and a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec import Struct

from ...protocol.errors import SidecarError
from ..plain import has_order
from ..table import Table
from .filters import passes
from .plan import Plan, position
from .search import matches

if TYPE_CHECKING:
    import polars as pl

    from ...protocol.methods import Work
    from .view import View

MAX_ROWS = 2**32 - 1
"""Rows are counted with 32 bits."""


class Sort(Struct, frozen=True, forbid_unknown_fields=True):
    """One key of a sort; the first is the most significant. NaN is larger than every number."""

    column: str
    descending: bool = False
    nulls_last: bool = True


def row_order(table: Table, view: View, work: Work) -> pa.Array:
    """The row indices (uint32) that the filters and the search let through, in sorted order.

    Stable: equal rows stay in the table's order. Raises `unknown_column`, `unsortable_column`, `invalid_filter`,
    `too_large`.
    """
    if table.rows > MAX_ROWS:
        raise SidecarError("too_large", f"{table.rows} rows are too many to order", rows=table.rows, max_rows=MAX_ROWS)
    plan = Plan(table.schema)
    keys = [_key(key, plan) for key in view.sort]
    tests = [passes(filter, plan) for filter in view.filter]
    if view.search is not None and view.search.text:
        tests.append(matches(view.search, plan))
    if not keys:
        return _filtered(table, plan, tests, work)
    frame = plan.frame(table.select(plan.columns)).filter(*tests)
    # twice as fast as `arg_sort_by` on strings (measured, 5 M rows: 0.86 s against 2.4 s)
    frame = frame.sort(
        keys,
        descending=[key.descending for key in view.sort],
        nulls_last=[key.nulls_last for key in view.sort],
        maintain_order=True,
    )
    return frame.select("row").collect().to_series().rechunk().to_arrow()


def _filtered(table: Table, plan: Plan, tests: list[pl.Expr], work: Work) -> pa.Array:
    from ..polars import pl

    parts: list[pa.Array] = []
    start = 0
    for piece in table.pieces(plan.columns):
        work.progress(start, table.rows, "rows")
        rows = plan.frame(piece).filter(*tests).select(pl.col("row") + pl.lit(start, pl.UInt32)).collect()
        parts.append(rows.to_series().rechunk().to_arrow())
        start += piece.num_rows
    return pa.concat_arrays(parts) if parts else pa.array([], pa.uint32())


def _key(key: Sort, plan: Plan) -> pl.Expr:
    index = position(plan.schema, key.column)
    field = plan.schema.field(index)
    if not has_order(field.type):
        message = f"column {field.name!r} of type {field.type} has no order"
        raise SidecarError("unsortable_column", message, column=field.name, dtype=str(field.type))
    if pa.types.is_dictionary(field.type) and field.type.ordered:
        return plan.use(index, "rank", _rank)
    return plan.value(index)


def _rank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """What an ordered dictionary is sorted by: it says the order of its values itself."""
    return pa.chunked_array([column.combine_chunks().indices])  # joined: each chunk may have its own dictionary
