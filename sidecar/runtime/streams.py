"""All streams of the process: their ids, limits and threads, and the messages that name them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Any

from ..protocol.errors import SidecarError, deadline_exceeded
from ..protocol.messages import Notification
from ..protocol.methods import convert
from ..protocol.streams import CloseParams, CreditParams, DataParams, Flow, Paused, Reason, Turns
from .lanes import Lanes, Task
from .pending import Pending
from .stream import RunningStream, StreamRuntime
from .terms import Terms
from .timers import Timers
from .writer import Writer

MAX_STREAMS = 1024
"""Open streams. One that waits for its host takes no thread, only its state."""

IDLE_S = 3600.0
"""A stream whose host says nothing for so long ends; 0 lets it wait for ever."""

RUNNING_THREADS = 8
"""Threads for turns. With more of them at work, Python's lock goes around for so long that a ping waits for seconds
(measured: 2.9 s with 64 busy ones)."""

STALL_S = 0.1
"""Where turns wait for a thread and none has ended for so long, all threads wait for their hosts or never return: then
there are more."""

REMEMBERED_STREAMS = 4096
"""Ids of streams that have ended: messages for them were on their way and are no fault."""

CLOSE_S = 0.25
"""What `on_close` of all streams together may take when the process stops."""

_PARAMS: dict[str, Any] = {
    "streams/data": DataParams,
    "streams/credit": CreditParams,
    "streams/close": CloseParams,
    "streams/cancel": CloseParams,
}


class Streams:
    """Streams have threads of their own, so that turns which never end hold up no request."""

    def __init__(
        self,
        writer: Writer,
        pending: Pending,
        timers: Timers,
        terms: Terms,
        clock: Callable[[], float],
        max_streams: int = MAX_STREAMS,
        idle_s: float = IDLE_S,
    ) -> None:
        self._lanes = Lanes(RUNNING_THREADS, "stream")
        self._watches_stall = False
        self._timers = timers
        self._clock = clock
        self._max_streams = max_streams
        self._idle_s = idle_s
        self._changed = Condition()
        self._open: dict[str, RunningStream] = {}
        self._unclosed: set[RunningStream] = set()  # those whose `on_close` was not called yet
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._stopping = self._watches_idle = False
        self._runtime = StreamRuntime(
            submit=self._submit,
            offer=writer.offer,
            pending=pending,
            forget=self._forget,
            closed=self._closed,
            clock=clock,
            terms=terms,
        )

    # -- requests --------------------------------------------------------------------------------------------

    def open(
        self, id: str, turns: Turns, credit_bytes: int, deadline: float | None, outputs: int, inputs: int
    ) -> RunningStream:
        """Register a stream, which begins with `start`. Raises `stream_exists`, `too_many_streams` and
        `shutting_down`."""
        flow = Flow(turns.kind, credit_bytes, outputs, inputs)
        stream = RunningStream(id, turns, flow, deadline, self._runtime)
        with self._changed:
            self.check_free(id)
            self._open[id] = stream
            self._unclosed.add(stream)
            self._ended.pop(id, None)
            if self._idle_s and not self._watches_idle:
                self._watches_idle = True
                self._watch_idle()
        if deadline is not None:
            stream.timer = self._timers.at(deadline, lambda: stream.fail(deadline_exceeded()))
        return stream

    def check_free(self, id: str) -> None:
        """Raise what opening a stream of this id would."""
        with self._changed:
            if self._stopping:
                raise SidecarError("shutting_down", "the sidecar is stopping")
            if id in self._open:
                raise SidecarError("stream_exists", f"there is a stream {id!r} already", stream=id)
            if len(self._open) >= self._max_streams:
                message = f"{len(self._open)} streams are open, which is the limit: close some"
                raise SidecarError("too_many_streams", message, max_streams=self._max_streams)

    @contextmanager
    def paused(self, id: str, check: Callable[[], None]) -> Iterator[Paused]:
        """A stream stands still between two turns. Raises `unknown_stream`."""
        stream = self.get(id)
        hold = stream.hold()
        try:
            yield stream.rest(hold, check)
        finally:
            stream.release(hold)

    def get(self, id: str) -> RunningStream:
        """An open stream. Raises `unknown_stream`."""
        with self._changed:
            stream = self._open.get(id)
            if stream is None:
                raise SidecarError("unknown_stream", f"there is no open stream {id!r}", stream=id)
        return stream

    def list(self) -> list[RunningStream]:
        """The open streams, oldest first."""
        with self._changed:
            return [*self._open.values()]

    # -- notifications ---------------------------------------------------------------------------------------

    def take(self, notification: Notification) -> None:
        """A message of the host's, on the thread that reads. Raises `SidecarError`, which has no request to answer."""
        form = _PARAMS.get(notification.method)
        if form is None:
            return
        try:
            params = convert(notification.params, form)
        except SidecarError as error:
            if self.refuse(notification.method, notification.params, error):
                return
            raise
        try:
            stream = self.get(params.stream)
        except SidecarError:
            if params.stream in self._ended:
                return
            raise
        if isinstance(params, DataParams):
            stream.data(params.batches)
        elif isinstance(params, CreditParams):
            stream.credit(params.bytes)
        elif notification.method == "streams/close":
            stream.close()
        else:
            stream.end("cancel")

    def refuse(self, method: Any, params: Any, error: SidecarError) -> bool:
        """Input came that could not be read or kept, so its stream ends; False if it was for none."""
        id = params.get("stream") if method == "streams/data" and isinstance(params, dict) else None
        if not isinstance(id, str):
            return False
        stream = self._open.get(id)
        if stream is not None:
            stream.fail(error)
        return stream is not None or id in self._ended

    # -- the end ---------------------------------------------------------------------------------------------

    def stop(self, reason: Reason) -> None:
        """Open no more; streams go on with what they have, and end where they would wait for the host."""
        with self._changed:
            self._stopping = True
        for stream in self.list():
            stream.wind_down(reason)

    def wait(self, timeout_s: float) -> None:
        """Wait until all streams have ended and their `on_close` was called."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unclosed, timeout_s)

    def end_all(self, reason: Reason) -> None:
        """End what is left."""
        for stream in self.list():
            stream.end(reason)

    def close(self) -> None:
        """End the threads."""
        self._lanes.close()

    def end_idle(self) -> None:
        """End those that have waited for their host for too long."""
        since = self._clock() - self._idle_s
        for stream in self.list():
            if stream.is_idle(since):
                message = f"the host said nothing for {self._idle_s:g} s"
                stream.end("idle", SidecarError("idle_timeout", message, idle_s=self._idle_s))

    def _submit(self, task: Task) -> None:
        self._lanes.submit(None, task)
        if self._lanes.is_waiting() and not self._watches_stall:
            self._watches_stall = True
            self._timers.at(self._clock() + STALL_S, self._look_for_stall)

    def _look_for_stall(self) -> None:
        if self._lanes.is_stalled():
            self._lanes.grow(RUNNING_THREADS)
        self._watches_stall = self._lanes.is_waiting()
        if self._watches_stall:
            self._timers.at(self._clock() + STALL_S, self._look_for_stall)

    def _watch_idle(self) -> None:
        self.end_idle()
        self._timers.at(self._clock() + self._idle_s / 4, self._watch_idle)

    def _forget(self, stream: RunningStream) -> None:
        if stream.timer is not None:
            stream.timer.cancel()
        with self._changed:
            if self._open.get(stream.id) is stream:
                del self._open[stream.id]
                self._ended[stream.id] = None
                if len(self._ended) > REMEMBERED_STREAMS:
                    self._ended.popitem(last=False)

    def _closed(self, stream: RunningStream) -> None:
        with self._changed:
            self._unclosed.discard(stream)
            self._changed.notify_all()
