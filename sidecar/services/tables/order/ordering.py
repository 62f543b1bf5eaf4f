"""The order of rows under a sort and a filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec import Struct

from ....protocol.errors import SidecarError
from ...plain import has_order
from ...table import Table
from ..filters.filters import passes
from ..filters.matching import matching_rows
from ..filters.search import matches
from ..plan import Plan, position
from .passes import Key, Range, in_passes, sort_bytes
from .ranks import OrderedRanks, Ranks, has_ranks

if TYPE_CHECKING:
    from ....protocol.methods import Work
    from ...sessions import Claim
    from ..view import View

ROW_NUMBER_BYTES = 4

MAX_ROWS = 2**32 - 1
"""Rows are counted with 32 bits."""


class Sort(Struct, frozen=True, forbid_unknown_fields=True):
    """One key of a sort; the first is the most significant. NaN is larger than every number."""

    column: str
    descending: bool = False
    nulls_last: bool = True


WORKING_BYTES = 1024**3
"""What the sort of a lazy table takes where there is no limit, beside the order itself."""

MIN_WORKING_BYTES = 2 * 1024 * 1024
"""With less a sort is refused rather than read the table over and over."""


def row_order(table: Table, view: View, work: Work, claim: Claim | None = None) -> pa.Array:
    """The row indices (uint32) that the filters and the search let through, in sorted order.

    Stable: equal rows stay in the table's order. A sort that needs more memory than `claim` can get is done in passes,
    and so is that of a lazy table. Raises `unknown_column`, `unsortable_column`, `invalid_filter`, `too_large`,
    `memory_limit`.
    """
    if table.rows > MAX_ROWS:
        raise SidecarError("too_large", f"{table.rows} rows are too many to order", rows=table.rows, max_rows=MAX_ROWS)
    plan = Plan(table.schema)
    keys = [_key(key, plan, table) for key in _distinct(view.sort)]
    tests = [passes(filter, plan) for filter in view.filter]
    if view.search is not None and view.search.text:
        tests.append(matches(view.search, plan))
    if not keys:
        return matching_rows(table, plan, tests, work)
    order_bytes = 0 if tests else table.rows * ROW_NUMBER_BYTES  # how many a filter lets through, nobody knows
    budget_bytes = _budget(table, plan, len(keys), order_bytes, claim)
    if claim is not None:
        claim.hold(order_bytes + (budget_bytes or 0))
    return _joined(in_passes(table, plan, tests, keys, budget_bytes, work), table.rows, budget_bytes or 0, claim)


def _budget(table: Table, plan: Plan, keys: int, order_bytes: int, claim: Claim | None) -> int | None:
    """What the sort may take beside the order, None for whatever it needs. Where a filter decides how long the order
    becomes, half of what is free is left for it."""
    free = None if claim is None else claim.free_bytes
    wanted = WORKING_BYTES
    if not table.is_lazy:
        size = table.select(plan.columns).nbytes + table.rows * ROW_NUMBER_BYTES
        wanted = sort_bytes(table.rows, size, keys)
    if free is None:
        return wanted if table.is_lazy else None
    left = free - order_bytes if order_bytes else free // 2
    return wanted if wanted <= left else max(MIN_WORKING_BYTES, left // 2)  # the rest is what allocators keep


def _joined(ranges: Iterator[Range], max_rows: int, working_bytes: int, claim: Claim | None) -> pa.Array:
    """The row numbers of all ranges. Each is copied as it comes, to where all of them have room: untouched memory takes
    none."""
    order: pa.Buffer | None = None
    count = 0
    for found in ranges:
        assert found.rows is not None
        rows = found.rows.rechunk().to_arrow()
        if claim is not None:
            claim.hold(max(claim.bytes, working_bytes + (count + len(rows)) * ROW_NUMBER_BYTES))
        if found.is_all:
            return rows
        if order is None:
            order = pa.allocate_buffer(max_rows * ROW_NUMBER_BYTES, resizable=True)
        data = rows.buffers()[1].slice(rows.offset * ROW_NUMBER_BYTES, len(rows) * ROW_NUMBER_BYTES)
        with memoryview(order) as room:
            room[count * ROW_NUMBER_BYTES :][: data.size] = memoryview(data)
        count += len(rows)
    if order is None:
        return pa.array([], pa.uint32())
    order.resize(count * ROW_NUMBER_BYTES, shrink_to_fit=True)
    return pa.Array.from_buffers(pa.uint32(), count, [None, order])


def _distinct(sort: Sequence[Sort]) -> list[Sort]:
    """Without the keys that say nothing: rows that are equal in a column stay so."""
    first: dict[str, Sort] = {}
    for key in sort:
        first.setdefault(key.column, key)
    return list(first.values())


def _key(key: Sort, plan: Plan, table: Table) -> Key:
    index = position(plan.schema, key.column)
    field = plan.schema.field(index)
    if not has_order(field.type):
        message = f"column {field.name!r} of type {field.type} has no order"
        raise SidecarError("unsortable_column", message, column=field.name, dtype=str(field.type))
    if pa.types.is_dictionary(field.type) and field.type.ordered:
        return Key(plan.use(index, "rank", OrderedRanks(field.type)), key.descending, key.nulls_last)
    if has_ranks(table, index):
        return Key(plan.use(index, "rank", Ranks(table, index)), key.descending, key.nulls_last)
    return Key(plan.value(index), key.descending, key.nulls_last)
