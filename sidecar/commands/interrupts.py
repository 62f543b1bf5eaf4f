"""Ctrl-C while a sidecar works: the work is cancelled and its end awaited. An exception in the middle of a read or a
write would break the line instead."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Within it the first Ctrl-C calls `cancel`, on a thread of its own: a handler runs wherever the main thread is,
    maybe with a lock in its hands. The second is a KeyboardInterrupt; so is the first, once the block is left."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self.came = False
        self._cancel = cancel
        self._is_raising = False
        self._wishes: SimpleQueue[bool] = SimpleQueue()  # whose `put` may interrupt another one
        self._thread = Thread(target=self._run, name="interrupts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before)
        self._wishes.put(False)
        if self.came:
            raise KeyboardInterrupt

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Around what only an exception can end: waiting for input."""
        self._is_raising = True
        try:
            if self.came:  # a moment ago
                raise KeyboardInterrupt
            yield
        finally:
            self._is_raising = False

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_raising or self.came:
            raise KeyboardInterrupt
        self.came = True
        self._wishes.put(True)

    def _run(self) -> None:
        if self._wishes.get():
            self._cancel()
