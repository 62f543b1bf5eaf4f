"""The process at work: one thread reads the wire and never waits for a handler, lanes run them, one writer answers."""

from __future__ import annotations

import faulthandler
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import Condition, RLock, Thread
from typing import Any

from ..protocol.conversation import INITIALIZE, Answer, Call, Conversation, Event, Execute
from ..protocol.errors import SidecarError
from ..protocol.messages import BadMessage, Message, Notification, Result, overloaded, parse
from ..protocol.methods import InitializeParams, Method, convert, lane
from ..wire.framing import Frame, FrameError, FrameReader, Refused, encode
from ..wire.limits import MIB, Limits
from . import platform
from .context import CallContext
from .lanes import Lanes
from .outcomes import encodable, encode_response, encode_result, failure
from .pending import Pending
from .stdio import Wire
from .stopping import EXIT_INTERNAL, EXIT_OK, EXIT_OUTPUT_BROKEN, EXIT_PROTOCOL, FLUSH_S, Stop, Stopper
from .writer import NO_BOUND, OutputBroken, Writer

MAX_QUEUED_BYTES = 64 * MIB
"""Answers that wait for the host to read. A handler with a further answer waits."""

RESERVE_BYTES = 16 * MIB
"""What the reader may queue beyond that: pings, refusals, cheap answers."""

MAPPED_BYTES = 4 * MIB
"""Payloads from this size on, most of which become sessions, get memory that goes back to the system when freed."""

CHEAP_BYTES = 64 * 1024
"""The largest request that the thread which reads the wire may serve itself."""

SHUTDOWN = "shutdown"

_log = logging.getLogger("sidecar")


