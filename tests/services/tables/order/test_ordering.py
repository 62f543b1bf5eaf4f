"""The order of rows under a sort, for every kind of key, and the cache that keeps it."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any

import pyarrow as pa
import pytest

from sidecar.services.table import EagerTable
from sidecar.services.tables.order import orders as orders_module
from sidecar.services.tables.order.ordering import Sort, row_order
from sidecar.services.tables.order.orders import RowOrders
from sidecar.services.tables.view import View

from ...caller import Caller, RecordingContext

D = decimal.Decimal
NAN = math.nan


def by(*names: str) -> View:
    """All rows, sorted by columns."""
    return View(sort=[Sort(name) for name in names])


def order(values: pa.Array | pa.ChunkedArray, **sort: Any) -> list[int]:
    """The rows of a table with the one column `v`, under one key."""
    caller = Caller()
    caller.load_table(pa.table({"v": values, "row": range(len(values))}))
    return caller.rows(columns=["row"], sort=[{"column": "v", **sort}])["row"].to_pylist()


def category(indices: list[Any], values: list[Any], ordered: bool = False) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), pa.array(values), ordered=ordered)


@pytest.mark.parametrize(
    ("values", "ascending"),
    [
        pytest.param(pa.array([2, 3, 1]), [2, 0, 1], id="int64"),
        pytest.param(pa.array([2**53 + 1, 2**53, 2**53 + 2]), [1, 0, 2], id="beyond 2^53"),
        pytest.param(pa.array([2**64 - 1, 0, 2**63], pa.uint64()), [1, 2, 0], id="uint64"),
        pytest.param(pa.array([1.5, -1.5, math.inf, -math.inf]), [3, 1, 0, 2], id="floats"),
        pytest.param(pa.array([1.5, -1.5], pa.float16()), [1, 0], id="half floats"),
        pytest.param(pa.array([NAN, 1.0, math.inf, -math.inf]), [3, 1, 2, 0], id="NaN is greatest"),
        pytest.param(pa.array([True, False]), [1, 0], id="booleans"),
        pytest.param(
            pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([2.0, 1.0], pa.float16()), ordered=True),
            [1, 0],
            id="ordered dictionary of half floats",
        ),
        pytest.param(pa.array(["b", "B", "ä", "a", ""]), [4, 1, 3, 0, 2], id="strings"),
        pytest.param(pa.array(["\U0001f600", "\uffff"]), [1, 0], id="by code point"),
        pytest.param(pa.array(["b", "a"], pa.string_view()), [1, 0], id="views"),
        pytest.param(pa.array([b"\xff", b"", b"\x00"]), [1, 2, 0], id="binary"),
        pytest.param(pa.array([b"bb", b"ab"], pa.binary(2)), [1, 0], id="fixed binary"),
        pytest.param(pa.array([D("10.1"), D("9.2"), D("-1.0")]), [2, 1, 0], id="decimals"),
        pytest.param(pa.array([dt.date(2020, 1, 2), dt.date(1900, 1, 1)]), [1, 0], id="dates"),
        pytest.param(pa.array([86_400_000, -86_400_000], pa.date64()), [1, 0], id="date64"),
        pytest.param(pa.array([5, 1], pa.time32("s")), [1, 0], id="times"),
        pytest.param(pa.array([5, 1], pa.time64("ns")), [1, 0], id="times in ns"),
        pytest.param(pa.array([5, -1, 3], pa.duration("s")), [1, 2, 0], id="durations"),
        pytest.param(pa.array([2**62, -(2**62), 0], pa.int64()).view(pa.timestamp("s")), [1, 2, 0], id="far seconds"),
        pytest.param(pa.array([2**62, -(2**62), 0], pa.int64()).view(pa.duration("s")), [1, 2, 0], id="far durations"),
        pytest.param(pa.array([2, 1], pa.timestamp("us", "Europe/Berlin")), [1, 0], id="time zone"),
        pytest.param(pa.array([2, 1], pa.timestamp("us", "+05:30")), [1, 0], id="offset"),
        pytest.param(pa.array([2, 1], pa.timestamp("us", "No/Such")), [1, 0], id="unknown time zone"),
        pytest.param(category([0, 1, 2], ["c", "a", "b"]), [1, 2, 0], id="categories by value"),
        pytest.param(category([0, 2, 1], ["low", "mid", "high"], True), [0, 2, 1], id="ordered by their order"),
        pytest.param(category([0, 1, 2], [30, 10, 20]), [1, 2, 0], id="categories of numbers"),
        pytest.param(
            pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([2, 1], pa.timestamp("s", "+01:00"))),
            [1, 0],
            id="categories of times",
        ),
        pytest.param(pa.nulls(3), [0, 1, 2], id="nulls only"),
        pytest.param(
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"b" * 16, b"a" * 16], pa.binary(16))),
            [1, 0],
            id="uuid",
        ),
    ],
)
def test_every_kind_of_key(values: pa.Array, ascending: list[int]) -> None:
    assert order(values) == ascending
    if values.null_count == 0:  # no two are equal
        assert order(values, descending=True) == ascending[::-1]


WITH_NULLS = {
    "integers": pa.array([2, None, 1, None, 3]),
    "floats": pa.array([2.0, None, 1.0, None, NAN]),
    "strings": pa.array(["b", None, "a", None, "c"]),
    "booleans": pa.array([True, None, False, None, True]),
    "times": pa.array([2, None, 1, None, 3], pa.timestamp("s", "UTC")),
    "categories": category([1, None, 0, None, 2], ["a", "b", "c"]),
    "ordered categories": category([1, None, 0, None, 2], ["z", "y", "x"], True),
    "nulls among categories": category([1, 3, 0, 3, 2], ["a", "b", "c", None]),
    "two batches": pa.chunked_array([[2, None], [1, None, 3]]),
}


@pytest.mark.parametrize("name", WITH_NULLS)
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ({}, [2, 0, 4, 1, 3]),
        ({"nulls_last": False}, [1, 3, 2, 0, 4]),
        ({"descending": True}, [4, 0, 2, 1, 3]),
        ({"descending": True, "nulls_last": False}, [1, 3, 4, 0, 2]),
    ],
    ids=["ascending", "nulls first", "descending", "descending, nulls first"],
)
def test_nulls_stand_where_asked_in_either_direction(name: str, sort: dict[str, bool], expected: list[int]) -> None:
    if name == "booleans":  # rows 0 and 4 are equal, and stay in the table's order
        expected = [1, 3, 0, 4, 2] if sort.get("nulls_last") is False and sort.get("descending") else expected
        expected = [0, 4, 2, 1, 3] if sort == {"descending": True} else expected
    assert order(WITH_NULLS[name], **sort) == expected


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sizes", [[1000], [300, 0, 700]], ids=str)
def test_equal_rows_stay_in_order(sizes: list[int], descending: bool) -> None:
    keys = [row * 7 % 5 for row in range(1000)]
    chunks, start = [], 0
    for size in sizes:
        chunks.append(pa.array(keys[start : start + size], pa.int64()))
        start += size
    expected = sorted(range(1000), key=lambda row: -keys[row] if descending else keys[row])
    assert order(pa.chunked_array(chunks), descending=descending) == expected


def test_ordered_categories_of_several_batches_follow_the_joined_order() -> None:
    chunks = [category([1, None, 0], ["low", "mid"], True), category([1, 0, None], ["low", "high"], True)]
    assert order(pa.chunked_array(chunks)) == [2, 4, 0, 3, 1, 5]
    assert order(pa.chunked_array(chunks), descending=True) == [3, 0, 2, 4, 1, 5]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [({}, [0, 3, 2, 1]), ({"descending": True}, [2, 0, 3, 1]), ({"nulls_last": False}, [1, 0, 3, 2])],
    ids=str,
)
def test_a_null_among_the_values_of_an_ordered_dictionary(sort: dict[str, bool], expected: list[int]) -> None:
    assert order(category([0, 1, 2, 0], ["b", None, "a"], True), **sort) == expected


def test_a_key_that_is_named_again_says_nothing() -> None:
    caller = Caller()
    caller.load_table(pa.table({"v": [1, 2, 1], "w": [1, 2, 3]}))
    again = [{"column": "v", "descending": True}] * 20_000
    keys = [{"column": "v"}, *again, {"column": "w", "descending": True}]
    assert caller.rows(columns=["w"], sort=keys)["w"].to_pylist() == [3, 1, 2]


@pytest.mark.parametrize("dtype", [pa.null(), pa.string(), pa.float16()], ids=str)
@pytest.mark.parametrize("ordered", [False, True])
def test_a_dictionary_without_chunks(dtype: pa.DataType, ordered: bool) -> None:
    assert order(pa.chunked_array([], pa.dictionary(pa.int32(), dtype, ordered))) == []


def test_keys_count_in_their_order() -> None:
    table = pa.table({"a": [1, 2, 1, 2, None], "b": ["x", "y", "z", "y", "w"], "row": range(5)})
    caller = Caller()
    caller.load_table(table)

    def rows(*keys: dict[str, Any]) -> list[int]:
        return caller.rows(sort=list(keys), columns=["row"])["row"].to_pylist()

    assert rows({"column": "a"}, {"column": "b", "descending": True}) == [2, 0, 1, 3, 4]
    assert rows({"column": "b"}, {"column": "a"}) == [4, 0, 1, 3, 2]
    assert rows({"column": "a", "descending": True, "nulls_last": False}, {"column": "b"}) == [4, 1, 3, 0, 2]
    assert rows({"column": "a"}, {"column": "a", "descending": True}, {"column": "row", "descending": True}) == [
        2,
        0,
        3,
        1,
        4,
    ]


@pytest.mark.parametrize("name", ["row", "key_0", "column_0", "", "a.b", "*", "^a$", "ä"])
def test_no_name_of_a_column_disturbs(name: str) -> None:
    caller = Caller()
    caller.load_table(pa.table({"x": [1, 2, 3], name: [2, 3, 1]}))
    assert caller.rows(sort=[{"column": name}])["x"].to_pylist() == [3, 1, 2]


UNSORTABLE = {
    "list": pa.array([[1]]),
    "list view": pa.array([[1]], pa.list_view(pa.int8())),
    "fixed_size_list": pa.array([[1]], pa.list_(pa.int8(), 1)),
    "struct": pa.array([{"a": 1}]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    "dictionary of structs": pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([{"a": 1}])),
    "interval": pa.array([pa.MonthDayNano([1, 2, 3])]),
    "decimal256": pa.array([D("1.5")], pa.decimal256(60, 1)),
    "union": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    "tensor": pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int8(), [1]), pa.array([[1]], pa.list_(pa.int8(), 1))
    ),
    "binary of no bytes": pa.array([b""], pa.binary(0)),
    "decimal of negative scale": pa.array([D(100)], pa.decimal128(5, -2)),
}


@pytest.mark.parametrize("name", UNSORTABLE)
def test_what_has_no_order_is_refused_by_name(name: str) -> None:
    caller = Caller()
    answer = caller.load_table(pa.table({"k": [1], "v": UNSORTABLE[name]}))
    error = caller.rows_error(sort=[{"column": "k"}, {"column": "v"}])
    assert (error.kind, error.data["column"]) == ("unsortable_column", "v")
    assert error.data["dtype"] == answer.columns[1].dtype
    assert caller.rows(sort=[{"column": "k"}]).num_rows == 1


def test_more_rows_than_can_be_counted_are_refused() -> None:
    """A column of nulls takes no memory, however long it says it is."""
    table = EagerTable(pa.table({"v": pa.nulls(2**32)}))
    with pytest.raises(Exception, match="4294967296 rows are too many") as caught:
        row_order(table, by("v"), RecordingContext())
    assert caught.value.kind == "too_large"  # type: ignore[attr-defined]


# the cache


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The keys of every order that is computed, as it happens."""
    calls: list[tuple[str, ...]] = []

    def counting(table: Any, view: View, work: Any, claim: Any) -> pa.Array:
        calls.append(tuple(key.column for key in view.sort))
        return row_order(table, view, work, claim)

    monkeypatch.setattr(orders_module, "row_order", counting)
    return calls


