"""What is to happen later: deadlines and idle streams. One thread, from the first timer on."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from itertools import count
from threading import TIMEOUT_MAX, Condition, Lock, Thread

MIN_SWEEP = 64

_log = logging.getLogger("sidecar")


class Timer:
    """`cancel` it where it is not to happen any more."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None] | None) -> None:
        self.action = action

    def cancel(self) -> None:
        """Forget it, and what it holds on to."""
        self.action = None


class Coalesced:
    """An action that many may ask for, and that happens once, `delay_s` after the first of them has."""

    def __init__(self, timers: Timers, delay_s: float, action: Callable[[], None]) -> None:
        self._timers = timers
        self._delay_s = delay_s
        self._action = action
        self._lock = Lock()
        self._is_due = False

    def __call__(self) -> None:
        with self._lock:
            if self._is_due:
                return
            self._is_due = True
        self._timers.after(self._delay_s, self._run)

    def _run(self) -> None:
        with self._lock:
            self._is_due = False
        self._action()


class Timers:
    """`clock` counts seconds, as `time.monotonic`. Actions run on the timers' thread, so they must not wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = count()  # timers of one moment run in the order in which they were set
        self._heap: list[tuple[float, int, Timer]] = []
        self._sweep_at = MIN_SWEEP
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Run `action` once the clock shows `when`."""
        timer = Timer(action)
        with self._changed:
            self._sweep()
            heapq.heappush(self._heap, (when, next(self._numbers), timer))
            if self._thread is None:
                self._thread = Thread(target=self._run, name="timers", daemon=True)
                self._thread.start()
            self._changed.notify()
        return timer

    def after(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Run `action` so many seconds from now."""
        return self.at(self._clock() + delay_s, action)

    def _sweep(self) -> None:
        """Forget the cancelled now and then: their times may be far off."""
        if len(self._heap) >= self._sweep_at:
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._sweep_at = 2 * len(self._heap) + MIN_SWEEP

    def close(self) -> None:
        """End the thread; what was to come does not happen."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run_due(self) -> None:
        """Run all actions whose time has come."""
        while (action := self._next_due()) is not None:
            try:
                action()
            except Exception:
                _log.exception("a timer failed")

    def _next_due(self) -> Callable[[], None] | None:
        with self._changed:
            while self._heap:
                when, _, timer = self._heap[0]
                if timer.action is not None and when > self._clock():
                    return None
                heapq.heappop(self._heap)
                if timer.action is not None:
                    return timer.action
            return None

    def _run(self) -> None:
        while True:
            self.run_due()
            with self._changed:
                if self._closed:
                    return
                left_s = self._heap[0][0] - self._clock() if self._heap else None
                if left_s is None or left_s > 0:
                    self._changed.wait(None if left_s is None else min(left_s, TIMEOUT_MAX))
