"""Where Arrow writes what is sent on at once."""

from __future__ import annotations

from typing import Any


class Sink:
    """What Arrow takes for an open file. It hands over large buffers as they are, without a copy."""

    closed = False

    def __init__(self) -> None:
        self._buffers: list[Any] = []

    def taken(self) -> list[Any]:
        """What was written since the last time."""
        buffers, self._buffers = self._buffers, []
        return buffers

    def write(self, buffer: Any) -> int:
        """Of a file."""
        self._buffers.append(buffer)
        return len(buffer)

    def writable(self) -> bool:
        """Of a file."""
        return True

    def readable(self) -> bool:
        """Of a file."""
        return False

    def seekable(self) -> bool:
        """Of a file."""
        return False

    def flush(self) -> None:
        """Of a file."""

    def close(self) -> None:
        """Of a file."""
