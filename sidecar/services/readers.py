"""From bytes to a table in memory, one function a format.

Each reads in steps: after a step it looks at cancellation, tells its progress, and claims the memory that it
holds, so that a table over the limit is refused before it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from .formats import Format
from .sessions import Claim
from .source import Source

Reader = Callable[[Source, Claim, Context], pa.Table]

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
INFERRED_ROWS = 10_000
"""Rows whose values decide the types of a text. Where they turn out not to be enough, all rows decide: that reads
ten times slower (measured: 2.6 s against 0.25 s for a CSV file of 135 MB)."""


def read(source: Source, format: Format, claim: Claim, context: Context) -> pa.Table:
    """The whole table, its types made plain. Raises `invalid_file`, `unsupported_type`, `memory_limit`."""
    try:
        return plain(READERS[format](source, claim, context))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, OSError, ValueError) as fault:
        if isinstance(fault, OSError) and fault.errno is not None:
            raise source.read_failed(fault) from None
        raise source.invalid(fault, format) from None


def open_parquet(source: Source) -> Any:
    """The file's footer, read and checked."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(source.open(), page_checksum_verification=True)


def _arrow_stream(source: Source, claim: Claim, context: Context) -> pa.Table:
    claim.grow_to(source.size)
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
    claim.grow_to(source.size)
    with pa.ipc.open_file(pa.BufferReader(source.buffer(context))) as reader:
        count = reader.num_record_batches
        batches = (reader.get_batch(index) for index in range(count))
        return _collect(reader.schema, batches, claim, context, count)


def _collect(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], claim: Claim, context: Context, total: int | None
) -> pa.Table:
    """The batches as one table. What a batch decompresses into is claimed as it comes."""
    taken: list[pa.RecordBatch] = []
    held = claim.bytes
    size = 0
    for batch in batches:
        taken.append(batch)
        size += batch.nbytes
        if size > held:
            claim.grow_to(size)
        context.progress(len(taken), total, "batches")
    return pa.Table.from_batches(taken, schema)


def _parquet(source: Source, claim: Claim, context: Context) -> pa.Table:
    with open_parquet(source) as file:
        metadata = file.metadata
        parts: list[pa.Table] = []
        size = rows = 0
        for index in range(metadata.num_row_groups):
            claim.grow_to(size + metadata.row_group(index).total_byte_size)
            part = file.read_row_group(index)
            parts.append(part)
            size += part.nbytes
            rows += part.num_rows
            claim.grow_to(size)
            context.progress(rows, metadata.num_rows, "rows")
        return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()


def _text(scan: Callable[..., Any], **options: Any) -> Reader:
    def read_text(source: Source, claim: Claim, context: Context) -> pa.Table:
        from .polars import pl

        target: Any = source.path if source.path is not None else source.buffer(context).to_pybytes()
        scan_from = scan(pl)
        try:
            try:
                return _scanned(_sampled(pl, scan_from, target, options), source, claim, context)
            except _TooFewRows:
                return _scanned(scan_from(target, infer_schema_length=None, **options), source, claim, context)
        except pl.exceptions.PolarsError as fault:
            raise source.invalid(str(fault).strip().partition("\n")[0]) from None

    return read_text


class _TooFewRows(Exception):
    """The first rows do not tell the types."""


def _sampled(pl: Any, scan_from: Any, target: Any, options: dict[str, Any]) -> Any:
    frame = scan_from(target, infer_schema_length=INFERRED_ROWS, **options)
    try:
        sample = frame.head(INFERRED_ROWS).collect()
    except pl.exceptions.ComputeError:
        raise _TooFewRows from None
    if sample.height == INFERRED_ROWS and any(column.null_count() == sample.height for column in sample):
        raise _TooFewRows
    return frame


def _scanned(frame: Any, source: Source, claim: Claim, context: Context) -> pa.Table:
    from .polars import pl, to_arrow

    schema = to_arrow(frame.head(0).collect()).schema
    parts: list[pa.Table] = []
    size = rows = 0
    try:
        for batch in frame.collect_batches(maintain_order=True):
            part = to_arrow(batch).cast(schema)
            parts.append(part)
            size += part.nbytes
            rows += part.num_rows
            claim.grow_to(size)
            context.progress(rows, None, "rows")
    except pl.exceptions.ComputeError:
        raise _TooFewRows from None
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _json(source: Source, claim: Claim, context: Context) -> pa.Table:
    from .polars import pl, to_arrow

    claim.grow_to(source.size)
    try:
        frame = pl.read_json(source.buffer(context).to_pybytes(), infer_schema_length=None)
    except pl.exceptions.PolarsError as fault:
        raise source.invalid(fault, "json") from None
    return to_arrow(frame)


READERS: dict[Format, Reader] = {
    "arrow_file": _arrow_file,
    "arrow_stream": _arrow_stream,
    "parquet": _parquet,
    "csv": _text(lambda pl: pl.scan_csv),
    "tsv": _text(lambda pl: pl.scan_csv, separator="\t"),
    "json": _json,
    "ndjson": _text(lambda pl: pl.scan_ndjson),
}


def plain(table: pa.Table) -> pa.Table:
    """The table in types that can be sliced, gathered and sent to any Arrow reader, with unique column names.

    String and binary views become `large_string` and `large_binary`, run-end encoded columns and list views are
    spelled out. Raises `unsupported_type`.
    """
    columns = [_plain_column(field, column) for field, column in zip(table.schema, table.columns, strict=True)]
    if all(new is old for new, old in zip(columns, table.columns, strict=True)):
        return table
    fields = [
        field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)
    ]
    return pa.table(columns, schema=pa.schema(fields, table.schema.metadata))


def _plain_column(field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    wanted = plain_type(field.type)
    if wanted == field.type:
        return column
    try:
        if pa.types.is_run_end_encoded(field.type):
            import pyarrow.compute as pc

            column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], field.type.value_type)
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SidecarError(
            "unsupported_type",
            f"column {field.name!r} is of type {field.type}, which cannot be held",
            column=field.name,
            dtype=str(field.type),
        ) from None


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """What a column of `dtype` is held as; the type itself in nearly every case."""
    types = pa.types
    if types.is_string_view(dtype):
        return pa.large_string()
    if types.is_binary_view(dtype):
        return pa.large_binary()
    if types.is_run_end_encoded(dtype):
        return plain_type(dtype.value_type)
    if types.is_list_view(dtype) or types.is_large_list_view(dtype):
        return pa.large_list(_plain_field(dtype.value_field))
    if types.is_list(dtype):
        return pa.list_(_plain_field(dtype.value_field))
    if types.is_large_list(dtype):
        return pa.large_list(_plain_field(dtype.value_field))
    if types.is_struct(dtype):
        return pa.struct([_plain_field(field) for field in dtype.fields])
    return dtype


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))
