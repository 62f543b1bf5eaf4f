"""Columns as Polars writes them into text: numbers as they are, everything else in the words of a JSON page."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from ....protocol.errors import SidecarError
from ....wire.limits import MAX_SAFE_INTEGER
from ... import compute as pc
from ...json_rows import json_values
from ...plain import decoded, is_text, storage

if TYPE_CHECKING:
    import polars as pl


def plain_column(name: str, column: pa.ChunkedArray, format: str) -> pa.ChunkedArray | None:
    """A column of numbers, booleans or text as it is, of dates, times, timestamps, durations and decimals as text, of
    binary values in base64; None for any other type. Raises `unencodable_column`."""
    dtype = column.type
    try:
        return _plain(decoded(storage(column)))
    except (pa.ArrowException, ValueError) as fault:  # a time zone that nobody knows
        message = f"column {name!r} of type {dtype} has no form in {format}: {fault}"
        data = {"column": name, "dtype": str(dtype), "format": format}
        raise SidecarError("unencodable_column", message, **data) from None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    types, dtype = pa.types, column.type
    if types.is_float16(dtype):
        return column.cast(pa.float32())
    if types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype) or is_text(dtype):
        return column
    if types.is_duration(dtype):
        return pc.binary_join_element_wise(column.cast(pa.int64()).cast(pa.string()), dtype.unit, " ")
    if types.is_decimal(dtype) or (types.is_temporal(dtype) and not types.is_interval(dtype)):
        return column.cast(pa.large_string())
    if types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype):
        return _base64(column.cast(pa.large_binary()))
    return None


def _base64(column: pa.ChunkedArray) -> pa.ChunkedArray:
    from ...polars import series

    return pa.chunked_array([series(column).bin.encode("base64").to_arrow().cast(pa.large_string())])


def is_number(dtype: pa.DataType) -> bool:
    """Whether a text reader takes the column's values for something else than text, and is to do so."""
    dtype = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    types = pa.types
    is_text_or_binary = is_text(dtype) or types.is_binary(dtype) or types.is_large_binary(dtype)
    return not (is_text_or_binary or types.is_nested(dtype) or types.is_fixed_size_binary(dtype))


def json_members(name: str, values: pl.Series) -> pl.Series:
    """`"name":value` of each row, as Polars writes JSON."""
    from ...polars import pl

    return pl.DataFrame({name: values}).to_struct().struct.json_encode().str.strip_prefix("{").str.head(-1)


def json_texts(name: str, column: pa.ChunkedArray) -> pl.Series:
    """Nested values as JSON text, and whatever else there is. Raises `unencodable_column`."""
    from ...polars import pl, series

    if pa.types.is_nested(column.type) and all(map(is_plain_json, column.chunks)):
        texts = json_members("v", series(column)).str.strip_prefix('"v":')
        return texts.set(series(column.is_null()), None)
    return pl.Series([None if value is None else _text(value) for value in json_values(name, column)], dtype=pl.String)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def is_plain_json(array: pa.Array) -> bool:
    """Whether Polars writes all values as a page has them: not NaN, an infinity, a large integer, or within nested
    values anything that a page has as text."""
    types, dtype = pa.types, array.type
    if types.is_floating(dtype):
        return pc.all(pc.is_finite(array)).as_py() is not False
    if types.is_integer(dtype) and dtype.bit_width == 64:
        ends = pc.min_max(array).as_py()
        return ends["min"] is None or (ends["min"] >= -MAX_SAFE_INTEGER and ends["max"] <= MAX_SAFE_INTEGER)
    if types.is_list(dtype) or types.is_large_list(dtype):
        return (
            not types.is_float32(dtype.value_type) and _is_nestable(dtype.value_type) and is_plain_json(array.flatten())
        )
    return not types.is_nested(dtype)


def _is_nestable(dtype: pa.DataType) -> bool:
    """Whether Polars writes it inside a list as a page has it."""
    types = pa.types
    is_list = types.is_list(dtype) or types.is_large_list(dtype)
    is_number = types.is_integer(dtype) or types.is_float64(dtype) or types.is_boolean(dtype)
    return bool(is_list or is_number or types.is_string(dtype) or types.is_large_string(dtype))
