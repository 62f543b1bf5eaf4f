"""Everything that differs between operating systems, and nothing else.

The Linux branches are tested. The macOS and Windows branches are written from their documentation and have not
been run; each is marked.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Sequence
from typing import Any

WINDOWS = sys.platform == "win32"
WIRE_BUFFER_BYTES = 1024 * 1024
"""Linux lets an unprivileged process have this much (`/proc/sys/fs/pipe-max-size`). Measured with 1 MiB frames:
1.1 GB/s with the default 64 KiB, 3.3 GB/s with this."""

_PARENT_POLL_S = 0.5


def duplicate(fd: int) -> int:
    """A private copy of `fd` that no child process inherits."""
    copy = os.dup(fd)  # non-inheritable, as PEP 446 has it
    _set_binary(copy)
    return copy


def redirect(source: int, target: int) -> None:
    """Make descriptor `target` name what `source` does, for this process and for the children that it starts."""
    os.dup2(source, target)
    if WINDOWS:  # not run: a C runtime's descriptor and the process's standard handle are set apart
        _set_standard_handle(target)


def grow_buffer(fd: int) -> None:
    """Raise the kernel buffer behind a pipe or a socket pair; keeps what there is where it cannot."""
    if WINDOWS:
        return  # whoever creates an anonymous pipe fixes its size
    mode = os.fstat(fd).st_mode
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(mode):
            _grow_pipe(fd)
        elif stat.S_ISSOCK(mode):
            _grow_socket(fd)


def _grow_pipe(fd: int) -> None:
    if sys.platform == "linux":  # macOS has no such call and grows a pipe by itself, to 64 KiB
        import fcntl

        if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < WIRE_BUFFER_BYTES:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, WIRE_BUFFER_BYTES)


def _grow_socket(fd: int) -> None:
    import socket  # a module, not a socket: this names the pair that the host made (Node does)

    pair = socket.socket(fileno=os.dup(fd))
    with pair:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            pair.setsockopt(socket.SOL_SOCKET, option, WIRE_BUFFER_BYTES)


def read_into(fd: int, buffer: memoryview) -> int:
    """Read some bytes into `buffer`; 0 at the end of the input."""
    if not WINDOWS:
        return os.readv(fd, [buffer])
    data = os.read(fd, min(len(buffer), WIRE_BUFFER_BYTES))  # not run
    buffer[: len(data)] = data
    return len(data)


def write_some(fd: int, buffers: Sequence[Any]) -> int:
    """One gathered write of at most 512 buffers; returns the bytes written, which may be fewer than there are."""
    if not WINDOWS:
        return os.writev(fd, buffers[:512])  # IOV_MAX is 1024 on Linux and macOS
    return os.write(fd, buffers[0])  # not run


def drop(views: list[memoryview], count: int) -> None:
    """Remove the first `count` bytes of `views`."""
    done = 0
    while done < len(views) and count >= views[done].nbytes:
        count -= views[done].nbytes
        done += 1
    del views[:done]
    if count:
        views[0] = views[0][count:]


def writes_at_once(fd: int, size: int) -> bool:
    """Whether a write of `size` bytes is sure not to wait. May say no where the answer is yes.

    POSIX: a pipe that polls as writable takes PIPE_BUF bytes whole. A stream socket does so with a quarter of
    its buffer taken at most.
    """
    if WINDOWS or size > 4096:
        return False
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(event == select.POLLOUT for _, event in poll.poll(0))


def ignore_interrupt() -> None:
    """Leave Ctrl-C to the host: a terminal sends it to the whole foreground group."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if WINDOWS:  # not run
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)  # type: ignore[attr-defined,unused-ignore]


def wait_for_parent_to_end(pid: int) -> None:
    """Return when `pid`, the parent of this process, is gone. Needed only where the end of the input never comes,
    because some third process holds the other end of the pipe."""
    if WINDOWS:
        _wait_for_process(pid)
        return
    while os.getppid() == pid:
        time.sleep(_PARENT_POLL_S)


def _set_binary(fd: int) -> None:
    if WINDOWS:  # not run
        import msvcrt

        msvcrt.setmode(fd, os.O_BINARY)  # type: ignore[attr-defined,unused-ignore]


def _set_standard_handle(fd: int) -> None:
    import ctypes
    import msvcrt

    standard = {0: -10, 1: -11, 2: -12}[fd]
    handle = msvcrt.get_osfhandle(fd)  # type: ignore[attr-defined,unused-ignore]
    ctypes.windll.kernel32.SetStdHandle(standard, handle)  # type: ignore[attr-defined,unused-ignore]


def _wait_for_process(pid: int) -> None:
    import ctypes

    synchronize, infinite = 0x00100000, 0xFFFFFFFF
    kernel32 = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel32.OpenProcess(synchronize, False, pid)
    if handle:
        kernel32.WaitForSingleObject(handle, infinite)
