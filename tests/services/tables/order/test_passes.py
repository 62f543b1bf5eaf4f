"""Sorting in passes: the same order as in one sort, however little memory there is, and never more than that."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import Cancelled, SidecarError
from sidecar.services.cache import Cache
from sidecar.services.lazy import LazyTable
from sidecar.services.sessions import Sessions
from sidecar.services.table import EagerTable, Table
from sidecar.services.tables.filters.filters import Filter, passes
from sidecar.services.tables.order import ordering
from sidecar.services.tables.order.ordering import Sort, row_order
from sidecar.services.tables.order.passes import Key, Range, in_passes, sort_bytes
from sidecar.services.tables.plan import Plan
from sidecar.services.tables.view import View

from ...caller import RecordingContext

ROWS = 6000
PIECE_ROWS = 1000
BUDGET_BYTES = 60_000
"""A sixth of what a sort of one integer takes, or less."""


def lazy(table: pa.Table) -> LazyTable:
    """The same rows in pieces; each has dictionaries of its own."""

    def read(piece: int, columns: Any, _max_bytes: int) -> Any:
        part = table.slice(piece * PIECE_ROWS, PIECE_ROWS).select([table.column_names[column] for column in columns])
        yield part

    counts = [min(PIECE_ROWS, table.num_rows - start) for start in range(0, table.num_rows, PIECE_ROWS)]
    return LazyTable(table.schema, counts, read, Cache(1 << 20))


FORMS: dict[str, Callable[[pa.Table], Table]] = {"eager": EagerTable, "lazy": lazy}


def ranges(table: Table, budget_bytes: int | None, *keys: tuple[bool, bool], **options: Any) -> list[Range]:
    """By all columns in turn, each with its `descending` and `nulls_last`."""
    plan = Plan(table.schema)
    sort = [Key(plan.value(index), *directions) for index, directions in enumerate(keys)]
    return list(in_passes(table, plan, [], sort, budget_bytes, RecordingContext(), **options))


def row_numbers(found: list[Range]) -> list[int]:
    return [row for range_ in found if range_.rows is not None for row in range_.rows.to_list()]


def values(make: Callable[[Random], Any], dtype: pa.DataType) -> pa.Array:
    random = Random(1)
    return pa.array([None if random.random() < 0.1 else make(random) for _ in range(ROWS)], dtype)


ODD_FLOATS = [0.0, -0.0, math.nan, math.inf, -math.inf]

KEYS = {
    "unique": values(lambda random: random.randrange(2**62), pa.int64()),
    "ascending": pa.array(range(ROWS)),
    "descending": pa.array(range(ROWS, 0, -1)),
    "one value in nine rows of ten": values(lambda random: max(0, random.randrange(10_000) - 9000), pa.int64()),
    "all equal": pa.array([7] * ROWS),
    "all null": pa.nulls(ROWS),
    "all null, typed": pa.nulls(ROWS, pa.string()),
    "booleans": values(lambda random: random.random() < 0.5, pa.bool_()),
    "floats": values(lambda random: random.choice([*ODD_FLOATS, random.random()]), pa.float64()),
    "half floats": values(lambda random: random.random(), pa.float16()),
    "strings": values(lambda random: "x" * random.randrange(40) + str(random.randrange(50)), pa.string()),
    "binary": values(lambda random: random.randbytes(random.randrange(4)), pa.binary()),
    "fixed binary": values(lambda random: random.randbytes(2), pa.binary(2)),
    "decimals": values(lambda random: random.randrange(10**30), pa.decimal128(38, 0)),
    "times": values(lambda random: random.randrange(2**40), pa.timestamp("us", "Europe/Berlin")),
    "categories": values(lambda random: random.choice("abcdefgh"), pa.string()).dictionary_encode(),
    "categories of numbers": values(lambda random: random.randrange(20), pa.int64()).dictionary_encode(),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("directions", [(False, True), (True, False)], ids=["ascending", "descending, nulls first"])
def test_the_order_is_that_of_one_sort(form: str, name: str, directions: tuple[bool, bool]) -> None:
    table = pa.table({"key": KEYS[name]})
    (whole,) = ranges(EagerTable(table), None, directions)
    assert whole.rows is not None
    found = ranges(FORMS[form](table), BUDGET_BYTES, directions)
    assert row_numbers(found) == whole.rows.to_list()
    assert sum(range_.row_count for range_ in found) == ROWS


@pytest.mark.parametrize("name", KEYS)
def test_ranges_are_strictly_after_one_another_and_small(name: str) -> None:
    previous = None
    for found in ranges(lazy(pa.table({"key": KEYS[name]})), BUDGET_BYTES, (False, True)):
        keys = found.keys["key_0"]
        assert keys.len() in (1, found.row_count)
        assert sort_bytes(keys.len(), keys.to_arrow().nbytes + 4 * keys.len()) <= BUDGET_BYTES
        assert previous is None or not keys.head(1).eq_missing(previous).item()
        previous = keys.tail(1)


@pytest.mark.parametrize(("name", "most"), [("all equal", 1), ("all null", 1), ("booleans", 3), ("categories", 9)])
def test_few_values_are_few_ranges(name: str, most: int) -> None:
    """However many rows have them: equal rows need no sort."""
    found = ranges(lazy(pa.table({"key": KEYS[name]})), BUDGET_BYTES, (False, True))
    assert len(found) <= most


def test_without_row_numbers() -> None:
    table = pa.table({"key": KEYS["one value in nine rows of ten"]})
    found = ranges(lazy(table), BUDGET_BYTES, (False, True), with_rows=False)
    assert sum(range_.row_count for range_ in found) == ROWS
    assert all(range_.rows is None for range_ in found)
    assert found[0].row_count > ROWS // 2
    assert found[0].keys["key_0"].to_list() == [0]


def test_what_fits_is_one_range() -> None:
    for make in FORMS.values():
        (found,) = ranges(make(pa.table({"key": KEYS["unique"]})), 10_000_000, (False, True))
        assert found.is_all


def test_no_rows() -> None:
    for make in FORMS.values():
        assert ranges(make(pa.table({"key": pa.array([], pa.int64())})), BUDGET_BYTES, (False, True)) == []


def test_a_cancelled_sort_ends_at_the_next_step() -> None:
    plan = Plan(pa.schema([("key", pa.int64())]))
    context = RecordingContext(cancel_after=10)
    table = lazy(pa.table({"key": KEYS["ascending"]}))
    with pytest.raises(Cancelled):
        list(in_passes(table, plan, [], [Key(plan.value(0))], BUDGET_BYTES, context))
    assert len(context.progress_calls) == 10
    done = [call[0] for call in context.progress_calls]
    assert done == sorted(done)


# with a limit


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sort may be done in as many passes as it takes."""
    monkeypatch.setattr(ordering, "MIN_WORKING_BYTES", 10_000)


