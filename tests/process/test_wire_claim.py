"""Nothing but frames is on the wire, whatever a handler, a C library or a child process writes or reads."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from tests.peers import odd_handlers
from tests.peers.raw import DEADLINE_S, RawHost, blob, wait_readable

from .conftest import ROOT, SpawnRaw

TEXT = "a banner that is no frame"
PRINTERS = (
    "print_text",
    "print_on_the_reader",
    "write_to_stdout",
    "write_to_original_stdout",
    "write_to_descriptor_1",
    "c_puts",
    "child_echoes",
    "child_reads_stdin",
)


@pytest.mark.parametrize("printer", PRINTERS)
def test_what_is_printed_goes_to_standard_error(spawn_odd: SpawnRaw, printer: str) -> None:
    host = spawn_odd()
    host.hello()
    assert "result" in host.call(1, f"odd/{printer}", {"text": TEXT})
    assert host.call(2, "ping", {"data": TEXT})["result"] == {"data": TEXT}
    host.close_input()
    assert host.rest() == []
    assert host.exit_code() == 0
    assert TEXT in host.stderr()


@pytest.mark.parametrize("printer", PRINTERS)
def test_with_standard_error_closed(services_command: list[str], printer: str) -> None:
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh", *services_command]
    with RawHost.spawn(shell, *odd_handlers.SERVICE, cwd=ROOT) as host:
        host.hello()
        assert "result" in host.call(1, f"odd/{printer}", {"text": TEXT})
        assert host.call(2, "ping", {"data": TEXT})["result"] == {"data": TEXT}
        host.close_input()
        assert host.rest() == []
        assert host.exit_code() == 0


@pytest.mark.parametrize(("reader", "nothing"), [("read_stdin", ""), ("child_reads_stdin", "read 0 bytes")])
def test_nobody_else_reads_the_wire(odd: RawHost, reader: str, nothing: str) -> None:
    odd.request(1, f"odd/{reader}", {"text": TEXT})
    odd.request(2, "ping")
    answers = {answer["id"]: answer["result"] for answer in (odd.answer(), odd.answer())}
    assert answers == {1: nothing, 2: {"data": None}}


def pipe_of(fd: int) -> str:
    """What `/proc` calls the pipe of a descriptor."""
    return f"pipe:[{os.fstat(fd).st_ino}]"


def test_a_child_does_not_inherit_the_wire(odd: RawHost) -> None:
    """Not even one that is started with every descriptor that can be had."""
    held = odd.call(1, "odd/child_descriptors")["result"]
    assert "/dev/null" in held
    assert pipe_of(odd.input_fd) not in held
    assert pipe_of(odd.output_fd) not in held


def test_a_child_that_stays_does_not_keep_the_wire_open(spawn_odd: SpawnRaw, lifeline: tuple[int, int]) -> None:
    """A fork has every descriptor, and returns from the handler a second time."""
    odd = spawn_odd(pass_fds=lifeline[1:])
    odd.hello()
    child = odd.call(1, "odd/fork", {"fd": lifeline[1]})["result"]
    handle = os.pidfd_open(child)
    try:
        assert wait_readable(lifeline[0], DEADLINE_S)
        assert odd.call(2, "ping", {"data": blob(100_000)})["id"] == 2
        links = [os.readlink(f"/proc/{child}/fd/{fd}") for fd in os.listdir(f"/proc/{child}/fd")]
        assert pipe_of(odd.input_fd) not in links
        assert pipe_of(odd.output_fd) not in links
        odd.close_input()
        assert odd.rest() == []
        assert odd.exit_code() == 0
        assert not wait_readable(handle, 0)
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


def test_the_real_descriptors_are_another_null_device_and_standard_error(raw: RawHost) -> None:
    raw.call(1, "ping")
    links = [os.readlink(f"/proc/{raw.process.pid}/fd/{fd}") for fd in range(3)]
    assert links[0] == "/dev/null"
    assert links[1] == links[2]
    raw.close_input()
    assert raw.exit_code(DEADLINE_S) == 0
