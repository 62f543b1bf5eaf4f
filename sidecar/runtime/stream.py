"""One stream at work: its turns on a thread, its output under credit, its one end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, RLock
from typing import NamedTuple

from ..protocol.errors import Cancelled, SidecarError
from ..protocol.messages import overloaded
from ..protocol.streams import Flow, Paused, Phase, Reason, StreamInfo, Turns
from ..wire.framing import Refused
from ..wire.payload import Payload
from .input import Input
from .lanes import Task
from .outbox import Outbox
from .outcomes import encode_notification, failure
from .output import Hold, StreamOutput
from .pending import Pending
from .terms import Terms
from .timers import Timer
from .writer import Source

SLICE_S = 0.02
"""After this much time a stream lets others that wait for a thread go first."""

CANCEL_POLL_S = 0.05
"""How soon a request that waits for a turn's end sees that it was cancelled."""

UNWANTED: frozenset[Reason] = frozenset({"cancel", "idle"})
"""After these ends the host wants no more of what is not on its way."""

_log = logging.getLogger("sidecar")


class StreamRuntime(NamedTuple):
    """What a stream needs of the process. `submit` runs a task on a thread, `offer` tells the writer of output,
    `forget` is called at the end, `closed` after `on_close`."""

    submit: Callable[[Task], None]
    offer: Callable[[Source, bool], None]
    pending: Pending
    forget: Callable[[RunningStream], None]
    closed: Callable[[RunningStream], None]
    clock: Callable[[], float]
    terms: Terms


