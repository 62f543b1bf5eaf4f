"""The one writer of the wire: a queue of frames, bounded in bytes, and the thread that empties it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, RLock, Thread
from typing import Any, Protocol

from . import platform
from .readiness import WriteRoom

Parts = Sequence[Any]
"""The buffers of one frame, none empty, of bytes: what `wire.framing.encode` returns."""


NO_BOUND = sys.maxsize
"""A reserve for what is bounded by itself."""


class Source(Protocol):
    """Makes frames when there is room for them, so that what waits for the host can still grow together."""

    def take(self) -> tuple[Parts, bool]:
        """The next frame, and whether there are more. No frame at all if its parts are empty."""

    def sent(self) -> None:
        """The frame that was taken is written."""


class Writer:
    """Frames leave in the order in which `put` takes them, each by as few gathered writes as the kernel allows.

    A small frame leaves on the caller's thread when nothing is queued and the write is sure not to wait: that
    saves a thread switch, 20-30 µs of a round trip.

    Sources take turns, a frame each, and with what is put: none of them holds up another or an answer. What a source
    offers comes after all that was put before: the answer that opens a stream is before its data.
    """

    def __init__(self, fd: int, max_queued_bytes: int, on_broken: Callable[[], None]) -> None:
        self._fd = fd
        self._room = WriteRoom(fd)
        self._max_queued_bytes = max_queued_bytes
        self._on_broken = on_broken
        self._queue: deque[tuple[list[memoryview], Source | None] | Source] = deque()
        self._queued_bytes = 0
        self._broken = False
        self._is_reserve_bounded = True
        self._lock = RLock()
        self._changed = Condition(self._lock)
        Thread(target=self._run, name="writer", daemon=True).start()

    def has_room(self) -> bool:
        """Whether `put` would take a frame now without waiting."""
        return self._queued_bytes < self._max_queued_bytes

    def put(self, parts: Parts, reserve_bytes: int = 0) -> bool:
        """Queue one frame, waiting while the queue is full; False once the host has closed its end.

        `reserve_bytes` raises the bound for this frame: the thread that reads the wire answers small things out
        of a reserve, and waits only for a host that reads nothing at all.
        """
        size = sum(map(len, parts))
        with self._lock:
            if not self._broken and self._is_empty() and self._room.takes(size):
                return self._write_now(parts, size)
            self._changed.wait_for(lambda: self._broken or self._takes(size, reserve_bytes))
            if not self._broken:
                self._enqueue([memoryview(part) for part in parts], size)
            return not self._broken

    def offer(self, source: Source, at_once: bool) -> None:
        """`source` has its first frame; it is asked until it has no more. `at_once` tries to write that one now."""
        with self._lock:
            if self._broken:
                return
            if at_once and self._is_empty():
                has_more = self._put_first(source)
                if not has_more or self._broken:
                    return
            self._queue.append(source)
            self._changed.notify_all()

    def _put_first(self, source: Source) -> bool:
        parts, has_more = source.take()
        size = sum(map(len, parts))
        if size and self._room.takes(size):
            self._write_now(parts, size)
            source.sent()
        else:
            self._enqueue([memoryview(part) for part in parts], size, source)
        return has_more

    def lift_reserve(self) -> None:
        """Let every frame through that may use the reserve, for no more than a few are to come."""
        with self._lock:
            self._is_reserve_bounded = False
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written; False if it is not in time, or never will be."""
        with self._lock:
            is_empty = self._changed.wait_for(lambda: self._broken or self._is_empty(), timeout_s)
            return is_empty and not self._broken

    def close(self) -> None:
        """Write no more, and end the thread."""
        with self._lock:
            self._drop()

    def _is_empty(self) -> bool:
        return not self._queued_bytes and not self._queue

    def _takes(self, size: int, reserve_bytes: int) -> bool:
        if not self._queued_bytes or (reserve_bytes and not self._is_reserve_bounded):
            return True
        return self._queued_bytes + size <= self._max_queued_bytes + reserve_bytes

    def _write_now(self, parts: Parts, size: int) -> bool:
        try:
            written = platform.write_some(self._fd, parts)
        except OSError:
            self._break()
            return False
        if written < size:  # more than 512 parts
            views = [memoryview(part) for part in parts]
            platform.drop(views, written)
            self._enqueue(views, size - written)
        return True

    def _enqueue(self, views: list[memoryview], size: int, source: Source | None = None) -> None:
        self._queue.append((views, source))
        self._queued_bytes += size
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._changed.wait_for(lambda: self._queue or self._broken)
                if self._broken:
                    return
                views, source = self._next()
            size = sum(view.nbytes for view in views)
            try:
                while views:
                    platform.drop(views, platform.write_some(self._fd, views))
            except OSError:
                with self._lock:
                    self._break()
                return
            with self._lock:
                self._queued_bytes -= size
                self._changed.notify_all()
            if source is not None:
                source.sent()
            del views, source  # or an idle thread would keep the last payload alive

    def _next(self) -> tuple[list[memoryview], Source | None]:
        """The frame to write. A source that has more goes behind all that was put meanwhile."""
        first = self._queue.popleft()
        if isinstance(first, tuple):
            return first
        source = first
        parts, has_more = source.take()
        if has_more:
            self._queue.append(source)
        views = [memoryview(part) for part in parts]
        self._queued_bytes += sum(view.nbytes for view in views)
        return views, source

    def _break(self) -> None:
        self._drop()
        self._on_broken()

    def _drop(self) -> None:
        self._broken = True
        self._queue.clear()
        self._queued_bytes = 0
        self._changed.notify_all()
