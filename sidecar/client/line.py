"""The host's end of the wire: writes requests, reads answers on a thread, and tells every caller when it breaks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from threading import Lock, Thread
from typing import Any

from ..protocol.conversation import CANCEL
from ..protocol.messages import BadMessage, Failure, Message, Notification, Request, Result, parse
from ..runtime import platform
from ..wire.framing import FrameError, FrameReader, encode
from ..wire.limits import GIB, MIB, Limits
from .calls import Call, OnProgress, Progress
from .faults import HostFault, ProtocolViolation, SidecarGone

HOST_LIMITS = Limits(max_header_bytes=256 * MIB, max_payload_bytes=8 * GIB)
"""What this host takes in one frame: more than a sidecar sends unless it is told to."""

OnNotification = Callable[[str, dict[str, Any]], None]


def _allocate(size: int) -> Any:
    import pyarrow as pa

    return pa.allocate_buffer(size)


class Line:
    """Calls may be made from any thread; notifications are handed to `on_notification` on the reading thread."""

    def __init__(self, input_fd: int, output_fd: int, on_notification: OnNotification) -> None:
        self._input_fd = input_fd
        self._output_fd = output_fd
        self._on_notification = on_notification
        self._ids = count(1)
        self._calls: dict[int, Call] = {}
        self._state = Lock()  # guards the calls and the fault
        self._output = Lock()
        self.fault: HostFault | None = None
        self._explain: Callable[[HostFault], HostFault] = lambda fault: fault
        self._thread = Thread(target=self._read, name="sidecar-reader", daemon=True)

    def start(self, explain: Callable[[HostFault], HostFault]) -> None:
        """Begin to read. `explain` adds what is known of the process to the fault that ends the line."""
        self._explain = explain
        self._thread.start()

    def request(self, method: str, params: dict[str, Any], on_progress: OnProgress | None = None) -> Call:
        """Send a request. Raises the fault of a broken line."""
        call = Call(next(self._ids), method, self._cancel, on_progress)
        with self._state:
            if self.fault is not None:
                raise self.fault
            self._calls[call.id] = call
        self._send(Request(call.id, method, params))
        return call

    def join(self, timeout_s: float) -> None:
        """Wait until the sidecar has closed its output and all that it sent is handled."""
        self._thread.join(timeout_s)

    def _cancel(self, id: int) -> None:
        self._send(Notification(CANCEL, {"id": id}))

    def _send(self, message: Message) -> None:
        views = [memoryview(part).cast("B") for part in encode(message) if len(part)]
        try:
            with self._output:
                while views:
                    platform.drop(views, platform.write_some(self._output_fd, views))
        except OSError:
            # The reader sees the same end and settles every call with the reason.
            self._thread.join()

    def _read(self) -> None:
        try:
            fault: HostFault = self._read_to_end()
        except (FrameError, BadMessage) as broken:
            fault = ProtocolViolation(f"the sidecar sent what is no frame: {broken}")
        except OSError as broken:
            fault = SidecarGone(f"the sidecar's output cannot be read: {broken}")
        fault = self._explain(fault)
        with self._state:
            self.fault = fault
            calls, self._calls = list(self._calls.values()), {}
        for call in calls:
            call.fail(fault)

    def _read_to_end(self) -> HostFault:
        frames = FrameReader(HOST_LIMITS, _allocate)
        while True:
            size = platform.read_into(self._input_fd, frames.get_buffer())
            if not size:
                frames.eof()
                return SidecarGone("the sidecar ended")
            for frame in frames.buffer_updated(size):
                unanswerable = self._take(parse(frame))
                if unanswerable is not None:
                    return unanswerable

    def _take(self, message: Message) -> HostFault | None:
        if isinstance(message, Result | Failure):
            return self._settle(message)
        if isinstance(message, Notification):
            if message.method == "$/progress":
                self._progress(message.params)
            else:
                self._on_notification(message.method, message.params)
            return None
        return ProtocolViolation(f"the sidecar sent a request: {message.method}")

    def _settle(self, response: Result | Failure) -> HostFault | None:
        with self._state:
            call = self._calls.pop(response.id, None) if isinstance(response.id, int) else None
        if call is not None:
            call.settle(response)
            return None
        return ProtocolViolation(f"the sidecar answered request {response.id!r}, which is not open: {response!r}"[:500])

    def _progress(self, params: dict[str, Any]) -> None:
        call = self._calls.get(params["id"])
        if call is not None and call.on_progress is not None:
            call.on_progress(Progress(params["done"], params["total"], params["unit"], params["message"]))
