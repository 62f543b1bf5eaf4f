"""Files whose pieces can be read alone, as lazy tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from . import readers
from .formats import Format
from .lazy import FileGuard, LazyTable, ReadPiece
from .plain import check_schema, check_valid, plain, plain_type
from .source import Source


def open_lazy(source: Source, format_: Format, context: Context) -> LazyTable:
    """The file as a table of pieces. Raises `lazy_unsupported` for a format that has none."""
    opener = OPENERS.get(format_)
    if opener is None:
        raise SidecarError(
            "lazy_unsupported",
            f"{format_} cannot be read in pieces: load it with mode eager, or as parquet or arrow_file",
            format=format_,
            formats=list(OPENERS),
        )
    guard = FileGuard(source.path) if source.path is not None else None
    with source.reading(format_):
        schema, piece_rows, read = opener(source, context)

    def read_piece(piece: int, columns: Sequence[int]) -> pa.Table:
        if guard is not None:
            guard.check()
        with source.reading(format_):
            data = read(piece, columns)
        check_valid(data)
        return data

    return LazyTable(schema, piece_rows, read_piece)


Opened = tuple[pa.Schema, list[int], ReadPiece]


def _parquet(source: Source, _context: Context) -> Opened:
    file = readers.open_parquet(source)
    metadata = file.metadata
    schema = _schema(file.schema_arrow, _with_wide_indices)

    def read(piece: int, columns: Sequence[int]) -> pa.Table:
        fields = [schema.field(column) for column in columns]
        names = [field.name for field in fields]
        table = readers.read_row_group(source, file, piece, names).select(names)  # `a.b` may bring a struct's field too
        return plain(table).cast(pa.schema(fields))

    return schema, [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)], read


def _arrow_file(source: Source, context: Context) -> Opened:
    reader = pa.ipc.open_file(source.open())
    schema = _schema(reader.schema, plain_type)
    rows: list[int] = []
    for index in range(reader.num_record_batches):
        rows.append(reader.get_batch(index).num_rows)
        context.progress(index + 1, reader.num_record_batches, "batches")

    def read(piece: int, columns: Sequence[int]) -> pa.Table:
        return plain(pa.Table.from_batches([reader.get_batch(piece)]).select(list(columns)))

    return schema, rows, read


OPENERS: dict[Format, Callable[[Source, Context], Opened]] = {"parquet": _parquet, "arrow_file": _arrow_file}


def _schema(schema: pa.Schema, held_as: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    check_schema(schema)
    if len({*schema.names}) != len(schema.names):
        raise SidecarError("lazy_unsupported", "two columns have the same name: load it with mode eager")
    return pa.schema([field.with_type(held_as(field.type)) for field in schema], schema.metadata)


def _with_wide_indices(dtype: pa.DataType) -> pa.DataType:
    """Each row group has a dictionary of its own: small indices might not count the values of several."""
    if pa.types.is_dictionary(dtype):
        return pa.dictionary(pa.int32(), plain_type(dtype.value_type), dtype.ordered)
    return plain_type(dtype)