VIEWS = {
    "sort": View(sort=[Sort("key"), Sort("few", descending=True)]),
    "filter and sort": View([Filter("few", "gt", 1)], sort=[Sort("few"), Sort("key")]),
}


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VIEWS)
def test_an_order_within_a_limit(form: str, name: str) -> None:
    table = pa.table({"key": KEYS["strings"], "few": [row % 7 for row in range(ROWS)]})
    expected = row_order(EagerTable(table), VIEWS[name], RecordingContext())
    sessions = Sessions(memory_limit_bytes=200_000)
    with sessions.claim("a sort") as claim:
        assert row_order(FORMS[form](table), VIEWS[name], RecordingContext(), claim).equals(expected)
        assert claim.bytes <= 200_000


@pytest.mark.parametrize("form", FORMS)
def test_no_room_for_the_order_is_a_refusal(form: str) -> None:
    table = pa.table({"key": KEYS["strings"]})
    with Sessions(memory_limit_bytes=ROWS * 4).claim("a sort") as claim, pytest.raises(SidecarError) as caught:
        row_order(FORMS[form](table), View(sort=[Sort("key")]), RecordingContext(), claim)
    assert caught.value.kind == "memory_limit"


def test_tests_are_applied_in_every_pass() -> None:
    table = lazy(pa.table({"key": KEYS["unique"], "even": [row % 2 == 0 for row in range(ROWS)]}))
    plan = Plan(table.schema)
    test = passes(Filter("even", "eq", True), plan)
    found = list(in_passes(table, plan, [test], [Key(plan.value(0))], BUDGET_BYTES, RecordingContext()))
    assert len(found) > 1
    assert sorted(row_numbers(found)) == list(range(0, ROWS, 2))


@pytest.mark.usefixtures("little")
def test_an_ordered_dictionary_is_ranked_as_its_values_come_up() -> None:
    """Each piece has its own: the order is that of all of them joined."""
    names = ["high", "low", "mid", "top"]
    chunks = []
    for start in range(0, ROWS, PIECE_ROWS):
        own = names[start // PIECE_ROWS % 3 :] + names[: start // PIECE_ROWS % 3]
        indices = pa.array([row % 4 for row in range(PIECE_ROWS)], pa.int8())
        chunks.append(pa.DictionaryArray.from_arrays(indices, pa.array(own), ordered=True))
    table = pa.table({"key": pa.chunked_array(chunks)})
    text = table["key"].cast(pa.string()).to_pylist()
    expected = sorted(range(ROWS), key=lambda row: names.index(text[row]))
    for make in FORMS.values():
        with Sessions(memory_limit_bytes=100_000).claim("a sort") as claim:
            order = row_order(make(table), View(sort=[Sort("key")]), RecordingContext(), claim)
        assert order.to_pylist() == expected
