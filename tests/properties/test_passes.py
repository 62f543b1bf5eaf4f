"""Any table, any keys and any budget: the ranges put together are the order of a single sort, and each stands strictly
behind the one before it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.services.cache import Cache
from sidecar.services.lazy import LazyTable
from sidecar.services.table import EagerTable, Table
from sidecar.services.tables.order import passes
from sidecar.services.tables.order.passes import Key, Range, in_passes
from sidecar.services.tables.plan import Plan
from tests.services.caller import RecordingContext

from .test_row_order import NAMES, tables, to_table

directions = st.tuples(st.sampled_from(NAMES), st.booleans(), st.booleans())


@pytest.fixture(autouse=True, scope="module")
def tiny_steps() -> Any:
    """A row or two a step, so that a small table takes many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "MIN_STEP_BYTES", 64)
        yield


def in_pieces(table: pa.Table, rows: int) -> LazyTable:
    """The same rows as a lazy table."""

    def read(piece: int, columns: Any, _max_bytes: int) -> Any:
        yield table.slice(piece * rows, rows).select([table.column_names[column] for column in columns])

    counts = [min(rows, table.num_rows - start) for start in range(0, table.num_rows, rows)]
    return LazyTable(table.schema, counts, read, Cache(1 << 20))


def ranges(table: Table, keys: list[tuple[str, bool, bool]], budget_bytes: int | None) -> list[Range]:
    plan = Plan(table.schema)
    sort = [Key(plan.value(table.schema.get_field_index(name)), *how) for name, *how in keys]
    return list(in_passes(table, plan, [], sort, budget_bytes, RecordingContext()))


def row_numbers(found: list[Range]) -> list[int]:
    return [row for range_ in found if range_.rows is not None for row in range_.rows.to_list()]


@settings(deadline=None, max_examples=100)
@given(
    rows=tables,
    keys=st.lists(directions, min_size=1, max_size=3),
    budget_bytes=st.integers(1, 6000),
    piece_rows=st.integers(1, 20),
    is_lazy=st.booleans(),
)
def test_ranges_put_together_are_one_sort(
    rows: list[dict[str, Any]], keys: list[tuple[str, bool, bool]], budget_bytes: int, piece_rows: int, is_lazy: bool
) -> None:
    table = to_table(rows)
    found = ranges(in_pieces(table, piece_rows) if is_lazy else EagerTable(table), keys, budget_bytes)
    assert row_numbers(found) == row_numbers(ranges(EagerTable(table), keys, None))
    for before, after in pairwise(found):
        assert repr(before.keys.tail(1).rows()) != repr(after.keys.head(1).rows())
