"""Everything that differs between operating systems, and nothing else.

The Linux branches are tested. The macOS and Windows branches are written from their documentation and have not
been run; each is marked.
"""

from __future__ import annotations

import os
import stat
import sys
import time

TYPE_CHECKING = False  # as type checkers know it: what is imported here is imported before hello
if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Sequence
    from typing import Any

WINDOWS = sys.platform == "win32"
WIRE_BUFFER_BYTES = 1024 * 1024
"""Linux lets an unprivileged process have this much (`/proc/sys/fs/pipe-max-size`). Measured with 1 MiB frames:
1.1 GB/s with the default 64 KiB, 3.3 GB/s with this."""

MAX_CALL_BYTES = 1024 * 1024 * 1024
"""What one read or write may be asked for: macOS refuses 2 GiB and more."""

_PROCESS_POLL_S = 0.5


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
    try:
        if stat.S_ISFIFO(mode):
            _grow_pipe(fd)
        elif stat.S_ISSOCK(mode):
            _grow_socket(fd)
    except OSError:
        pass  # a limit of the system's, or of the user's


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


def map_memory(size: int) -> mmap.mmap:
    """Zeroed memory of the system's own, aligned to a page. Raises `MemoryError`.

    It is given back when the last hold on it goes, on whatever thread. Arrow's allocator (mimalloc 3) keeps what one
    thread allocated and another freed until the first one asks for its release (measured: 256 MiB of 256).
    """
    import mmap
    from contextlib import suppress

    try:
        if WINDOWS:
            return mmap.mmap(-1, size)  # not run
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as fault:
        raise MemoryError(f"no {size} bytes of memory: {fault.strerror}") from None
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel built without; with it, 4 KiB at a time (three times slower)
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def read_into(fd: int, buffer: memoryview) -> int:
    """Read some bytes into `buffer`; 0 at the end of the input."""
    if not WINDOWS:
        return os.readv(fd, [buffer[:MAX_CALL_BYTES]])
    data = os.read(fd, min(len(buffer), WIRE_BUFFER_BYTES))  # not run
    buffer[: len(data)] = data
    return len(data)


def write_some(fd: int, buffers: Sequence[Any]) -> int:
    """One gathered write of at most 512 buffers; returns the bytes written, which may be fewer than there are."""
    if not WINDOWS:
        count = _count_for_one_call(buffers)
        if count > 1:
            return os.writev(fd, buffers[:count])
        return os.write(fd, memoryview(buffers[0])[:MAX_CALL_BYTES])
    return os.write(fd, buffers[0])  # not run


def _count_for_one_call(buffers: Sequence[Any]) -> int:
    size = count = 0
    for count, buffer in enumerate(buffers[:512]):  # IOV_MAX is 1024 on Linux and macOS
        size += len(buffer)
        if size > MAX_CALL_BYTES:
            return max(count, 1)
    return count + 1


def drop(views: list[memoryview], count: int) -> None:
    """Remove the first `count` bytes of `views`."""
    done = 0
    while done < len(views) and count >= views[done].nbytes:
        count -= views[done].nbytes
        done += 1
    del views[:done]
    if count:
        views[0] = views[0][count:]


def own_group() -> dict[str, Any]:
    """How `subprocess.Popen` starts a child that a Ctrl-C in the terminal does not reach, and without a window."""
    if WINDOWS:  # not run
        import subprocess

        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP  # type: ignore[attr-defined,unused-ignore]
        return {"creationflags": flags}
    return {"process_group": 0}


def settle_signals() -> None:
    """Leave Ctrl-C to the host: a terminal sends it to the whole foreground group. Until the server is there, which
    stops in an orderly way, a request to terminate ends the process as it will then: with exit code 0."""
    import _signal as signal  # type: ignore[import-not-found]  # what `signal` wraps in enums: 3 ms, before hello

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if WINDOWS:  # not run
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)


def on_terminate(stop: Callable[[], None]) -> None:
    """Have `stop` called on SIGTERM, by a thread of its own: a handler in Python would wait for the main thread, which
    may be about to read, and input may never come."""
    import signal
    from threading import Thread

    if WINDOWS:  # not run; there SIGTERM comes from this process alone
        signal.signal(signal.SIGTERM, lambda *_: stop())
        return
    waiting, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)

    def wait() -> None:
        while signal.SIGTERM not in os.read(waiting, 64):
            pass
        stop()

    Thread(target=wait, name="signals", daemon=True).start()


def wait_for_process_to_end(pid: int) -> None:
    """Return when process `pid` is gone; a zombie is. Needed only where the end of the input never comes, because
    some third process holds the other end of the pipe."""
    if WINDOWS:
        _wait_for_process(pid)
    elif sys.platform != "linux" or not _wait_for_handle(pid):
        _poll_for_process(pid)


def _wait_for_handle(pid: int) -> bool:
    """Linux 5.3 and later: the kernel tells at once, of any process. False where it does not (a sandbox may refuse)."""
    import select

    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    os.close(handle)
    return True


def _poll_for_process(pid: int) -> None:
    is_parent = os.getppid() == pid  # whose end shows before anybody has waited for it
    while os.getppid() == pid if is_parent else _is_alive(pid):
        time.sleep(_PROCESS_POLL_S)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and there
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and nobody has asked how. False where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False


def wait_for_hangup(fd: int) -> bool:
    """Return when nobody can write to the other end of `fd` any more, though there may be bytes left to be read.
    False where the system does not tell."""
    if WINDOWS:
        return False
    import select

    poll = select.poll()
    poll.register(fd, getattr(select, "POLLRDHUP", 0))  # Linux: a socket whose peer has shut down its writing half
    poll.poll()
    return True


def make_blocking(fd: int) -> None:
    """Whoever made the pipe may have left it non-blocking, which is a property of the pipe's end, not of a process."""
    if not WINDOWS:
        os.set_blocking(fd, True)


def give_up_in_forks(fds: Sequence[int]) -> None:
    """Have a process that is forked off (`os.fork`, `multiprocessing`) hold the null device in place of `fds`: it
    can neither write to the wire nor keep it open. A child of `subprocess` does not inherit them at all."""
    if WINDOWS:
        return

    def give_up() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in fds:
            os.dup2(null, fd, inheritable=False)
        os.close(null)

    os.register_at_fork(after_in_child=give_up)


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
