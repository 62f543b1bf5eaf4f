"""How much compressed record batches become, told without decompressing them.

Each compressed buffer of an Arrow IPC message begins with its length as it was (int64; -1 for a buffer that is not
compressed). Where the buffers lie, the message's metadata says: flatbuffers, by the schemas `Message.fbs` of Arrow.
Arrow refuses a buffer that turns out to be of another length.
"""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

_HEADER_TYPE, _HEADER = 1, 2  # of the table Message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # values of _HEADER_TYPE
_DATA = 1  # of the table DictionaryBatch: its RecordBatch
_BUFFERS, _COMPRESSION = 2, 3  # of the table RecordBatch
_BUFFER = struct.Struct("<qq")
_LENGTH = struct.Struct("<q")


def decompressed_bytes(data: pa.Buffer) -> int:
    """What the compressed buffers of a whole stream take besides `data`; 0 where none are. Raises `ArrowInvalid`."""
    try:
        return sum(_message_bytes(message) for message in pa.ipc.MessageReader.open_stream(data))
    except (struct.error, IndexError) as fault:  # an offset that leads out of the message
        raise pa.ArrowInvalid(f"a message is malformed: {fault}") from None


def _message_bytes(message: Any) -> int:
    metadata = memoryview(message.metadata)
    root = struct.unpack_from("<I", metadata)[0]
    kind = _field(metadata, root, _HEADER_TYPE)
    batch = _table(metadata, root, _HEADER)
    if kind and metadata[kind] == _DICTIONARY_BATCH:
        batch = _table(metadata, batch, _DATA)
    elif not kind or metadata[kind] != _RECORD_BATCH:
        return 0
    if not _field(metadata, batch, _COMPRESSION):
        return 0
    vector = _table(metadata, batch, _BUFFERS)
    count = struct.unpack_from("<I", metadata, vector)[0]
    body = memoryview(message.body)
    return sum(_length(body, *_BUFFER.unpack_from(metadata, vector + 4 + index * 16)) for index in range(count))


def _length(body: memoryview, offset: int, size: int) -> int:
    length: int = _LENGTH.unpack_from(body, offset)[0] if size else 0
    return max(0, length)


def _field(metadata: memoryview, table: int, number: int) -> int:
    """Where a field of a table is; 0 where it is not there."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    place = 4 + 2 * number
    if place + 2 > struct.unpack_from("<H", metadata, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", metadata, vtable + place)[0]
    return table + offset if offset else 0


def _table(metadata: memoryview, table: int, number: int) -> int:
    """Where the table or vector is that a field refers to."""
    field = _field(metadata, table, number)
    offset: int = struct.unpack_from("<I", metadata, field)[0]
    return field + offset
