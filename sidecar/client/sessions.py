"""`host.sessions`: the methods `sessions/…`, with typed results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..services.sessions import CloseResult, ListResult
from .line import Line


class Evicted(msgspec.Struct):
    """A session that was closed to make room; fields as in `sessions/evicted`."""

    session: str
    path: str
    bytes: int
    reason: str


class SessionsNoun:
    """`host.sessions`. `on_evicted` is called, on a thread of the host's, for each session that the sidecar closes by
    itself; it does so only with the option `--evict`."""

    def __init__(self, line: Line) -> None:
        self.on_evicted: Callable[[Evicted], None] | None = None
        self._line = line

    def take_evicted(self, params: dict[str, Any]) -> None:
        """The notification `sessions/evicted` came."""
        if self.on_evicted is not None:
            self.on_evicted(msgspec.convert(params, Evicted))

    def list(self, timeout_s: float | None = None) -> ListResult:
        """`sessions/list`."""
        return msgspec.convert(self._line.request("sessions/list", {}).result(timeout_s), ListResult)

    def close(self, session: str, timeout_s: float | None = None) -> CloseResult:
        """`sessions/close`: forget a session and give its memory back."""
        call = self._line.request("sessions/close", {"session": session})
        return msgspec.convert(call.result(timeout_s), CloseResult)
