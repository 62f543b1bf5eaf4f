"""A page as JSON, losing nothing: what a JSON number cannot hold exactly is a string."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, repeat
from typing import Any

import msgspec
import pyarrow as pa

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from ..wire.limits import MAX_SAFE_INTEGER
from . import compute as pc
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
    try:
        return _values(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as fault:
        raise SidecarError(
            "unencodable_column",
            f"column {name!r} of type {column.type} has no JSON form: {fault}",
            column=name,
            dtype=str(column.type),
            format="json",
        ) from None


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Nested values are put together from those in them, so that each has the same form wherever it is."""
    types, column = pa.types, decoded(storage(column))
    dtype = column.type
    if types.is_dictionary(dtype) or isinstance(dtype, pa.BaseExtensionType):
        return _values(column)
    if types.is_duration(dtype):
        return _durations(column)
    nested = next((values for is_kind, values in _NESTED if is_kind(dtype)), None)
    if nested is not None:
        return [value for chunk in column.chunks for value in nested(chunk)]
    if (types.is_temporal(dtype) and not types.is_interval(dtype)) or types.is_decimal(dtype):
        return list(column.cast(pa.string()).to_pylist())
    values = column.to_pylist()
    is_exact = types.is_string(dtype) or types.is_large_string(dtype) or types.is_boolean(dtype)
    return list(values) if is_exact else [_exact(value) for value in values]


def _durations(column: pa.ChunkedArray) -> list[Any]:
    """A count and its unit, `-90 s`: a duration of nanoseconds has no Python value."""
    unit = column.type.unit
    return [None if value is None else f"{value} {unit}" for value in pc.cast(column, pa.int64()).to_pylist()]


def _lists(array: Any) -> list[Any]:
    return _grouped(array, _values(pa.chunked_array([array.flatten()])))


def _maps(array: Any) -> list[Any]:
    dtype = array.type
    listed = array.cast(pa.list_(pa.struct([("key", dtype.key_type), ("value", dtype.item_type)])))
    keys, values = (_values(pa.chunked_array([part])) for part in listed.flatten().flatten())
    return _grouped(listed, map(list, zip(keys, values, strict=True)))


def _grouped(array: Any, values: Iterable[Any]) -> list[Any]:
    """The values one after another as the lists that they are in."""
    left = iter(values)
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else list(islice(left, length)) for length in lengths]


def _structs(array: Any) -> list[Any]:
    names = [field.name for field in array.type]
    if len({*names}) < len(names):
        raise ValueError("it has two fields of the same name")
    fields = [_values(pa.chunked_array([part])) for part in array.flatten()]
    rows = zip(*fields, strict=True) if fields else repeat((), len(array))
    valid = array.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if is_valid else None for is_valid, row in zip(valid, rows, strict=True)]


def _is_list(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype))


_NESTED: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], list[Any]]]] = (
    (_is_list, _lists),
    (pa.types.is_map, _maps),
    (pa.types.is_struct, _structs),
)


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
