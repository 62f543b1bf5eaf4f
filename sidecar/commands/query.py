"""`arrow-sidecar query QUERY FILE...`: SQL over files, each of them a table."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..client import Host, SidecarError
from ..services.load.formats import Format
from ..services.load.load import LoadResult
from .asking import ask, load
from .cells import printable, width
from .mistake import EXIT_FAILED, Mistake
from .query_outputs import check_output, check_standard_output, show_result, write_file, write_standard_output
from .table_names import NamedFile, named_files
from .target import say
from .terminal import screen


class QueryOptions(NamedTuple):
    """`rows` are those of a table that are shown, 0 all; `mode` and `input_format` are of the files."""

    format: str | None = None
    output: str | None = None
    overwrite: bool = False
    rows: int | None = None
    mode: str | None = None
    input_format: str | None = None


def query(text: str, files: Sequence[str], options: QueryOptions) -> None:
    """Run it and print or write its result. Raises `Mistake`, `SidecarError` and `KeyboardInterrupt`."""
    tables, format = named_files(files), _output_format(files, options)
    text = _read(text)
    with Host.spawn() as host:
        sessions = {table.name: _loaded(host, table, options) for table in tables}
        if len(tables) == 1:
            sessions.setdefault("self", sessions[tables[0].name])
        result = _run(host, text, sessions)
        if options.output is not None:
            write_file(host, result, format, options.output, options.overwrite)
        elif options.format in (None, "table"):
            show_result(host, result, options.rows)
        else:
            write_standard_output(host, result, format)


def _output_format(files: Sequence[str], options: QueryOptions) -> Format:
    """What can be seen to be wrong now is not first said after a long query."""
    if not files:
        raise Mistake("there is no file to query: arrow-sidecar query 'SELECT …' FILE")
    if options.overwrite and options.output is None:
        raise Mistake("--overwrite is for --output FILE")
    if options.rows is not None and (options.output is not None or options.format not in (None, "table")):
        raise Mistake("--rows is for a table on the screen: write LIMIT into the query")
    if options.output is not None:
        return check_output(options.output, options.format, options.overwrite)
    return check_standard_output(options.format or "table")


def _read(text: str) -> str:
    """`-` is standard input."""
    if text != "-":
        return text
    if sys.stdin is None:
        raise Mistake("standard input is closed: write the query in place of -")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as fault:
        raise Mistake(f"the query on standard input is no UTF-8: {fault}") from None


def _loaded(host: Host, table: NamedFile, options: QueryOptions) -> str:
    loaded = load(host, table.path, options.mode, options.input_format)
    shown = screen(sys.stderr)
    if table.is_renamed:
        say(shown.text(f"note: {os.path.basename(table.path)} is the table {table.name}"))
    for warning in loaded.warnings:
        say(shown.text(f"warning: {table.path}: {warning}"))
    return loaded.session


def _run(host: Host, text: str, sessions: dict[str, str]) -> LoadResult:
    try:
        result = ask(host, "tables/sql", {"query": text, "tables": sessions}, "querying")
    except SidecarError as error:
        if error.kind == "invalid_query":
            raise Mistake(pointing(error.message), EXIT_FAILED) from None
        raise
    return msgspec.convert(result, LoadResult)


def pointing(message: str) -> str:
    """A message whose last line may be a caret that points into the line before: in cells, which characters there may
    take two of, or none."""
    *said, line, caret = ["", *message.split("\n")]
    if caret.strip() != "^":
        return message
    encoding = screen(sys.stderr).encoding
    place = width(printable(line[: len(caret) - 1], encoding))
    return "\n".join([*said[1:], printable(line, encoding), " " * place + "^"])
