"""Statistics in Arrow: one row a column, one schema whatever the types of the columns are.

Values are in JSON, as text: a minimum may be a number, a string or a list. Counts are integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from ....wire.payload import Payload
from .column_stats import ColumnStats

_COUNT = pa.int64()
_VALUE_COUNTS = pa.list_(pa.struct([("value", pa.string()), ("count", _COUNT)]))
_TAIL = pa.struct([("count", _COUNT), ("min", pa.string()), ("max", pa.string())])
_HISTOGRAM = pa.struct(
    [
        ("kind", pa.string()),
        ("bins", pa.list_(pa.struct([("low", pa.string()), ("high", pa.string()), ("count", _COUNT)]))),
        ("values", _VALUE_COUNTS),
        ("below", _TAIL),
        ("above", _TAIL),
        ("others", pa.struct([("distinct", _COUNT), ("count", _COUNT)])),
    ]
)
_TYPES: dict[str, pa.DataType] = {
    "column": pa.string(),
    "dtype": pa.string(),
    "most_frequent": _VALUE_COUNTS,
    "histogram": _HISTOGRAM,
}
VALUES = frozenset({"value", "low", "high", "min", "max", "mean", "std", "median", "q25", "q75"})
"""Members that are JSON texts, at any depth."""


def _type(name: str) -> pa.DataType:
    return _TYPES.get(name, pa.string() if name in VALUES else _COUNT)


SCHEMA = pa.schema(
    [
        pa.field(name, _type(name), nullable=name not in ("column", "dtype", "null_count", "non_null_count"))
        for name in ColumnStats.__struct_fields__
    ]
)
"""Of the answer and of the stream."""


def batch_of(columns: Sequence[ColumnStats]) -> pa.RecordBatch:
    """One row a column."""
    rows = [_with_texts(msgspec.to_builtins(column)) for column in columns]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def payload_of(columns: Sequence[ColumnStats]) -> Payload:
    """The same as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(batch_of(columns))
    return Payload("arrow", sink.getvalue())


def columns_of(batch: pa.RecordBatch | pa.Table) -> list[ColumnStats]:
    """What `batch_of` was made of."""
    return [msgspec.convert(_with_values(row), ColumnStats) for row in batch.to_pylist()]


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _text(item) if key in VALUES else _with_texts(item) for key, item in value.items()}
    return [_with_texts(item) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _with_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _parsed(item) if key in VALUES else _with_values(item) for key, item in value.items()}
    return [_with_values(item) for item in value] if isinstance(value, list) else value


def _parsed(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
