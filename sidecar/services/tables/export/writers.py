"""Tables as the bytes of a file: step after step goes in, pieces of the file come out, and none is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from ....protocol.errors import SidecarError
from ....wire.limits import MIB
from ...json_rows import ROWS_AT_ONCE
from ...load.formats import Format
from ...plain import decoded, holds, is_text
from ...sink import Sink
from ..pages import compact_dictionaries, is_list_of_none
from .json_lines import JsonWriter
from .separated import SeparatedWriter
from .steps import Size


class Writer(Protocol):
    """One file. What its methods return are buffers, whose bytes are all bytes of the file in order."""

    def write(self, step: pa.Table) -> list[Any]:
        """The next rows."""

    def finish(self) -> list[Any]:
        """The end of the file."""


class ArrowWriter:
    """An IPC file or stream: a record batch a step, dictionaries before the first that needs them."""

    def __init__(self, schema: pa.Schema, new: Callable[..., Any]) -> None:
        self._sink = Sink()
        self._writer = new(self._sink, schema)

    def write(self, step: pa.Table) -> list[Any]:
        """A step in one chunk is one record batch, of the same memory."""
        self._writer.write_table(step)
        return self._sink.taken()

    def finish(self) -> list[Any]:
        """The end marker; of a file the footer."""
        self._writer.close()
        return self._sink.taken()


class ParquetWriter:
    """A Parquet file: a row group a step, compressed with zstd."""

    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._sink = Sink()
        self._schema = pa.schema([_parquet_field(field) for field in schema], schema.metadata)
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def write(self, step: pa.Table) -> list[Any]:
        """A step becomes one row group."""
        columns = [
            column if column.type == field.type else decoded(column).cast(field.type)
            for column, field in zip(compact_dictionaries(step).columns, self._schema, strict=True)
        ]
        columns = [_with_nulls_outside(column) for column in columns]
        step = pa.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(step, row_group_size=max(1, step.num_rows))
        return self._sink.taken()

    def finish(self) -> list[Any]:
        """The footer."""
        self._writer.close()
        return self._sink.taken()


def _parquet_field(field: pa.Field) -> pa.Field:
    """Parquet gives dictionaries of strings back as such, others as their values or not at all."""
    if pa.types.is_dictionary(field.type) and not is_text(field.type.value_type):
        return field.with_type(field.type.value_type)
    return field


def _with_nulls_outside(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Parquet has no dictionary with a null in it: the rows are null themselves."""
    if not pa.types.is_dictionary(column.type) or not any(chunk.dictionary.null_count for chunk in column.chunks):
        return column
    return decoded(column).cast(column.type.value_type).dictionary_encode().cast(column.type)


class Kind(NamedTuple):
    """How a format is written, the size of a step, and the type of the whole as a payload."""

    writer: Callable[[pa.Schema], Writer]
    step: Size
    payload: str = "bytes"


KINDS: dict[Format, Kind] = {
    "arrow_file": Kind(lambda schema: ArrowWriter(schema, pa.ipc.new_file), Size(64 * 1024, 16 * MIB), "arrow"),
    "arrow_stream": Kind(lambda schema: ArrowWriter(schema, pa.ipc.new_stream), Size(64 * 1024, 16 * MIB), "arrow"),
    "parquet": Kind(ParquetWriter, Size(1024 * 1024, 64 * MIB), "parquet"),
    "csv": Kind(lambda schema: SeparatedWriter(schema, "csv", ","), Size(64 * 1024, 8 * MIB)),
    "tsv": Kind(lambda schema: SeparatedWriter(schema, "tsv", "\t"), Size(64 * 1024, 8 * MIB)),
    "ndjson": Kind(lambda schema: JsonWriter(schema, "ndjson"), Size(ROWS_AT_ONCE, 8 * MIB)),
    "json": Kind(lambda schema: JsonWriter(schema, "json"), Size(ROWS_AT_ONCE, 8 * MIB)),
}
"""A step of Arrow is a record batch and one of Parquet a row group, of the size that other writers choose; one of text
is a fraction of a second of work."""


def file_pieces(format: Format, schema: pa.Schema, steps: Iterable[pa.Table]) -> Iterator[Any]:
    """The bytes of a file, as buffers. Raises `unencodable_column`."""
    with _encoding(format):
        writer = KINDS[format].writer(schema)
    for step in steps:
        with _encoding(format):
            pieces = writer.write(step)
        yield from pieces
    with _encoding(format):
        pieces = writer.finish()
    yield from pieces


def check_writable(format: Format, schema: pa.Schema) -> None:
    """Raise `unencodable_column`, which names it, where the format has no form for a column's type."""
    if not len(schema) and format in ("parquet", "csv", "tsv"):
        raise _unencodable(format, "a table without columns: its rows would be lost")
    for field in schema:
        if format == "parquet" and holds(field.type, is_list_of_none):
            raise _unencodable(format, "Parquet readers have none", field)
    fault = _fault(format, schema)
    if fault is None:
        return
    culprit = next((field for field in schema if _fault(format, pa.schema([field])) is not None), None)
    raise fault if culprit is None else _unencodable(format, _fault(format, pa.schema([culprit])), culprit)


def _fault(format: Format, schema: pa.Schema) -> SidecarError | None:
    """What an empty file with these columns fails with."""
    try:
        for _ in file_pieces(format, schema, [schema.empty_table()]):
            pass
    except SidecarError as fault:
        return fault
    return None


@contextmanager
def _encoding(format: Format) -> Iterator[None]:
    """What Arrow raises in the block becomes `unencodable_column`."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as fault:
        raise _unencodable(format, fault) from None


def _unencodable(format: Format, reason: object, field: pa.Field | None = None) -> SidecarError:
    what = "this table" if field is None else f"column {field.name!r} of type {field.type}"
    data = {} if field is None else {"column": field.name, "dtype": str(field.type)}
    return SidecarError("unencodable_column", f"{format} cannot hold {what}: {reason}", format=format, **data)
