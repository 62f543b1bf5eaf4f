"""Codecs of RecordBatch, Table and Schema: each is one whole Arrow IPC stream."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ...services.plain import check_schema
from ...wire.payload import Payload
from .codec import Codec
from .scalars import payload_bytes

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def stream_bytes(schema: pa.Schema, batches: list[pa.RecordBatch]) -> bytes:
    """A complete Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def read_stream(data: Any) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """The schema and the valid batches of one whole stream. Raises `ValueError` for anything else: cut at any byte,
    damaged, with more behind it."""
    try:
        source = pa.BufferReader(pa.py_buffer(data))
        with pa.ipc.open_stream(source) as reader:
            batches, last_end = [], source.tell()
            for batch in reader:
                batch.validate(full=True)
                batches.append(batch)
                last_end = source.tell()
            schema = reader.schema
        check_schema(schema)
    except Exception as fault:  # pyarrow has many: ArrowInvalid, OSError, KeyError, MemoryError...
        raise ValueError(f"no valid Arrow IPC stream: {fault}") from None
    # Without the marker pyarrow takes the end of the bytes for the end; a value within may end in a marker of its own.
    if source.size() - last_end != len(END_OF_STREAM) or bytes(memoryview(data)[-8:]) != END_OF_STREAM:
        raise ValueError("an Arrow IPC stream that does not end where the bytes end")
    return schema, batches


class IpcCodec(Codec):
    """What the three have in common: binary in Arrow, an `arrow` payload in JSON."""

    arrow = pa.binary()
    kind = "binary"
    cls: type

    def written(self, value: Any) -> bytes:
        """The value's stream."""
        raise NotImplementedError

    def read(self, schema: pa.Schema, batches: list[pa.RecordBatch]) -> Any:
        """The value of a stream; None if it is no such one."""
        raise NotImplementedError

    def to_arrow(self, value: Any, where: str) -> bytes:
        if not isinstance(value, self.cls):
            raise self.refusal(value, where)
        try:
            return self.written(value)
        except (pa.ArrowException, OSError) as fault:
            raise self.refusal(type(value), where, str(fault)) from None

    def from_arrow(self, value: Any, where: str) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview | pa.Buffer):
            raise self.refusal(value, where)
        try:
            made = self.read(*read_stream(value))
        except ValueError as fault:
            raise self.refusal(bytes(value[:16]), where, str(fault)) from None
        if made is None:
            raise self.refusal(bytes(value[:16]), where, "another number of record batches")
        return made

    def to_json(self, value: Any, where: str) -> Payload:
        return Payload("arrow", self.to_arrow(value, where))

    def from_json(self, value: Any, where: str) -> Any:
        return self.from_arrow(payload_bytes(self, value, where), where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, self.cls)

    def schema(self) -> dict[str, Any]:
        media = "application/vnd.apache.arrow.stream"
        base = {"type": "string", "contentEncoding": "base64", "contentMediaType": media}
        return {**base, "x-payload": "arrow"}


class BatchCodec(IpcCodec):
    """pa.RecordBatch: a stream of one batch."""

    name = "RecordBatch"
    cls = pa.RecordBatch

    def written(self, value: Any) -> bytes:
        return stream_bytes(value.schema, [value])

    def read(self, schema: pa.Schema, batches: list[pa.RecordBatch]) -> Any:  # noqa: ARG002 - of every codec of these
        return batches[0] if len(batches) == 1 else None


class TableCodec(IpcCodec):
    """pa.Table: a stream of any number of batches."""

    name = "Table"
    cls = pa.Table

    def written(self, value: Any) -> bytes:
        return stream_bytes(value.schema, value.to_batches())

    def read(self, schema: pa.Schema, batches: list[pa.RecordBatch]) -> Any:
        return pa.Table.from_batches(batches, schema)


class SchemaCodec(IpcCodec):
    """pa.Schema: a stream of no batch."""

    name = "Schema"
    cls = pa.Schema

    def written(self, value: Any) -> bytes:
        return stream_bytes(value, [])

    def read(self, schema: pa.Schema, batches: list[pa.RecordBatch]) -> Any:
        return None if batches else schema
