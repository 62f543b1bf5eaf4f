"""What the sidecar says on standard error: always read, or a full pipe would stop it; the last of it is kept."""

from __future__ import annotations

import io
import logging
from collections import deque
from collections.abc import Callable
from threading import Thread

MAX_LINES = 256
MAX_LINE_BYTES = 64 * 1024

_log = logging.getLogger("sidecar.client")

OnLine = Callable[[str], None]


class StderrTail:
    """The last 256 lines, each cut at 64 KiB."""

    def __init__(self, stream: io.RawIOBase, on_line: OnLine | None) -> None:
        self._stream = io.BufferedReader(stream)  # a raw stream would be read byte by byte
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._thread = Thread(target=self._drain, name="sidecar-stderr", daemon=True)
        self._thread.start()

    def text(self, timeout_s: float = 1.0) -> str:
        """The kept lines. Waits a while for the stream's end, so that the reason of a crash is among them."""
        self._thread.join(timeout_s)
        return "\n".join(self._lines)

    def close(self) -> None:
        """Release the stream once it has ended."""
        if not self._thread.is_alive():
            self._stream.close()

    def _drain(self) -> None:
        while line := self._stream.readline(MAX_LINE_BYTES):
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            self._lines.append(text)
            if self._on_line is not None:
                try:
                    self._on_line(text)
                except Exception:  # the caller's affair; a stream that nobody reads would stop the sidecar
                    _log.exception("on_stderr failed")
