"""The process at work: one thread reads the wire and never waits for a handler, lanes run them, one writer answers."""

from __future__ import annotations

import faulthandler
import logging
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

from ..protocol.conversation import Answer, Event, Execute
from ..protocol.errors import SidecarError
from ..protocol.messages import BadMessage, Failure, Message, Notification, parse
from ..protocol.methods import Methods
from ..wire.framing import Frame, FrameError, FrameReader, encode
from ..wire.limits import MIB, Limits
from . import platform
from .calls import RESERVE_BYTES, SHUTDOWN, Calls
from .exit_codes import EXIT_INTERNAL, EXIT_OK, EXIT_OUTPUT_BROKEN, EXIT_PROTOCOL
from .outcomes import encode_log, encode_response
from .pending import Pending
from .stdio import Wire
from .stopping import FLUSH_S, Stop, Stopper
from .streams import CLOSE_S, IDLE_S, MAX_STREAMS, Streams
from .terms import Terms
from .timers import Coalesced, Timers
from .writer import Writer

MAX_QUEUED_BYTES = 64 * MIB
"""Answers that wait for the host to read. A handler with a further answer waits."""

MAPPED_BYTES = 4 * MIB
"""Payloads from this size on, most of which become sessions, get memory that goes back to the system when freed."""

_log = logging.getLogger("sidecar")


class Server:
    """Serves `methods` on `wire` until the host goes or says so.

    `max_pending_bytes` bounds the requests that wait for a handler or its end, as the bytes of their frames; one that
    would go beyond it is read past and answered `overloaded`, so that the line stays free for ping and cancel. One
    request is always taken, however large within the limits. `max_streams` and `idle_s` bound the open streams, and
    how long their host may say nothing.
    """

    def __init__(
        self,
        wire: Wire,
        methods: Methods,
        limits: Limits,
        max_pending_bytes: int,
        max_streams: int = MAX_STREAMS,
        idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
        stopper: Callable[[Callable[[Stop], None]], Stopper] = Stopper,
    ) -> None:
        self._wire = wire
        self._clock = clock
        pending, self._terms = Pending(max_pending_bytes), Terms()
        self._frames = FrameReader(limits, _allocate, pending.check)
        self._stopper = stopper(self._wind_down)
        self._writer = Writer(wire.output_fd, MAX_QUEUED_BYTES, self._on_broken_output)
        self._timers = Timers(clock)
        self._streams = Streams(self._writer, pending, self._timers, self._terms, clock, max_streams, idle_s)
        self._calls = Calls(methods, self._writer, pending, self._streams, self._timers, self._terms, clock)

    def run(self, host_pid: int | None, on_serving: Callable[[], None] = lambda: None) -> None:
        """Read until the end; the process then ends by itself, so this does not return.

        `host_pid` is the process to die with, or None; `on_serving` is called before the first read. Must be called on
        the main thread.
        """
        platform.on_terminate(lambda: self._stopper.stop(Stop("terminated", EXIT_OK)))
        faulthandler.enable(2)  # a crash in native code says where
        if host_pid is not None:
            Thread(target=self._watch_process, args=(host_pid,), name="watchdog", daemon=True).start()
        on_serving()
        self.serve()

    def serve(self) -> None:
        """Read until the end, and return when all is stopped, if `stopper` does not end the process."""
        Thread(target=self._watch_input, name="hangup", daemon=True).start()
        try:
            self._read()
        except BaseException:
            _log.exception("the reader failed")
            self._stopper.stop(Stop("internal error", EXIT_INTERNAL, grace_s=0))
        self._stopper.ended.wait()
        for threads in (self._calls, self._streams, self._timers, self._writer):
            threads.close()

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
            self._stopper.stop(Stop("end of input", EXIT_OK, ends_streams="host_gone"))

    def _end_of_line(self, fault: FrameError) -> None:
        quoted = fault.quoted.decode("ascii", "backslashreplace")
        params = {"culprit": fault.culprit, "message": str(fault), "quoted": quoted}
        self._send(Notification("protocol_error", params))
        self._stopper.stop(Stop(f"protocol error: {fault}; the frame begins with {fault.quoted!r}", EXIT_PROTOCOL, 0))

    def _take(self, frame: Frame) -> None:
        event = self._receive(frame)
        if isinstance(event, Answer):
            self._writer.put(encode_response(event.response, self._terms.limits), RESERVE_BYTES)
        elif isinstance(event, Execute) and event.call.method == SHUTDOWN:
            self._shut_down()
        elif isinstance(event, Execute):
            self._calls.dispatch(event.call, frame.size)

    def _receive(self, frame: Frame) -> Event | None:
        try:
            message = parse(frame)
            if isinstance(message, Notification):
                self._streams.take(message)
            return self._calls.receive(message)
        except BadMessage as bad:
            header = frame.header
            is_told = self._streams.refuse(header.get("method"), header.get("params"), bad.error)
            return None if is_told else self._calls.refuse(bad)
        except SidecarError as error:
            return Answer(Failure(None, error.to_object()))

    # -- sending ---------------------------------------------------------------------------------------------

    def log(self, level: str, message: str) -> None:
        """Send a `log` notification; silently not, where the host does not read: standard error has it too."""
        if self._writer.has_room():
            self._writer.put(encode_log(level, message, self._terms.limits), RESERVE_BYTES)

    def coalesced(self, delay_s: float, action: Callable[[], None]) -> Callable[[], None]:
        """`action`, to be asked for often and done once a while. It holds up timers, and nothing else."""
        return Coalesced(self._timers, delay_s, action)

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification; waits for a host that does not read."""
        self._writer.put(encode(Notification(method, params)))

    def _send(self, message: Message) -> None:
        self._writer.put(encode(message), RESERVE_BYTES)

    # -- stopping --------------------------------------------------------------------------------------------

    def _watch_input(self) -> None:
        """The reader may be waiting for a host that does not read, and then does not see that it wrote its last."""
        if platform.wait_for_hangup(self._wire.input_fd):
            self._writer.lift_reserve()

    def _watch_process(self, pid: int) -> None:
        platform.wait_for_process_to_end(pid)
        self._stopper.stop(Stop("the host is gone", EXIT_OK, grace_s=0, ends_streams="host_gone"))

    def _on_broken_output(self) -> None:
        self._stopper.stop(Stop("output broken", EXIT_OUTPUT_BROKEN, grace_s=0, ends_streams="host_gone"))

    def _shut_down(self) -> None:
        self._calls.stop()  # at once: the next request may have been read already
        self._stopper.stop(Stop("shutdown", EXIT_OK))

    def _wind_down(self, stop: Stop) -> None:
        """Finish what is open within the grace, cancel the rest, answer a shutdown last, and flush."""
        _log.log(logging.ERROR if stop.code else logging.INFO, "stopping: %s", stop.reason)
        ends_at = self._clock() + stop.grace_s
        self._calls.stop()
        self._streams.stop(stop.ends_streams)
        self._calls.wait(stop.grace_s)
        self._streams.wait(max(0, ends_at - self._clock()))
        self._streams.end_all(stop.ends_streams)
        self._streams.wait(CLOSE_S)
        self._calls.cancel_all()
        self._writer.flush(FLUSH_S)


def _allocate(size: int) -> Any:
    import pyarrow as pa  # the services have imported it; the runtime by itself does without

    return platform.map_memory(size) if size >= MAPPED_BYTES else pa.allocate_buffer(size)
