"""Whether a read or a write would wait, asked of real pipes and sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from sidecar.runtime import platform
from sidecar.runtime.readiness import ReadWait, WriteRoom


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_room_in_a_pipe(pipe: tuple[int, int]) -> None:
    """Whenever it says yes, the write must not wait."""
    room = WriteRoom(pipe[1])
    os.set_blocking(pipe[1], False)
    for size in (1, 4096, 4097, 65_536):
        assert room.takes(size), size
        assert os.write(pipe[1], bytes(size)) == size
        while not room.takes(65_536):
            os.read(pipe[0], 1000)
    os.write(pipe[1], b"x")
    assert not room.takes(4097)
    assert room.takes(4096)
    while room.takes(4096):
        assert os.write(pipe[1], bytes(4096)) == 4096
    assert not room.takes(1)


def test_room_in_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        room = WriteRoom(ours.fileno())
        ours.setblocking(False)
        assert not room.takes(4097)
        while room.takes(4096):
            assert ours.send(bytes(4096)) == 4096
        theirs.recv(1024**2)


@pytest.mark.parametrize("size", [1, 50_000])
def test_no_surprise_from_a_pipe_that_nobody_reads(size: int) -> None:
    """It is for the write to say that; asking raises nothing."""
    read_fd, write_fd = os.pipe()
    room = WriteRoom(write_fd)
    os.close(read_fd)
    room.takes(size)
    with pytest.raises(BrokenPipeError):
        platform.write_some(write_fd, [b"x"])
    os.close(write_fd)


def test_input_and_its_end(pipe: tuple[int, int]) -> None:
    read_fd, write_fd = os.pipe()
    wait = ReadWait(read_fd)
    assert not wait.wait(0)
    assert not wait.wait(0.001)
    assert not wait.wait(-1)
    os.write(write_fd, b"x")
    assert wait.wait(None)
    os.read(read_fd, 1)
    os.close(write_fd)
    assert wait.wait(None)
    os.close(read_fd)
