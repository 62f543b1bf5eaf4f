"""What came for one stream and was not asked for yet. The thread that reads puts in, the session's takes out."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Any

import msgspec

from ..protocol.errors import ErrorObject, SidecarError
from ..wire.payload import Payload
from .calls import OnProgress, OnServiceLog, Progress, ServiceLog, Waiter


class StreamEnded(Exception):
    """Nothing more comes from the stream, or can be sent to it. `reason` is that of `streams/end`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the stream has ended: {reason}")
        self.reason = reason


class Inbox:
    """The pieces of output that came, the credit for input, and the end. Holds no session, so that one that nobody
    uses any more can be told apart from one that waits."""

    def __init__(self, stream: str, on_log: OnServiceLog | None, on_progress: OnProgress | None) -> None:
        self.stream = stream
        self.input_credit_bytes = 0
        self.ended: Exception | None = None
        self._on_log = on_log
        self._on_progress = on_progress
        self._pieces: deque[Payload] = deque()
        self._lock = Lock()
        self._waiter: Waiter | None = None
        self._is_abandoned = False

    # -- the thread that reads -------------------------------------------------------------------------------

    def take(self, method: str, params: dict[str, Any]) -> None:
        """One message for the stream."""
        if method == "streams/data":
            self._change(piece=params["batches"])
        elif method == "streams/credit":
            self._change(credit_bytes=params["bytes"])
        elif method == "streams/end":
            self._change(ended=_ended(params))
        elif method == "streams/log" and self._on_log is not None:
            self._on_log(ServiceLog(params["level"], params["message"], params["extra"]))
        elif method == "streams/progress" and self._on_progress is not None:
            self._on_progress(Progress(params["done"], params["total"], params["unit"], params["message"]))

    def fail(self, fault: Exception) -> None:
        """The line is broken."""
        self._change(ended=fault)

    def _change(self, piece: Payload | None = None, credit_bytes: int = 0, ended: Exception | None = None) -> None:
        with self._lock:
            if piece is not None and not self._is_abandoned:
                self._pieces.append(piece)
            self.input_credit_bytes += credit_bytes
            self.ended = self.ended or ended
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.end()

    # -- the session's thread --------------------------------------------------------------------------------

    def next_piece(self) -> Payload | None:
        """The next piece of output, if there is one."""
        with self._lock:
            return self._pieces.popleft() if self._pieces else None

    def has_piece(self) -> bool:
        """Whether output is there that was not taken."""
        return bool(self._pieces)

    def next_change(self, wants_credit: bool = False) -> Waiter | None:
        """What to wait for until something comes; None where there is a piece, the end, or the credit wanted."""
        with self._lock:
            has_credit = wants_credit and self.input_credit_bytes > 0
            if self._pieces or self.ended is not None or has_credit:
                return None
            self._waiter = Waiter()
            return self._waiter

    def spend(self, size: int) -> None:
        """Input was sent."""
        with self._lock:
            self.input_credit_bytes -= size

    def abandon(self) -> None:
        """Nobody wants what still comes, whoever waits for it."""
        with self._lock:
            self._is_abandoned = True
            self._pieces.clear()
        self._change()


def _ended(params: dict[str, Any]) -> Exception:
    error = params["error"]
    if error is None:
        return StreamEnded(params["reason"])
    return SidecarError.from_object(msgspec.convert(error, ErrorObject))
