"""From the hello to the exit code: the sidecar ends when its host says so, hangs up or dies, whatever it is doing."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.peers.raw import DEADLINE_S, GONE_S, RawHost, blob, kind, request, wait_readable, write_until_full

from .conftest import PEERS, SpawnRaw

ROOT = Path(__file__).parents[2]


def test_the_hello_comes_first_and_whole(spawn_raw: SpawnRaw) -> None:
    host = spawn_raw()
    first = host.read()
    assert (first["jsonrpc"], first["method"]) == ("2.0", "hello")
    assert first["params"]["pid"] == host.process.pid
    assert host.read_ahead() == 0
    host.close_input()
    assert host.rest() == []
    assert host.exit_code() == 0


# -- end of input ------------------------------------------------------------------------------------------------


def test_end_of_input_while_idle(raw: RawHost) -> None:
    raw.close_input()
    assert raw.rest() == []
    assert raw.exit_code() == 0


def test_what_was_asked_before_the_end_of_input_is_answered(raw: RawHost) -> None:
    raw.send(b"".join(request(id, "ping", {"data": id}) for id in range(100)))
    raw.close_input()
    assert sorted(answer["result"]["data"] for answer in raw.rest()) == list(range(100))
    assert raw.exit_code() == 0


def test_after_the_end_of_input_a_call_may_finish_within_the_grace(
    spawn_odd: SpawnRaw, lifeline: tuple[int, int]
) -> None:
    host = spawn_odd(pass_fds=lifeline[:1])
    host.hello()
    host.request(1, "odd/read_descriptor", {"fd": lifeline[0]})
    host.request(2, "odd/never")
    host.close_input()
    os.write(lifeline[1], b"!")
    answers = {answer["id"]: answer for answer in host.rest()}
    assert answers[1]["result"] == "!"
    assert kind(answers[2]) == "cancelled"
    assert host.exit_code() == 0


NEVER_RETURN = ("never", "spin", "native", "commit_and_wait")


def test_end_of_input_while_handlers_never_return(odd: RawHost) -> None:
    """A call that is committed cannot be cancelled: it gets no answer at all."""
    for id, handler in enumerate(NEVER_RETURN):
        odd.request(id, f"odd/{handler}", {"name": "a"})
    odd.call("started", "odd/started", {"name": "a"})
    odd.close_input()
    assert {(answer["id"], kind(answer)) for answer in odd.rest()} == {(id, "cancelled") for id in range(3)}
    assert odd.exit_code() == 0


def test_end_of_input_while_a_load_runs(odd: RawHost, small_csv: Path) -> None:
    odd.request(1, "odd/load", {"path": str(small_csv)})
    odd.call(2, "odd/started", {"name": "load"})
    odd.close_input()
    assert [(answer["id"], kind(answer)) for answer in odd.rest()] == [(1, "cancelled")]
    assert odd.exit_code() == 0


def test_end_of_input_while_native_code_reads_a_file(raw: RawHost, large_csv: Path) -> None:
    """The load may end in time or not; the process does, and each call has its answer."""
    raw.request(1, "load", {"path": str(large_csv)})
    raw.request(2, "ping")
    raw.close_input()
    answers = {answer["id"]: kind(answer) for answer in raw.rest() if "id" in answer}
    assert answers[2] is None
    assert answers[1] in (None, "cancelled")
    assert raw.exit_code() == 0


@pytest.mark.parametrize("wire", ["pipe", "socket"])
def test_end_of_input_from_a_host_that_does_not_read(spawn_odd: SpawnRaw, wire: str) -> None:
    """The sidecar waits for room to answer; it must still notice that the host has hung up."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        host = spawn_odd(**({} if wire == "pipe" else {"stdin": theirs}))
        theirs.close()
        input_fd = host.input_fd if wire == "pipe" else ours.fileno()
        os.write(input_fd, request(0, "odd/big", {"size": 100 * 1024**2}))
        write_until_full(input_fd, b"".join(request(id, "no such method") for id in range(1, 100)))
        if wire == "pipe":
            host.close_input()
        else:
            ours.shutdown(socket.SHUT_WR)
        assert host.exit_code() == 0


# -- shutdown ----------------------------------------------------------------------------------------------------


def test_shutdown_is_answered_last(spawn_odd: SpawnRaw, lifeline: tuple[int, int]) -> None:
    host = spawn_odd(pass_fds=lifeline[:1])
    host.hello()
    host.request(1, "odd/read_descriptor", {"fd": lifeline[0]})
    host.request(5, "odd/never")
    host.request(2, "shutdown")
    host.request(3, "ping")
    host.request(4, "shutdown")
    assert [kind(host.answer(id)) for id in (3, 4)] == ["shutting_down", "shutting_down"]
    os.write(lifeline[1], b"!")
    assert host.answer(1)["result"] == "!"
    assert kind(host.answer(5)) == "cancelled"
    assert host.answer(2)["result"] is None
    assert host.rest() == []
    assert host.exit_code() == 0


