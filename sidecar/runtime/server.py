"""The process at work: one thread reads the wire and never waits for a handler, lanes run them, one writer answers."""

from __future__ import annotations

import logging
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from threading import Condition, Thread
from typing import Any

from ..protocol.conversation import INITIALIZE, Answer, Call, Conversation, Event, Execute
from ..protocol.errors import SidecarError
from ..protocol.messages import BadMessage, Failure, Message, Notification, Result, parse
from ..protocol.methods import InitializeParams, Method, check_version, convert, lane
from ..wire.framing import Frame, FrameError, FrameReader, Refused, encode
from ..wire.limits import MIB, Limits
from . import platform
from .context import CallContext
from .lanes import Lanes
from .stdio import Wire
from .stopping import EXIT_INTERNAL, EXIT_OK, EXIT_OUTPUT_BROKEN, EXIT_PROTOCOL, FLUSH_S, Stop, Stopper
from .writer import OutputBroken, Writer

MAX_QUEUED_BYTES = 64 * MIB
"""Answers that wait for the host to read. A handler with a further answer waits."""

RESERVE_BYTES = 16 * MIB
"""What the reader may queue beyond that: pings, refusals, cheap answers."""

SHUTDOWN = "shutdown"

_log = logging.getLogger("sidecar")


class Server:
    """Serves `methods` on `wire` until the host goes or says so.

    `max_pending_bytes` bounds the payloads of requests that are not answered yet; one that would go beyond it is
    read past and answered `overloaded`, so that the line stays free for ping and cancel. One request is always
    taken, however large its payload within the limits.
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
        self._max_pending_bytes = max_pending_bytes
        self._pending_bytes = 0  # of requests that are not answered
        self._arriving_bytes = 0  # of the frame that is being read; the reader's own
        self._frames = FrameReader(limits, self._allocate)
        self._conversation = Conversation()
        self._changed = Condition()  # guards the conversation and the pending bytes
        self._lanes = Lanes()
        self._stopper = Stopper(self._wind_down)
        self._writer = Writer(wire.output_fd, MAX_QUEUED_BYTES, self._on_broken_output)

    def run(self, parent_pid: int | None) -> None:
        """Read until the end; the process then ends by itself, so this does not return.

        `parent_pid` is the process to die with, or None. Must be called on the main thread.
        """
        signal.signal(signal.SIGTERM, lambda *_: self._stopper.stop(Stop("terminated", EXIT_OK)))
        if parent_pid is not None:
            Thread(target=self._watch, args=(parent_pid,), name="watchdog", daemon=True).start()
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
        except FrameError as fault:
            self._end_of_line(fault)
        else:
            self._stopper.stop(Stop("end of input", EXIT_OK))

    def _end_of_line(self, fault: FrameError) -> None:
        quoted = fault.quoted.decode("ascii", "backslashreplace")
        params = {"culprit": fault.culprit, "message": str(fault), "quoted": quoted}
        _log.error("protocol error: %s; the frame begins with %r", fault, fault.quoted)
        self._send_from_reader(Notification("protocol_error", params))
        self._stopper.stop(Stop("protocol error", EXIT_PROTOCOL, grace_s=0))

    def _allocate(self, size: int) -> Any:
        import pyarrow as pa  # 35 ms that a process which gets no payload does not need

        total = self._pending_bytes + self._arriving_bytes + size
        if self._pending_bytes and total > self._max_pending_bytes:
            self._arriving_bytes = 0
            raise Refused(f"{self._pending_bytes} bytes of payload wait already, the limit is {self._max_pending_bytes}")
        buffer = pa.allocate_buffer(size)
        self._arriving_bytes += size
        return buffer

    def _take(self, frame: Frame) -> None:
        payload_bytes, self._arriving_bytes = self._arriving_bytes, 0
        try:
            message = parse(frame)
        except BadMessage as bad:
            self._send_from_reader(bad.failure)
            return
        with self._changed:
            event = self._conversation.receive(message)
            self._changed.notify_all()
        self._handle(event, payload_bytes)

    def _handle(self, event: Event | None, payload_bytes: int) -> None:
        if isinstance(event, Answer):
            self._send_from_reader(event.response)
        elif isinstance(event, Execute):
            self._dispatch(event.call, payload_bytes)

    def _dispatch(self, call: Call, payload_bytes: int) -> None:
        if call.method == SHUTDOWN:
            self._stopper.stop(Stop("shutdown", EXIT_OK))
            return
        try:
            method, params = self._resolve(call)
        except SidecarError as error:
            self._answer(call, error, RESERVE_BYTES)
            return
        key = lane(call.params)
        call.params = {}  # the handler has them as a struct; a second reference would outlive it
        if method.is_cheap(params) and self._lanes.is_idle(key) and self._writer.has_room():
            self._execute(call, method, params, 0, RESERVE_BYTES)
            return
        with self._changed:
            self._pending_bytes += payload_bytes
        self._lanes.submit(key, partial(self._execute, call, method, params, payload_bytes))

    def _resolve(self, call: Call) -> tuple[Method, Any]:
        if call.method == INITIALIZE:
            self._initialize(convert(call.params, InitializeParams))
        method = self._methods.get(call.method)
        if method is None:
            known = sorted({*self._methods, SHUTDOWN})
            raise SidecarError("method_not_found", f"there is no method {call.method!r}", methods=known)
        return method, convert(call.params, method.params)

    def _initialize(self, params: InitializeParams) -> None:
        check_version(params.protocol_version)
        limits = params.limits
        self._debug = params.debug
        self._host_limits = Limits(
            limits.max_header_bytes or self._host_limits.max_header_bytes,
            limits.max_payload_bytes or self._host_limits.max_payload_bytes,
        )

    # -- serving ---------------------------------------------------------------------------------------------

    def _execute(self, call: Call, method: Method, params: Any, payload_bytes: int, reserve_bytes: int = 0) -> None:
        with self._changed:
            started = self._conversation.start(call)
        outcome = self._run(call, method, params) if started else None
        del params
        if payload_bytes:
            with self._changed:
                self._pending_bytes -= payload_bytes
        if started:
            self._answer(call, outcome, reserve_bytes)

    def _run(self, call: Call, method: Method, params: Any) -> Any:
        context = CallContext(call, self._commit, self._notify, self._clock)
        try:
            return method.handler(params, context)
        except SidecarError as error:
            return error
        except MemoryError as error:
            return SidecarError("memory_limit", f"{call.method}: {error or 'out of memory'}")
        except BaseException as error:  # a handler may call sys.exit; a panic in Rust is no Exception either
            _log.exception("%s failed", call.method)
            data = {"traceback": traceback.format_exc()} if self._debug else {}
            name = type(error).__name__
            return SidecarError("internal_error", f"{call.method} failed: {name}: {error}", method=call.method, **data)

    def _commit(self, call: Call) -> None:
        with self._changed:
            self._conversation.commit(call)

    def _answer(self, call: Call, outcome: Any, reserve_bytes: int = 0) -> None:
        parts: list[Any] | None = None
        if not isinstance(outcome, SidecarError):
            try:
                parts = self._encode(Result(call.id, outcome))
            except SidecarError as error:
                outcome = error
        with self._changed:
            answer = self._conversation.finish(call, outcome)
            self._changed.notify_all()
        if answer is not None:
            self._put(parts or encode(answer.response), reserve_bytes)

    def _encode(self, result: Result) -> list[Any]:
        try:
            parts = encode(result)
        except (TypeError, ValueError, RecursionError) as fault:
            raise SidecarError("internal_error", f"the result has no JSON form: {fault}") from None
        header_bytes, payload_bytes = len(parts[0]), sum(memoryview(part).nbytes for part in parts[1:])
        limits = self._host_limits
        if header_bytes > limits.max_header_bytes or payload_bytes > limits.max_payload_bytes:
            raise SidecarError(
                "too_large",
                f"the answer has {header_bytes} + {payload_bytes} bytes, the host takes "
                f"{limits.max_header_bytes} + {limits.max_payload_bytes}: ask for less at a time",
                header_bytes=header_bytes,
                payload_bytes=payload_bytes,
                **limits._asdict(),
            )
        return parts

    # -- sending ---------------------------------------------------------------------------------------------

    def log(self, level: str, message: str) -> None:
        """Send a `log` notification; silently not, where the host does not read: standard error has it too."""
        if self._writer.has_room():
            self._put(encode(Notification("log", {"level": level, "message": message})), RESERVE_BYTES)

    def _notify(self, notification: Notification) -> None:
        self._put(encode(notification))

    def _send_from_reader(self, message: Message) -> None:
        self._put(encode(message), RESERVE_BYTES)

    def _put(self, parts: list[Any], reserve_bytes: int = 0) -> None:
        try:
            self._writer.put(parts, reserve_bytes)
        except OutputBroken:
            pass  # the process is on its way out

    # -- stopping --------------------------------------------------------------------------------------------

    def _watch(self, parent_pid: int) -> None:
        platform.wait_for_parent_to_end(parent_pid)
        self._stopper.stop(Stop("the host is gone", EXIT_OK, grace_s=0))

    def _on_broken_output(self) -> None:
        self._stopper.stop(Stop("output broken", EXIT_OUTPUT_BROKEN, grace_s=0))

    def _wind_down(self, stop: Stop) -> None:
        """Finish what is open within the grace, cancel the rest, answer a shutdown last, and flush."""
        _log.info("stopping: %s", stop.reason)
        with self._changed:
            self._conversation.stop()
            self._changed.wait_for(lambda: not self._working(), stop.grace_s)
            shutdowns = [call for call in self._conversation.open.values() if call.method == SHUTDOWN]
            answers = [self._conversation.finish(call, None) for call in shutdowns]
            answers = [*self._conversation.cancel_all(), *answers]
        for answer in answers:
            if answer is not None:
                self._put(encode(answer.response), RESERVE_BYTES)
        self._writer.flush(FLUSH_S)

    def _working(self) -> bool:
        return any(call.method != SHUTDOWN for call in self._conversation.open.values())


class WireLog(logging.Handler):
    """Sends the product's own log records to the host."""

    def __init__(self, server: Server) -> None:
        super().__init__(logging.INFO)
        self._server = server

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._server.log(record.levelname.lower(), record.getMessage())
