"""Filters: every operator on every kind of column, exactly; what a page shows in JSON can be asked for."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services.json_rows import json_values
from sidecar.services.table import EagerTable
from sidecar.services.tables.filters import Filter
from sidecar.services.tables.ordering import Sort, row_order
from sidecar.services.tables.view import View

from ..caller import RecordingContext

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
    "dictionary": pa.array(["x", "y", "x", None]).dictionary_encode(),
}


def rows(column: pa.Array, op: str, value: Any = None) -> list[int]:
    """The indices that pass."""
    table = EagerTable(pa.table({"column": column}))
    return row_order(table, View([Filter("column", op, value)]), RecordingContext()).to_pylist()


@pytest.mark.parametrize("name", COLUMNS)
def test_what_a_page_shows_can_be_asked_for(name: str) -> None:
    column = COLUMNS[name]
    shown = json_values(name, pa.chunked_array([column]))
    for value in [value for value in shown if value is not None]:
        given = encoded(value)
        expected = [index for index, other in enumerate(shown) if other == value]
        assert rows(column, "eq", given) == expected
        assert rows(column, "in", [given]) == expected
        assert rows(column, "between", [given, given]) == expected
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
        ("int64", "is_null", True),
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
    with pytest.raises(SidecarError) as refused:
        rows(COLUMNS[name], op, value)
    assert refused.value.kind == "invalid_filter"
    assert refused.value.data["column"] == "column"
    assert refused.value.data["value"] == value


@pytest.mark.parametrize("dtype", [pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.decimal256(50, 1)], ids=str)
def test_a_column_without_order_is_only_tested_for_null(dtype: pa.DataType) -> None:
    column = pa.nulls(2, dtype)
    assert rows(column, "is_null") == [0, 1]
    with pytest.raises(SidecarError) as refused:
        rows(column, "eq", 1)
    assert refused.value.kind == "invalid_filter"


def test_filters_are_joined_by_and_and_keep_the_sort() -> None:
    table = EagerTable(pa.table({"n": [5, 1, 4, 2, 3], "s": list("babab")}))
    filters = [Filter("s", "eq", "b"), Filter("n", "ge", 3)]
    assert row_order(table, View(filters, sort=[Sort("n")]), RecordingContext()).to_pylist() == [4, 2, 0]
