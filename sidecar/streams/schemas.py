"""Batches in the schema of their stream: columns by name, converted where nothing is lost."""

from __future__ import annotations

import pyarrow as pa

from ..protocol.errors import SidecarError
from .values.arrays import exact_cast

EMPTY = pa.schema([])


class Form:
    """What every batch of one direction of a stream must be. Faults are errors of `kind`; where it is `exact`, columns
    that the schema does not have are a fault too, else they are left out."""

    def __init__(self, schema: pa.Schema, kind: str, exact: bool) -> None:
        self.schema = schema
        self._kind = kind
        self._exact = exact
        self._without_nulls = [index for index, field in enumerate(schema) if not field.nullable]

    def conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`batch` with the columns, order and types of the schema. Raises where one is missing, does not fit its type
        exactly, or has nulls where there may be none."""
        if not batch.schema.equals(self.schema):
            batch = self._converted(batch)
        for index in self._without_nulls:
            if batch.column(index).null_count:
                name = self.schema.field(index).name
                raise SidecarError(self._kind, f"column {name!r} has nulls, and its field may have none", column=name)
        return batch

    def _converted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        expected, got = self.schema.names, batch.schema.names
        unfit = set(expected) ^ set(got) if self._exact else set(expected) - set(got)
        if unfit or len(set(got)) < len(got):
            message = f"the batch has the columns {got}, the stream {expected}"
            raise SidecarError(self._kind, message, expected=_shown(self.schema), got=_shown(batch.schema))
        columns = [self._cast(batch.column(field.name), field) for field in self.schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _cast(self, column: pa.Array, field: pa.Field) -> pa.Array:
        try:
            return exact_cast(column, field.type)
        except pa.ArrowException as fault:
            message = f"column {field.name!r} is {column.type} and does not fit {field.type}: {fault}"
            types = {"expected": str(field.type), "got": str(column.type)}
            raise SidecarError(self._kind, message, column=field.name, **types) from None


def _shown(schema: pa.Schema) -> list[str]:
    return [f"{field.name}: {field.type}" for field in schema]
