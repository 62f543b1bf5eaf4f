"""What a handler sees of its call: cancellation, the commit point, progress, and the streams."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from ..protocol.conversation import Call, State
from ..protocol.errors import Cancelled, SidecarError
from ..protocol.messages import Id, Notification
from ..protocol.streams import Paused, StreamInfo, Turns
from ..wire.limits import Limits
from .outcomes import encodable
from .output import PROGRESS_INTERVAL_S, Hold
from .stream import RunningStream
from .streams import Streams

PROGRESS_DELAY_S = 0.1
"""A call that ends sooner than this sends no progress at all."""


class CallRuntime(NamedTuple):
    """What a call needs of the process."""

    commit: Callable[[Call], None]
    leave_lane: Callable[[], None]
    notify: Callable[[Notification], None]
    clock: Callable[[], float]
    streams: Streams
    limits: Callable[[], Limits] = Limits


class RequestContext:
    """Implements `protocol.methods.Context` for one call, on the one thread that serves it. `opened` is the stream
    that the answer opens, `after` what is to be left once it is sent."""

    def __init__(self, call: Call, runtime: CallRuntime, deadline: float | None = None) -> None:
        self.id: Id = call.id
        self.deadline = deadline
        self.opened: RunningStream | None = None
        self.after = ExitStack()
        self._call = call
        self._runtime = runtime
        self._drains: tuple[RunningStream, Hold] | None = None
        self._next_progress_at = runtime.clock() + PROGRESS_DELAY_S

    @property
    def cancelled(self) -> bool:
        """Whether the answer was given already."""
        return self._call.state is State.ANSWERED

    def check(self) -> None:
        """Raise `Cancelled` if it was."""
        if self.cancelled:
            raise Cancelled

    @property
    def max_payload_bytes(self) -> int:
        """Of the host, as it said in `initialize`."""
        return self._runtime.limits().max_payload_bytes

    def commit(self) -> None:
        """From here on the call cannot be cancelled. Raises `Cancelled` if it was."""
        self._runtime.commit(self._call)

    def leave_lane(self) -> None:
        """Let the next request of the lane begin."""
        self._runtime.leave_lane()

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Send `$/progress`, unless one was sent less than 50 ms ago; raise `Cancelled` if the call was."""
        self.check()
        now = self._runtime.clock()
        if now < self._next_progress_at:
            return
        self._next_progress_at = now + PROGRESS_INTERVAL_S
        params: dict[str, Any] = {"id": self.id, "done": done, "total": total, "unit": unit, "message": message}
        self._runtime.notify(Notification("$/progress", params))

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        """Send `$/log`. Raises `TypeError` for what has no JSON form."""
        params = {"id": self.id, "level": level, "message": encodable(message), "extra": extra}
        self._runtime.notify(Notification("$/log", params))

    def open_stream(self, id: str, turns: Turns, credit_bytes: int, outputs: int = 0, inputs: int = 0) -> None:
        """Register a stream; it begins when the result is sent."""
        self._runtime.streams.check_free(id)
        self.commit()
        self.opened = self._runtime.streams.open(id, turns, credit_bytes, self.deadline, outputs, inputs)

    def pause(self, stream: str) -> Paused:
        """Hold a stream between two turns, until the answer is sent."""
        return self.after.enter_context(self._runtime.streams.paused(stream, self.check))

    def begin_drain(self, stream: str, method: str) -> None:
        """The request is here: from now on the stream takes no other turns than those of the input ahead of it, and
        does not end as one that was closed. Where there is no such stream, `drain` says so."""
        with suppress(SidecarError):
            running = self._runtime.streams.get(stream)
            if running.method == method:
                hold = running.hold(drained=True)
                self.after.callback(running.release, hold)
                self._drains = running, hold

    def drain(self, stream: str, method: str) -> Paused:
        """Hold a stream, once the input that came before the request is served, until the answer is sent."""
        if self._drains is None:
            found = self._runtime.streams.get(stream).method
            message = f"stream {stream!r} is one of {found}, where one of {method} is expected"
            raise SidecarError("wrong_stream", message, stream=stream, method=found)
        running, hold = self._drains
        return running.rest(hold, self.check)

    def streams(self) -> list[StreamInfo]:
        """The open streams, oldest first."""
        return [stream.info() for stream in self._runtime.streams.list()]