ABC = pa.table({"a": [3, 1, 2], "b": ["x", "z", "y"], "c": [1.0, 2.0, 0.0]})


def test_an_order_is_computed_once_for_all_pages(computed: list[Any]) -> None:
    caller = Caller()
    caller.load_table(ABC)
    for start in range(3):
        for columns in (["a"], ["b", "c"], None):
            caller.rows(sort=[{"column": "a"}], start=start, columns=columns)
    assert computed == [("a",)]
    caller.rows(sort=[{"column": "a", "descending": True}])
    caller.rows(sort=[{"column": "a", "nulls_last": False}])
    caller.rows(sort=[{"column": "a"}, {"column": "b"}])
    caller.rows(sort=[{"column": "a"}])
    caller.rows()
    assert computed == [("a",), ("a",), ("a",), ("a", "b")]


@pytest.mark.parametrize("how", ["close", "replace"])
def test_an_order_is_forgotten_with_its_table(computed: list[Any], how: str) -> None:
    caller = Caller()
    caller.load_table(ABC)
    caller.load_table(ABC, "other")
    for session in ("s", "other"):
        caller.rows(session, sort=[{"column": "a"}])
    if how == "close":
        caller.call("sessions/close", {"session": "s"})
    caller.load_table(ABC.slice(1))
    assert caller.rows(sort=[{"column": "a"}])["a"].to_pylist() == [1, 2]
    caller.rows("other", sort=[{"column": "a"}])
    assert len(computed) == 3


