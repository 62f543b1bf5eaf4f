"""Arrow arrays of Python values, with every value in them as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from ...services import compute as pc
from ...services.plain import holds


def exact_array(values: Any, dtype: pa.DataType) -> pa.Array:
    """An array of `dtype` of Python values or of another array. Raises `ArrowInvalid`, other `ValueError`s and
    `TypeError` where a value would change: made for a type, pyarrow (26.0) turns 1.5 into the integer 1, 1e300 into
    infinity, and leaves out what a struct has no field for. A key that a dict lacks is a null."""
    if type(values) is not list:
        values = _column(values)
        if isinstance(values, pa.Array):
            return exact_cast(values, dtype)
    if dtype.id in _EXACT or (dtype.id in _INTEGERS and _INTEGER_VALUES.issuperset(map(type, values))):
        return pa.array(values, dtype)  # 1 µs, where a cast takes 30
    if dtype.num_fields or isinstance(dtype, pa.DictionaryType | pa.BaseExtensionType):
        made = pa.array(values, dtype)
        if holds(dtype, _is_inexact):
            _check_parts([value for value in values if value is not None], dtype)
        return made
    if pa.types.is_timestamp(dtype):
        _check_zones(values, dtype)
    return exact_cast(pa.array(values), dtype)


def exact_cast(array: Any, dtype: pa.DataType) -> Any:
    """An array in another type. Raises `ArrowInvalid` and `ArrowNotImplementedError` where a value would not come back
    as it was. A float may be rounded to the nearest that a narrower type has, but not to infinity; a time zone may be
    another one, but is neither added nor dropped."""
    if array.type == dtype:
        return array
    made = array.cast(dtype)
    loss = _loss(array, made)
    if loss:
        raise pa.ArrowInvalid(loss)
    return made


_INTEGER_VALUES = {int, type(None)}
_INTEGERS = {dtype.id for dtype in (pa.int8(), pa.int16(), pa.int32(), pa.int64())} | {
    dtype.id for dtype in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
}
_EXACT = (
    {dtype.id for dtype in (pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.null())}
    | {dtype.id for dtype in (pa.large_string(), pa.large_binary(), pa.string_view(), pa.binary_view(), pa.binary(1))}
    | {pa.decimal128(1).id, pa.decimal256(1).id}
)
"""Types for which pyarrow takes Python values as they are, or not at all."""


def _is_inexact(dtype: pa.DataType) -> bool:
    if isinstance(dtype, pa.DictionaryType | pa.BaseExtensionType):
        return False  # what is within it counts
    return pa.types.is_struct(dtype) or (not dtype.num_fields and dtype.id not in _EXACT)


def _column(values: Any) -> Any:
    """A list of what is iterated, which may go only once; an array of what pyarrow knows as one."""
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, str | bytes | bytearray | Mapping):
        raise TypeError(f"a column is a list of values or an array, not {type(values).__name__}")
    return pa.array(values) if hasattr(values, "__array__") else list(values)


def _check_parts(values: list[Any], dtype: pa.DataType) -> None:
    """Raises where a part of a value would change. pyarrow took the values already, so they look as the type does."""
    if isinstance(dtype, pa.BaseExtensionType):
        _check_parts(values, dtype.storage_type)
    elif pa.types.is_dictionary(dtype):
        exact_array(values, dtype.value_type)
    elif pa.types.is_map(dtype):
        pairs = [pair for value in values for pair in (value.items() if isinstance(value, Mapping) else value)]
        exact_array([key for key, _ in pairs], dtype.key_type)
        exact_array([item for _, item in pairs], dtype.item_type)
    elif pa.types.is_struct(dtype):
        _check_fields([value if isinstance(value, Mapping) else dict(value) for value in values], dtype)
    elif dtype.num_fields:
        exact_array([item for value in values for item in value], dtype.field(0).type)
    else:
        exact_array(values, dtype)


def _check_fields(rows: list[Any], dtype: pa.StructType) -> None:
    names = {field.name for field in dtype}
    for row in rows:
        if not names.issuperset(row):
            raise pa.ArrowInvalid(f"{dtype} has no field {next(name for name in row if name not in names)!r}")
    for field in dtype:
        exact_array([row.get(field.name) for row in rows], field.type)


def _check_zones(values: list[Any], dtype: pa.TimestampType) -> None:
    """Of a list that has both kinds, pyarrow takes the naive ones as UTC."""
    for value in values:
        if isinstance(value, datetime) and (value.tzinfo is None) != (dtype.tz is None):
            raise pa.ArrowInvalid(_zone_loss(dtype))


def _zone_loss(dtype: pa.TimestampType) -> str:
    return "a time zone would be dropped" if dtype.tz is None else "a time zone would be added"


def _loss(array: Any, made: Any) -> str:
    """What of `array` is not in `made`, its cast; empty where all of it is."""
    old, new = array.type, made.type
    if old == new or array.null_count == len(array):
        return ""
    if isinstance(array, pa.ExtensionArray | pa.DictionaryArray):
        return _loss(_bare(array), made)
    if isinstance(made, pa.ExtensionArray | pa.DictionaryArray):
        return _loss(array, _bare(made))
    if pa.types.is_struct(old) and pa.types.is_struct(new):
        return _struct_loss(array, made)
    if old.num_fields and new.num_fields:  # lists of all kinds
        return _loss(_items(array), _items(made))
    if pa.types.is_floating(old) and pa.types.is_floating(new):
        return "" if pc.sum(pc.is_finite(array)) == pc.sum(pc.is_finite(made)) else f"a number goes beyond {new}"
    if pa.types.is_timestamp(old) and pa.types.is_timestamp(new) and (old.tz is None) != (new.tz is None):
        return _zone_loss(new)
    return "" if made.cast(old).equals(array) else f"a value would change as {new}"


def _bare(array: Any) -> Any:
    return array.storage if isinstance(array, pa.ExtensionArray) else array.dictionary_decode()


def _items(array: Any) -> Any:
    if not isinstance(array, pa.MapArray):
        return array.flatten()
    first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()  # pyarrow (26.0) flattens no maps
    return array.values.slice(first, last - first)


def _struct_loss(array: pa.StructArray, made: pa.StructArray) -> str:
    names, wanted = [field.name for field in array.type], [field.name for field in made.type]
    if set(names) != set(wanted):
        return f"the fields are {names} and not {wanted}"
    parts = dict(zip(names, array.flatten(), strict=True))
    losses = (_loss(parts[name], new) for name, new in zip(wanted, made.flatten(), strict=True))
    return next(filter(None, losses), "")


def arrow_array(forms: list[Any], dtype: pa.DataType) -> pa.Array:
    """An array of what `Codec.to_arrow` gave, for a codec whose Arrow type is `dtype`."""
    made = pa.array(forms, dtype)
    return _mended(made) if holds(dtype, pa.types.is_dictionary) else made


def _mended(array: pa.Array) -> pa.Array:
    """Below a struct that is null, pyarrow (26.0) points into a dictionary that may have no value, and then finds the
    array invalid. Such a dictionary array holds nothing but nulls."""
    if isinstance(array, pa.DictionaryArray):
        return array if len(array.dictionary) else pa.nulls(len(array), array.type)
    if isinstance(array, pa.StructArray):
        children = [_mended(array.field(index)) for index in range(array.type.num_fields)]
    elif isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):  # a map is a list too
        children = [_mended(array.values)]
    else:
        return array
    own_buffers = array.buffers()[: array.type.num_buffers]
    return pa.Array.from_buffers(array.type, len(array), own_buffers, children=children)
