"""The requests under way: each on its lane or at once, and answered exactly once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Condition, RLock
from typing import Any, NamedTuple

from ..protocol.conversation import INITIALIZE, Answer, Call, Conversation, Event
from ..protocol.errors import SidecarError
from ..protocol.messages import BadMessage, Message, Notification, Result, check_size, overloaded
from ..protocol.methods import Method, Methods, convert, lane
from ..wire.framing import Refused, encode
from ..wire.limits import MIB
from .context import CallRuntime, RequestContext
from .lanes import Lanes
from .outcomes import encode_response, encode_result, failure
from .pending import Pending
from .streams import Streams
from .terms import Terms
from .timers import Timer, Timers
from .writer import NO_BOUND, Writer

RESERVE_BYTES = 16 * MIB
"""What the reader may queue beyond the bound of the output: pings, refusals, cheap answers."""

CHEAP_BYTES = 64 * 1024
"""The largest request that the thread which reads the wire may serve itself."""

SHUTDOWN = "shutdown"


class _Work(NamedTuple):
    """A request that a lane has."""

    call: Call
    method: Method
    params: Any
    context: RequestContext
    frame_bytes: int
    timer: Timer | None


class Calls:
    """Only the thread that reads the wire may call `receive`, `refuse` and `dispatch`."""

    def __init__(
        self,
        methods: Methods,
        writer: Writer,
        pending: Pending,
        streams: Streams,
        timers: Timers,
        terms: Terms,
        clock: Callable[[], float],
    ) -> None:
        self._methods = methods
        self._writer = writer
        self._pending = pending
        self._timers = timers
        self._terms = terms
        self._clock = clock
        self._conversation = Conversation()
        self._unsent = 0  # answers that were given and are not queued for writing yet
        self._lock = RLock()  # guards the conversation and the unsent answers
        self._changed = Condition(self._lock)  # told only while the process stops: nobody waits before that
        self._lanes = Lanes()
        self._runtime = CallRuntime(self._commit, self._lanes.leave, self._notify, clock, streams, lambda: terms.limits)

    def receive(self, message: Message) -> Event | None:
        """What to do about a message of the host's."""
        with self._lock:
            event = self._conversation.receive(message)
            if self._conversation.stopping:
                self._changed.notify_all()
            return event

    def refuse(self, bad: BadMessage) -> Answer:
        """The answer to a frame that holds no message."""
        with self._lock:
            return self._conversation.refuse(bad.failure)

    def dispatch(self, call: Call, frame_bytes: int) -> None:
        """Serve a request: at once where it is cheap, else on its lane. A method that is not made yet is made there:
        its imports would keep the reader from pings and cancels for 20 to 60 ms (measured)."""
        key = lane(call.params)
        try:
            resolved = None if self._methods.is_unmade(call.method) else self._resolve(call)
            if resolved is not None and self._is_for_reader(*resolved, key, frame_bytes):
                context = RequestContext(call, self._runtime)
                self._answer(call, self._run(call, *resolved, context), RESERVE_BYTES)
                return
            self._pending.take(frame_bytes)
        except Refused as refusal:
            self._answer(call, overloaded(refusal, frame_bytes), RESERVE_BYTES)
        except Exception as error:
            self._answer(call, failure(call.method, error, self._terms.debug), RESERVE_BYTES)
        else:
            now = self._clock()
            if resolved is None:
                self._lanes.submit(key, partial(self._make, call, frame_bytes, now))
            else:
                self._lanes.submit(key, partial(self._execute, self._work(call, *resolved, frame_bytes, now)))

    def _is_for_reader(self, method: Method, params: Any, key: str | None, frame_bytes: int) -> bool:
        is_small = frame_bytes <= CHEAP_BYTES
        return is_small and method.is_cheap(params) and self._lanes.is_idle(key) and self._writer.has_room()

    def _work(self, call: Call, method: Method, params: Any, frame_bytes: int, arrived_at: float) -> _Work:
        call.params = {}  # the handler has them as a struct; a second reference would outlive it
        timeout_s = getattr(params, "timeout_s", None)
        deadline = None if timeout_s is None else arrived_at + timeout_s
        timer = None if deadline is None else self._timers.at(deadline, partial(self._expire, call))
        context = RequestContext(call, self._runtime, deadline)
        stream = getattr(params, "stream", None)
        if method.drains is not None and stream is not None:
            context.begin_drain(stream, method.drains)
        return _Work(call, method, params, context, frame_bytes, timer)

    def _resolve(self, call: Call) -> tuple[Method, Any]:
        method = self._methods.get(call.method)
        if method is None:
            known = sorted({*self._methods, SHUTDOWN})
            raise SidecarError("method_not_found", f"there is no method {call.method!r}", methods=known)
        return method, convert(call.params, method.params)

    # -- on a lane -------------------------------------------------------------------------------------------

    def _make(self, call: Call, frame_bytes: int, arrived_at: float) -> None:
        """Serve a request whose method was not made when it came."""
        try:
            resolved = [self._resolve(call)]
        except BaseException as error:  # a panic in a library that is imported is no Exception
            self._pending.remove(frame_bytes)
            self._answer(call, failure(call.method, error, self._terms.debug))
        else:  # `pop`, as nothing here may hold on to the params, which `_execute` lets go of before it ends
            self._execute(self._work(call, *resolved.pop(), frame_bytes, arrived_at))

    def _execute(self, work: _Work) -> None:
        call, context = work.call, work.context
        outcome = self._run(call, work.method, work.params, context)
        self._pending.remove(work.frame_bytes)  # before the answer, which may have to wait for the host to read
        if work.timer is not None:
            work.timer.cancel()
        outcome, parts = self._encoded(call, outcome)
        opened = context.opened
        if opened is not None and isinstance(outcome, SidecarError):
            opened.discard()  # before the answer, after which the id is free
            opened = None
        self._send(call, outcome, parts)
        context.after.close()
        if opened is not None:
            opened.start()
        del work, outcome, parts  # an error's traceback leads back to this frame, and with it to the payload

    def _run(self, call: Call, method: Method, params: Any, context: RequestContext) -> Any:
        with self._lock:
            if not self._conversation.start(call):
                return None  # cancelled before it began; the answer is dropped as any late one
        try:
            result = method.handler(params, context)
            if call.method == INITIALIZE:
                self._terms.accept(params)
            return result
        except BaseException as error:  # a handler may call sys.exit; a panic in Rust is no Exception either
            return failure(call.method, error, self._terms.debug)

    def _answer(self, call: Call, outcome: Any, reserve_bytes: int = 0) -> None:
        self._send(call, *self._encoded(call, outcome), reserve_bytes)

    def _encoded(self, call: Call, outcome: Any) -> tuple[Any, list[Any] | None]:
        """What the call is answered with, and the frame of a result."""
        if isinstance(outcome, SidecarError):
            return outcome, None
        try:
            return outcome, encode_result(Result(call.id, outcome), self._terms.limits)
        except SidecarError as error:
            return error, None

    def _send(self, call: Call, outcome: Any, parts: list[Any] | None, reserve_bytes: int = 0) -> None:
        """Send the one answer."""
        with self._lock:
            answer = self._conversation.finish(call, outcome)
            self._unsent += 1
        if answer is not None:
            self._writer.put(parts or self._encode(answer), reserve_bytes)
        with self._lock:
            self._unsent -= 1
            if self._conversation.stopping:
                self._changed.notify_all()

    def _encode(self, answer: Answer) -> list[Any]:
        return encode_response(answer.response, self._terms.limits)

    def _expire(self, call: Call) -> None:
        with self._lock:
            answer = self._conversation.expire(call)
        if answer is not None:
            self._writer.put(self._encode(answer), NO_BOUND)

    def _commit(self, call: Call) -> None:
        with self._lock:
            self._conversation.commit(call)

    def _notify(self, notification: Notification) -> None:
        parts = encode(notification)
        check_size("the message", "host", notification, parts, self._terms.limits)
        self._writer.put(parts)

    # -- the end ---------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Take no further requests."""
        with self._lock:
            self._conversation.stop()

    def wait(self, timeout_s: float) -> None:
        """Wait until what is under way is answered."""
        with self._lock:
            self._changed.wait_for(lambda: not self._working(), timeout_s)

    def cancel_all(self) -> None:
        """Answer what is left: the shutdowns last."""
        with self._lock:
            shutdowns = [call for call in self._conversation.open.values() if call.method == SHUTDOWN]
            last = [answer for call in shutdowns if (answer := self._conversation.finish(call, None))]
            answers = [*self._conversation.cancel_all(), *last]
        for answer in answers:
            self._writer.put(self._encode(answer), NO_BOUND)

    def close(self) -> None:
        """End the threads."""
        self._lanes.close()

    def _working(self) -> bool:
        return self._unsent > 0 or any(call.method != SHUTDOWN for call in self._conversation.open.values())
