"""The reference: a child that does nothing but read and write. `raw_peer.py REQUEST_BYTES ANSWER_BYTES`

It reads a request into one buffer, writes an answer, and so on until its input ends. Nothing is parsed, and the
buffer is used again, so no memory is taken after the first request: a child cannot do less.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys

PIPE_BYTES = 1024 * 1024


def main() -> None:
    """Serve standard input and output."""
    request_bytes, answer_bytes = int(sys.argv[1]), int(sys.argv[2])
    for fd in (0, 1):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    request, answer = memoryview(bytearray(request_bytes)), memoryview(bytes(answer_bytes))
    while read_all(0, request):
        write_all(1, answer)


def read_all(fd: int, buffer: memoryview) -> bool:
    """Fill `buffer`; False at the end of the input."""
    filled = 0
    while filled < len(buffer):
        count = os.readv(fd, [buffer[filled:] if filled else buffer])
        if not count:
            return False
        filled += count
    return True


def write_all(fd: int, buffer: memoryview) -> None:
    """Write all of `buffer`."""
    written = os.writev(fd, [buffer])
    while written < len(buffer):
        written += os.writev(fd, [buffer[written:]])


if __name__ == "__main__":
    main()
