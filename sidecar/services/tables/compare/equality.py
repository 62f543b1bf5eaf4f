"""When two values of different columns are the same: by value, exactly, never by way of a rounded form.

A form makes of a column some Polars series that are equal where the values are. Null is equal to null, NaN to NaN,
and 0.0 to -0.0, within nested values too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...plain import decoded, is_text, large_type, storage

if TYPE_CHECKING:
    import polars as pl

Form = Callable[[pa.ChunkedArray], "list[pl.Series]"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_INT128_WHOLE = 2.0**126
"""Floats below this are whole numbers of 128 bits where they are whole."""

_DECIMAL_DIGITS = 76


def form(left: pa.DataType, right: pa.DataType) -> Form | None:
    """The form in which columns of these types compare; None where their values are never the same."""
    left, right = _values(left), _values(right)
    if pa.types.is_null(left) or pa.types.is_null(right):
        return _of_nulls(left if pa.types.is_null(right) else right)
    for find in (_temporal, _numeric, _shared):
        found = find(left, right)
        if found is not None:
            return found
    return None


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The type that holds the values of both without a change, where there is one; dictionaries are their values."""
    left, right = _values(left), _values(right)
    types = pa.types
    if left == right:
        return large_type(left)
    for is_kind, common in _COMMON:
        if is_kind(left) and is_kind(right):
            return common
    if types.is_integer(left) and types.is_integer(right):
        if not types.is_signed_integer(left) and not types.is_signed_integer(right):
            return pa.uint64()
        return None if pa.uint64() in (left, right) else pa.int64()
    if types.is_floating(left) and types.is_floating(right):
        return pa.float64()
    return None


_COMMON: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (is_text, pa.large_string()),
    (lambda dtype: _is_bytes(dtype), pa.large_binary()),
    (pa.types.is_date, pa.date32()),
)


def _is_bytes(dtype: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype))


def _values(dtype: pa.DataType) -> pa.DataType:
    if isinstance(dtype, pa.BaseExtensionType):
        return _values(dtype.storage_type)
    return _values(dtype.value_type) if pa.types.is_dictionary(dtype) else dtype


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return decoded(storage(column))


def _series(column: pa.ChunkedArray) -> pl.Series:
    from ...polars import series

    return series(column)


def _cast(wanted: pa.DataType) -> Form:
    return lambda column: [_series(_flat(column).cast(wanted))]


def _of_nulls(dtype: pa.DataType) -> Form | None:
    """A column of nulls compares with any."""
    if pa.types.is_null(dtype):
        return lambda column: [_series(column)]
    found = form(dtype, dtype)
    return found and (lambda column: found(column.cast(dtype) if pa.types.is_null(column.type) else column))


def _temporal(left: pa.DataType, right: pa.DataType) -> Form | None:
    types = pa.types
    for is_kind in (types.is_timestamp, types.is_duration, types.is_time):
        if is_kind(left) and is_kind(right):
            if is_kind is types.is_timestamp and (left.tz is None) != (right.tz is None):
                return None  # one is an instant, the other what a clock showed somewhere
            if left.unit == right.unit:
                return lambda column: [_series(_counts(_flat(column)))]
            finest = max(_PER_SECOND[left.unit], _PER_SECOND[right.unit])
            return lambda column: [_scaled(_flat(column), finest)]
    if types.is_interval(left) and left == right:
        return lambda column: [_series(_viewed(_flat(column), pa.binary(16)))]
    return None


def _counts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())


def _scaled(column: pa.ChunkedArray, per_second: int) -> pl.Series:
    """Counts of the finer unit, with 128 bits: the year 200 000 in nanoseconds needs more than 64."""
    from ...polars import pl

    factor = per_second // _PER_SECOND[column.type.unit]
    return _as_int128(_counts(column)) * pl.Series([factor], dtype=pl.Int128)


def _numeric(left: pa.DataType, right: pa.DataType) -> Form | None:
    types = pa.types
    kinds = [_kind(left), _kind(right)]
    if None in kinds or (left == right and not types.is_decimal(left)):
        return None  # `_shared` has it
    if "decimal" in kinds:
        if "float" in kinds:
            return None
        scale = max(0, *(dtype.scale for dtype in (left, right) if types.is_decimal(dtype)))
        return _decimals(scale)
    if kinds == ["int", "int"]:
        return lambda column: [_as_int128(_flat(column))]
    return _split if "int" in kinds else _cast(pa.float64())


