"""Files whose pieces can be read alone, as lazy tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from ...protocol.errors import SidecarError
from ...protocol.methods import Context
from ..cache import Cache
from ..lazy import FileGuard, LazyTable
from ..plain import check_schema, check_valid, plain, plain_type, width_bits
from .formats import Format
from .parquet import open_parquet
from .source import Source


def open_lazy(source: Source, format_: Format, context: Context, pieces: Cache) -> LazyTable:
    """The file as a table of pieces. Raises `lazy_unsupported` for a format that has none."""
    opener = OPENERS.get(format_)
    if opener is None:
        raise SidecarError(
            "lazy_unsupported",
            f"{format_} cannot be read in pieces: load it with mode eager, or as parquet or arrow_file",
            format=format_,
            formats=list(OPENERS),
        )
    guard = FileGuard(source.name, source.file) if source.file is not None else None
    with source.reading(format_):
        schema, piece_rows, read = opener(source, context)

    def read_piece(piece: int, columns: Sequence[int], max_bytes: int) -> Iterator[pa.Table]:
        steps = read(piece, columns)
        parts: list[pa.Table] = []
        while True:
            if guard is not None:
                guard.check()
            with source.reading(format_):
                step = next(steps, None)
            if step is not None:
                check_valid(step)
                parts.append(step)
            if parts and (step is None or sum(part.nbytes for part in parts) >= max_bytes):
                yield pa.concat_tables(parts)
                parts = []
            if step is None:
                return

    return LazyTable(schema, piece_rows, read_piece, pieces)


Opened = tuple[pa.Schema, list[int], Callable[[int, Sequence[int]], Iterator[pa.Table]]]
"""The columns, the rows of each piece, and what reads the rows of a piece in steps."""

STEP_ROWS = 8 * 1024
"""Rows of Parquet that are decoded in one go. More are hardly faster (measured: 0.19 s against 0.18 s with eight times
as many, for 4 M rows of a number and a string; a row group of 2 M rows in one go 0.15 s and 197 MB)."""

BUFFER_BYTES = 1024 * 1024


def _parquet(source: Source, _context: Context) -> Opened:
    file = open_parquet(source, BUFFER_BYTES)
    metadata = file.metadata
    schema = _schema(file.schema_arrow, _with_wide_indices)
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]

    def read(piece: int, columns: Sequence[int]) -> Iterator[pa.Table]:
        wanted = pa.schema([schema.field(column) for column in columns])
        count = 0
        for batch in file.iter_batches(STEP_ROWS, [piece], wanted.names):
            count += batch.num_rows
            table = pa.Table.from_batches([batch]).select(wanted.names)  # `a.b` may bring a struct's field too
            yield plain(table).cast(wanted)
        if count != rows[piece]:  # nothing else compares the two
            raise source.invalid(f"row group {piece} has {count} rows, the footer says {rows[piece]}", "parquet")

    return schema, rows, read


def _arrow_file(source: Source, context: Context) -> Opened:
    file = source.open()  # kept, so that what was opened stays readable
    schema = _schema(pa.ipc.open_file(file).schema, plain_type)
    rows = _batch_rows(file, schema, context)

    def read(piece: int, columns: Sequence[int]) -> Iterator[pa.Table]:
        reader = _reader(file, columns)
        table = pa.Table.from_batches([reader.get_batch(piece)])
        if table.num_rows != rows[piece]:
            raise source.invalid(f"record batch {piece} has {table.num_rows} rows, not {rows[piece]}", "arrow_file")
        yield plain(table.select([schema.field(column).name for column in columns]))

    return schema, rows, read


def _reader(file: pa.NativeFile, columns: Sequence[int]) -> Any:
    """Reads some columns alone: a batch that is read whole stays whole in memory while one column of it is kept."""
    return pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=sorted(columns)))


def _batch_rows(file: pa.NativeFile, schema: pa.Schema, context: Context) -> list[int]:
    """How many rows each batch has. Only the batch itself tells, so its narrowest column is read."""
    widths = [(not pa.types.is_primitive(dtype), width_bits(dtype)) for dtype in schema.types]
    narrowest = [widths.index(min(widths))] if widths else []
    reader = _reader(file, narrowest)
    rows: list[int] = []
    for index in range(reader.num_record_batches):
        rows.append(reader.get_batch(index).num_rows)
        context.progress(index + 1, reader.num_record_batches, "batches")
    return rows


OPENERS: dict[Format, Callable[[Source, Context], Opened]] = {"parquet": _parquet, "arrow_file": _arrow_file}


def _schema(schema: pa.Schema, held_as: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    check_schema(schema)
    twice = next((name for name, count in Counter(schema.names).items() if count > 1), None)
    if twice is not None:
        raise SidecarError("lazy_unsupported", f"two columns are named {twice!r}: load it with mode eager")
    return pa.schema([field.with_type(held_as(field.type)) for field in schema], schema.metadata)


def _with_wide_indices(dtype: pa.DataType) -> pa.DataType:
    """Each row group has a dictionary of its own: small indices might not count the values of several."""
    if pa.types.is_dictionary(dtype):
        return pa.dictionary(pa.int32(), plain_type(dtype.value_type), dtype.ordered)
    return plain_type(dtype)
