"""`host.sessions`: the methods `sessions/…`, with typed results."""

from __future__ import annotations

import msgspec

from ..services.sessions import CloseResult, ListResult
from .line import Line


class SessionsNoun:
    """`host.sessions`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, timeout_s: float | None = None) -> ListResult:
        """`sessions/list`."""
        return msgspec.convert(self._line.request("sessions/list", {}).result(timeout_s), ListResult)

    def close(self, session: str, timeout_s: float | None = None) -> CloseResult:
        """`sessions/close`: forget a session and give its memory back."""
        call = self._line.request("sessions/close", {"session": session})
        return msgspec.convert(call.result(timeout_s), CloseResult)