def _kind(dtype: pa.DataType) -> str | None:
    kinds = {"int": pa.types.is_integer, "float": pa.types.is_floating, "decimal": pa.types.is_decimal}
    return next((name for name, is_kind in kinds.items() if is_kind(dtype)), None)


def _as_int128(column: pa.ChunkedArray) -> pl.Series:
    from ...polars import pl

    return _series(column).cast(pl.Int128)


def _decimals(scale: int) -> Form:
    """By the bytes of decimals of one scale, of 256 bits: two of 128 bits always have room there."""
    wanted = pa.decimal256(_DECIMAL_DIGITS, scale)
    return lambda column: [_series(_viewed(_flat(column).cast(wanted), pa.binary(32)))]


def _split(column: pa.ChunkedArray) -> list[pl.Series]:
    """Whole numbers as integers and all else as a float: a double has no 2^53 + 1, and must not be taken for it."""
    from ...polars import pl

    column = _flat(column)
    if pa.types.is_integer(column.type):
        whole = _as_int128(column)
        return [whole, pl.Series([None], dtype=pl.Float64).new_from_index(0, len(whole))]
    values = pl.DataFrame({"v": _series(column.cast(pa.float64()))})
    is_whole = (pl.col("v").abs() < _INT128_WHOLE) & (pl.col("v") == pl.col("v").floor())
    parts = values.select(
        whole=pl.when(is_whole).then(pl.col("v")).cast(pl.Int128), rest=pl.when(~is_whole).then(pl.col("v"))
    )
    return [parts["whole"], parts["rest"]]


def _shared(left: pa.DataType, right: pa.DataType) -> Form | None:
    """By way of one type that has the values of both."""
    wanted = _nested(left, right) if pa.types.is_nested(left) else common_type(left, right)
    if wanted is None or pa.types.is_union(wanted):
        return None
    if pa.types.is_fixed_size_binary(wanted):
        wanted = pa.large_binary()
    return _cast(wanted)


def _nested(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """For values within values, where a form may be of one type only."""
    types = pa.types
    left, right = _values(left), _values(right)
    if _is_list(left) and _is_list(right):
        inner = _nested(left.value_type, right.value_type)
        return None if inner is None else pa.large_list(inner)
    if types.is_map(left) and types.is_map(right):
        pair = _nested(left.key_type, right.key_type), _nested(left.item_type, right.item_type)
        return None if None in pair else pa.map_(*pair)
    if types.is_struct(left) and types.is_struct(right):
        return _struct(left, right)
    if types.is_nested(left) or types.is_nested(right) or types.is_interval(left):
        return None
    return _within(left, right)


def _is_list(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype))


def _struct(left: pa.StructType, right: pa.StructType) -> pa.DataType | None:
    names = [field.name for field in left]
    if names != [field.name for field in right] or len({*names}) < len(names):
        return None
    inner: list[Any] = [_nested(a.type, b.type) for a, b in zip(left, right, strict=True)]
    return None if None in inner else pa.struct([*zip(names, inner, strict=True)])


def _within(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if types.is_decimal(left) and types.is_decimal(right):
        scale = max(0, left.scale, right.scale)
        digits = max(left.precision - left.scale, right.precision - right.scale) + scale
        return pa.decimal128(digits, scale) if digits <= 38 else None
    if types.is_timestamp(left) and types.is_timestamp(right):
        is_instant = left.tz is not None
        return _finest(left, right, "UTC") if is_instant == (right.tz is not None) else None
    if types.is_duration(left) and types.is_duration(right):
        return pa.duration(_unit(left, right))
    if types.is_time(left) and types.is_time(right):
        return pa.time64("ns")
    if types.is_null(left) or types.is_null(right):
        return right if types.is_null(left) else left
    if types.is_integer(left) and types.is_integer(right) and left != right:
        return pa.decimal128(20, 0)
    wanted = common_type(left, right)
    return pa.large_binary() if wanted is not None and _is_bytes(wanted) else wanted


def _finest(left: pa.TimestampType, right: pa.TimestampType, zone: str) -> pa.DataType:
    """Any zone will do to say an instant in, but Polars does not have them all."""
    return pa.timestamp(_unit(left, right), None if left.tz is None else zone)


def _unit(left: Any, right: Any) -> str:
    return str(max(left.unit, right.unit, "ms", key=_PER_SECOND.__getitem__))


def _viewed(column: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([chunk.view(dtype) for chunk in column.chunks], dtype)
