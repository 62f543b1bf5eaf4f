"""The host's end of the wire: writes requests, reads answers, and tells every caller when it breaks.

Whoever holds `_reading` reads. That is a thread of its own, but when it has settled the last open call it lends the
wire for a moment: a caller that waits for its next answer then reads it itself, and two thread switches are saved
(measured, a ping from an idle host on two cores: 30 µs instead of 85).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from typing import Any

from ..protocol.conversation import CANCEL
from ..protocol.messages import BadMessage, Failure, Message, Notification, Request, Result, check_size, parse
from ..runtime import platform
from ..runtime.readiness import ReadWait
from ..wire.framing import FrameError, FrameReader, encode
from ..wire.limits import GIB, MIB, Limits
from .calls import Call, OnProgress, OnServiceLog, Waiter
from .faults import HostFault, ProtocolViolation, SidecarGone
from .inbox import Inbox

HOST_LIMITS = Limits(max_header_bytes=256 * MIB, max_payload_bytes=8 * GIB)
"""What this host takes in one frame: more than a sidecar sends unless it is told to."""

LENT_S = 0.005
"""How long the wire is lent while no caller reads it; then the reading thread takes it back."""

_log = logging.getLogger("sidecar.client")

OnNotification = Callable[[str, dict[str, Any]], None]


def _allocate(size: int) -> Any:
    import pyarrow as pa

    return pa.allocate_buffer(size)


class Line:
    """Calls may be made from any thread; notifications are handed to `on_notification` on the thread that reads."""

    def __init__(self, input_fd: int, output_fd: int, on_notification: OnNotification) -> None:
        self._input_fd = input_fd
        self._output_fd = output_fd
        self._on_notification = on_notification
        self._ids = count(1)
        self._calls: dict[int, Call] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._waiters: set[Waiter] = set()  # for what inboxes get
        self._state = Lock()  # guards the calls and the fault
        self._output = Lock()
        self._frames = FrameReader(HOST_LIMITS, _allocate)
        self._input = ReadWait(input_fd)
        self._reading = Lock()
        self._reader: int | None = None  # the thread that is in a step, and maybe in a callback
        self._pid = os.getpid()
        self.limits = Limits()
        self._turns = 0  # how often a caller read
        self._wanted = Event()  # calls are open that nobody reads for
        self.fault: HostFault | None = None
        self._explain: Callable[[HostFault], HostFault] = lambda fault: fault
        self._thread = Thread(target=self._read, name="sidecar-reader", daemon=True)

    def start(self, explain: Callable[[HostFault], HostFault]) -> None:
        """Begin to read. `explain` adds what is known of the process to the fault that ends the line."""
        self._explain = explain
        self._thread.start()

    def request(
        self,
        method: str,
        params: dict[str, Any],
        on_progress: OnProgress | None = None,
        on_log: OnServiceLog | None = None,
    ) -> Call:
        """Send a request. Raises the fault of a broken line, and `TypeError` for what has no JSON form."""
        self._check_process()
        call = Call(next(self._ids), method, self._cancel, self.read_for, on_progress, on_log)
        parts = self._encode(method, Request(call.id, method, params))
        with self._state:
            if self.fault is not None:
                raise self.fault
            self._calls[call.id] = call
        self._send(parts)
        return call

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification. Raises as `request` does."""
        self._check_process()
        parts = self._encode(method, Notification(method, params))
        if self.fault is not None:
            raise self.fault
        self._send(parts)

    def _encode(self, method: str, message: Message) -> list[Any]:
        parts = encode(message)
        check_size(method, "sidecar", message, parts, self.limits)  # it would end the sidecar, with every session
        return parts

    def open_inbox(self, inbox: Inbox) -> None:
        """Hand all that comes for `inbox.stream` to it, until its end. Raises the fault of a broken line."""
        with self._state:
            if self.fault is not None:
                raise self.fault
            self._inboxes[inbox.stream] = inbox

    def drop_inbox(self, inbox: Inbox) -> None:
        """Nothing will come for it."""
        with self._state:
            self._inboxes.pop(inbox.stream, None)

    @property
    def is_read(self) -> bool:
        """Whether the reading thread is still there."""
        return self._thread.is_alive()

    def check_caller(self) -> None:
        """Raise `RuntimeError` on the thread that reads: what it would wait for, it would have to read itself."""
        self._check_process()
        if get_ident() == self._reader:
            raise RuntimeError("a callback cannot wait for the host that calls it: use `request`, and wait elsewhere")

    @property
    def is_own(self) -> bool:
        """Whether this is the process that started the sidecar, and not one that was forked off."""
        return os.getpid() == self._pid

    def _check_process(self) -> None:
        if not self.is_own:
            raise RuntimeError("the sidecar belongs to the process that started it, not to one that was forked off")

    def hang_up(self, close: Callable[[], None], timeout_s: float) -> None:
        """Write no more, and `close` the descriptor, whose number may be another file's afterwards. Does nothing where
        a write that is under way does not end in time."""
        if self._output.acquire(timeout=timeout_s):
            self._output_fd = -1
            with suppress(OSError):
                close()
            self._output.release()

    def join(self, timeout_s: float | None) -> None:
        """Wait until the sidecar has closed its output and all that it sent is handled."""
        self._thread.join(timeout_s)

    def _cancel(self, id: int) -> None:
        self._send(encode(Notification(CANCEL, {"id": id})))

    def _send(self, parts: list[Any]) -> None:
        try:
            with self._output:
                if self._output_fd < 0:
                    return  # whoever reads sees the end
                written = platform.write_some(self._output_fd, parts)
                if written < sum(map(len, parts)):
                    self._send_rest([memoryview(part) for part in parts], written)
        except OSError:
            return  # whoever reads sees the same end, and settles every call with the reason
        except BaseException as error:  # a Ctrl-C on the main thread: a part of the frame may be written
            self._end(HostFault(f"writing to the sidecar was interrupted by {type(error).__name__}"))
            raise

    def _send_rest(self, views: list[memoryview], written: int) -> None:
        platform.drop(views, written)
        while views:
            platform.drop(views, platform.write_some(self._output_fd, views))

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while self.fault is None:
            with self._reading:
                while self.fault is None:
                    self._step()
                    if not self._is_awaited() and self._input.can_wait:
                        break
            self._lend()

    def _lend(self) -> None:
        """Leave the wire to callers, as long as they use it and nobody else wants an answer."""
        turns = None
        while turns != self._turns and not self._wanted.is_set():
            turns = self._turns
            self._wanted.wait(LENT_S)
        self._wanted.clear()

    def wait(self, waiter: Waiter, timeout_s: float | None) -> bool:
        """Wait for what an inbox gets; False if it is not in time."""
        self._waiters.add(waiter)
        try:
            return waiter.wait(self.read_for, timeout_s)
        finally:
            self._waiters.discard(waiter)

    def _is_awaited(self) -> bool:
        return bool(self._calls) or any(not waiter.done for waiter in tuple(self._waiters))

    def read_for(self, call: Waiter, ends_at: float | None) -> None:
        """Called by the thread that waits for `call`: read until it is settled or too late, if nobody else does."""
        self.check_caller()
        if not self._input.can_wait or not self._reading.acquire(blocking=False):
            return
        try:
            while not call.done and self._input.wait(None if ends_at is None else ends_at - monotonic()):
                self._step()
        finally:
            self._turns += 1
            self._reading.release()
            if self._is_awaited():
                self._wanted.set()

    def _step(self) -> None:
        """One read, and what it brings."""
        self._reader = get_ident()
        try:
            fault = self._read_some()
        except (FrameError, BadMessage) as broken:
            fault = ProtocolViolation(f"the sidecar sent what is no frame: {broken}")
        except OSError as broken:
            fault = SidecarGone(f"the sidecar's output cannot be read: {broken}")
        except BaseException as error:  # a Ctrl-C on the main thread: what was read may be lost
            self._end(HostFault(f"reading the sidecar's output was interrupted by {type(error).__name__}"))
            raise
        finally:
            self._reader = None
        if fault is not None:
            try:
                fault = self._explain(fault)
            finally:
                self._end(fault)

    def _end(self, fault: HostFault) -> None:
        with self._state:
            self.fault = fault
            calls, self._calls = list(self._calls.values()), {}
            inboxes, self._inboxes = list(self._inboxes.values()), {}
        for call in calls:
            call.fail(fault)
        for inbox in inboxes:
            inbox.fail(fault)

    def _read_some(self) -> HostFault | None:
        size = platform.read_into(self._input_fd, self._frames.get_buffer())
        if not size:
            self._frames.eof()
            return SidecarGone("the sidecar ended")
        for frame in self._frames.buffer_updated(size):
            unanswerable = self._take(parse(frame))
            if unanswerable is not None:
                return unanswerable
        return None

    def _take(self, message: Message) -> HostFault | None:
        if isinstance(message, Result | Failure):
            return self._settle(message)
        if isinstance(message, Notification):
            self._notified(message.method, message.params)
            return None
        return ProtocolViolation(f"the sidecar sent a request: {message.method}")

    def _settle(self, response: Result | Failure) -> HostFault | None:
        with self._state:
            call = self._calls.pop(response.id, None) if isinstance(response.id, int) else None
        if call is not None:
            call.settle(response)
            return None
        if isinstance(response, Failure) and response.error.data.get("kind") == "unknown_stream":
            return None  # what was sent to a stream crossed with its end, or with an opening that failed
        return ProtocolViolation(f"the sidecar answered request {response.id!r}, which is not open: {response!r}"[:500])

    def _notified(self, method: str, params: dict[str, Any]) -> None:
        taker: Inbox | Call | None
        if method.startswith("streams/"):
            taker = self._inboxes.get(f"{params.get('stream')}")
        elif method in ("$/progress", "$/log"):
            id = params.get("id")
            taker = self._calls.get(id) if isinstance(id, int) else None
        else:
            _guarded(self._on_notification, method, params)
            return
        if taker is not None:  # or it is of a call that was answered, or of a stream that was cancelled
            _guarded(taker.take, method, params)
            if method == "streams/end" and isinstance(taker, Inbox):
                self.drop_inbox(taker)


def _guarded(callback: Callable[..., None], *arguments: Any) -> None:
    """A callback that fails is the caller's affair; the line and its other calls go on."""
    try:
        callback(*arguments)
    except Exception:
        _log.exception("a callback failed")
