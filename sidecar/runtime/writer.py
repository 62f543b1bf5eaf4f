"""The one writer of the wire: a queue of frames, bounded in bytes, and the thread that empties it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, RLock, Thread
from typing import Any

from . import platform
from .readiness import WriteRoom

Parts = Sequence[Any]
"""The buffers of one frame, none empty, of bytes: what `wire.framing.encode` returns."""


NO_BOUND = sys.maxsize
"""A reserve for what is bounded by itself."""


class OutputBroken(Exception):
    """The host closed its end of the output."""


class Writer:
    """Frames leave in the order in which `put` takes them, each by as few gathered writes as the kernel allows.

    A small frame leaves on the caller's thread when nothing is queued and the write is sure not to wait: that
    saves a thread switch, 20-30 µs of a round trip.
    """

    def __init__(self, fd: int, max_queued_bytes: int, on_broken: Callable[[], None]) -> None:
        self._fd = fd
        self._room = WriteRoom(fd)
        self._max_queued_bytes = max_queued_bytes
        self._on_broken = on_broken
        self._queue: deque[list[memoryview]] = deque()
        self._queued_bytes = 0
        self._broken = False
        self._is_reserve_bounded = True
        self._lock = RLock()
        self._changed = Condition(self._lock)
        Thread(target=self._run, name="writer", daemon=True).start()

    def has_room(self) -> bool:
        """Whether `put` would take a frame now without waiting."""
        return self._queued_bytes < self._max_queued_bytes

    def put(self, parts: Parts, reserve_bytes: int = 0) -> None:
        """Queue one frame, waiting while the queue is full. Raises `OutputBroken`.

        `reserve_bytes` raises the bound for this frame: the thread that reads the wire answers small things out
        of a reserve, and waits only for a host that reads nothing at all.
        """
        size = sum(map(len, parts))
        with self._lock:
            if not self._queued_bytes and self._room.takes(size):
                self._write_now(parts, size)
                return
            self._changed.wait_for(lambda: self._broken or self._takes(size, reserve_bytes))
            if self._broken:
                raise OutputBroken
            self._enqueue([memoryview(part) for part in parts], size)

    def lift_reserve(self) -> None:
        """Let every frame through that may use the reserve, for no more than a few are to come."""
        with self._lock:
            self._is_reserve_bounded = False
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written; False if it is not in time, or never will be."""
        with self._lock:
            self._changed.wait_for(lambda: self._broken or not self._queued_bytes, timeout_s)
            return not self._queued_bytes

    def _takes(self, size: int, reserve_bytes: int) -> bool:
        if not self._queued_bytes or (reserve_bytes and not self._is_reserve_bounded):
            return True
        return self._queued_bytes + size <= self._max_queued_bytes + reserve_bytes

    def _write_now(self, parts: Parts, size: int) -> None:
        try:
            written = platform.write_some(self._fd, parts)
        except OSError:
            self._break()
            raise OutputBroken from None
        if written < size:  # more than 512 parts
            views = [memoryview(part) for part in parts]
            platform.drop(views, written)
            self._enqueue(views, size - written)

    def _enqueue(self, views: list[memoryview], size: int) -> None:
        self._queue.append(views)
        self._queued_bytes += size
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._changed.wait_for(lambda: self._queue)
                views = self._queue.popleft()
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

    def _break(self) -> None:
        self._broken = True
        self._queue.clear()
        self._queued_bytes = 0
        self._changed.notify_all()
        self._on_broken()
