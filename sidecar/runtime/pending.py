"""The requests that wait, by the bytes of their frames: bounded, so that a flood is refused and never kept."""

from __future__ import annotations

from threading import Lock

from ..wire.framing import Refused

REQUEST_BYTES = 1024
"""What an open request takes beside its frame."""


class Pending:
    """Bytes of the requests that a lane has. One request is always taken, however large within the limits."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._bytes = 0

    def check(self, frame_bytes: int) -> None:
        """Raise `Refused` where a frame of this size would go beyond the bound."""
        waiting = self._bytes
        if waiting and waiting + REQUEST_BYTES + frame_bytes > self._max_bytes:
            raise Refused(f"{waiting} bytes of requests wait already, the limit is {self._max_bytes}")

    def take(self, frame_bytes: int) -> None:
        """A request waits from here on. Raises `Refused` as `check` does: a frame may have been let in before the one
        ahead of it was counted."""
        with self._lock:
            self.check(frame_bytes)
            self._bytes += REQUEST_BYTES + frame_bytes

    def remove(self, frame_bytes: int) -> None:
        """Its handler has ended."""
        with self._lock:
            self._bytes -= REQUEST_BYTES + frame_bytes
