"""From bytes to a table in memory, one function a format.

Each reads in steps: after a step it looks at cancellation, tells its progress, and claims the memory that it
holds, so that a table over the limit is refused before it is whole. What a compressed or dictionary-encoded piece
becomes is claimed before it is decoded; of texts, only reading tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from ...protocol.methods import Context
from ..plain import expansion_bytes, plain
from ..sessions import Claim
from . import text
from .compressed import decompressed_bytes
from .formats import Format
from .parquet import read_parquet
from .source import Source

Reader = Callable[[Source, Claim, Context], pa.Table]

FILE_MAGIC_BYTES = 8
"""An Arrow file is a stream behind a magic and before a footer, and each is padded to this."""

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def read(source: Source, format: Format, claim: Claim, context: Context) -> pa.Table:
    """The whole table, its types made plain. Raises `invalid_file`, `unsupported_type`, `memory_limit`."""
    with source.reading(format):
        table = READERS[format](source, claim, context)
        claim.hold(claim.bytes + expansion_bytes(table))
        return plain(table)


def _arrow_stream(source: Source, claim: Claim, context: Context) -> pa.Table:
    claim.hold(source.size)
    data = source.buffer(context)
    claim.hold(source.size + decompressed_bytes(data))
    file = pa.BufferReader(data)
    with pa.ipc.open_stream(file) as reader:
        table = _collect(reader.schema, _batches(reader), claim, context, None)
    _check_end(source, data, file.tell())
    return table


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return


def _check_end(source: Source, data: pa.Buffer, position: int) -> None:
    """A stream may end without its end marker, says Arrow's specification, and then one that was cut between two
    batches looks whole. Writers do send the marker, so a stream without one is taken for cut."""
    if data.slice(position - len(END_OF_STREAM), len(END_OF_STREAM)).to_pybytes() != END_OF_STREAM:
        raise source.invalid("it was cut: the end-of-stream marker is missing", "arrow_stream")
    if data.size > position and any(data.slice(position).to_pybytes()):
        raise source.invalid(f"{data.size - position} bytes follow the end-of-stream marker", "arrow_stream")


def _arrow_file(source: Source, claim: Claim, context: Context) -> pa.Table:
    claim.hold(source.size)
    data = source.buffer(context)
    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        claim.hold(source.size + decompressed_bytes(data.slice(FILE_MAGIC_BYTES)))
        count = reader.num_record_batches
        batches = (reader.get_batch(index) for index in range(count))
        return _collect(reader.schema, batches, claim, context, count)


def _collect(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], claim: Claim, context: Context, total: int | None
) -> pa.Table:
    """The batches as one table. What they take is counted by their buffers: `nbytes` follows offsets that nothing has
    checked yet, and crashes on wrong ones."""
    taken: list[pa.RecordBatch] = []
    held = claim.bytes
    size = 0
    for batch in batches:
        taken.append(batch)
        size += batch.get_total_buffer_size()
        if size > held:
            claim.hold(size)
        context.progress(len(taken), total, "batches")
    return pa.Table.from_batches(taken, schema)


READERS: dict[Format, Reader] = {
    "arrow_file": _arrow_file,
    "arrow_stream": _arrow_stream,
    "parquet": read_parquet,
    "csv": text.read_csv,
    "tsv": text.read_tsv,
    "json": text.read_json,
    "ndjson": text.read_ndjson,
}