class Server:
    """Serves `methods` on `wire` until the host goes or says so.

    `max_pending_bytes` bounds the requests that wait for a handler or its end, as the bytes of their frames; one that
    would go beyond it is read past and answered `overloaded`, so that the line stays free for ping and cancel. One
    request is always taken, however large within the limits.
    """

    def __init__(
        self,
        wire: Wire,
        methods: Mapping[str, Method],
        limits: Limits,
        max_pending_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire = wire
        self._methods = methods
        self._clock = clock
        self._host_limits = Limits()
        self._debug = False
        self._pending = Pending(max_pending_bytes)
        self._unsent = 0  # answers that were given and are not queued for writing yet
        self._frames = FrameReader(limits, _allocate, self._pending.check)
        self._conversation = Conversation()
        self._lock = RLock()  # guards the conversation and the unsent answers
        self._changed = Condition(self._lock)  # told only while the process stops: nobody waits before that
        self._lanes = Lanes()
        self._stopper = Stopper(self._wind_down)
        self._writer = Writer(wire.output_fd, MAX_QUEUED_BYTES, self._on_broken_output)

    def run(self, host_pid: int | None) -> None:
        """Read until the end; the process then ends by itself, so this does not return.

        `host_pid` is the process to die with, or None. Must be called on the main thread.
        """
        platform.on_terminate(lambda: self._stopper.stop(Stop("terminated", EXIT_OK)))
        faulthandler.enable(2)  # a crash in native code says where
        Thread(target=self._watch_input, name="hangup", daemon=True).start()
        if host_pid is not None:
            Thread(target=self._watch_process, args=(host_pid,), name="watchdog", daemon=True).start()
        try:
            self._read()
        except BaseException:
            _log.exception("the reader failed")
            self._stopper.stop(Stop("internal error", EXIT_INTERNAL, grace_s=0))
        self._stopper.ended.wait()

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while True:
                count = platform.read_into(self._wire.input_fd, self._frames.get_buffer())
                if not count:
                    self._frames.eof()
                    break
                for frame in self._frames.buffer_updated(count):
                    self._take(frame)
                    del frame  # or the last payload would stay until the next frame comes
        except FrameError as fault:
            self._end_of_line(fault)
        else:
            self._stopper.stop(Stop("end of input", EXIT_OK))

    def _end_of_line(self, fault: FrameError) -> None:
        quoted = fault.quoted.decode("ascii", "backslashreplace")
        params = {"culprit": fault.culprit, "message": str(fault), "quoted": quoted}
        self._send_from_reader(Notification("protocol_error", params))
        self._stopper.stop(Stop(f"protocol error: {fault}; the frame begins with {fault.quoted!r}", EXIT_PROTOCOL, 0))

    def _take(self, frame: Frame) -> None:
        with self._lock:
            event = self._receive(frame)
            if self._conversation.stopping:
                self._changed.notify_all()
        if isinstance(event, Answer):
            self._send_from_reader(event.response)
        elif isinstance(event, Execute):
            self._dispatch(event.call, frame.size)

    def _receive(self, frame: Frame) -> Event | None:
        try:
            message = parse(frame)
        except BadMessage as bad:
            return self._conversation.refuse(bad.failure)
        return self._conversation.receive(message)

    def _dispatch(self, call: Call, frame_bytes: int) -> None:
        if call.method == SHUTDOWN:
            with self._lock:
                self._conversation.stop()  # at once: the next request may have been read already
            self._stopper.stop(Stop("shutdown", EXIT_OK))
            return
        try:
            method, params = self._resolve(call)
            key = lane(call.params)
            is_small = frame_bytes <= CHEAP_BYTES
            if is_small and method.is_cheap(params) and self._lanes.is_idle(key) and self._writer.has_room():
                self._execute(call, method, params, RESERVE_BYTES)
                return
            self._pending.check(frame_bytes)
        except Refused as refusal:
            self._answer(call, overloaded(refusal, frame_bytes), RESERVE_BYTES)
        except Exception as error:
            self._answer(call, failure(call.method, error, self._debug), RESERVE_BYTES)
        else:
            call.params = {}  # the handler has them as a struct; a second reference would outlive it
            self._pending.add(frame_bytes)
            self._lanes.submit(key, partial(self._execute_pending, call, method, params, frame_bytes))

    def _resolve(self, call: Call) -> tuple[Method, Any]:
        method = self._methods.get(call.method)
        if method is None:
            known = sorted({*self._methods, SHUTDOWN})
            raise SidecarError("method_not_found", f"there is no method {call.method!r}", methods=known)
        return method, convert(call.params, method.params)

    def _initialize(self, params: InitializeParams) -> None:
        limits = params.limits
        self._debug = params.debug
        self._host_limits = Limits(
            limits.max_header_bytes or self._host_limits.max_header_bytes,
            limits.max_payload_bytes or self._host_limits.max_payload_bytes,
        )

    # -- serving ---------------------------------------------------------------------------------------------

    def _execute_pending(self, call: Call, method: Method, params: Any, frame_bytes: int) -> None:
        outcome = self._run(call, method, params)
        self._pending.remove(frame_bytes)  # before the answer, which may have to wait for the host to read
        self._answer(call, outcome)
        del params, outcome  # an error's traceback leads back to this frame, and with it to the payload

    def _execute(self, call: Call, method: Method, params: Any, reserve_bytes: int) -> None:
        self._answer(call, self._run(call, method, params), reserve_bytes)

    def _run(self, call: Call, method: Method, params: Any) -> Any:
        with self._lock:
            if not self._conversation.start(call):
                return None  # cancelled before it began; the answer is dropped as any late one
        context = CallContext(call, self._commit, self._notify, self._clock)
        try:
            result = method.handler(params, context)
            if call.method == INITIALIZE:
                self._initialize(params)
            return result
        except BaseException as error:  # a handler may call sys.exit; a panic in Rust is no Exception either
            return failure(call.method, error, self._debug)

    def _commit(self, call: Call) -> None:
        with self._lock:
            self._conversation.commit(call)

    def _answer(self, call: Call, outcome: Any, reserve_bytes: int = 0) -> None:
        parts: list[Any] | None = None
        if not isinstance(outcome, SidecarError):
            try:
                parts = encode_result(Result(call.id, outcome), self._host_limits)
            except SidecarError as error:
                outcome = error
        with self._lock:
            answer = self._conversation.finish(call, outcome)
            self._unsent += 1
        if answer is not None:
            self._put(parts or encode_response(answer.response), reserve_bytes)
        with self._lock:
            self._unsent -= 1
            if self._conversation.stopping:
                self._changed.notify_all()

    # -- sending ---------------------------------------------------------------------------------------------

    def log(self, level: str, message: str) -> None:
        """Send a `log` notification; silently not, where the host does not read: standard error has it too."""
        if self._writer.has_room():
            self._put(encode(Notification("log", {"level": level, "message": encodable(message)})), RESERVE_BYTES)

    def _notify(self, notification: Notification) -> None:
        self._put(encode(notification))

    def _send_from_reader(self, message: Message) -> None:
        self._put(encode(message), RESERVE_BYTES)

    def _put(self, parts: list[Any], reserve_bytes: int = 0) -> None:
        with suppress(OutputBroken):  # the process is on its way out
            self._writer.put(parts, reserve_bytes)

    # -- stopping --------------------------------------------------------------------------------------------

    def _watch_input(self) -> None:
        """The reader may be waiting for a host that does not read, and then does not see that it wrote its last."""
        if platform.wait_for_hangup(self._wire.input_fd):
            self._writer.lift_reserve()

    def _watch_process(self, pid: int) -> None:
        platform.wait_for_process_to_end(pid)
        self._stopper.stop(Stop("the host is gone", EXIT_OK, grace_s=0))

    def _on_broken_output(self) -> None:
        self._stopper.stop(Stop("output broken", EXIT_OUTPUT_BROKEN, grace_s=0))

    def _wind_down(self, stop: Stop) -> None:
        """Finish what is open within the grace, cancel the rest, answer a shutdown last, and flush."""
        _log.log(logging.ERROR if stop.code else logging.INFO, "stopping: %s", stop.reason)
        with self._lock:
            self._conversation.stop()
            self._changed.wait_for(lambda: not self._working(), stop.grace_s)
            shutdowns = [call for call in self._conversation.open.values() if call.method == SHUTDOWN]
            last = [answer for call in shutdowns if (answer := self._conversation.finish(call, None))]
            answers = [*self._conversation.cancel_all(), *last]
        for answer in answers:
            self._put(encode_response(answer.response), NO_BOUND)
        self._writer.flush(FLUSH_S)

    def _working(self) -> bool:
        return self._unsent > 0 or any(call.method != SHUTDOWN for call in self._conversation.open.values())


def _allocate(size: int) -> Any:
    import pyarrow as pa  # 35 ms that a process which gets no payload does not need

    return platform.map_memory(size) if size >= MAPPED_BYTES else pa.allocate_buffer(size)


class WireLog(logging.Handler):
    """Sends the product's own log records to the host."""

    def __init__(self, server: Server) -> None:
        super().__init__(logging.INFO)
        self._server = server

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._server.log(record.levelname.lower(), record.getMessage())
