"""What the operating system is asked for, on the one that the tests run on."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Thread

import pytest

from sidecar.runtime import platform

DEADLINE_S = 20.0

DROPS = {
    "nothing": (["ab", "cd"], 0, ["ab", "cd"]),
    "a part of the first": (["ab", "cd"], 1, ["b", "cd"]),
    "the first": (["ab", "cd"], 2, ["cd"]),
    "into the second": (["ab", "cd"], 3, ["d"]),
    "all": (["ab", "cd"], 4, []),
}


@pytest.mark.parametrize(("before", "count", "after"), DROPS.values(), ids=DROPS)
def test_drop(before: list[str], count: int, after: list[str]) -> None:
    views = [memoryview(text.encode()) for text in before]
    platform.drop(views, count)
    assert [bytes(view).decode() for view in views] == after


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


WRITES = {
    "one": ([b"abc"], 3),
    "several": ([b"a", memoryview(b"bc"), bytearray(b"d")], 4),
    "more than a call takes": ([b"x"] * 1500, 512),
    "up to the largest call": ([b"a" * 30, b"b" * 34], 64),
    "two beyond the largest call": ([b"a" * 30, b"b" * 35], 30),
    "one beyond the largest call": ([b"a" * 100, b"b"], 64),
    "one after another": ([b"a" * 64, b"b" * 64], 64),
}


@pytest.mark.parametrize(("buffers", "written"), WRITES.values(), ids=WRITES)
def test_one_write(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, buffers: list[bytes], written: int) -> None:
    if len(buffers) < 512:
        monkeypatch.setattr(platform, "MAX_CALL_BYTES", 64)
    assert platform.write_some(pipe[1], buffers) == written
    assert os.read(pipe[0], 10_000) == b"".join(buffers)[:written]


def test_one_read(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "MAX_CALL_BYTES", 64)
    os.write(pipe[1], b"x" * 100)
    buffer = bytearray(1000)
    assert platform.read_into(pipe[0], memoryview(buffer)) == 64
    assert platform.read_into(pipe[0], memoryview(buffer)[64:]) == 36
    assert bytes(buffer[:101]) == b"x" * 100 + b"\0"


# -- the other side's end ----------------------------------------------------------------------------------------

Background = Callable[[Callable[[], object]], Thread]


@pytest.fixture
def background() -> Background:
    """Runs something on a thread that does not outlive the tests."""

    def run(target: Callable[[], object]) -> Thread:
        thread = Thread(target=target, daemon=True)
        thread.start()
        return thread

    return run


def python(script: str) -> subprocess.Popen[bytes]:
    """A process that waits for its input's end, or does what the script says."""
    return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)


@pytest.mark.parametrize("way", ["handle", "polling"])
def test_the_end_of_a_process(background: Background, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(platform, "_PROCESS_POLL_S", 0.001)
    if way == "polling":  # as where a sandbox forbids the handle
        monkeypatch.setattr(platform, "_wait_for_handle", lambda _pid: False)
    with python("input()") as process:
        watch = background(lambda: platform.wait_for_process_to_end(process.pid))
        assert watch.is_alive()
        process.kill()
        watch.join(DEADLINE_S)
        assert not watch.is_alive()
    platform.wait_for_process_to_end(process.pid)


def test_a_zombie_has_ended() -> None:
    """Nobody has waited for it yet; that is the host's parent's business."""
    with python("") as process:
        platform.wait_for_process_to_end(process.pid)
        assert process.returncode is None


def test_the_end_of_the_parent_by_polling() -> None:
    """The middle process ends; its child sees that by the number of its parent alone."""
    child = (
        "import os; from sidecar.runtime import platform; platform._wait_for_handle = lambda pid: False; "
        "platform._PROCESS_POLL_S = 0.01; parent = os.getppid(); os.write(1, b'ready'); "
        "platform.wait_for_process_to_end(parent); os.write(1, b' gone')"
    )
    middle = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]); input()"
    with subprocess.Popen([sys.executable, "-c", middle], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"ready"
        process.kill()
        assert process.communicate(timeout=DEADLINE_S)[0] == b" gone"


@pytest.mark.parametrize("kind", ["pipe", "socket", "socket that is shut down"])
@pytest.mark.parametrize("unread", [b"", b"unread"], ids=["read", "unread"])
def test_a_hangup_shows_however_much_is_unread(background: Background, kind: str, unread: bytes) -> None:
    with ExitStack() as stack:
        if kind == "pipe":
            fd, other = os.pipe()
            stack.callback(os.close, fd)
            os.write(other, unread)
            hang_up = lambda: os.close(other)  # noqa: E731
        else:
            ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
            fd = ours.fileno()
            theirs.send(unread)
            hang_up = theirs.close if kind == "socket" else lambda: theirs.shutdown(socket.SHUT_WR)
        watch = background(lambda: platform.wait_for_hangup(fd))
        assert watch.is_alive()
        hang_up()
        watch.join(DEADLINE_S)
        assert not watch.is_alive()


# -- buffers ------------------------------------------------------------------------------------------------------


def test_a_pipe_is_made_larger_and_anything_else_left_alone(pipe: tuple[int, int]) -> None:
    platform.grow_buffer(pipe[1])
    assert fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ) == platform.WIRE_BUFFER_BYTES
    with open(os.devnull, "rb") as file:
        platform.grow_buffer(file.fileno())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before = ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        platform.grow_buffer(ours.fileno())
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= before
