"""Exact arrays: of Python values and of other arrays, every value is in them as it was, or there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from sidecar.streams.values.arrays import exact_array, exact_cast

INT, FLOAT, SMALL_FLOAT, TEXT = pa.int64(), pa.float64(), pa.float32(), pa.string()
POINT = pa.struct([("a", INT)])
NAIVE, AWARE = pa.timestamp("us"), pa.timestamp("us", "UTC")
NOON = datetime(2020, 1, 1, 12)
NOON_UTC = NOON.replace(tzinfo=UTC)

KEPT: dict[str, tuple[Any, pa.DataType, list[Any]]] = {
    "integers": ([1, None], INT, [1, None]),
    "whole fractions": ([1.0], INT, [1]),
    "a generator": ((number for number in [1, 2]), INT, [1, 2]),
    "a generator of floats": ((number for number in [1.5]), SMALL_FLOAT, [1.5]),
    "a tuple": ((1,), INT, [1]),
    "a range": (range(2), INT, [0, 1]),
    "an array": (pa.array([1.0]), INT, [1]),
    "a chunked array": (pa.chunked_array([[1.0], [2.0]]), INT, [1, 2]),
    "a chunked array without chunks": (pa.chunked_array([], FLOAT), INT, []),
    "a list in a list": ([[1, None], None, []], pa.list_(INT), [[1, None], None, []]),
    "a list of fixed size": ([[1, 2], None], pa.list_(INT, 2), [[1, 2], None]),
    "a struct": ([{"a": 1}, None, {}], POINT, [{"a": 1}, None, {"a": None}]),
    "a struct of pairs": ([[("a", 1)]], POINT, [{"a": 1}]),
    "a map of pairs": ([[("a", 1)], None], pa.map_(TEXT, INT), [[("a", 1)], None]),
    "rounded to the nearest": ([[0.1]], pa.list_(SMALL_FLOAT), [[0.10000000149011612]]),
    "infinity": ([[float("inf")]], pa.list_(SMALL_FLOAT), [[float("inf")]]),
    "a dictionary": (["x", "x"], pa.dictionary(pa.int8(), TEXT), ["x", "x"]),
    "a dictionary of integers": ([1], pa.dictionary(pa.int8(), INT), [1]),
    "a decimal": ([Decimal("1.5")], pa.decimal128(5, 2), [Decimal("1.50")]),
    "a date": ([date(2020, 1, 1)], pa.date32(), [date(2020, 1, 1)]),
    "an instant of another zone": (
        [NOON.replace(hour=14, tzinfo=timezone(timedelta(hours=2)))],
        AWARE,
        [NOON_UTC],
    ),
    "nothing": ([], pa.list_(INT), []),
    "nulls alone": ([None], POINT, [None]),
}


@pytest.mark.parametrize(("values", "dtype", "expected"), KEPT.values(), ids=KEPT)
def test_what_is_kept(values: Any, dtype: pa.DataType, expected: list[Any]) -> None:
    made = exact_array(values, dtype)
    assert made.type == dtype
    assert made.to_pylist() == expected


CHANGED: dict[str, tuple[Any, pa.DataType]] = {
    "a fraction": ([1.5], INT),
    "a fraction of a generator": ((number for number in [1.5]), INT),
    "a fraction in a list": ([[1.5]], pa.list_(INT)),
    "a fraction in a list of fixed size": ([[1.5]], pa.list_(INT, 1)),
    "a fraction in a struct": ([{"a": 1.5}], POINT),
    "a fraction in a struct of pairs": ([[("a", 1.5)]], POINT),
    "a fraction in a map": ([{"a": 1.5}], pa.map_(TEXT, INT)),
    "a fraction in the keys of a map": ([[(1.5, "a")]], pa.map_(INT, TEXT)),
    "a fraction in a dictionary": ([1.5], pa.dictionary(pa.int8(), INT)),
    "a fraction deep inside": ([[{"a": 1.5}]], pa.list_(POINT)),
    "a field too many": ([{"a": 1, "b": 9}], POINT),
    "beyond a float": ([1e300], SMALL_FLOAT),
    "beyond a float in a list": ([[1e300]], pa.list_(SMALL_FLOAT)),
    "a float for a decimal": ([0.15], pa.decimal128(5, 1)),
    "half a float for a decimal": ([0.5], pa.decimal128(5, 1)),
    "a decimal of more digits": ([Decimal("0.15")], pa.decimal128(5, 1)),
    "a time for a date": ([NOON], pa.date32()),
    "naive for aware": ([NOON], AWARE),
    "aware for naive": ([NOON_UTC], NAIVE),
    "naive among aware": ([NOON_UTC, NOON], AWARE),
    "naive among aware in a list": ([[NOON_UTC, NOON]], pa.list_(AWARE)),
    "a text": ("abc", TEXT),
    "bytes": (b"abc", INT),
    "a dict": ({"a": 1}, TEXT),
    "a number": (1, INT),
}


@pytest.mark.parametrize(("values", "dtype"), CHANGED.values(), ids=CHANGED)
def test_what_would_change_is_refused(values: Any, dtype: pa.DataType) -> None:
    with pytest.raises((ValueError, TypeError)):
        exact_array(values, dtype)


CAST: dict[str, tuple[pa.Array, pa.DataType]] = {
    "integers": (pa.array([1, None], pa.int32()), INT),
    "not a number": (pa.array([float("nan"), None]), SMALL_FLOAT),
    "not a number in a list": (pa.array([[float("nan")]]), pa.list_(SMALL_FLOAT)),
    "ones and zeros": (pa.array([1, 0]), pa.bool_()),
    "midnight": (pa.array([datetime(2020, 1, 1)]), pa.date32()),
    "another zone": (pa.array([NOON_UTC]), pa.timestamp("us", "Europe/Paris")),
    "a dictionary with values that nobody has": (
        pa.DictionaryArray.from_arrays(pa.array([1], pa.int8()), pa.array(["x", "y"])),
        TEXT,
    ),
    "a dictionary of other indices": (
        pa.DictionaryArray.from_arrays(pa.array([1], pa.int8()), pa.array(["x", "y"])),
        pa.dictionary(pa.int32(), TEXT),
    ),
    "fields of another type": (pa.array([{"a": 1}, None]), pa.struct([("a", pa.int8())])),
    "a slice of lists": (pa.array([[1], [2], None, [3]]).slice(1), pa.list_(pa.int8())),
    "a slice of maps": (pa.array([[("a", 1)], [("b", 2)]], pa.map_(TEXT, INT)).slice(1), pa.map_(TEXT, pa.int8())),
    "a view": (pa.array(["x", None]), pa.string_view()),
    "nulls alone": (pa.nulls(2), POINT),
}


@pytest.mark.parametrize(("array", "dtype"), CAST.values(), ids=CAST)
def test_what_is_cast(array: pa.Array, dtype: pa.DataType) -> None:
    made = exact_cast(array, dtype)
    assert made.type == dtype
    back = made.cast(array.type) if not pa.types.is_null(array.type) else array
    assert repr(back.to_pylist()) == repr(array.to_pylist())


UNFIT: dict[str, tuple[pa.Array, pa.DataType]] = {
    "a number for yes or no": (pa.array([5]), pa.bool_()),
    "a time for a date": (pa.array([datetime(2020, 1, 1, 5)]), pa.date32()),
    "beyond a half": (pa.array([65536]), pa.float16()),
    "beyond a float": (pa.array([1e300]), SMALL_FLOAT),
    "beyond a float in a list": (pa.array([[1e300]]), pa.list_(SMALL_FLOAT)),
    "beyond a float in a struct": (pa.array([{"a": 1e300}]), pa.struct([("a", SMALL_FLOAT)])),
    "beyond a float in a map": (pa.array([[("a", 1e300)]], pa.map_(TEXT, FLOAT)), pa.map_(TEXT, SMALL_FLOAT)),
    "beyond a float in a dictionary": (pa.array([1e300]).dictionary_encode(), SMALL_FLOAT),
    "an integer between two floats": (pa.array([2**24 + 1]), SMALL_FLOAT),
    "a number that is written otherwise": (pa.array(["01"]), INT),
    "a zone dropped": (pa.array([NOON_UTC]), NAIVE),
    "a zone added": (pa.array([NOON]), AWARE),
    "a zone added in a list": (pa.array([[NOON]]), pa.list_(AWARE)),
    "a field missing": (pa.array([{"a": 1}]), pa.struct([("a", INT), ("b", INT)])),
    "a field too many": (pa.array([{"a": 1, "b": 2}]), POINT),
    "a field of another name": (pa.array([{"b": 1}]), POINT),
}


@pytest.mark.parametrize("make", [exact_cast, exact_array], ids=["cast", "array"])
@pytest.mark.parametrize(("array", "dtype"), UNFIT.values(), ids=UNFIT)
def test_what_no_cast_keeps_is_refused(
    array: pa.Array, dtype: pa.DataType, make: Callable[[pa.Array, pa.DataType], pa.Array]
) -> None:
    with pytest.raises(pa.ArrowException):
        make(array, dtype)


def test_an_array_of_the_type_is_itself() -> None:
    array = pa.array([1])
    assert exact_cast(array, INT) is array
    assert exact_array(array, INT) is array
