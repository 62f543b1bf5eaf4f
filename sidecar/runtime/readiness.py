"""Whether a read or a write would wait. As `platform`, a place where operating systems differ: Linux is tested, macOS
and Windows are not run."""

from __future__ import annotations

import sys

from .platform import WINDOWS

AT_ONCE_BYTES = 64 * 1024
"""The largest write that is made without the writer's thread: a page of 256 rows and 8 columns takes a third."""


MAX_POLL_S = 2_000_000
"""23 days; `poll` counts milliseconds with 31 bits."""


class ReadWait:
    """Waits until a read from `fd` would not, where the system can tell that (`can_wait`)."""

    def __init__(self, fd: int) -> None:
        self.can_wait = not WINDOWS
        if not WINDOWS:
            import select

            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for input or its end, for at most `timeout_s`; whether there is any."""
        if timeout_s is None:
            return bool(self._poll.poll())
        return timeout_s > 0 and bool(self._poll.poll(min(timeout_s, MAX_POLL_S) * 1000))


class WriteRoom:
    """Tells whether a write to `fd` is sure not to wait. May say no where the answer is yes.

    POSIX: a pipe that polls as writable takes PIPE_BUF bytes whole. A stream socket does so with a quarter of
    its buffer taken at most. On Linux an empty pipe takes what it was made for, and tells that it is empty.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._empty_takes_bytes = min(_pipe_bytes(fd), AT_ONCE_BYTES)
        self._whole_bytes = -1
        if not WINDOWS:
            import select

            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)
            self._writable = [(fd, select.POLLOUT)]
            self._whole_bytes = select.PIPE_BUF

    def takes(self, size: int) -> bool:
        """Whether a write of `size` bytes would not wait. Only true as long as nobody else writes."""
        if size <= self._whole_bytes:
            return self._poll.poll(0) == self._writable
        return size <= self._empty_takes_bytes and _unread_bytes(self._fd) == 0


def _pipe_bytes(fd: int) -> int:
    """The size of a pipe's buffer; 0 for what is no pipe, or where the system does not tell."""
    if sys.platform != "linux":
        return 0
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
    except OSError:
        return 0


def _unread_bytes(fd: int) -> int:
    """What a pipe of Linux's holds. (Asked for at the writing end, macOS would count another buffer.)"""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
