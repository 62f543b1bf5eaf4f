"""Memory that work is taking, before it is a session's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sessions import Sessions


class Claim:
    """Memory that work is taking; part of the total until the work ends. `session` is the one that it will replace."""

    def __init__(self, sessions: Sessions, label: str, session: str | None) -> None:
        self._sessions = sessions
        self.label = label
        self.session = session
        self.bytes = 0

    def hold(self, size: int) -> None:
        """The work holds, or is about to hold, `size` bytes. Raises `memory_limit`."""
        self._sessions._hold(self, size)

    @property
    def free_bytes(self) -> int | None:
        """How much more it may hold before anything is evicted for it; None where there is no limit."""
        return self._sessions._free_bytes(self._sessions._fixed)