def test_requests_behind_a_shutdown_in_the_same_write(raw: RawHost) -> None:
    raw.send(request(1, "ping") + request(2, "shutdown") + b"".join(request(id, "ping") for id in range(3, 20)))
    answers = raw.rest()
    assert answers[0]["id"] == 1
    assert "result" in answers[0]
    assert {kind(answer) for answer in answers if answer["id"] > 2} == {"shutting_down"}
    assert sum(answer["id"] == 2 for answer in answers) == 1
    assert raw.exit_code() == 0


def test_shutdown_waits_for_answers_that_are_on_their_way(odd: RawHost) -> None:
    """More of them than the 64 MiB that the writer queues: those that wait for room have an answer, and it must not
    be lost. Not many more: all must be made and read before the process has to be gone."""
    count, size = 10, 8 * 1024**2
    for id in range(count):
        odd.request(id, "odd/big", {"size": size})
    odd.request("last", "shutdown")
    ids = [answer["id"] for answer in odd.rest() if "result" in answer]
    assert sorted(ids[:-1]) == list(range(count))
    assert ids[-1] == "last"
    assert odd.exit_code() == 0


def test_shutdown_from_a_host_that_reads_nothing(odd: RawHost) -> None:
    odd.request(1, "odd/big", {"size": 100 * 1024**2})
    for id in range(2, 40):
        odd.request(id, "odd/never")
    odd.request("last", "shutdown")
    assert odd.exit_code() == 0


# -- signals -----------------------------------------------------------------------------------------------------


def test_sigterm_right_after_the_hello(raw: RawHost) -> None:
    raw.process.send_signal(signal.SIGTERM)
    assert raw.exit_code() == 0


def test_sigterm_while_idle(raw: RawHost) -> None:
    raw.call(1, "ping")
    raw.process.send_signal(signal.SIGTERM)
    assert raw.rest() == []
    assert raw.exit_code() == 0


def test_sigterm_while_busy_again_and_again(odd: RawHost) -> None:
    """Signal handlers run in the middle of anything, another handler included."""
    for id, handler in enumerate(NEVER_RETURN[:3]):
        odd.request(id, f"odd/{handler}")
    odd.call("last", "ping")
    for _ in range(50):
        odd.process.send_signal(signal.SIGTERM)
    assert [kind(odd.answer()) for _ in range(3)] == ["cancelled"] * 3
    assert odd.exit_code() == 0


def test_sigint_is_left_to_the_host(odd: RawHost) -> None:
    odd.request(1, "odd/wait", {"name": "a"})
    odd.call(2, "odd/started", {"name": "a"})
    odd.process.send_signal(signal.SIGINT)
    odd.request(3, "odd/tell", {"name": "a"})
    odd.answers(1, 3)
    odd.close_input()
    assert odd.exit_code() == 0


# -- the interpreter's lock --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stderr", ["read", "full"])
def test_native_code_that_keeps_the_lock_does_not_keep_the_process(
    spawn_odd: SpawnRaw, lifeline: tuple[int, int], stderr: str
) -> None:
    """No Python runs any more when the deadline comes, and it must not wait for whoever reads standard error."""
    host = spawn_odd(pass_fds=lifeline[:1], **({} if stderr == "read" else {"stderr": subprocess.PIPE}))
    host.hello()
    if stderr == "full":
        host.call(0, "odd/fill_stderr")
    host.request(1, "odd/native_with_lock", {"fd": lifeline[0]})
    host.request(2, "shutdown")
    assert kind(host.call(3, "ping")) == "shutting_down"
    os.write(lifeline[1], b"!")
    assert host.exit_code() == 1
    assert stderr == "full" or "native_with_lock" in host.stderr()


# -- the host dies -----------------------------------------------------------------------------------------------


def gone(handle: int) -> bool:
    """Whether the process of a handle ends in time; a zombie has ended."""
    return wait_readable(handle, GONE_S)


