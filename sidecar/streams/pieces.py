"""Record batches as pieces of an Arrow IPC stream: each the messages of one batch, without copying its columns.

All pieces of one direction, in order, are one Arrow IPC stream without its end marker. From the sidecar the schema
goes ahead, with the answer that opens the stream; the host's first piece begins with its schema.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..services.plain import holds
from ..services.sink import Sink
from ..wire.payload import Payload

SMALL_BYTES = 16 * 1024
"""Below this a copy costs less than a write of several buffers."""

Metadata = dict[str, str]


def schema_payload(schema: pa.Schema) -> Payload:
    """The schema message alone."""
    return Payload("arrow", schema.serialize())


def read_schema(payload: Payload) -> pa.Schema:
    """The schema of a schema message."""
    return pa.ipc.read_schema(pa.py_buffer(payload.data))


class PieceWriter:
    """Writes the batches of one direction, dictionaries included; all have the schema that it is made with."""

    def __init__(self, schema: pa.Schema, with_schema: bool) -> None:
        self._sink = Sink()
        self._has_dictionaries = any(holds(field.type, pa.types.is_dictionary) for field in schema)
        self._is_schema_due = with_schema
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=False, unify_dictionaries=False)
        self._writer = pa.ipc.new_stream(self._sink, schema, options=options)
        self._skip_bytes = 0 if with_schema else schema.serialize().size  # written with the first batch, by Arrow

    def write(self, batch: pa.RecordBatch, metadata: Metadata | None) -> list[Any]:
        """The buffers of the messages of one batch. Large columns are not copied: they must stay as they are."""
        is_plain = not (metadata or self._has_dictionaries or self._is_schema_due)
        if is_plain and batch.get_total_buffer_size() < SMALL_BYTES:
            return [batch.serialize()]  # 1 µs, where the stream's writer takes 3
        self._is_schema_due = False
        self._writer.write_batch(batch, pa.KeyValueMetadata(metadata) if metadata else None)
        buffers = self._sink.taken()
        if self._skip_bytes:
            buffers = self._without_schema(buffers)
        if sum(map(len, buffers)) < SMALL_BYTES:
            return [b"".join(buffers)]
        return buffers

    def _without_schema(self, buffers: list[Any]) -> list[Any]:
        for index, buffer in enumerate(buffers):
            if not self._skip_bytes:
                return buffers[index:]
            self._skip_bytes -= len(buffer)
        raise AssertionError("Arrow wrote a schema of another size")


class PieceReader:
    """Reads the batches of one direction, in memory of the pieces; `schema` is None before the first piece. `check`
    looks at every value: a host's bytes may claim to be Arrow and point anywhere."""

    def __init__(self, schema: Payload | None = None, check: bool = True) -> None:
        self._check = check
        self._source = _Source()
        self._reader: Any = None
        if schema is not None:
            self._open(schema)

    @property
    def schema(self) -> pa.Schema | None:
        """The schema of all batches."""
        return None if self._reader is None else self._reader.schema

    def read(self, piece: Payload) -> Iterator[tuple[pa.RecordBatch, Metadata | None]]:
        """The batches of one piece. Raises `invalid_input`."""
        if not piece.size:
            raise SidecarError("invalid_input", "a piece without any message came")
        try:
            self._feed(piece)
            while self._source.rest:
                batch, metadata = self._reader.read_next_batch_with_custom_metadata()
                if self._check:
                    batch.validate(full=True)
                yield batch, metadata_texts(metadata)
            self._source.rest = memoryview(b"")  # an empty rest would keep the piece
        except StopIteration:  # of Arrow's: a generator must not raise it
            raise SidecarError("invalid_input", "an end marker stands inside the stream") from None
        except MemoryError as fault:  # what is compressed may say that it has any size
            raise SidecarError("memory_limit", f"a batch takes more memory than there is: {fault}") from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
            raise SidecarError("invalid_input", f"the batches are no messages of an Arrow stream: {fault}") from None

    def _feed(self, piece: Payload) -> None:
        if self._reader is None:
            self._open(piece)
        else:
            self._source.rest = memoryview(pa.py_buffer(piece.data))

    def _open(self, piece: Payload) -> None:
        self._source.rest = memoryview(pa.py_buffer(piece.data))
        self._reader = pa.ipc.open_stream(self._source)
        _ = self._reader.schema.names  # raises here, and not in an author's code, where they are no UTF-8


def metadata_texts(metadata: Any) -> Metadata | None:
    """The custom metadata of a batch, as Arrow gives it, as texts. Raises `UnicodeDecodeError`."""
    return {key.decode(): value.decode() for key, value in metadata.items()} if metadata else None


class _Source:
    """What Arrow takes for an open file: the rest of the current piece. The bodies of record batches are not copied out
    of it, where they are large. Arrow keeps the last header and all dictionaries: not the pieces with them."""

    closed = False

    def __init__(self) -> None:
        self.rest = memoryview(b"")
        self._header_size = -1
        self._is_dictionary = False

    def read(self, size: int) -> bytes | memoryview:
        taken, self.rest = self.rest[:size], self.rest[size:]
        is_header, is_dictionary = size == self._header_size, self._is_dictionary
        self._is_dictionary = is_header and _is_dictionary(taken)
        self._header_size = int.from_bytes(taken, "little") if size == _PREFIX_BYTES else -1
        return bytes(taken) if size < SMALL_BYTES or is_header or is_dictionary else taken

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        pass


_PREFIX_BYTES = 4
"""Arrow reads a header's size, the header and then the body, each on its own."""

_DICTIONARY_BATCH = 2


def _is_dictionary(header: memoryview) -> bool:
    """Whether the body of a message is a dictionary (Arrow `format/Message.fbs`: the table's second field)."""
    try:
        (table,) = struct.unpack_from("<I", header)
        (back,) = struct.unpack_from("<i", header, table)
        (field,) = struct.unpack_from("<H", header, table - back + 6)
        return bool(field > 0 and header[table + field] == _DICTIONARY_BATCH)
    except (struct.error, IndexError):  # no header: Arrow says so
        return False
