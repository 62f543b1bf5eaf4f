"""Raw hosts: of the sidecar under test, and of the real one with odd handlers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.peers import odd_handlers
from tests.peers.raw import RawHost
from tests.peers.stream_host import ROOT, SERVICE, StreamHost

PEERS = Path(__file__).parents[1] / "peers"

SpawnRaw = Callable[..., RawHost]
SpawnStreams = Callable[..., StreamHost]


@pytest.fixture
def spawn_raw(sidecar_command: list[str]) -> Iterator[SpawnRaw]:
    """A function that starts a sidecar: options of `serve`, and arguments of `subprocess.Popen`."""
    with ExitStack() as stack:

        def spawn(*options: str, **popen: Any) -> RawHost:
            return stack.enter_context(RawHost.spawn(sidecar_command, *options, **popen))

        yield spawn


@pytest.fixture
def spawn_odd(services_command: list[str]) -> Iterator[SpawnRaw]:
    """The same, of a sidecar with odd handlers."""
    with ExitStack() as stack:

        def spawn(*options: str, **popen: Any) -> RawHost:
            host = RawHost.spawn(services_command, *odd_handlers.SERVICE, *options, cwd=ROOT, **popen)
            return stack.enter_context(host)

        yield spawn


@pytest.fixture
def raw(spawn_raw: SpawnRaw) -> RawHost:
    """A sidecar that has said hello."""
    host = spawn_raw()
    host.hello()
    return host


@pytest.fixture
def odd(spawn_odd: SpawnRaw) -> RawHost:
    """A sidecar with odd handlers that has said hello."""
    host = spawn_odd()
    host.hello()
    return host


@pytest.fixture
def spawn_streams(services_command: list[str]) -> Iterator[SpawnStreams]:
    """A function that starts a sidecar with the service of misbehaving streams, which has said hello."""
    with ExitStack() as stack:

        def spawn(*options: str, **popen: Any) -> StreamHost:
            host = StreamHost.spawn(services_command, *SERVICE, *options, cwd=ROOT, **popen)
            stack.enter_context(host).hello()
            return host

        yield spawn


@pytest.fixture
def streaming(spawn_streams: SpawnStreams) -> StreamHost:
    """A sidecar with the service of misbehaving streams."""
    return spawn_streams()


@pytest.fixture
def lifeline() -> Iterator[tuple[int, int]]:
    """A pipe that a handler gets an end of (`pass_fds`): the reading and the writing end."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def small_csv(tmp_path: Path) -> Path:
    """Three rows."""
    path = tmp_path / "small.csv"
    path.write_text("id,name\n1,a\n2,b\n3,c\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def large_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose load takes a while: 6 million rows, 144 MB."""
    path = tmp_path_factory.mktemp("data") / "large.csv"
    rows = b"".join(b"%d,%d,name-%d\n" % (i, i * 7919, i % 1000) for i in range(100_000))
    with path.open("wb") as file:
        file.write(b"id,value,name\n")
        for _ in range(60):
            file.write(rows)
    return path
