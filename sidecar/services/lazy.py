"""Tables that stay where they are: each page reads the pieces of the file that it needs, and no others.

A piece is what the format lets one read alone: a row group of Parquet, a record batch of an Arrow file.
"""

from __future__ import annotations

import weakref
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import accumulate, count
from threading import Lock
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError
from .load.source import OpenFile

ReadPiece = Callable[[int, Sequence[int]], pa.Table]

CACHE_BYTES = 64 * 1024 * 1024
"""Decoded pieces that are kept over all lazy sessions; a quarter of the memory limit where that is less."""


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


class PieceCache:
    """Columns of decoded pieces, within one budget for all tables; the least recently used goes first."""

    def __init__(self, memory_limit_bytes: int | None) -> None:
        self._max_bytes = CACHE_BYTES if memory_limit_bytes is None else min(CACHE_BYTES, memory_limit_bytes // 4)
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int, int], Any] = OrderedDict()
        self._bytes: dict[int, int] = {}
        self._gone: deque[int] = deque()

    def bytes_of(self, owner: int) -> int:
        """What is kept for one table."""
        return self._bytes.get(owner, 0)

    def find(self, owner: int, piece: int, columns: Sequence[int]) -> dict[int, Any]:
        """Those of the columns that are kept."""
        with self._lock:
            self._drop_gone()
            keys = [key for column in columns if (key := (owner, piece, column)) in self._kept]
            for key in keys:
                self._kept.move_to_end(key)
            return {key[2]: self._kept[key] for key in keys}

    def keep(self, owner: int, piece: int, column: int, data: pa.ChunkedArray) -> None:
        """Keep a column, as long as there is room."""
        with self._lock:
            self._drop_gone()
            self._drop((owner, piece, column))
            self._kept[owner, piece, column] = data
            self._bytes[owner] = self.bytes_of(owner) + data.nbytes
            while sum(self._bytes.values()) > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def forget(self, owner: int) -> None:
        """The table is gone. Garbage collection may say so at any point of any other call, so that nothing waits here;
        its pieces go when the cache is used next, or now if it is free."""
        self._gone.append(owner)
        if self._lock.acquire(blocking=False):
            try:
                self._drop_gone()
            finally:
                self._lock.release()

    def _drop_gone(self) -> None:
        while self._gone:
            owner = self._gone.popleft()
            for key in [key for key in self._kept if key[0] == owner]:
                self._drop(key)
            self._bytes.pop(owner, None)

    def _drop(self, key: tuple[int, int, int]) -> None:
        data = self._kept.pop(key, None)
        if data is not None:
            self._bytes[key[0]] -= data.nbytes


_owners = count()


class LazyTable:
    """Rows in pieces. Only decoded pieces are in memory, as many as the cache has room for."""

    def __init__(self, schema: pa.Schema, piece_rows: Sequence[int], read: ReadPiece, cache: PieceCache) -> None:
        self.schema = schema
        self._starts = [0, *accumulate(piece_rows)]
        self.rows = self._starts[-1]
        self._read = read
        self._cache = cache
        self._owner = next(_owners)
        self._lock = Lock()  # the file has one position
        weakref.finalize(self, cache.forget, self._owner)

    @property
    def bytes(self) -> int:
        """The decoded pieces that are kept."""
        return self._cache.bytes_of(self._owner)

    def slice(self, start: int, stop: int, columns: Sequence[int]) -> pa.Table:
        """Reads the pieces that hold the range."""
        parts = []
        for piece in range(self._piece_of(start), len(self._starts) - 1):
            first, end = self._starts[piece], self._starts[piece + 1]
            if first >= stop:
                break
            begin = max(start, first)
            parts.append(self._piece(piece, columns).slice(begin - first, min(stop, end) - begin))
        return self._concat(parts, columns)

    def gather(self, indices: pa.Array, columns: Sequence[int]) -> pa.Table:
        """Reads each piece that holds a row asked for, once."""
        wanted: dict[int, list[tuple[int, int]]] = {}
        for place, row in enumerate(indices.to_pylist()):
            piece = self._piece_of(row)
            wanted.setdefault(piece, []).append((place, row - self._starts[piece]))
        parts: list[pa.Table] = []
        places: list[int] = []
        for piece, rows in wanted.items():
            parts.append(self._piece(piece, columns).take(pa.array([row for _, row in rows], pa.uint32())))
            places.extend(place for place, _ in rows)
        back = sorted(range(len(places)), key=places.__getitem__)
        return self._concat(parts, columns).combine_chunks().take(pa.array(back, pa.uint32()))

    def is_ready(self, columns: Sequence[int], gather: bool) -> bool:  # noqa: ARG002 - of the protocol
        """Never: a page may cost reading."""
        return False

    def select(self, columns: Sequence[int]) -> pa.Table:
        """Reads every piece, past the cache: whole columns would only flush it."""
        pieces = range(len(self._starts) - 1)
        with self._lock:
            return self._concat([self._read(piece, columns) for piece in pieces], columns)

    def _piece_of(self, row: int) -> int:
        return bisect_right(self._starts, row) - 1

    def _concat(self, parts: list[pa.Table], columns: Sequence[int]) -> pa.Table:
        if parts:
            return pa.concat_tables(parts)
        return pa.schema([self.schema.field(column) for column in columns]).empty_table()

    def _piece(self, piece: int, columns: Sequence[int]) -> pa.Table:
        found = self._cache.find(self._owner, piece, columns)
        missing = [column for column in columns if column not in found]
        if missing:
            with self._lock:
                read = self._read(piece, missing)
            for column, data in zip(missing, read.columns, strict=True):
                found[column] = data
                self._cache.keep(self._owner, piece, column, data)
        fields = [self.schema.field(column) for column in columns]
        return pa.table([found[column] for column in columns], schema=pa.schema(fields))
