"""A page as JSON, losing nothing: what a JSON number cannot hold exactly is a string."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from ..wire.limits import MAX_SAFE_INTEGER
from .plain import decoded, storage

ROWS_AT_ONCE = 10_000
"""Rows that are encoded in one go. Each go holds the interpreter's lock: 2 M rows at once made a ping wait 0.4 s."""


def json_rows(page: pa.Table, context: Context) -> msgspec.Raw:
    """One object a row. Integers beyond 2^53 - 1, decimals, dates, times, timestamps and durations are strings, NaN
    and the infinities are the strings `NaN`, `Infinity` and `-Infinity`, binary values are base64.

    Raises `unencodable_column` for a type that has no such form.
    """
    parts = []
    for start in range(0, page.num_rows, ROWS_AT_ONCE):
        context.check()
        count = min(ROWS_AT_ONCE, page.num_rows - start)
        parts.append(msgspec.json.encode(json_objects(page.slice(start, count)))[1:-1])
    return msgspec.Raw(b"[" + b",".join(parts) + b"]")


def json_objects(page: pa.Table) -> list[dict[str, Any]]:
    """The rows in the form above. Raises `unencodable_column`."""
    if not page.column_names:
        return [{}] * page.num_rows
    columns = [json_values(name, column) for name, column in zip(page.column_names, page.columns, strict=True)]
    return [dict(zip(page.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def json_values(name: str, column: pa.ChunkedArray) -> list[Any]:
    """The values of a column, each in the form above. Raises `unencodable_column`, which says `name`."""
    dtype = column.type
    try:
        column = decoded(storage(column))
        if pa.types.is_duration(column.type):
            return _durations(column)
        values = column.cast(_textual(column.type)).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as fault:
        raise SidecarError(
            "unencodable_column",
            f"column {name!r} of type {dtype} has no JSON form: {fault}",
            column=name,
            dtype=str(dtype),
            format="json",
        ) from None
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_boolean(column.type):
        return list(values)
    return [_exact(value) for value in values]


def _durations(column: pa.ChunkedArray) -> list[Any]:
    """A count and its unit, `-90 s`: a duration of nanoseconds has no Python value."""
    unit = column.type.unit
    return [None if value is None else f"{value} {unit}" for value in pc.cast(column, pa.int64()).to_pylist()]


def _textual(dtype: pa.DataType) -> pa.DataType:
    """`dtype` with strings for what JSON has no exact form of, in nested types too."""
    types = pa.types
    if types.is_dictionary(dtype):
        return _textual(dtype.value_type)
    if (types.is_temporal(dtype) and not types.is_interval(dtype)) or types.is_decimal(dtype):
        return pa.string()
    if types.is_list(dtype) or types.is_large_list(dtype):
        return pa.large_list(dtype.value_field.with_type(_textual(dtype.value_type)))
    if types.is_struct(dtype):
        return pa.struct([field.with_type(_textual(field.type)) for field in dtype.fields])
    return dtype


def _exact(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str | bytes):
        return value
    if isinstance(value, int):
        return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _NON_FINITE.get(value, "NaN")
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return str(value)


_NON_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}
