"""Filters: every operator on every kind of column, exactly; what a page shows in JSON can be asked for."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services import table as table_module
from sidecar.services.json_rows import json_values
from sidecar.services.plain import plain
from sidecar.services.table import EagerTable
from sidecar.services.tables.filters import filters
from sidecar.services.tables.filters.filters import Filter
from sidecar.services.tables.order.ordering import Sort, row_order
from sidecar.services.tables.view import View

from ...caller import Caller, RecordingContext

INSTANT = dt.datetime(2020, 5, 17, 12, 30, 15, 123456, tzinfo=dt.UTC)
COLUMNS = {
    "int8": pa.array([1, -128, 127, None], pa.int8()),
    "int64": pa.array([1, 2**53 + 1, -(2**63), None], pa.int64()),
    "uint64": pa.array([0, 2**64 - 1, 2**53, None], pa.uint64()),
    "float16": pa.array([1.5, -2.0, 0.0, None], pa.float16()),
    "float32": pa.array([0.1, float("nan"), float("-inf"), None], pa.float32()),
    "float64": pa.array([0.1, float("nan"), float("inf"), None], pa.float64()),
    "bool": pa.array([True, False, False, None]),
    "string": pa.array(["a", "", "É", None]),
    "large_string": pa.array(["a", "", "É", None], pa.large_string()),
    "binary": pa.array([b"a", b"", b"\xff", None]),
    "fixed": pa.array([b"ab", b"\0\0", b"\xff\xff", None], pa.binary(2)),
    "decimal": pa.array([Decimal("1.10"), Decimal("-2.00"), Decimal("99999999.99"), None], pa.decimal128(10, 2)),
    "date32": pa.array([dt.date(2020, 5, 17), dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    "date64": pa.array([dt.date(2020, 5, 17), dt.date(1970, 1, 1), dt.date(2100, 1, 1), None], pa.date64()),
    "time32": pa.array([dt.time(1, 2, 3), dt.time(0), dt.time(23, 59, 59), None], pa.time32("s")),
    "time64": pa.array([1, 0, 86_399_999_999_999, None], pa.time64("ns")),
    "timestamp_s": pa.array([dt.datetime(2020, 5, 17), dt.datetime(1, 1, 1), None], pa.timestamp("s")),
    "timestamp_ns": pa.array([1, -1, 2**62, None], pa.timestamp("ns")),
    "timestamp_utc": pa.array([INSTANT, dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
    "timestamp_zone": pa.array([INSTANT, None], pa.timestamp("ms", "Asia/Kolkata")),
    "duration": pa.array([90, -1, None], pa.duration("s")),
    "decimal256": pa.array([Decimal("1.1"), Decimal(f"-{'9' * 59}.9"), Decimal("0.0"), None], pa.decimal256(60, 1)),
    "timestamp_offset": pa.array([INSTANT, None], pa.timestamp("us", "+05:30")),
    "dictionary": pa.array(["x", "y", "x", None]).dictionary_encode(),
    "dictionary_int": pa.array([2**53 + 1, 5, 2**53 + 1, None]).dictionary_encode(),
    "dictionary_float": pa.array([0.5, float("nan"), 0.5, None]).dictionary_encode(),
    "dictionary_binary": pa.array([b"a", b"", b"a", None]).dictionary_encode(),
    "dictionary_decimal256": pa.array(
        [Decimal("1.1"), Decimal("-2.5"), None], pa.decimal256(60, 1)
    ).dictionary_encode(),
    "dictionary_time": pa.DictionaryArray.from_arrays(
        pa.array([1, 0, None], pa.int8()), pa.array([2, 1], pa.timestamp("s", "+01:00"))
    ),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"b" * 16, b"a" * 16, None], pa.binary(16))),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', "[]", None])),
    "views": pa.array(["a", "longer than twelve bytes", None], pa.string_view()),
    "run_end": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", None])),
}
ORDERLESS = {
    "interval": pa.array([pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([1, 2, 4]), None, pa.MonthDayNano([1, 2, 3])]),
}


def passing(column: pa.Array | pa.ChunkedArray, *filters: Filter) -> list[int]:
    """The indices that pass all filters."""
    view = View(filters)
    view.key()
    return row_order(EagerTable(plain(pa.table({"column": column}))), view, RecordingContext()).to_pylist()


def rows(column: pa.Array | pa.ChunkedArray, op: Any, value: Any = None, ignore_case: bool = False) -> list[int]:
    """The indices that pass one."""
    return passing(column, Filter("column", op, value, ignore_case))


def refusal(column: pa.Array, *filters: Filter) -> SidecarError:
    """The error that the filters end with."""
    with pytest.raises(SidecarError) as refused:
        passing(column, *filters)
    assert refused.value.kind == "invalid_filter"
    return refused.value


@pytest.mark.parametrize("name", [*COLUMNS, *ORDERLESS])
def test_what_a_page_shows_can_be_asked_for(name: str) -> None:
    column = plain(pa.table({"column": {**COLUMNS, **ORDERLESS}[name]})).column(0)
    shown = json_values(name, column)
    for value in [value for value in shown if value is not None]:
        given = encoded(value)
        expected = [index for index, other in enumerate(shown) if other == value]
        assert rows(column, "eq", given) == expected
        assert rows(column, "in", [given]) == expected
        assert name in ORDERLESS or rows(column, "between", [given, given]) == expected
        assert rows(column, "ne", given) == [i for i, v in enumerate(shown) if v is not None and i not in expected]


def encoded(value: Any) -> Any:
    """A value as it comes back from JSON."""
    return msgspec.json.decode(msgspec.json.encode(value))


@pytest.mark.parametrize("name", COLUMNS)
def test_nulls_match_only_the_test_for_null(name: str) -> None:
    column = COLUMNS[name]
    nulls = [index for index, value in enumerate(column.is_null().to_pylist()) if value]
    assert rows(column, "is_null") == nulls
    assert rows(column, "is_not_null") == [index for index in range(len(column)) if index not in nulls]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("lt", 2**53 + 1, [0, 2]),
        ("le", 2**53 + 1, [0, 1, 2]),
        ("gt", 2**53, [1]),
        ("ge", 2**53 + 2, []),
        ("gt", str(2**53), [1]),
        ("in", [], []),
        ("in", [1, str(2**53 + 1)], [0, 1]),
        ("between", [2, 1], []),
    ],
)
def test_comparisons_are_exact_beyond_doubles(op: str, value: Any, expected: list[int]) -> None:
    assert rows(COLUMNS["int64"], op, value) == expected


def test_nan_is_larger_than_every_number_as_in_a_sort() -> None:
    assert rows(COLUMNS["float64"], "gt", 1e308) == [1, 2]
    assert rows(COLUMNS["float64"], "lt", "NaN") == [0, 2]


@pytest.mark.parametrize("value", ["%", ".", "a.", "\\", "(", "^a"])
def test_contains_is_literal(value: str) -> None:
    texts = ["a.b%", "ab", "\\", "(x)", "^a", None]
    assert rows(pa.array(texts), "contains", value) == [i for i, t in enumerate(texts) if t is not None and value in t]


@pytest.mark.parametrize(
    ("name", "op", "value"),
    [
        ("int8", "eq", 128),
        ("int64", "eq", 2**63),
        ("int64", "eq", 1.0),
        ("int64", "eq", True),
        ("int64", "eq", "one"),
        ("int64", "eq", None),
        ("int64", "eq", [1]),
        ("int64", "in", 1),
        ("int64", "in", [None]),
        ("int64", "between", [1]),
        ("int64", "between", [1, 2, 3]),
        ("int64", "contains", "1"),
        ("int64", "regex", "1"),
        ("int64", "is_null", True),
        ("int64", "is_nan", None),
        ("int64", "eq", "1_0"),
        ("int64", "eq", "\uff11"),
        ("int64", "eq", "9" * 5000),
        ("float64", "eq", 2**53 + 1),
        ("float64", "eq", 10**400),
        ("float32", "eq", 2**24 + 1),
        ("float32", "eq", 1e300),
        ("float64", "is_nan", 1),
        ("float64", "in", 1.5),
        ("interval", "eq", [1, 2]),
        ("interval", "eq", [1, 2, 3.0]),
        ("interval", "lt", [1, 2, 3]),
        ("interval", "between", [[1, 2, 3], [1, 2, 4]]),
        ("decimal256", "eq", "0.25"),
        ("uuid", "eq", "YQ=="),
        ("dictionary_int", "eq", "x"),
        ("dictionary", "regex", "("),
        ("string", "regex", "(a{1000}){1000}"),
        ("string", "regex", "(?=a)"),
        ("string", "regex", None),
        ("uint64", "gt", -1),
        ("float64", "eq", "1.5"),
        ("bool", "eq", 1),
        ("string", "eq", 1),
        ("string", "contains", 1),
        ("binary", "eq", "not base64"),
        ("fixed", "eq", "YQ=="),
        ("decimal", "eq", 1.1),
        ("decimal", "eq", "1.105"),
        ("decimal", "eq", "ten"),
        ("date32", "eq", "2020-02-30"),
        ("date32", "eq", 18_000),
        ("time32", "eq", "25:00:00"),
        ("timestamp_utc", "eq", "yesterday"),
        ("timestamp_utc", "eq", "2020-05-17 12:30:15"),
        ("duration", "eq", "90 ms"),
    ],
)
def test_a_value_that_is_none_of_the_column(name: str, op: str, value: Any) -> None:
    column = {**COLUMNS, **ORDERLESS}[name]
    for rows_of in (column, column.slice(0, 0)):  # an empty table takes no other filter than a full one
        fault = refusal(rows_of, Filter("column", op, value))
        assert fault.data == {"column": "column", "dtype": str(column.type), "op": op, "value": value}
        assert len(fault.message) < 400


def test_of_many_values_the_message_names_the_one() -> None:
    fault = refusal(COLUMNS["int64"], Filter("column", "in", [*range(1000), "x", "y"]))
    assert "value 1000, 'x'" in fault.message


@pytest.mark.parametrize(
    "dtype",
    [pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.map_(pa.int8(), pa.int8()), pa.null()],
    ids=str,
)
def test_a_column_that_cannot_be_compared_is_only_tested_for_null(dtype: pa.DataType) -> None:
    column = pa.nulls(2, dtype)
    assert rows(column, "is_null") == [0, 1]
    assert rows(column, "is_not_null") == []
    refusal(column, Filter("column", "eq", 1))


def test_filters_are_joined_by_and_and_keep_the_sort() -> None:
    table = EagerTable(pa.table({"n": [5, 1, 4, 2, 3], "s": list("babab")}))
    filters = [Filter("s", "eq", "b"), Filter("n", "ge", 3)]
    assert row_order(table, View(filters, sort=[Sort("n")]), RecordingContext()).to_pylist() == [4, 2, 0]


# -- floats ------------------------------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
FLOATS = [1.0, NAN, -0.0, 0.0, INF, -INF, None]


@pytest.mark.parametrize("dtype", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("is_dictionary", [False, True], ids=["plain", "dictionary"])
@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("is_nan", None, [1]),
        ("is_not_nan", None, [0, 2, 3, 4, 5]),
        ("eq", "NaN", [1]),
        ("ne", "NaN", [0, 2, 3, 4, 5]),
        ("eq", 0, [2, 3]),
        ("lt", 0.0, [5]),
        ("lt", -0.0, [5]),
        ("gt", "Infinity", [1]),
        ("ge", "Infinity", [1, 4]),
        ("le", "-Infinity", [5]),
        ("in", ["NaN", 0.0], [1, 2, 3]),
        ("in", [-0.0, "-Infinity"], [2, 3, 5]),
        ("between", [-0.0, "Infinity"], [0, 2, 3, 4]),
        ("between", [1, "NaN"], [0, 1, 4]),
        ("between", ["NaN", 1], []),
    ],
)
def test_nan_equals_itself_and_is_the_largest(
    dtype: pa.DataType, is_dictionary: bool, op: str, value: Any, expected: list[int]
) -> None:
    column = pa.array(FLOATS, dtype)
    if is_dictionary:
        column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, 4, 5, None], pa.int8()), column)
    assert rows(column, op, value) == expected


@pytest.mark.parametrize("is_dictionary", [False, True], ids=["plain", "dictionary"])
@pytest.mark.parametrize(
    ("op", "expected"), [("is_nan", [0, 2, 3, 4, 5]), ("is_not_nan", [1])], ids=["is_nan", "is_not_nan"]
)
def test_of_a_null_it_is_not_known_whether_it_is_nan(is_dictionary: bool, op: Any, expected: list[int]) -> None:
    column = pa.array(FLOATS)
    column = column.dictionary_encode() if is_dictionary else column
    assert passing(column, Filter(not_=Filter("column", op))) == expected


def test_a_fraction_is_taken_as_the_column_would_hold_it() -> None:
    assert rows(pa.array([0.1, 0.2], pa.float32()), "eq", 0.1) == [0]


# -- text --------------------------------------------------------------------------------------------------------

TEXTS = ["Été", "été 1", "STRASSE", "Straße", "a.c", "abc", "", None]


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("is_dictionary", [False, True], ids=["plain", "dictionary"])
@pytest.mark.parametrize(
    ("op", "value", "ignore_case", "expected"),
    [
        ("contains", "té", False, [0, 1]),
        ("contains", "É", False, [0]),
        ("contains", "É", True, [0, 1]),
        ("contains", "ß", True, [3]),
        ("contains", "\u1e9e", True, [3]),
        ("contains", "SS", True, [2]),
        ("contains", "a.", True, [4]),
        ("contains", "1", True, [1]),
        ("contains", "", False, [0, 1, 2, 3, 4, 5, 6]),
        ("contains", "", True, [0, 1, 2, 3, 4, 5, 6]),
        ("starts_with", "é", False, [1]),
        ("starts_with", "é", True, [0, 1]),
        ("starts_with", "t", True, []),
        ("starts_with", "a.", True, [4]),
        ("starts_with", "", False, [0, 1, 2, 3, 4, 5, 6]),
        ("ends_with", "E", False, [2]),
        ("ends_with", "E", True, [2, 3]),
        ("ends_with", ".C", True, [4]),
        ("ends_with", "1", False, [1]),
        ("regex", "^.t", False, [0, 1, 3]),
        ("regex", "^é", False, [1]),
        ("regex", "^é", True, [0, 1]),
        ("regex", "a.c", False, [4, 5]),
        ("regex", r"\d$", False, [1]),
        ("regex", "", False, [0, 1, 2, 3, 4, 5, 6]),
        ("eq", "", False, [6]),
        ("lt", "a", False, [2, 3, 6]),
        ("between", ["a", "abc"], False, [4, 5]),
        ("in", ["abc", "a.c", "x"], False, [4, 5]),
    ],
)
def test_text(
    dtype: pa.DataType, is_dictionary: bool, op: str, value: Any, ignore_case: bool, expected: list[int]
) -> None:
    column = pa.array(TEXTS, dtype)
    if is_dictionary:
        column = pa.DictionaryArray.from_arrays(pa.array([*range(7), None], pa.int8()), column)
    assert rows(column, op, value, ignore_case) == expected


def test_lines_end_a_text_only_where_it_ends() -> None:
    column = pa.array(["a\nb", "b\n", "b"])
    assert rows(column, "ends_with", "B", ignore_case=True) == [0, 2]
    assert rows(column, "starts_with", "B", ignore_case=True) == [1, 2]


@pytest.mark.parametrize("pattern", ["(", "[a", "(?=a)", r"\1", "(a{1000}){1000}", "a**" + "(" * 10_000])
@pytest.mark.parametrize("ignore_case", [False, True])
def test_a_bad_pattern_is_refused_with_the_reason(pattern: str, ignore_case: bool) -> None:
    for column in (pa.array([], pa.string()), pa.array(["a"]), pa.array(["a"]).dictionary_encode()):
        fault = refusal(column, Filter("column", "regex", pattern, ignore_case))
        assert "regex parse error" in fault.message or "exceeds size limit" in fault.message
        assert "expression" not in fault.message


def test_a_pattern_that_makes_others_backtrack_is_linear() -> None:
    assert rows(pa.array(["a" * 100_000, "b"]), "regex", "^(a+)+$") == [0]


# -- dictionaries ------------------------------------------------------------------------------------------------


def test_a_null_among_the_values_of_a_dictionary_is_null() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array(["a", None]))
    assert rows(column, "is_null") == [1, 2]
    assert rows(column, "is_not_null") == [0]
    assert rows(column, "ne", "x") == [0]
    assert passing(column, Filter(not_=Filter("column", "eq", "x"))) == [0]


def test_each_chunk_may_have_its_own_dictionary() -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c", "a"]).dictionary_encode()]
    column = pa.chunked_array([*chunks, chunks[0].slice(0, 0), chunks[1].slice(1)])
    assert rows(column, "eq", "b") == [1, 2]
    assert rows(column, "contains", "A", ignore_case=True) == [0, 4, 6]


def test_values_of_a_dictionary_are_tested_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pieces a table has."""
    monkeypatch.setattr(table_module, "PIECE_ROWS", 10)
    tested = []
    is_in = pc.is_in
    monkeypatch.setattr(pc, "is_in", lambda column, **options: tested.append(len(column)) or is_in(column, **options))
    values = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 500, pa.int8()), pa.array(["a", "b"]))
    assert len(rows(values, "in", ["b"])) == 500
    assert sum(tested) <= 2 * 16  # pieces that are tested side by side may each find the first answer missing


