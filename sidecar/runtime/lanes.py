"""Where handlers run: in order within a lane, side by side across lanes, on threads made as they are needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread, local

Task = Callable[[], None]

MAX_THREADS = 64
"""Threads are cheap and mostly wait for native code; this bounds them all the same. Work beyond it queues."""


class Lanes:
    """A task must not raise. Where `is_idle` counts, only one thread may submit: then an idle lane stays idle while
    that thread works."""

    def __init__(self, max_threads: int = MAX_THREADS, name: str = "lane") -> None:
        self._name = name
        self._lock = Lock()
        self._max_threads = max_threads
        self._waiting: dict[str, deque[Task]] = {}  # a lane is here while one of its tasks is ready or running
        self._ready: SimpleQueue[tuple[str | None, Task] | None] = SimpleQueue()
        self._threads = 0
        self._ended = 0  # tasks, since `is_stalled` was asked
        self._free = 0  # threads that wait, less the tasks that are ready
        self._mine = local()  # `lane` of the task that this thread runs, until it leaves it

    def is_idle(self, lane: str | None) -> bool:
        """Whether nothing of this lane is queued or running."""
        return lane is None or lane not in self._waiting

    def submit(self, lane: str | None, task: Task) -> None:
        """Run `task` soon; after every earlier task of the same lane."""
        with self._lock:
            if lane is not None:
                waiting = self._waiting.get(lane)
                if waiting is not None:
                    waiting.append(task)
                    return
                self._waiting[lane] = deque()
            self._dispatch(lane, task)

    def leave(self) -> None:
        """The task that this thread runs lets the next one of its lane begin. Elsewhere, and again, it does nothing."""
        lane = getattr(self._mine, "lane", None)
        if lane is not None:
            self._mine.lane = None
            with self._lock:
                self._next(lane)

    def is_stalled(self) -> bool:
        """Whether tasks wait and none has ended since this was last asked."""
        with self._lock:
            ended, self._ended = self._ended, 0
            return self._free < 0 and not ended

    def is_waiting(self) -> bool:
        """Whether tasks wait for a thread."""
        return self._free < 0

    def grow(self, count: int) -> None:
        """Take so many threads more, where tasks wait."""
        with self._lock:
            self._max_threads += count
            while self._free < 0 and self._threads < self._max_threads and self._add_thread():
                self._free += 1

    def close(self) -> None:
        """End the threads, each when its task has ended; what waits is not run."""
        for _ in range(self._max_threads):
            self._ready.put(None)

    def _dispatch(self, lane: str | None, task: Task) -> None:
        self._ready.put((lane, task))
        if self._free > 0 or self._threads == self._max_threads or not self._add_thread():
            self._free -= 1

    def _add_thread(self) -> bool:
        """One thread more; False if the system has none left to give and others can do the work."""
        try:
            Thread(target=self._run, name=f"{self._name}-{self._threads + 1}", daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise
            return False
        self._threads += 1
        return True

    def _run(self) -> None:
        while True:
            ready = self._ready.get()
            if ready is None:
                return
            self._mine.lane, task = ready
            task()
            del ready, task  # or an idle thread would keep the last request's payload alive
            with self._lock:
                self._ended += 1
                self._free += 1
            self.leave()

    def _next(self, lane: str) -> None:
        waiting = self._waiting[lane]
        if waiting:
            self._dispatch(lane, waiting.popleft())
        else:
            del self._waiting[lane]
