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


class ServiceLog(NamedTuple):
    """A message of a service: `level` is one of `exception`, `error`, `warning`, `info`, `debug` and `trace`, `extra`
    any JSON."""

    level: str
    message: str
    extra: dict[str, Any]


OnProgress = Callable[[Progress], None]
OnServiceLog = Callable[[ServiceLog], None]
ReadFor = Callable[["Waiter", float | None], None]


class CallTimeout(TimeoutError):
    """The caller's time ran out. The call was cancelled; the line is fine."""


class Waiter:
    """What one thread waits for, and the one that reads brings: `done` once it is there."""

    __slots__ = ("_unsettled", "done")

    def __init__(self) -> None:
        self.done = False
        self._unsettled = Lock()  # held until there is an answer: a lock wakes its waiter faster than an Event
        self._unsettled.acquire()

    def end(self) -> None:
        """It is there. Called once."""
        self.done = True
        self._unsettled.release()

    def wait(self, read_for: ReadFor, timeout_s: float | None) -> bool:
        """Wait for it, and read the wire meanwhile if nobody else does; False if it is not in time."""
        timeout_s = None if timeout_s is None else min(timeout_s, TIMEOUT_MAX)
        ends_at = None if timeout_s is None else monotonic() + timeout_s
        read_for(self, ends_at)
        if self.done:
            return True
        if not self._unsettled.acquire(timeout=-1 if ends_at is None else max(0, ends_at - monotonic())):
            return False
        self._unsettled.release()
        return True


class Call(Waiter):
    """The answer to come; `done` once it is there. Any thread may wait for it; the one that reads settles it, once."""

    __slots__ = ("_cancel", "_error", "_read_for", "_result", "id", "method", "on_log", "on_progress")

    def __init__(
        self,
        id: int,
        method: str,
        cancel: Callable[[int], None],
        read_for: ReadFor,
        on_progress: OnProgress | None,
        on_log: OnServiceLog | None,
    ) -> None:
        super().__init__()
        self.id = id
        self.method = method
        self.on_progress = on_progress
        self.on_log = on_log
        self._cancel = cancel
        self._read_for = read_for
        self._result: Any = None
        self._error: Exception | None = None

    def cancel(self) -> None:
        """Ask the sidecar to stop. The answer still comes: `cancelled`, or the result if it was too late."""
        if not self.done:
            self._cancel(self.id)

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait for the result. Raises `SidecarError`, a `HostFault`, or `CallTimeout`, which cancels the call."""
        if not self.wait(self._read_for, timeout_s):
            self._cancel(self.id)
            raise CallTimeout(f"{self.method} was not answered within {timeout_s} s")
        if self._error is None:
            return self._result
        try:
            raise self._error
        finally:
            del self  # or the error would hold this frame, which holds the error, and all that the caller has

    def take(self, method: str, params: dict[str, Any]) -> None:
        """What the sidecar says meanwhile."""
        if method == "$/progress" and self.on_progress is not None:
            self.on_progress(Progress(params["done"], params["total"], params["unit"], params["message"]))
        elif method == "$/log" and self.on_log is not None:
            self.on_log(ServiceLog(params["level"], params["message"], params["extra"]))

    def settle(self, response: Result | Failure) -> None:
        """The answer came."""
        if isinstance(response, Result):
            self._result = response.result
        else:
            self._error = SidecarError.from_object(response.error)
        self.end()

    def fail(self, fault: Exception) -> None:
        """No answer will come."""
        self._error = fault
        self.end()
