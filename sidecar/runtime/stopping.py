"""How the process ends: within two seconds, whatever is running."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import NamedTuple

EXIT_OK = 0
EXIT_USAGE = 64
EXIT_INTERNAL = 70
EXIT_OUTPUT_BROKEN = 74
EXIT_PROTOCOL = 76

DEADLINE_S = 1.8
"""From the decision to stop to the end of the process, at the latest; the promise to the host is 2 s."""

GRACE_S = 1.0
"""What open requests get to finish, where the host is still there to read their answers."""

FLUSH_S = 0.5
"""What the host gets to read what is queued."""


class Stop(NamedTuple):
    """Why the process ends, its exit code, and how long open requests may still run, in seconds."""

    reason: str
    code: int
    grace_s: float = GRACE_S


class Stopper:
    """Runs `wind_down(stop)` once, on a thread of its own, and then ends the process without more ado.

    Only a thread can do this: the reader may be waiting for input that never comes. `os._exit` is used because
    the interpreter's own end waits for threads that are inside native code.
    """

    def __init__(self, wind_down: Callable[[Stop], None], exit: Callable[[int], None] = os._exit) -> None:
        self._wind_down = wind_down
        self._exit = exit
        self._lock = Lock()
        self._stop: Stop | None = None
        self.ended = Event()

    def stop(self, stop: Stop) -> None:
        """Begin to stop. The first call counts; returns at once."""
        with self._lock:
            if self._stop is not None:
                return
            self._stop = stop
        _arm_deadline()
        Thread(target=self._run, args=(stop,), name="stopper", daemon=True).start()

    def _run(self, stop: Stop) -> None:
        try:
            self._wind_down(stop)
        finally:
            self.ended.set()
            self._exit(stop.code)


def _arm_deadline() -> None:
    """A timer in C: it ends the process even while a native call keeps the interpreter's lock to itself."""
    if sys.stderr is not None:
        faulthandler.dump_traceback_later(DEADLINE_S, exit=True)
