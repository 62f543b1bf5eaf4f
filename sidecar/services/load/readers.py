"""From bytes to a table in memory, one function a format.

Each reads in steps: after a step it looks at cancellation, tells its progress, and claims the memory that it
holds, so that a table over the limit is refused before it is whole. Before a step it claims what the step takes at
least; how much a compressed or dictionary-encoded piece takes at most, only reading it tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from ...protocol.methods import Context
from ..plain import expansion_bytes, plain, width_bits
from ..sessions import Claim
from . import text
from .formats import Format
from .source import Source

Reader = Callable[[Source, Claim, Context], pa.Table]

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def read(source: Source, format: Format, claim: Claim, context: Context) -> pa.Table:
    """The whole table, its types made plain. Raises `invalid_file`, `unsupported_type`, `memory_limit`."""
    with source.reading(format):
        table = READERS[format](source, claim, context)
        claim.hold(claim.bytes + expansion_bytes(table))
        return plain(table)


def open_parquet(source: Source) -> Any:
    """The file's footer, read and checked."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(source.open(), page_checksum_verification=True)


def read_row_group(source: Source, file: Any, index: int, columns: list[str] | None = None) -> pa.Table:
    """One row group, with as many rows as the footer says: nothing else compares the two."""
    table = file.read_row_group(index, columns=columns)
    expected = file.metadata.row_group(index).num_rows
    if table.num_rows != expected:
        raise source.invalid(f"row group {index} has {table.num_rows} rows, the footer says {expected}", "parquet")
    return table


def _arrow_stream(source: Source, claim: Claim, context: Context) -> pa.Table:
    claim.hold(source.size)
    data = source.buffer(context)
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
    with pa.ipc.open_file(pa.BufferReader(source.buffer(context))) as reader:
        count = reader.num_record_batches
        batches = (reader.get_batch(index) for index in range(count))
        return _collect(reader.schema, batches, claim, context, count)


def _collect(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], claim: Claim, context: Context, total: int | None
) -> pa.Table:
    """The batches as one table. What a batch decompresses into is claimed as it comes, by the size of its buffers:
    `nbytes` follows offsets that nothing has checked yet, and crashes on wrong ones."""
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


def _parquet(source: Source, claim: Claim, context: Context) -> pa.Table:
    with open_parquet(source) as file:
        metadata = file.metadata
        parts: list[pa.Table] = []
        size = rows = 0
        row_bits = sum(width_bits(field.type) for field in file.schema_arrow)
        for index in range(metadata.num_row_groups):
            group = metadata.row_group(index)
            claim.hold(size + max(group.total_byte_size, group.num_rows * row_bits // 8))
            part = read_row_group(source, file, index)
            parts.append(part)
            size += part.nbytes
            rows += part.num_rows
            claim.hold(size)
            context.progress(rows, metadata.num_rows, "rows")
        return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()


READERS: dict[Format, Reader] = {
    "arrow_file": _arrow_file,
    "arrow_stream": _arrow_stream,
    "parquet": _parquet,
    "csv": text.read_csv,
    "tsv": text.read_tsv,
    "json": text.read_json,
    "ndjson": text.read_ndjson,
}