@pytest.mark.parametrize("mode", ["idle", "loading", "leaking"])
def test_it_dies_with_its_host(sidecar_command: list[str], large_csv: Path, mode: str) -> None:
    command = [sys.executable, str(PEERS / "doomed_host.py"), mode, str(large_csv), *sidecar_command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as host:
        assert host.stdout is not None
        assert wait_readable(host.stdout.fileno(), DEADLINE_S)
        pids = [int(pid) for pid in host.stdout.readline().split()]
        handles = [os.pidfd_open(pid) for pid in pids]
        try:
            host.kill()
            assert gone(handles[0])
            assert len(handles) == 1 or not wait_readable(handles[1], 0), "the third process was to stay"
        finally:
            for handle in handles:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                os.close(handle)


def test_a_host_pid_that_is_not_the_parent(spawn_raw: SpawnRaw) -> None:
    """A launcher may stand between the two."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as watched:
        host = spawn_raw("--host-pid", str(watched.pid))
        host.hello()
        host.call(1, "ping")
        watched.kill()
        assert host.exit_code() == 0


def test_the_host_closes_the_output(raw: RawHost) -> None:
    raw.call(1, "ping")
    raw.close_output()
    raw.request(2, "ping")
    assert raw.exit_code() == 74


def test_the_host_closes_the_output_under_a_large_answer(odd: RawHost) -> None:
    odd.request(1, "odd/big", {"size": 64 * 1024**2})
    assert wait_readable(odd.output_fd, DEADLINE_S)
    odd.close_output()
    assert odd.exit_code() == 74


# -- how it may be started ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_terminal_is_told_what_this_is_for(spawn_raw: SpawnRaw, stream: str) -> None:
    ours, theirs = pty.openpty()
    try:
        host = spawn_raw(**{stream: theirs})
        assert host.exit_code(DEADLINE_S) == 64
        assert "is a terminal" in host.stderr()
        assert "arrow-sidecar inspect FILE" in host.stderr()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("closed", "name"), [("<&-", "standard input"), (">&-", "standard output")])
def test_a_closed_descriptor(sidecar_command: list[str], closed: str, name: str) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *sidecar_command]
    with RawHost.spawn(shell) as host:
        assert host.exit_code(DEADLINE_S) == 64
        assert f"{name} is closed" in host.stderr()


@pytest.mark.parametrize("closed", ["<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("options", [[], ["--no-such-option"]], ids=["good usage", "bad usage"])
def test_closed_descriptors_with_nowhere_to_say_it(sidecar_command: list[str], closed: str, options: list[str]) -> None:
    """Standard output is not for messages, even if it is all there is."""
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *sidecar_command]
    with RawHost.spawn(shell, *options) as host:
        assert host.exit_code(DEADLINE_S) == 64
        assert os.read(host.output_fd, 1) == b""


@pytest.mark.parametrize(
    "options",
    [
        ["--no-such-option"],
        ["--max-header", "many"],
        ["--max-header", "0"],
        ["--max-header", "9" * 4000 + "G"],
        ["--host-pid", "9" * 23],
        ["--log-level", "loud"],
        ["stray"],
        ["--multiprocessing-fork"],
    ],
    ids=lambda options: " ".join(options)[:40],
)
def test_bad_usage(spawn_raw: SpawnRaw, options: list[str]) -> None:
    host = spawn_raw(*options)
    assert host.rest() == []
    assert host.exit_code(DEADLINE_S) == 64
    assert "error:" in host.stderr()


def test_pipes_that_the_host_left_non_blocking(spawn_raw: SpawnRaw) -> None:
    (their_input, our_output), (our_input, their_output) = os.pipe(), os.pipe()
    for fd in (their_input, their_output):
        os.set_blocking(fd, False)
    host = spawn_raw(stdin=their_input, stdout=their_output)
    for fd in (their_input, their_output):
        os.close(fd)
    host.input_fd, host.output_fd = our_output, our_input
    host.hello()
    for id in range(3):
        assert len(host.call(id, "ping", {"data": blob(4 * 1024**2)})["result"]) == 1
    os.close(our_output)
    assert host.exit_code() == 0
    os.close(our_input)


def test_requests_from_a_file(spawn_raw: SpawnRaw, tmp_path: Path) -> None:
    """Handy for a look from a shell; a file has no other end that could be watched."""
    path = tmp_path / "requests"
    path.write_bytes(b"".join(request(id, "ping", {"data": blob(100_000)}) for id in range(10)))
    with path.open("rb") as file:
        host = spawn_raw(stdin=file)
        host.hello()
        assert sorted(answer["id"] for answer in host.rest()) == list(range(10))
        assert host.exit_code() == 0


def test_one_socket_for_both_directions(spawn_raw: SpawnRaw) -> None:
    theirs, ours = socket.socketpair()
    with ours:
        host = spawn_raw(stdin=theirs, stdout=theirs)
        theirs.close()
        host.input_fd = host.output_fd = ours.fileno()
        host.hello()
        assert host.call(1, "ping", {"data": blob(1024**2)})["id"] == 1
        ours.shutdown(socket.SHUT_WR)
        assert host.rest() == []
        assert host.exit_code() == 0


# -- a crash -----------------------------------------------------------------------------------------------------


def test_a_crash_in_native_code_says_where(odd: RawHost) -> None:
    odd.request(1, "odd/crash")
    assert odd.exit_code(DEADLINE_S) == -signal.SIGSEGV
    assert "in crash" in odd.stderr()
