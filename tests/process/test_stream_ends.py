"""However the line, the host or the process ends: streams end with it, each state is closed, nobody waits for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sidecar import AnnotatedBatch
from sidecar.client import HostFault, SidecarGone
from sidecar.testing import SpawnHost
from tests.peers.raw import DEADLINE_S, GONE_S, blob, memory_peak_bytes, read_until, wait_readable
from tests.peers.stream_host import ROOT, SERVICE, StreamHost
from tests.peers.streaming import Streaming

from .conftest import PEERS, SpawnStreams

MIB = 1024**2


def closings(text: str) -> list[str]:
    """`name reason` of the streams whose `on_close` wrote so to standard error."""
    lines = [line.removeprefix("closed ") for line in text.splitlines() if line.startswith("closed ")]
    return sorted(lines)


def open_all_sorts(host: StreamHost) -> None:
    """One that waits for credit between two turns, one in the middle of a turn, one that works, one that waits for
    input, and one whose turn never returns."""
    host.open("waits", "count", credit_bytes=0)
    host.open("waits in a turn", "act", credit_bytes=1, actions=["emit 10"])
    host.open("works", "count", credit_bytes=2**40)
    host.open("exchange", "scale")
    host.open("never", "obey")
    host.do("never", "never a")
    host.serve("started", name="a")


CLOSED = ["exchange", "waits", "waits in a turn", "works"]


# -- the process stops -------------------------------------------------------------------------------------------


def hang_up(host: StreamHost) -> None:
    host.close_input()


def terminate(host: StreamHost) -> None:
    host.process.send_signal(signal.SIGTERM)


def shut_down(host: StreamHost) -> None:
    host.ask("shutdown", {})


STOPS: dict[str, tuple[Callable[[StreamHost], None], str]] = {
    "end of input": (hang_up, "host_gone"),
    "SIGTERM": (terminate, "shutdown"),
    "shutdown": (shut_down, "shutdown"),
}


@pytest.mark.parametrize("stop", STOPS)
def test_all_streams_end_when_the_process_does(streaming: StreamHost, stop: str) -> None:
    """In time, though one turn never returns: that one is told of nothing any more."""
    act, reason = STOPS[stop]
    open_all_sorts(streaming)
    act(streaming)
    while streaming.take():
        pass
    assert streaming.exit_code() == 0
    assert {name: record.reason for name, record in streaming.streams.items()} == dict.fromkeys(
        [*CLOSED, "never"], reason
    )
    assert closings(streaming.stderr()) == sorted(f"{name} {reason}" for name in CLOSED)


@pytest.mark.parametrize("stop", STOPS)
def test_what_came_before_the_stop_is_served(streaming: StreamHost, stop: str) -> None:
    """Input is answered, and a producer that has credit goes on to its end."""
    act, reason = STOPS[stop]
    exchange = streaming.open("exchange", "scale")
    streaming.open("gate", "obey")
    streaming.values("exchange", *range(100))
    producer = streaming.open("producer", "count", total=1000)
    act(streaming)
    while streaming.take():
        pass
    assert streaming.exit_code() == 0
    assert (producer.reason, exchange.reason) == ("finish", reason)
    assert producer.column() == list(range(1000))
    assert exchange.column() == [2 * value for value in range(100)]
    assert sorted(closings(streaming.stderr())) == [f"exchange {reason}", f"gate {reason}", "producer finish"]


def test_the_answer_to_a_shutdown_comes_after_the_ends(streaming: StreamHost) -> None:
    open_all_sorts(streaming)
    for name in ("works", "never"):
        streaming.notify("cancel", name)
    streaming.ended("works", "never")
    shutdown = streaming.ask("shutdown", {})
    streaming.response(shutdown)
    assert all(record.end is not None for record in streaming.streams.values())
    assert not streaming.take()
    assert streaming.exit_code() == 0


def test_nothing_is_opened_while_it_stops(streaming: StreamHost) -> None:
    streaming.open("s", "obey")
    streaming.do("s", "wait a")
    streaming.serve("started", name="a")
    shutdown = streaming.ask("shutdown", {})
    opening = streaming.ask_open("late", "count")
    assert streaming.response(opening)["error"]["data"]["kind"] == "shutting_down"
    streaming.response(shutdown)
    assert streaming.streams["s"].reason == "shutdown"
    assert streaming.exit_code() == 0


@pytest.mark.parametrize("stop", STOPS)
def test_an_on_close_that_never_returns(streaming: StreamHost, stop: str) -> None:
    streaming.open("stuck s", "act", credit_bytes=0, actions=["emit"])
    streaming.open("other", "count", credit_bytes=0)
    STOPS[stop][0](streaming)
    while streaming.take():
        pass
    assert streaming.exit_code() == 0
    assert closings(streaming.stderr()) == [f"other {STOPS[stop][1]}", f"stuck s {STOPS[stop][1]}"]


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n" * 4, bytes(64), b"\xff" * 64, b"stray line\n" * 6],
    ids=["HTTP", "zeros", "ones", "text"],
)
def test_garbage_on_the_wire(streaming: StreamHost, garbage: bytes) -> None:
    """The line is lost, so what is not under way is not sent any more; each state is closed all the same."""
    open_all_sorts(streaming)
    streaming.send(garbage)
    while streaming.take():
        pass
    assert streaming.exit_code() == 76
    assert closings(streaming.stderr()) == sorted(f"{name} shutdown" for name in CLOSED)


def test_the_host_closes_the_output(streaming: StreamHost) -> None:
    open_all_sorts(streaming)
    streaming.close_output()
    assert streaming.exit_code() == 74
    assert closings(streaming.stderr()) == [f"{name} host_gone" for name in CLOSED]


def test_an_idle_stream(spawn_streams: SpawnStreams) -> None:
    """One whose turn never returns is not idle: it is not the host that is waited for."""
    host = spawn_streams("--stream-idle", "1")
    host.open("waits", "count", credit_bytes=0)
    host.open("waits in a turn", "act", credit_bytes=1, actions=["emit 2"])
    host.open("exchange", "scale")
    host.open("never", "obey")
    host.do("never", "never a")
    assert host.ended("waits", "waits in a turn", "exchange") == ["idle"] * 3
    assert {host.streams[name].error for name in ("waits", "waits in a turn", "exchange")} == {"idle_timeout"}
    assert host.open_streams() == ["never"]
    assert host.closings(3) == ["exchange idle", "waits idle", "waits in a turn idle"]
    host.finish()


# -- the host dies -----------------------------------------------------------------------------------------------


def test_the_host_is_killed(services_command: list[str]) -> None:
    command = [sys.executable, str(PEERS / "doomed_host.py"), "streaming", SERVICE[1], *services_command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, bufsize=0, **pipes) as host:
        assert host.stdout is not None
        assert host.stderr is not None
        handle = os.pidfd_open(int(read_until(host.stdout.fileno(), b"\n")))
        try:
            host.kill()
            text = read_to_end(host.stderr.fileno())
            assert wait_readable(handle, GONE_S), "the sidecar outlived its host"
        finally:
            if not wait_readable(handle, 0):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
    assert closings(text) == ["busy producer host_gone", "exchange host_gone", "waiting producer host_gone"]


def read_to_end(fd: int) -> str:
    """All that comes until nobody is left who could write."""
    parts: list[bytes] = []
    while not parts or parts[-1]:
        assert wait_readable(fd, DEADLINE_S)
        parts.append(os.read(fd, 65536))
    return b"".join(parts).decode()


# -- the sidecar dies --------------------------------------------------------------------------------------------


@pytest.fixture
def service(spawn_with_services: SpawnHost) -> tuple[Any, Streaming]:
    """A host of the package's own, and its proxy."""
    host = spawn_with_services(*SERVICE)
    return host, host.service(Streaming)