# -- groups ------------------------------------------------------------------------------------------------------

NUMBERS = pa.array([1, 2, None])
ONE, TWO, NULL = Filter("column", "eq", 1), Filter("column", "eq", 2), Filter("column", "is_null")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (Filter(all=[]), [0, 1, 2]),
        (Filter(any=[]), []),
        (Filter(not_=Filter(all=[])), []),
        (Filter(not_=Filter(any=[])), [0, 1, 2]),
        (Filter(all=[ONE]), [0]),
        (Filter(all=[ONE, TWO]), []),
        (Filter(any=[ONE, TWO]), [0, 1]),
        (Filter(any=[ONE, NULL]), [0, 2]),
        (Filter(not_=ONE), [1]),
        (Filter(not_=NULL), [0, 1]),
        (Filter(not_=Filter(not_=ONE)), [0]),
        (Filter(not_=Filter(any=[ONE, NULL])), [1]),
        (Filter(not_=Filter(all=[ONE, TWO])), [0, 1]),  # for the null, both are unknown, and so is the group
        (Filter(not_=Filter(all=[ONE, Filter("column", "is_not_null")])), [1, 2]),  # one is false: so is the group
        (Filter(any=[ONE, Filter(all=[TWO, Filter(not_=NULL)])]), [0, 1]),
    ],
)
def test_groups_know_of_the_unknown(group: Filter, expected: list[int]) -> None:
    for column in (NUMBERS, NUMBERS.dictionary_encode(), NUMBERS.cast(pa.decimal256(60, 0))):
        assert passing(column, group) == expected


