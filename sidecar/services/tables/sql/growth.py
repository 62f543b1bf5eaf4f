"""How much memory a query of Polars takes inside, where no account sees it: for a sort, a join, a group."""

from __future__ import annotations

from ...allocations import resident_bytes
from ...sessions import Claim, Sessions

SLACK_BYTES = 64 * 1024 * 1024
"""What threads and allocators may hold more without it being the query's (measured: 59 MiB for a GROUP BY that keeps
1000 sums, over 6 M rows in pieces of 10 MB)."""


class Growth:
    """By how much the process has grown since this was made, beside what sessions and other work account for.

    It is an estimate, so a query is held to it only where it is more than what is accounted for. Without it a sort of
    6 M rows took 670 MiB under a limit of 100 MiB (measured).
    """

    def __init__(self, sessions: Sessions, claim: Claim) -> None:
        self._sessions = sessions
        self._claim = claim
        self._start = self._unaccounted()

    def bytes(self) -> int:
        """0 where there is no limit, or the system does not tell."""
        now = self._unaccounted()
        if self._start is None or now is None:
            return 0
        return max(0, now - self._start - SLACK_BYTES)

    def _unaccounted(self) -> int | None:
        if self._sessions.memory_limit_bytes is None:
            return None
        resident = resident_bytes()
        return None if resident is None else resident - self._sessions.bytes_beside(self._claim)