def test_a_turn_that_ends_the_process(service: tuple[Any, Streaming]) -> None:
    _, proxy = service
    batches = iter(proxy.act("s", ["emit", "emit", "die 7"]))
    with pytest.raises(SidecarGone) as caught:
        list(batches)
    assert caught.value.exit_code == 7


def test_it_is_killed_in_the_middle_of_a_batch(service: tuple[Any, Streaming]) -> None:
    """What came whole is in order; then there is a fault, whose class depends on where in a frame it was."""
    host, proxy = service
    values = []

    def read_and_kill() -> None:
        for batch in proxy.count("s", rows=100_000):
            values.append(batch.batch.column(0)[0].as_py())
            if len(values) == 5:
                host.process.kill()

    with pytest.raises(HostFault):
        read_and_kill()
    assert len(values) >= 5
    assert values == list(range(len(values)))
    assert host.process.wait(GONE_S) == -signal.SIGKILL


def test_it_is_killed_while_an_exchange_waits(service: tuple[Any, Streaming]) -> None:
    host, proxy = service
    session = proxy.obey("s")
    session.send(AnnotatedBatch.from_pydict({"do": ["never a"]}))
    proxy.started("a")
    host.process.kill()
    with pytest.raises(SidecarGone):
        session.receive(DEADLINE_S)
    with pytest.raises(SidecarGone):
        session.exchange(AnnotatedBatch.from_pydict({"do": ["echo"]}), DEADLINE_S)
    session.cancel()


# -- a host that reads slowly ------------------------------------------------------------------------------------


def test_a_host_that_reads_nothing_for_a_while(streaming: StreamHost) -> None:
    """Streams with credit for half a gigabyte stand still; requests are served meanwhile, and later all of it comes."""
    base_bytes = memory_peak_bytes(streaming.process.pid)
    names = [f"s{number}" for number in range(8)]
    for name in names:
        streaming.open(name, "count", credit_bytes=2**40, total=80, rows=100_000)
    for _ in range(100):
        streaming.ask("services/call", {"method": "Streaming.closed", "params": {}})
    ping = streaming.ask("ping", {"data": blob(1000)})
    assert "result" in streaming.response(ping)
    assert set(streaming.ended(*names)) == {"finish"}
    assert all(streaming.streams[name].column() == list(range(80)) for name in names)
    assert memory_peak_bytes(streaming.process.pid) - base_bytes < 200 * MIB
    streaming.finish()
