"""JSON values as values of a column's type, exactly."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa


def typed(values: list[Any], dtype: pa.DataType) -> pa.Array:
    """The values, in the form that a page has in JSON, as an array of `dtype`.

    Raises `ValueError`, `TypeError`, `OverflowError` or Arrow's errors for what is none of that type. Nothing is
    rounded but a fraction, to the nearest value that a column of floats can have.
    """
    for is_kind, array in _ARRAYS:
        if is_kind(dtype):
            return array(values, dtype)
    raise TypeError(f"a column of {dtype} cannot be compared")


def _expect(value: Any, dtype: pa.DataType, *kinds: type) -> Any:
    """`value`, which is of one of the kinds; True and False are no numbers."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"it is no {dtype}")
    return value


def _booleans(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return pa.array([_expect(value, dtype, bool) for value in values], dtype)


def _integers(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return pa.array([_integer(value, dtype) for value in values], dtype)


def _integer(value: Any, dtype: pa.DataType) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value):
        return int(value)
    return int(_expect(value, dtype, int))


def _floats(values: list[Any], dtype: pa.DataType) -> pa.Array:
    given = [value if value in _NON_FINITE else _expect(value, dtype, int, float) for value in values]
    array = pa.array([float(value) for value in given], dtype)
    for value, held in zip(given, array.to_pylist(), strict=True):
        is_exact = value == held if isinstance(value, int) else math.isinf(float(value)) == math.isinf(held)
        if not is_exact:
            raise ValueError(f"no {dtype} holds it")
    return array


_NON_FINITE = ("NaN", "Infinity", "-Infinity")


def _decimals(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return pa.array([str(_expect(value, dtype, int, str)) for value in values], pa.string()).cast(dtype)


def _durations(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return pa.array([_count(value, dtype) for value in values], dtype)


def _count(value: Any, dtype: pa.DataType) -> int:
    if not isinstance(value, str):
        return int(_expect(value, dtype, int))
    count, _, unit = value.partition(" ")
    if unit != dtype.unit:
        raise TypeError(f"it is no count of {dtype.unit}")
    return int(count)


def _times(values: list[Any], dtype: pa.DataType) -> pa.Array:
    """By way of timestamps: Arrow has no cast from strings to times."""
    days = pa.array([f"1970-01-01 {_expect(value, dtype, str)}" for value in values], pa.string())
    return days.cast(pa.timestamp(dtype.unit)).cast(dtype)


def _intervals(values: list[Any], dtype: pa.DataType) -> pa.Array:
    for value in values:
        if len(_expect(value, dtype, list)) != 3 or not all(type(count) is int for count in value):
            raise TypeError("it is no list of months, days and nanoseconds")
    return pa.array([pa.MonthDayNano(value) for value in values], dtype)


def _dates(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return _texts(values, pa.string()).cast(dtype)


def _texts(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return pa.array([_expect(value, dtype, str) for value in values], dtype)


def _bytes(values: list[Any], dtype: pa.DataType) -> pa.Array:
    return pa.array([base64.b64decode(_expect(value, dtype, str), validate=True) for value in values], dtype)


_ARRAYS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[list[Any], pa.DataType], pa.Array]], ...] = (
    (pa.types.is_boolean, _booleans),
    (pa.types.is_integer, _integers),
    (pa.types.is_floating, _floats),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_duration, _durations),
    (pa.types.is_time, _times),
    (pa.types.is_interval, _intervals),
    (pa.types.is_temporal, _dates),
    (pa.types.is_string, _texts),
    (pa.types.is_large_string, _texts),
    (pa.types.is_binary, _bytes),
    (pa.types.is_large_binary, _bytes),
    (pa.types.is_fixed_size_binary, _bytes),
)
