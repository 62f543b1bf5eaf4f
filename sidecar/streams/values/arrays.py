"""Arrow arrays of Python values, with every value in them as it was."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...services.plain import holds


def exact_array(values: Any, dtype: pa.DataType) -> pa.Array:
    """An array of `dtype` of Python values or of another array. Raises `ArrowInvalid` and other `ValueError`s where a
    value would change: made for a type, pyarrow (26.0) turns 1.5 into the integer 1, and 1e300 into infinity."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        made = exact_cast(values, dtype)
        return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made
    if not any(is_kind(dtype) for is_kind in _INEXACT):
        return pa.array(values, dtype)
    if pa.types.is_integer(dtype) and all(value is None or type(value) is int for value in values):
        return pa.array(values, dtype)  # 1 µs, where a cast takes 30
    return exact_cast(pa.array(values), dtype)


def exact_cast(array: Any, dtype: pa.DataType) -> Any:
    """An array in another type. Raises `ArrowInvalid` and `ArrowNotImplementedError` where a value would change; a
    float may be rounded to the nearest that the type has, but not to infinity."""
    if array.type == dtype:
        return array
    made = array.cast(dtype)
    if pa.types.is_floating(array.type) and pc.sum(pc.is_finite(array)) != pc.sum(pc.is_finite(made)):
        raise pa.ArrowInvalid(f"a number goes beyond {dtype}")
    return made


_INEXACT = (pa.types.is_integer, pa.types.is_temporal, pa.types.is_float16, pa.types.is_float32)


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