def nested(depth: int, make: Any) -> Any:
    """Groups within groups, as JSON."""
    inner: Any = {"column": "column", "op": "eq", "value": 1}
    for _ in range(depth):
        inner = make(inner)
    return inner


@pytest.mark.parametrize(
    "make",
    [lambda inner: {"not": {"not": inner}}, lambda inner: {"any": [{"all": [inner]}]}],
    ids=["not", "any and all"],
)
def test_groups_nest_as_deeply_as_the_limit(make: Any) -> None:
    caller = Caller()
    caller.load_table(pa.table({"column": [1, 2]}))
    deepest = nested(filters.MAX_FILTER_DEPTH // 2, make)
    assert caller.rows(filter=[deepest])["column"].to_pylist() == [1]
    for depth in (filters.MAX_FILTER_DEPTH // 2 + 1, 200):
        fault = caller.rows_error(filter=[nested(depth, make)])
        assert (fault.kind, fault.data["max_depth"]) == ("invalid_filter", filters.MAX_FILTER_DEPTH)
    for depth in (2_000, 10_000):
        assert caller.rows_error(filter=[nested(depth, make)]).kind == "invalid_params"
    assert caller.rows(filter=[deepest])["column"].to_pylist() == [1]


def test_the_deepest_groups_need_little_of_a_stack() -> None:
    """Threads have 512 KiB on macOS, and less with musl."""
    group = msgspec.convert(nested(filters.MAX_FILTER_DEPTH, lambda inner: {"any": [inner]}), Filter)
    found: list[list[int]] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(passing(NUMBERS, group)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(60)
    assert found == [[0]]


def test_conditions_are_counted_in_all_groups() -> None:
    most = filters.MAX_FILTER_CONDITIONS
    assert passing(NUMBERS, Filter(any=[ONE] * (most - 1)), Filter(not_=TWO)) == [0]
    fault = refusal(NUMBERS, Filter(any=[ONE] * most), Filter(not_=TWO))
    assert fault.data == {"max_conditions": most}


def test_many_values_of_in() -> None:
    column = pa.array([5, 99_999, 100_000, None])
    assert rows(column, "in", list(range(100_000))) == [0, 1]
    assert rows(column.cast(pa.string()), "in", [str(n) for n in range(100_000)]) == [0, 1]
    assert rows(column.dictionary_encode(), "in", list(range(100_000))) == [0, 1]
    assert rows(column.cast(pa.decimal256(60, 0)), "in", list(range(100_000))) == [0, 1]


@pytest.mark.parametrize(
    ("filter", "place"),
    [
        ({"any": [{"column": "column", "op": "eq", "value": 1}, {"op": "eq"}]}, "params.filter[0].any[1]"),
        ({"column": "column"}, "params.filter[0]"),
        ({}, "params.filter[0]"),
        ({"column": "column", "op": "eq", "all": []}, "params.filter[0]"),
        ({"all": [], "any": []}, "params.filter[0]"),
        ({"not": {"column": "column", "op": "nope"}}, "params.filter[0].not.op"),
        ({"column": 1, "op": "eq"}, "params.filter[0].column"),
        ({"column": "column", "op": "eq", "ignore_case": True}, "params.filter[0]"),
        ({"column": "column", "op": "eq", "valeu": 1}, "params.filter[0]"),
    ],
)
def test_a_wrong_filter_says_where(filter: dict[str, Any], place: str) -> None:
    caller = Caller()
    caller.load_table(pa.table({"column": [1]}))
    fault = caller.rows_error(filter=[filter])
    assert fault.kind == "invalid_params"
    assert f"`{place}`" in fault.message


@pytest.mark.parametrize("name", ["row", "test_0", "value_0", "column", "literal", "", "a.b", "*", "^a$", "ä"])
def test_no_name_of_a_column_disturbs(name: str) -> None:
    table = EagerTable(pa.table({name: [1, 2, 3], "x ": ["a", "b", "c"]}))
    view = View([Filter(name, "ge", 2), Filter("x ", "eq", "b")])
    assert row_order(table, view, RecordingContext()).to_pylist() == [1]


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(SidecarError) as refused:
        passing(NUMBERS, Filter(any=[ONE, Filter("nope", "is_null")]))
    assert (refused.value.kind, refused.value.data["column"]) == ("unknown_column", "nope")


@pytest.mark.parametrize("chunks", [[[1, 2, None, 1]], [[1], [2, None], [], [1]], []], ids=["one", "many", "none"])
def test_chunks_make_no_difference(chunks: list[list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "PIECE_ROWS", 2)
    for dtype in (pa.int64(), pa.string(), pa.decimal256(60, 0), pa.dictionary(pa.int8(), pa.string())):
        column = pa.chunked_array([pa.array(chunk, pa.int64()).cast(pa.string()) for chunk in chunks], pa.string())
        column = column.dictionary_encode() if pa.types.is_dictionary(dtype) else column.cast(dtype)
        value = "1" if pa.types.is_dictionary(dtype) or pa.types.is_string(dtype) else 1
        assert rows(column, "eq", value) == ([0, 3] if chunks else [])
