"""How a result, a header and batches are printed: as JSON, as text for people, or as Arrow IPC streams."""

from __future__ import annotations

import base64
import sys
from typing import Any, BinaryIO, Protocol

import msgspec
import pyarrow as pa

from ..services.json_rows import json_values
from ..wire.payload import Payload
from .arrow_forms import header_batch
from .mistake import Mistake
from .target import say
from .text_table import TextTable, cell, named


class Output(Protocol):
    """One format. All that is printed is flushed: a reader may wait for it."""

    def value(self, value: Any) -> None:
        """What a unary method returned."""

    def header(self, form: Any, schema: dict[str, Any]) -> None:
        """The header of a stream, before its batches."""

    def batch(self, batch: pa.RecordBatch, metadata: dict[str, str] | None) -> None:
        """One batch of a stream."""

    def end(self, schema: pa.Schema) -> None:
        """The stream is over, and all is well."""


def output(format: str) -> Output:
    """The output of a format. Raises `Mistake` for bytes on a terminal."""
    if format == "json":
        return JsonOutput()
    if format == "table":
        return TableOutput()
    if standard_output().isatty():
        raise Mistake("--format arrow writes bytes, which a terminal cannot show: redirect them to a file or a pipe")
    return ArrowOutput()


def plain(value: Any) -> Any:
    """A value as JSON alone: bytes in base64, tables as lists of rows."""
    if isinstance(value, Payload):
        return _rows_of(value) if value.type == "arrow" else base64.b64encode(value.data).decode()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _rows_of(payload: Payload) -> list[dict[str, Any]]:
    table = pa.ipc.open_stream(payload.data).read_all()
    return rows(table.column_names, table)


def rows(names: list[str], table: pa.Table) -> list[dict[str, Any]]:
    """One dict a row, as `tables/rows` gives them in JSON."""
    return [dict(zip(names, row, strict=True)) for row in tuples(table)]


def tuples(table: pa.Table) -> list[Any]:
    """The values of each row, in their JSON form."""
    if not table.num_columns:
        return [()] * table.num_rows
    columns = zip(table.column_names, table.columns, strict=True)
    return list(zip(*(json_values(name, column) for name, column in columns), strict=True))


def write(text: str) -> None:
    """In UTF-8 wherever it goes, and at once."""
    file = standard_output()
    file.write(text.encode())
    file.flush()


def standard_output() -> BinaryIO:
    """For bytes. Raises `Mistake` where it is closed."""
    if sys.stdout is None:
        raise Mistake("standard output is closed")
    return sys.stdout.buffer


def _json_lines(values: list[Any]) -> None:
    write("".join(f"{msgspec.json.encode(value).decode()}\n" for value in values))


def _say_metadata(metadata: dict[str, str] | None) -> None:
    if metadata:
        say(f"metadata: {msgspec.json.encode(metadata).decode()}")


class JsonOutput:
    """A result as one JSON text, a stream as one JSON object a row; what comes with a batch goes to standard error."""

    def value(self, value: Any) -> None:
        _json_lines([plain(value)])

    def header(self, form: Any, schema: dict[str, Any]) -> None:  # noqa: ARG002 - of the protocol
        _json_lines([{"__header__": plain(form)}])

    def batch(self, batch: pa.RecordBatch, metadata: dict[str, str] | None) -> None:
        _say_metadata(metadata)
        _json_lines(rows(batch.schema.names, pa.Table.from_batches([batch])))

    def end(self, schema: pa.Schema) -> None:
        pass


class TableOutput:
    """Aligned text."""

    def __init__(self) -> None:
        self._table: TextTable | None = None

    def value(self, value: Any) -> None:
        if isinstance(value, Payload) and value.type == "arrow":
            table = pa.ipc.open_stream(value.data).read_all()
            lines = TextTable(table.column_names).lines(tuples(table))
        elif isinstance(value, dict):
            lines = named(plain(value))
        else:
            text = plain(value)
            lines = iter([text if isinstance(text, str) else cell(text)])
        write("".join(f"{line}\n" for line in lines))

    def header(self, form: Any, schema: dict[str, Any]) -> None:  # noqa: ARG002 - of the protocol
        values = plain(form)
        lines = named(values if isinstance(values, dict) else {"value": values}, "  ")
        write("\n".join(["Header:", *lines, "", ""]))

    def batch(self, batch: pa.RecordBatch, metadata: dict[str, str] | None) -> None:
        _say_metadata(metadata)
        if self._table is None:
            self._table = TextTable(batch.schema.names)
        lines = self._table.lines(tuples(pa.Table.from_batches([batch])))
        write("".join(f"{line}\n" for line in lines))

    def end(self, schema: pa.Schema) -> None:
        if self._table is None:
            write("".join(f"{line}\n" for line in TextTable(schema.names).lines([])))


class ArrowOutput:
    """A result that is a table as its IPC stream; a stream's header as an IPC stream of one row, then its batches as
    another."""

    def __init__(self) -> None:
        self._file = standard_output()
        self._writer: Any = None

    def value(self, value: Any) -> None:
        if not isinstance(value, Payload) or value.type != "arrow":
            raise Mistake("the result is no table: --format json or table prints it")
        self._file.write(value.data)
        self._file.flush()

    def header(self, form: Any, schema: dict[str, Any]) -> None:
        row = header_batch(form, schema)
        with pa.ipc.new_stream(self._file, row.schema) as writer:
            writer.write_batch(row)
        self._file.flush()

    def batch(self, batch: pa.RecordBatch, metadata: dict[str, str] | None) -> None:
        self._open(batch.schema).write_batch(batch, pa.KeyValueMetadata(metadata) if metadata else None)
        self._file.flush()

    def end(self, schema: pa.Schema) -> None:
        self._open(schema).close()
        self._file.flush()

    def _open(self, schema: pa.Schema) -> Any:
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._file, schema)
        return self._writer
