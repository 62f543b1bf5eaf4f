"""What a handler sees of its call: cancellation, the commit point, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..protocol.conversation import Call, State
from ..protocol.errors import Cancelled
from ..protocol.messages import Notification

PROGRESS_INTERVAL_S = 0.05
PROGRESS_DELAY_S = 0.1
"""A call that ends sooner than this sends no progress at all."""


class CallContext:
    """Implements `protocol.methods.Context` for one call, on the one thread that serves it."""

    def __init__(
        self,
        call: Call,
        commit: Callable[[Call], None],
        notify: Callable[[Notification], None],
        clock: Callable[[], float],
    ) -> None:
        self._call = call
        self._commit = commit
        self._notify = notify
        self._clock = clock
        self._next_progress_at = clock() + PROGRESS_DELAY_S

    @property
    def cancelled(self) -> bool:
        """Whether the answer was given already."""
        return self._call.state is State.ANSWERED

    def check(self) -> None:
        """Raise `Cancelled` if it was."""
        if self.cancelled:
            raise Cancelled

    def commit(self) -> None:
        """From here on the call cannot be cancelled. Raises `Cancelled` if it was."""
        self._commit(self._call)

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Send `$/progress`, unless one was sent less than 50 ms ago; raise `Cancelled` if the call was."""
        self.check()
        now = self._clock()
        if now < self._next_progress_at:
            return
        self._next_progress_at = now + PROGRESS_INTERVAL_S
        params: dict[str, Any] = {"id": self._call.id, "done": done, "total": total, "unit": unit, "message": message}
        self._notify(Notification("$/progress", params))
