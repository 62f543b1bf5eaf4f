"""Tables that stay where they are: each page reads the pieces of the file that it needs, and no others.

A piece is what the format lets one read alone: a row group of Parquet, a record batch of an Arrow file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from threading import Lock

import pyarrow as pa

from ..protocol.errors import SidecarError
from .cache import Cache, Owner
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


def piece_cache(memory_limit_bytes: int | None) -> Cache:
    """Columns of decoded pieces, by piece and column."""
    return Cache(CACHE_BYTES if memory_limit_bytes is None else min(CACHE_BYTES, memory_limit_bytes // 4))


class LazyTable:
    """Rows in pieces. Only decoded pieces are in memory, as many as the cache has room for."""

    is_lazy = True

    def __init__(self, schema: pa.Schema, piece_rows: Sequence[int], read: ReadPiece, cache: Cache) -> None:
        self.owner = Owner()
        self.schema = schema
        self._starts = [0, *accumulate(piece_rows)]
        self.rows = self._starts[-1]
        self._read = read
        self._cache = cache
        self._lock = Lock()  # the file has one position

    @property
    def bytes(self) -> int:
        """The decoded pieces that are kept."""
        return self._cache.bytes_of(self.owner)

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
        return self._concat(list(self.pieces(columns)), columns)

    def pieces(self, columns: Sequence[int]) -> Iterator[pa.Table]:
        """Reads one after another, past the cache."""
        for piece in range(len(self._starts) - 1):
            with self._lock:
                read = self._read(piece, columns)
            yield read

    def _piece_of(self, row: int) -> int:
        return bisect_right(self._starts, row) - 1

    def _concat(self, parts: list[pa.Table], columns: Sequence[int]) -> pa.Table:
        if parts:
            return pa.concat_tables(parts)
        return pa.schema([self.schema.field(column) for column in columns]).empty_table()

    def _piece(self, piece: int, columns: Sequence[int]) -> pa.Table:
        kept = {column: self._cache.get(self.owner, (piece, column)) for column in columns}
        found = {column: data for column, data in kept.items() if data is not None}
        missing = [column for column in columns if column not in found]
        if missing:
            with self._lock:
                read = self._read(piece, missing)
            for column, data in zip(missing, read.columns, strict=True):
                found[column] = data
                self._cache.keep(self.owner, (piece, column), data, data.nbytes)
        fields = [self.schema.field(column) for column in columns]
        return pa.table([found[column] for column in columns], schema=pa.schema(fields))
