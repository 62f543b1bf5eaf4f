"""Tables that stay where they are: each page reads the pieces of the file that it needs, and no others.

A piece is what the format lets one read alone: a row group of Parquet, a record batch of an Arrow file.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from threading import Lock
from typing import NamedTuple

import pyarrow as pa

from ..protocol.errors import SidecarError
from . import compute as pc
from .cache import Cache, Owner
from .load.source import OpenFile
from .table import PIECE_BYTES

ReadPiece = Callable[[int, Sequence[int], int], Iterator[pa.Table]]
"""`read(piece, columns, max_bytes)` reads a piece, in steps of about so many bytes."""

WINDOW_ROWS = 64 * 1024
"""Rows that are read ahead around a page, where their bytes let them: a page of a sorted table has rows of nearly every
piece, and those of its neighbours are found in the same reading."""

CACHE_BYTES = 64 * 1024 * 1024
"""Decoded pieces that are kept over all lazy sessions; a quarter of the memory limit where that is less."""


FEW_ROWS = 8 * 1024
"""What is decoded in one go anyway."""


class FileGuard:
    """Notices that a file was written to after it was opened. A file that was replaced or deleted is fine: what
    was opened stays readable."""

    def __init__(self, name: str, file: OpenFile) -> None:
        self._name = name
        self._file = file
        self._opened = _state(file)

    def check(self) -> None:
        """Raise `file_changed` if the file is no longer what it was."""
        if _state(self._file) != self._opened:
            raise SidecarError("file_changed", f"{self._name} was written to since it was loaded", path=self._name)


def _state(file: OpenFile) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def piece_cache(memory_limit_bytes: int | None) -> Cache:
    """Columns of decoded pieces, by piece and column."""
    return Cache(CACHE_BYTES if memory_limit_bytes is None else min(CACHE_BYTES, memory_limit_bytes // 4))


class LazyTable:
    """Rows in pieces. Only decoded pieces are in memory, as many as the cache has room for.

    A piece that takes more than half of the cache is not kept whole: it is read in steps, and of the rows around a page
    a window is kept. So what a page needs is bounded by the cache and by the page, however large the pieces are.
    """

    is_lazy = True

    def __init__(self, schema: pa.Schema, piece_rows: Sequence[int], read: ReadPiece, cache: Cache) -> None:
        self.owner = Owner()
        self.schema = schema
        self._starts = [0, *accumulate(piece_rows)]
        self.rows = self._starts[-1]
        self._read = read
        self._cache = cache
        self._lock = Lock()  # the file has one position
        self._row_bytes: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        """None of its own: the decoded pieces are the cache's."""
        return 0

    def slice(self, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """Reads the pieces that hold the range."""
        parts = []
        for piece in range(self._piece_of(start), len(self._starts) - 1):
            first, end = self._starts[piece], self._starts[piece + 1]
            if first >= stop:
                break
            parts.append(self._part(piece, max(start, first) - first, min(stop, end) - first, columns))
        return self._concat(parts, columns)

    def gather(self, indices: pa.Array, columns: Sequence[int]) -> pa.Table:
        """Reads each piece that holds a row asked for, once."""
        by_row = pc.sort_indices(indices)
        found = self._concat(list(self._found(indices.take(by_row), columns)), columns)
        if found.num_rows != len(indices):
            raise SidecarError("invalid_file", f"{found.num_rows} of {len(indices)} rows were found")
        return found.combine_chunks().take(pc.sort_indices(by_row))  # which undoes the sort

    def ordered(self, order: pa.Array, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """Reads the rows around the range as well, for the next page of the same order."""
        key = "ordered", id(order), *columns
        window = self._cache.get(self.owner, key)
        if window is None or not window.covers(order, start, stop):
            first, end = self._around(start, stop, columns, len(order))
            rows = self.gather(order.slice(first, end - first), columns)
            window = _Window(weakref.ref(order), first, rows)
            self._cache.keep(self.owner, key, window, rows.nbytes)
        return window.rows.slice(start - window.start, stop - start)

    def is_ready(self, columns: Sequence[int], gather: bool) -> bool:  # noqa: ARG002 - of the protocol
        """Never: a page may cost reading."""
        return False

    def select(self, columns: Sequence[int]) -> pa.Table:
        """Reads every piece, past the cache: whole columns would only flush it."""
        return self._concat(list(self.pieces(columns)), columns)

    def pieces(self, columns: Sequence[int], max_bytes: int = PIECE_BYTES) -> Iterator[pa.Table]:
        """Reads one after another, past the cache."""
        for piece in range(len(self._starts) - 1):
            for step in self._steps(piece, columns, max_bytes):
                rows = max(1, max_bytes * step.num_rows // max(1, step.nbytes))
                for start in range(0, step.num_rows, rows):
                    yield step.slice(start, rows)

    def _steps(self, piece: int, columns: Sequence[int], max_bytes: int) -> Iterator[pa.Table]:
        steps = self._read(piece, columns, max_bytes)
        while True:
            with self._lock:
                step = next(steps, None)
            if step is None:
                return
            yield step

    def _piece_of(self, row: int) -> int:
        return bisect_right(self._starts, row) - 1

    def _concat(self, parts: list[pa.Table], columns: Sequence[int]) -> pa.Table:
        if parts:
            return pa.concat_tables(parts)
        return pa.schema([self.schema.field(column) for column in columns]).empty_table()

    # where rows come from

    @property
    def _step_bytes(self) -> int:
        return max(1, min(PIECE_BYTES, self._cache.max_bytes) // 4)

    def _width(self, columns: Sequence[int]) -> int:
        """Bytes that a row of these columns takes, by the first rows."""
        new = [column for column in columns if column not in self._row_bytes]
        if new:
            piece = self._piece_of(0)  # the first that has rows
            step = next(self._steps(piece, new, 1))
            for column, data in zip(new, step.columns, strict=True):
                self._row_bytes[column] = data.nbytes // max(1, step.num_rows) + 1
        return sum(self._row_bytes[column] for column in columns)

    def _around(self, start: int, stop: int, columns: Sequence[int], end: int) -> tuple[int, int]:
        """The range and rows on both sides of it, more behind, where people go next."""
        if start == stop:
            return start, stop
        fitting = self._step_bytes // max(1, self._width(columns))
        more = max(0, min(WINDOW_ROWS, fitting) - (stop - start))
        return max(0, start - more // 4), min(end, stop + more * 3 // 4)

    def _fits(self, rows: int, columns: Sequence[int]) -> bool:
        return rows <= FEW_ROWS or rows * self._width(columns) <= self._cache.max_bytes // 2

    def _part(self, piece: int, begin: int, end: int, columns: Sequence[int]) -> pa.Table:
        """Rows of one piece, counted within it."""
        rows = self._starts[piece + 1] - self._starts[piece]
        if begin == end or self._fits(rows, columns):
            return self._piece(piece, columns).slice(begin, end - begin)
        key = "part", piece, *columns
        window = self._cache.get(self.owner, key)
        if window is None or not window.covers(None, begin, end):
            first, last = self._around(begin, end, columns, rows)
            window = _Window(None, first, self._range(piece, first, last, columns))
            self._cache.keep(self.owner, key, window, window.rows.nbytes)
        return window.rows.slice(begin - window.start, end - begin)

    def _range(self, piece: int, begin: int, end: int, columns: Sequence[int]) -> pa.Table:
        """Rows of one piece, read in steps; those before them are read and dropped."""
        parts, row = [], 0
        for step in self._steps(piece, columns, self._step_bytes):
            low, high = max(begin - row, 0), min(end - row, step.num_rows)
            if low < high:
                parts.append(_copied(step, pa.array(range(low, high), pa.int64())))
            row += step.num_rows
            if row >= end:
                break
        return self._concat(parts, columns)

    def _found(self, rows: pa.Array, columns: Sequence[int]) -> Iterator[pa.Table]:
        """The rows of this ascending list."""
        view = memoryview(rows.buffers()[1]).cast("I")[rows.offset : rows.offset + len(rows)] if len(rows) else b""
        is_small = self._fits(sum(self._rows_of_pieces(view)), columns) if len(rows) else True
        for piece, (start, stop) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            low, high = bisect_left(view, start), bisect_left(view, stop)
            if low == high:
                continue
            if is_small:
                yield self._piece(piece, columns).take(_less(rows.slice(low, high - low), start))
                continue
            for step in self._steps(piece, columns, self._step_bytes):
                end = bisect_left(view, start + step.num_rows, low, high)
                if low < end:
                    yield _copied(step, _less(rows.slice(low, end - low), start))
                low, start = end, start + step.num_rows
                if low == high:
                    break

    def _rows_of_pieces(self, rows: Sequence[int]) -> Iterator[int]:
        """The sizes of the pieces that hold some of these ascending rows."""
        at = 0
        while at < len(rows):
            piece = self._piece_of(rows[at])
            yield self._starts[piece + 1] - self._starts[piece]
            at = bisect_left(rows, self._starts[piece + 1], at)

    def _piece(self, piece: int, columns: Sequence[int]) -> pa.Table:
        kept = {column: self._cache.get(self.owner, (piece, column)) for column in columns}
        found = {column: data for column, data in kept.items() if data is not None}
        missing = [column for column in columns if column not in found]
        if missing:
            read = self._concat(list(self._steps(piece, missing, PIECE_BYTES)), missing).combine_chunks()
            for column, data in zip(missing, read.columns, strict=True):
                found[column] = data
                self._cache.keep(self.owner, (piece, column), data, data.nbytes)
        fields = [self.schema.field(column) for column in columns]
        return pa.table([found[column] for column in columns], schema=pa.schema(fields))


class _Window(NamedTuple):
    """Rows from `start` on: of an order, or of a piece where that is None."""

    order: weakref.ref[pa.Array] | None
    start: int
    rows: pa.Table

    def covers(self, order: pa.Array | None, start: int, stop: int) -> bool:
        """Whether it holds this range of this order."""
        is_same = order is None if self.order is None else self.order() is order
        return is_same and self.start <= start and stop <= self.start + self.rows.num_rows


def _less(rows: pa.Array, start: int) -> pa.Array:
    return pc.subtract(rows, pa.scalar(start, pa.uint32()))


def _copied(step: pa.Table, rows: pa.Array) -> pa.Table:
    """Some rows, in memory of their own: a view would keep the whole step."""
    return step.combine_chunks().take(rows)
