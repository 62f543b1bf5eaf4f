"""How the process ends: within two seconds, whatever is running."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import NamedTuple

from ..protocol.streams import Reason
from .readiness import WriteRoom

DEADLINE_S = 1.8
"""From the decision to stop to the end of the process, at the latest; the promise to the host is 2 s."""

STACKS_BYTES = 4096

GRACE_S = 1.0
"""What open requests get to finish, where the host is still there to read their answers."""

FLUSH_S = 0.5
"""What the host gets to read what is queued."""


class Stop(NamedTuple):
    """Why the process ends, its exit code, how long open requests may still run, in seconds, and what streams are told
    of it."""

    reason: str
    code: int
    grace_s: float = GRACE_S
    ends_streams: Reason = "shutdown"


class Stopper:
    """Runs `wind_down(stop)` once, on a thread of its own, and then ends the process without more ado.

    Only a thread can do this: the reader may be waiting for input that never comes. It is there from the start, for
    when it is needed the system may have no thread left to give. `os._exit` is used because the interpreter's own
    end waits for threads that are inside native code.
    """

    def __init__(
        self,
        wind_down: Callable[[Stop], None],
        exit: Callable[[int], None] = os._exit,
        arm_deadline: Callable[[], None] | None = None,
    ) -> None:
        self._wind_down = wind_down
        self._exit = exit
        self._arm_deadline = arm_deadline or _arm_deadline
        self._first = Lock()
        self._stops: SimpleQueue[Stop] = SimpleQueue()
        self.ended = Event()
        Thread(target=self._run, name="stopper", daemon=True).start()

    def stop(self, stop: Stop) -> None:
        """Begin to stop. The first call counts; returns at once. A signal handler may call it, at any point of
        another call, so that nothing in here waits."""
        if self._first.acquire(blocking=False):
            with suppress(OSError, RuntimeError):  # no thread or descriptor is left: then there is no second line
                self._arm_deadline()
            self._stops.put(stop)

    def _run(self) -> None:
        stop = self._stops.get()
        try:
            self._wind_down(stop)
        except Exception:
            logging.getLogger("sidecar").exception("winding down failed")
        finally:
            self._exit(stop.code)
            self.ended.set()


def _arm_deadline() -> None:
    """A timer in C: it ends the process even while a native call keeps the interpreter's lock to itself.

    It writes every thread's stack to standard error first, if that would not wait: a host which does not read
    standard error must not keep the process alive.
    """
    takes_stacks = WriteRoom(2).takes(STACKS_BYTES)
    output = 2 if takes_stacks else os.open(os.devnull, os.O_WRONLY)
    faulthandler.dump_traceback_later(DEADLINE_S, exit=True, file=output)