class RunningStream:
    """The methods may be called on any thread and do not wait, but for `rest`."""

    def __init__(self, id: str, turns: Turns, flow: Flow, deadline: float | None, runtime: StreamRuntime) -> None:
        self.id = id
        self.method = turns.method
        self.flow = flow
        self.timer: Timer | None = None
        self._turns = turns
        self._runtime = runtime
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._outbox = Outbox(id, self._changed, self._schedule, runtime.terms)
        self._output = StreamOutput(
            self._outbox, flow, deadline, self._changed, runtime.offer, runtime.terms, runtime.clock
        )
        self._input = Input(runtime.pending)
        self._started = self._is_told = self._running = self._in_turn = self._closed = False
        self._last_reason: Reason | None = None
        self._active_at = runtime.clock()

    # -- what the host says ----------------------------------------------------------------------------------

    def start(self) -> None:
        """The host has the answer that opens the stream. What there is already, which can only be its end, follows."""
        with self._lock:
            self._started = True
            self._schedule()
        self._tell_end(is_new=True)

    def discard(self) -> None:
        """The host could not be told that the stream is open, so it is told of no end."""
        with self._lock:
            self.flow.end("error")
            self._is_told = True
            self._schedule()
        self._runtime.forget(self)

    def data(self, piece: Payload) -> None:
        """Input came."""
        try:
            with self._lock:
                if self.flow.ended:
                    return
                self._active_at = self._runtime.clock()
                self.flow.received(piece.size)
                self._input.add(piece)
                self._schedule()
        except SidecarError as error:
            self.fail(error)
        except Refused as refusal:
            self.fail(overloaded(refusal, piece.size))

    def credit(self, size: int) -> None:
        """More output may go."""
        with self._lock:
            self._active_at = self._runtime.clock()
            self.flow.granted(size)
            self._schedule()
            self._changed.notify_all()

    def close(self) -> None:
        """The host has no more input, or wants no more output."""
        with self._lock:
            self._active_at = self._runtime.clock()
            self.flow.close()
            self._schedule()
            self._changed.notify_all()

    def fail(self, error: SidecarError) -> None:
        """End with an error."""
        self.end("error", error)

    def end(self, reason: Reason, error: SidecarError | None = None) -> bool:
        """Send the end; True the first time. `on_close` follows on another thread, after the turn under way."""
        with self._lock:
            if not self.flow.end(reason):
                return False
            self._input.clear()
            if reason in UNWANTED or (reason == "close" and self.flow.kind == "producer"):
                self.flow.dropped(self._outbox.drop_batches())
            params = {"stream": self.id, "reason": reason, "outputs": self.flow.outputs, "inputs": self.flow.inputs}
            frame = encode_notification("streams/end", params, error, self._runtime.terms.limits)
            is_new = self._outbox.add_message(frame)
            self._changed.notify_all()
        self._tell_end(is_new)
        self._runtime.forget(self)
        return True

    def _tell_end(self, is_new: bool) -> None:
        """Hand the end to the writer, once the host knows of the stream. `on_close` comes after that: when all are
        closed, the process may end as soon as the writer has nothing left."""
        with self._lock:
            if not self._started or not self.flow.ended or self._is_told:
                return
        if is_new:
            self._runtime.offer(self._outbox, False)
        with self._lock:
            self._is_told = True
            self._schedule()

    # -- what the rest of the process asks -------------------------------------------------------------------

    def hold(self, drained: bool = False) -> Hold:
        """From now on, or `drained` once the input is served that is here, stand still between two turns until
        `release`. Turns may run into debt: they could wait for credit that the host gives only after this."""
        with self._lock:
            hold = Hold(self._input.added if drained else 0)
            self._output.holds.append(hold)
            self._active_at = self._runtime.clock()
            self._schedule()
            self._changed.notify_all()
        return hold

    def rest(self, hold: Hold, check: Callable[[], None]) -> Paused:
        """Wait until it stands still and all output is written: later messages of the stream's come after what the
        caller sends. `check` is called now and then, to raise where the wait is in vain. Raises `unknown_stream`."""
        with self._lock:
            while not self._changed.wait_for(lambda: self._is_at_rest(hold), CANCEL_POLL_S):
                check()
            if self.flow.ended:
                raise SidecarError("unknown_stream", f"stream {self.id!r} has ended", stream=self.id)
            hold.rests = True
            return Paused(self._turns, self.flow.outputs, self.flow.inputs)

    def release(self, hold: Hold) -> None:
        """Go on."""
        with self._lock:
            self._output.holds.remove(hold)
            self._schedule()
        self._end_if_winding_down()

    def info(self) -> StreamInfo:
        """What `streams/list` says of it."""
        flow = self.flow
        return StreamInfo(self.id, self.method, flow.kind, flow.outputs, flow.inputs, flow.credit_bytes)

    def is_idle(self, since: float) -> bool:
        """Whether it has waited for the host from `since` on."""
        with self._lock:
            return self._active_at <= since and (not self._running or self._output.is_waiting)

    def wind_down(self, reason: Reason) -> None:
        """The host is gone or the process stops: go on with what there is, and end instead of waiting for more."""
        with self._lock:
            self._last_reason = reason
            self._output.gets_no_credit = True
            self._changed.notify_all()
        self._end_if_winding_down()

    def _end_if_winding_down(self) -> None:
        with self._lock:
            goes_on = self._running or bool(self._output.holds) or self._has_work()
        if self._last_reason is not None and not goes_on:
            self.end(self._last_reason)

    # -- turns -----------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Under the lock: get a thread if there is something to do and none does it."""
        if not self._running and self._has_work():
            self._running = True
            self._runtime.submit(self._run)

    def _has_work(self) -> bool:
        if self.flow.phase is Phase.ENDED:
            return self._is_told and not self._closed and not any(hold.rests for hold in self._output.holds)
        if not self._started or self._is_held():
            return False
        if self._is_over():
            return True
        if self.flow.kind == "exchange" and self._input.head is None:
            return bool(self._input)  # to be read, and let go of where it is served
        return self._output.may_emit()

    def _is_held(self) -> bool:
        return any(hold.mark <= self._input.served for hold in self._output.holds)

    def _is_over(self) -> bool:
        """Whether the host closed it and nothing is left to serve."""
        return self.flow.phase is Phase.CLOSING and (self.flow.kind == "producer" or not self._input)

    def _is_at_rest(self, hold: Hold) -> bool:
        is_due = hold.mark <= self._input.served
        return self.flow.ended or (is_due and not self._in_turn and not self._outbox.bytes)

    def _run(self) -> None:
        yields_at = self._runtime.clock() + SLICE_S
        while self._begin_step(yields_at):
            if self.flow.ended:
                self._close()
            else:
                self._turn()

    def _begin_step(self, yields_at: float) -> bool:
        """Leave the step before, and go on if there is another; else give the thread back."""
        with self._lock:
            self._in_turn = False
            self._active_at = self._runtime.clock()
            if self._output.holds:
                self._changed.notify_all()
            if self._has_work():
                self._in_turn = self._active_at < yields_at
                if not self._in_turn:
                    self._runtime.submit(self._run)
                return self._in_turn
            self._running = False
        self._end_if_winding_down()
        return False

    def _turn(self) -> None:
        try:
            if self._is_over():
                self.end("close")
            elif self.flow.kind == "producer":
                if self._turns.turn(None, self._output):
                    self.end("finish")
            else:
                self._exchange()
        except BaseException as error:  # of the author's code, which may call sys.exit
            if self._output.cancelled:
                if not isinstance(error, Cancelled):
                    _log.warning("a turn of %s failed when nobody wanted it any more: %r", self.method, error)
                self.end("close")
            elif isinstance(error, Cancelled) and self._last_reason is not None:
                self.end(self._last_reason)
            else:
                self.fail(failure(self.method, error, self._runtime.terms.debug))

    def _exchange(self) -> None:
        self._input.fetch(self._turns, self._give_credit)
        with self._lock:
            may_turn = self._input.head is not None and not self._is_held() and self._output.may_emit()
        if may_turn:
            self._turns.turn(self._input.take(), self._output)

    def _give_credit(self, served_bytes: int) -> None:
        owed = self.flow.served(served_bytes)
        if owed:
            self._output.send("streams/credit", {"bytes": owed})

    def _close(self) -> None:
        assert self.flow.reason is not None
        self._input.drop()
        try:
            self._turns.close(self.flow.reason)
        except BaseException:
            _log.exception("on_close of a stream of %s failed", self.method)
        with self._lock:
            self._closed = True
        self._runtime.closed(self)
