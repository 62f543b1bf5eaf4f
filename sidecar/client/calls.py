"""A request that is under way, as the host holds it."""

from __future__ import annotations

from collections.abc import Callable
from threading import TIMEOUT_MAX, Lock
from time import monotonic
from typing import Any, NamedTuple

from ..protocol.errors import SidecarError
from ..protocol.messages import Failure, Result


class Progress(NamedTuple):
    """How far a call is: `done` of `total` (None where that is not known) in `unit`."""

    done: int
    total: int | None
    unit: str
    message: str = ""


OnProgress = Callable[[Progress], None]


class CallTimeout(TimeoutError):
    """The caller's time ran out. The call was cancelled; the line is fine."""


class Call:
    """The answer to come; `done` once it is there. Any thread may wait for it; the one that reads settles it, once."""

    __slots__ = ("_cancel", "_error", "_read_for", "_result", "_unsettled", "done", "id", "method", "on_progress")

    def __init__(
        self,
        id: int,
        method: str,
        cancel: Callable[[int], None],
        read_for: Callable[[Call, float | None], None],
        on_progress: OnProgress | None,
    ) -> None:
        self.id = id
        self.method = method
        self.done = False
        self.on_progress = on_progress
        self._cancel = cancel
        self._read_for = read_for
        self._result: Any = None
        self._error: Exception | None = None
        self._unsettled = Lock()  # held until there is an answer: a lock wakes its waiter faster than an Event
        self._unsettled.acquire()

    def cancel(self) -> None:
        """Ask the sidecar to stop. The answer still comes: `cancelled`, or the result if it was too late."""
        if not self.done:
            self._cancel(self.id)

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait for the result. Raises `SidecarError`, a `HostFault`, or `CallTimeout`, which cancels the call."""
        self._wait(timeout_s)
        if self._error is not None:
            raise self._error
        return self._result

    def _wait(self, timeout_s: float | None) -> None:
        timeout_s = None if timeout_s is None else min(timeout_s, TIMEOUT_MAX)
        ends_at = None if timeout_s is None else monotonic() + timeout_s
        self._read_for(self, ends_at)
        if self.done:
            return
        left_s = -1 if ends_at is None else max(0, ends_at - monotonic())
        if not self._unsettled.acquire(timeout=left_s):
            self._cancel(self.id)
            raise CallTimeout(f"{self.method} was not answered within {timeout_s} s")
        self._unsettled.release()

    def settle(self, response: Result | Failure) -> None:
        """The answer came."""
        if isinstance(response, Result):
            self._result = response.result
        else:
            self._error = SidecarError.from_object(response.error)
        self._end()

    def fail(self, fault: Exception) -> None:
        """No answer will come."""
        self._error = fault
        self._end()

    def _end(self) -> None:
        self.done = True
        self._unsettled.release()
