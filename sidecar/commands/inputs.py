"""What an exchange is fed with: rows as NDJSON, or an Arrow IPC stream, told apart by the first byte."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, BinaryIO

import pyarrow as pa

from ..streams.batch import AnnotatedBatch
from ..streams.pieces import metadata_texts
from . import json_text
from .arrow_forms import batch_of
from .mistake import Mistake
from .target import say

Guard = Callable[[], AbstractContextManager[Any]]
"""Stands around every read, which may take as long as a person types."""


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """A file, or with `-` standard input."""
    if path == "-":
        if sys.stdin is None:
            raise Mistake("standard input is closed: give --input FILE")
        if sys.stdin.isatty():
            say("one JSON object a line; end with Ctrl-D")
        with nullcontext(sys.stdin.buffer) as file:
            yield file
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - `with` below; only the opening may be the person's mistake
    except (OSError, ValueError) as fault:
        raise Mistake(f"--input {path}: {fault.strerror if isinstance(fault, OSError) else fault}") from None
    with file:
        yield file


def batches(file: Any, schema: pa.Schema | None, lines: int, guard: Guard) -> Iterator[AnnotatedBatch]:
    """The batches that a file holds, each as soon as it is read. `lines` of NDJSON make one. Raises `Mistake`."""
    with guard():
        first = file.peek(1)[:1]
    if first == b"\xff":  # the continuation marker; no UTF-8 text has this byte
        return _arrow(pa.ipc.open_stream, file, guard)
    if first == b"A":  # ARROW1; no JSON begins so
        return _arrow(_open_file, file, guard)
    return _ndjson(file, schema, lines, guard)


def _open_file(file: BinaryIO) -> Any:
    """An Arrow IPC file has its index at the end: it is read whole."""
    reader = pa.ipc.open_file(pa.BufferReader(file.read()))
    made = ((reader.get_batch(index), None) for index in range(reader.num_record_batches))
    return _Batches(made)


class _Batches:
    """The look of a stream's reader, for a file's batches."""

    def __init__(self, made: Iterator[Any]) -> None:
        self._made = made

    def read_next_batch_with_custom_metadata(self) -> Any:
        return next(self._made)


def _arrow(open_reader: Any, file: BinaryIO, guard: Guard) -> Iterator[AnnotatedBatch]:
    try:
        with guard():
            reader = open_reader(file)
        while True:
            with guard():
                batch, metadata = reader.read_next_batch_with_custom_metadata()
            yield AnnotatedBatch(batch, metadata_texts(metadata))
    except StopIteration:
        return
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise Mistake(f"the input is no Arrow IPC stream: {fault}") from None


def _ndjson(file: BinaryIO, schema: pa.Schema | None, lines: int, guard: Guard) -> Iterator[AnnotatedBatch]:
    rows: list[Any] = []
    number = held = 0
    while True:
        with guard():
            line = file.readline()
        number += 1
        if line.strip():
            rows += _rows(line, number)
            held += 1
        if held and (held == lines or not line):
            yield AnnotatedBatch(_batch(rows, schema, number))
            rows, held = [], 0
        if not line:
            return


def _rows(line: bytes, number: int) -> list[Any]:
    try:
        made = json_text.read(line)
    except json_text.Refused as fault:
        raise Mistake(f"line {number} of the input: {fault}") from None
    except (ValueError, RecursionError) as fault:
        raise Mistake(f"line {number} of the input is no JSON: {fault}") from None
    return made if isinstance(made, list) else [made]


def _batch(rows: list[Any], schema: pa.Schema | None, number: int) -> pa.RecordBatch:
    try:
        return batch_of(rows, schema)
    except Mistake as fault:
        raise Mistake(f"line {number} of the input: {fault}") from None
