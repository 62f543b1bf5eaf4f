"""Tables that stay where they are: each page reads the pieces of the file that it needs, and no others.

A piece is what the format lets one read alone: a row group of Parquet, a record batch of an Arrow file.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import Lock
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError

ReadPiece = Callable[[int, Sequence[int]], pa.Table]

CACHE_BYTES = 64 * 1024 * 1024
"""Decoded pieces that each lazy session keeps, by column, the least recently used going first."""


class FileGuard:
    """Notices that a file was written to after it was opened. A file that was replaced or deleted is fine: what
    was opened stays readable."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened = os.stat(path)

    def check(self) -> None:
        """Raise `file_changed` if the file is no longer what it was."""
        try:
            now = os.stat(self._path)
        except OSError:
            return
        was = self._opened
        same_file = (now.st_dev, now.st_ino) == (was.st_dev, was.st_ino)
        if same_file and (now.st_size, now.st_mtime_ns) != (was.st_size, was.st_mtime_ns):
            raise SidecarError("file_changed", f"{self._path} was written to since it was loaded", path=self._path)


class LazyTable:
    """Rows in pieces. Only the cache of decoded pieces is in memory."""

    in_memory = False

    def __init__(self, schema: pa.Schema, piece_rows: Sequence[int], read: ReadPiece) -> None:
        self.schema = schema
        self._starts = [0, *accumulate(piece_rows)]
        self.rows = self._starts[-1]
        self._read = read
        self._cache: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._cached_bytes = 0
        self._lock = Lock()  # the file has one position, and the cache one order

    @property
    def bytes(self) -> int:
        """The decoded pieces that are kept."""
        return self._cached_bytes

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
        with self._lock:
            missing = [column for column in columns if (piece, column) not in self._cache]
            read = self._read(piece, missing) if missing else None
            found = {column: self._cache[piece, column] for column in columns if column not in missing}
            if read is not None:
                found.update(zip(missing, read.columns, strict=True))
            for column, data in found.items():
                self._keep((piece, column), data)
        fields = [self.schema.field(column) for column in columns]
        return pa.table([found[column] for column in columns], schema=pa.schema(fields))

    def _keep(self, key: tuple[int, int], data: pa.ChunkedArray) -> None:
        if key not in self._cache:
            self._cached_bytes += data.nbytes
        self._cache[key] = data
        self._cache.move_to_end(key)
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= dropped.nbytes