def table_of(rows: int) -> EagerTable:
    return EagerTable(pa.table({name: pa.array(range(rows)) for name in "abcd"}))


def test_the_least_recently_used_goes_first(computed: list[Any]) -> None:
    orders, table = RowOrders(max_bytes=2 * 4 * 100), table_of(100)

    def get(name: str) -> None:
        assert orders.get(table, by(name), RecordingContext()).to_pylist() == list(range(100))

    for name in "abacab":
        get(name)
    # a b | a again | c drops b | a is there | b drops c
    assert computed == [("a",), ("b",), ("c",), ("b",)]
    assert [orders.has(table, by(name)) for name in "abcd"] == [True, True, False, False]


def test_an_order_larger_than_the_budget_is_not_kept_and_drops_no_other(computed: list[Any]) -> None:
    orders, small, large = RowOrders(max_bytes=4 * 100), table_of(100), table_of(101)
    orders.get(small, by("a"), RecordingContext())
    orders.get(large, by("a"), RecordingContext())
    orders.get(large, by("a"), RecordingContext())
    orders.get(small, by("a"), RecordingContext())
    assert len(computed) == 3


def test_forgetting_gives_the_budget_back(computed: list[Any]) -> None:
    orders, first, second = RowOrders(max_bytes=2 * 4 * 100), table_of(100), table_of(100)
    orders.get(first, by("a"), RecordingContext())
    orders.get(first, by("b"), RecordingContext())
    orders.cache.forget(first.owner.number)
    for _ in range(2):
        orders.get(second, by("a"), RecordingContext())
        orders.get(second, by("b"), RecordingContext())
    assert len(computed) == 4


def test_a_dictionary_of_numbers_is_sorted_by_the_numbers() -> None:
    """In several chunks, each with a dictionary of its own."""
    chunks = [pa.array([10, 9]).dictionary_encode(), pa.array([100, 9]).dictionary_encode()]
    table = EagerTable(pa.table({"n": pa.chunked_array(chunks)}))
    assert row_order(table, by("n"), RecordingContext()).to_pylist() == [1, 3, 0, 2]
