"""The one writer of the wire: a queue of frames, bounded in bytes, and the thread that empties it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread
from typing import Any

from . import platform

Parts = Sequence[Any]


class OutputBroken(Exception):
    """The host closed its end of the output."""


class Writer:
    """Frames leave in the order in which `put` takes them, each by as few gathered writes as the kernel allows.

    A small frame leaves on the caller's thread when nothing is queued and the write is sure not to wait: that
    saves a thread switch, 20-30 µs of a round trip.
    """

    def __init__(self, fd: int, max_queued_bytes: int, on_broken: Callable[[], None]) -> None:
        self._fd = fd
        self._max_queued_bytes = max_queued_bytes
        self._on_broken = on_broken
        self._queue: deque[list[memoryview]] = deque()
        self._queued_bytes = 0
        self._broken = False
        self._changed = Condition()
        Thread(target=self._run, name="writer", daemon=True).start()

    def has_room(self) -> bool:
        """Whether `put` would take a frame now without waiting."""
        return self._queued_bytes < self._max_queued_bytes

    def put(self, parts: Parts, reserve_bytes: int = 0) -> None:
        """Queue one frame, waiting while the queue is full. Raises `OutputBroken`.

        `reserve_bytes` raises the bound for this frame: the thread that reads the wire answers small things out
        of a reserve, and waits only for a host that reads nothing at all.
        """
        views = [memoryview(part).cast("B") for part in parts if len(part)]
        size = sum(view.nbytes for view in views)
        with self._changed:
            if not self._queued_bytes and platform.writes_at_once(self._fd, size):
                self._write_now(views)
                return
            bound = self._max_queued_bytes + reserve_bytes
            while not self._broken and self._queued_bytes and self._queued_bytes + size > bound:
                self._changed.wait()
            if self._broken:
                raise OutputBroken
            self._queue.append(views)
            self._queued_bytes += size
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written; False if it is not in time, or never will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or not self._queued_bytes, timeout_s)
            return not self._queued_bytes

    def _write_now(self, views: list[memoryview]) -> None:
        try:
            written = platform.write_some(self._fd, views)
        except OSError:
            self._break()
            raise OutputBroken from None
        platform.drop(views, written)
        if views:  # not seen: a pipe takes PIPE_BUF bytes whole
            self._queue.append(views)
            self._queued_bytes += sum(view.nbytes for view in views)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                views = self._queue.popleft()
            size = sum(view.nbytes for view in views)
            try:
                while views:
                    platform.drop(views, platform.write_some(self._fd, views))
            except OSError:
                with self._changed:
                    self._break()
                return
            with self._changed:
                self._queued_bytes -= size
                self._changed.notify_all()

    def _break(self) -> None:
        self._broken = True
        self._queue.clear()
        self._queued_bytes = 0
        self._changed.notify_all()
        self._on_broken()
