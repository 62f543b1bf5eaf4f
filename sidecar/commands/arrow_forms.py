"""From JSON to Arrow: rows that people write, in the form in which rows are printed, and the header of a stream."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from ..wire.payload import Payload
from . import shapes
from .arrow_names import arrow_type
from .mistake import Mistake


def batch_of(rows: list[Any], schema: pa.Schema | None) -> pa.RecordBatch:
    """Rows as one batch. Raises `Mistake` that names the column. Without a schema Arrow finds the types out."""
    for row in rows:
        _check_row(row, schema)
    if schema is None:
        return _unnamed(lambda: pa.RecordBatch.from_pylist(rows))
    columns = [_column([row.get(field.name) for row in rows], field) for field in schema]
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _check_row(row: Any, schema: pa.Schema | None) -> None:
    if not isinstance(row, dict):
        raise Mistake(f"a row is a JSON object, not {json.dumps(row):.80}")
    if schema is None:
        return
    names = ", ".join(f"{field.name}: {field.type}" for field in schema)
    for name in row:
        if name not in schema.names:
            raise Mistake(f"there is no column {name!r} (columns: {names})")


def _unnamed(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (pa.ArrowException, ValueError, TypeError) as fault:
        raise Mistake(f"the rows fit no one type: {fault}") from None


def _column(values: list[Any], field: pa.Field) -> pa.Array:
    try:
        made = pa.array([leaf(value, field.type) for value in values], field.type)
    except (pa.ArrowException, ArithmeticError, ValueError, TypeError, KeyError) as fault:
        raise Mistake(f"column {field.name!r} is {field.type}: {fault}") from None
    if made.null_count and not field.nullable:
        raise Mistake(f"column {field.name!r} may not be null")
    return made


def leaf(value: Any, dtype: pa.DataType) -> Any:
    """A value as `pa.array` takes it for `dtype`, undoing what JSON has no form of (`services.json_rows`)."""
    types = pa.types
    if types.is_dictionary(dtype):
        return leaf(value, dtype.value_type)
    if isinstance(value, list) and (types.is_list(dtype) or types.is_large_list(dtype)):
        return [leaf(item, dtype.value_type) for item in value]
    if isinstance(value, list) and types.is_map(dtype):
        return [(leaf(key, dtype.key_type), leaf(item, dtype.item_type)) for key, item in value]
    if isinstance(value, dict) and types.is_struct(dtype):
        unknown = [name for name in value if dtype.get_field_index(name) < 0]
        if unknown:
            raise ValueError(f"there is no field {unknown[0]!r}")
        return {field.name: leaf(value.get(field.name), field.type) for field in dtype}
    if isinstance(value, str):
        return _from_text(value, dtype)
    return _from_number(value, dtype) if isinstance(value, int | float) else value


def _from_number(value: Any, dtype: pa.DataType) -> Any:
    """A number, or a boolean. `pa.array` would cut 1.5 to 1 for an integer, and take any number for a date."""
    types = pa.types
    if isinstance(value, bool):
        fits = types.is_boolean(dtype)
    elif types.is_floating(dtype):
        fits = isinstance(value, int) or math.isinf(value) or not math.isinf(pa.scalar(value, dtype).as_py())
    else:
        fits = isinstance(value, int) and (types.is_integer(dtype) or types.is_decimal(dtype))
    if not fits:
        raise ValueError(f"{json.dumps(value)} is none")
    return value


def _from_text(text: str, dtype: pa.DataType) -> Any:
    types = pa.types
    if types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype):
        return base64.b64decode(text, validate=True)
    if types.is_integer(dtype):
        return int(text)
    if types.is_floating(dtype):
        return float(text)
    if types.is_decimal(dtype):
        return Decimal(text)
    if types.is_duration(dtype):
        return _duration(text, dtype.unit)
    if types.is_time(dtype):
        return _time(text, dtype.unit)
    if types.is_temporal(dtype):
        return pa.scalar(text).cast(dtype).value  # the count since its epoch, which `pa.array` takes
    return text


def _duration(text: str, unit: str) -> int:
    count, _, found = text.partition(" ")
    if found != unit:
        raise ValueError(f"a duration is written as '90 {unit}', not {text!r}")
    return int(count)


def _time(text: str, unit: str) -> int:
    """Arrow casts no text to a time. Digits beyond the unit are no zeros: they would be lost."""
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?", text, re.ASCII)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 59:
        raise ValueError(f"a time is written as 23:59:59, not {text!r}")
    seconds = (int(match[1]) * 60 + int(match[2])) * 60 + int(match[3])
    divisor: int = 10 ** (9 - _DIGITS[unit])
    nanoseconds = seconds * 10**9 + int((match[4] or "").ljust(9, "0"))
    if nanoseconds % divisor:
        raise ValueError(f"{text!r} has more digits than a time in {unit}")
    return nanoseconds // divisor


_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def header_batch(form: Any, schema: dict[str, Any]) -> pa.RecordBatch:
    """The header of a stream as one row: a column a field, or one named `value` where it is no dataclass."""
    dtype = arrow_type(schema["x-arrow"])
    column = pa.array([_form(form, shapes.read(schema), dtype)], dtype)
    if pa.types.is_struct(dtype):
        fields = [dtype.field(index) for index in range(dtype.num_fields)]
        return pa.RecordBatch.from_arrays(column.flatten(), schema=pa.schema(fields))
    return pa.RecordBatch.from_arrays([column], ["value"])


def _form(form: Any, shape: shapes.Shape, dtype: pa.DataType) -> Any:
    """The JSON form of a value, as `pa.array` takes it for the type in which a dataclass is kept."""
    match shape:
        case shapes.Nullable(inner):
            return None if form is None else _form(form, inner, dtype)
        case shapes.Anything():
            return msgspec.json.encode(form).decode()
        case shapes.Listing() | shapes.Mapping() if pa.types.is_string(dtype):  # a bare list or dict
            return msgspec.json.encode(form).decode()
        case shapes.Integer():  # a duration too
            return int(form)
        case shapes.Text(_, "uuid"):
            return UUID(form).bytes
        case shapes.Text(_, "date-time") if pa.types.is_struct(dtype):
            name = "utc" if form.endswith("Z") else "naive"
            return {name: leaf(form, dtype.field(name).type)}
        case shapes.Binary():
            return bytes(form.data)
        case shapes.Either():
            return _branch(form, shape, dtype)
    return _nested(form, shape, dtype)


def _nested(form: Any, shape: shapes.Shape, dtype: pa.DataType) -> Any:
    match shape:
        case shapes.Listing(item):
            return [_form(one, item, dtype.value_type) for one in form]
        case shapes.Fixed(items):
            parts = enumerate(zip(form, items, strict=True))
            return {str(n): _form(part, item, dtype.field(n).type) for n, (part, item) in parts}
        case shapes.Record(_, _, fields):
            return {field.name: _form(form[field.name], field.shape, dtype.field(field.name).type) for field in fields}
        case shapes.Mapping(item):
            return [(key, _form(one, item, dtype.item_type)) for key, one in form.items()]
        case shapes.Pairs(key, item):
            return [(_form(k, key, dtype.key_type), _form(v, item, dtype.item_type)) for k, v in form]
    return leaf(form, dtype)


def _branch(form: Any, shape: shapes.Either, dtype: pa.DataType) -> dict[str, Any]:
    if isinstance(form, dict) and len(form) == 1:
        ((name, value),) = form.items()
        for tag, inner in shape.tagged:
            if tag == name:
                return {name: _form(value, inner, dtype.field(name).type)}
    for index, branch in enumerate(shape.plain):
        if _is_of(form, branch):
            field = dtype.field(index)
            return {field.name: _form(form, branch, field.type)}
    raise ValueError(f"{form!r} is of no branch")


def _is_of(form: Any, shape: Any) -> bool:
    """Whether a form is of the JSON kind of a branch; no two plain branches have the same."""
    match shape:
        case shapes.Truth():
            return isinstance(form, bool)
        case shapes.Integer() | shapes.Real():
            return isinstance(form, int | float) and not isinstance(form, bool)
        case shapes.Listing() | shapes.Fixed() | shapes.Pairs():
            return isinstance(form, list)
        case shapes.Record() | shapes.Mapping():
            return isinstance(form, dict)
        case shapes.Binary():
            return isinstance(form, Payload)
        case shapes.Choice(_, _, values):
            return json.dumps(form) in values
    return isinstance(form, str)
