"""What the turns of a stream put out: batches under credit, messages, and the waits in between."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Any

from ..protocol.errors import Cancelled, SidecarError
from ..protocol.messages import Notification, check_size
from ..protocol.streams import Flow, Phase
from ..wire.framing import encode
from ..wire.limits import MIB
from .outbox import Outbox
from .outcomes import encodable
from .terms import Terms
from .writer import Source

PROGRESS_INTERVAL_S = 0.05

MAX_DEBT_BYTES = 64 * MIB
"""What turns may send beyond their credit while a checkpoint or a load waits for their end."""


class Hold:
    """Has a stream stand still between two turns, once so many pieces of its input are served; `rests` says that it
    does."""

    __slots__ = ("mark", "rests")

    def __init__(self, mark: int) -> None:
        self.mark = mark
        self.rests = False


class StreamOutput:
    """Implements `protocol.streams.Output`. `changed` is the stream's condition, under whose lock the attributes are
    used: `holds` are of those who wait for turns under way, which may then run into debt; `is_waiting` says that it
    waits for the host; `gets_no_credit` that the host will give no more."""

    def __init__(
        self,
        outbox: Outbox,
        flow: Flow,
        deadline: float | None,
        changed: Condition,
        offer: Callable[[Source, bool], None],
        terms: Terms,
        clock: Callable[[], float],
    ) -> None:
        self.deadline = deadline
        self.holds: list[Hold] = []
        self.is_waiting = False
        self.gets_no_credit = False
        self._outbox = outbox
        self._flow = flow
        self._changed = changed
        self._offer = offer
        self._terms = terms
        self._clock = clock
        self._next_progress_at = 0.0

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants what the turn brings: the stream has ended, or is a producer that was closed."""
        phase = self._flow.phase
        return phase is Phase.ENDED or (phase is Phase.CLOSING and self._flow.kind == "producer")

    def emit(self, piece: list[Any]) -> None:
        """Send a batch; waits for credit and for room."""
        size = len(piece[0]) if len(piece) == 1 else sum(map(len, piece))
        limit = self._terms.limits.max_payload_bytes
        if size > limit:
            message = f"the batch has {size} bytes, the host takes {limit}: emit smaller ones"
            raise SidecarError("too_large", message, payload_bytes=size, max_payload_bytes=limit)
        with self._changed:
            self._wait_until(self.may_emit, needs_credit=True)
            self._flow.emitted(size)
            is_new = self._outbox.add_batch(piece, size)
        if is_new:
            self._offer(self._outbox, self._flow.kind == "exchange")

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        """Send `streams/log`; waits for room. Raises `too_large`, and `TypeError` for what has no JSON form."""
        self.send("streams/log", {"level": level, "message": encodable(message), "extra": extra})

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Send `streams/progress`, unless one was sent less than 50 ms ago."""
        if self.cancelled:
            raise Cancelled
        now = self._clock()
        if now >= self._next_progress_at:
            self._next_progress_at = now + PROGRESS_INTERVAL_S
            params = {"done": done, "total": total, "unit": unit, "message": encodable(message)}
            self.send("streams/progress", params)

    def send(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification of the stream's; waits for room."""
        notification = Notification(method, {"stream": self._outbox.stream, **params})
        parts = encode(notification)
        check_size("the message", "host", notification, parts, self._terms.limits)
        with self._changed:
            self._wait_until(self._has_room)
            is_new = self._outbox.add_message(parts)
        if is_new:
            self._offer(self._outbox, False)

    def may_emit(self) -> bool:
        """Whether a batch may be sent now."""
        return self._flow.may_emit(MAX_DEBT_BYTES if self.holds else 0) and self._outbox.has_room

    def _has_room(self) -> bool:
        return self._outbox.has_room

    def _wait_until(self, condition: Callable[[], bool], needs_credit: bool = False) -> None:
        """Under the lock. Raises `Cancelled` once nobody wants it any more."""
        if not self._is_in_vain(needs_credit) and not condition():
            self.is_waiting = True
            self._changed.wait_for(lambda: self._is_in_vain(needs_credit) or condition())
            self.is_waiting = False
        if self._is_in_vain(needs_credit):
            raise Cancelled

    def _is_in_vain(self, needs_credit: bool) -> bool:
        return self.cancelled or (needs_credit and self.gets_no_credit and not self._flow.may_emit())
