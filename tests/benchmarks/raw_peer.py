"""The reference: a child that does nothing but read and write. `raw_peer.py REQUEST_BYTES ANSWER_BYTES`

It reads a request, writes an answer, and so on until its input ends. Nothing is parsed. A small request is read into
the same buffer again; a large one into new memory, as by any receiver that keeps what it gets: what new memory costs is
the system's affair, and on a virtual machine it may be more than all the rest (measured: 80 ms or 650 ms for 256 MiB).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sys

PIPE_BYTES = 1024 * 1024
LARGE_BYTES = 4 * 1024 * 1024


def main() -> None:
    """Serve standard input and output."""
    request_bytes, answer_bytes = int(sys.argv[1]), int(sys.argv[2])
    for fd in (0, 1):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    request, answer = new_memory(request_bytes), memoryview(bytes(answer_bytes))
    while read_all(0, request):
        write_all(1, answer)
        if request_bytes >= LARGE_BYTES:
            request = new_memory(request_bytes)


def new_memory(size: int) -> memoryview:
    """As the sidecar takes it for large payloads."""
    if size < LARGE_BYTES:
        return memoryview(bytearray(size))
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


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
