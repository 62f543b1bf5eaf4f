"""100 000 turns and 2 000 streams later the process has the memory, descriptors and threads that it had before."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.wire.payload import Payload
from tests.peers.stream_host import StreamHost
from tests.peers.streaming import VALUES

from .conftest import SpawnStreams

MIB = 1024**2
TURNS = 100_000
STREAMS = 2_000
PER_PIECE = 50
PIECES_AHEAD = 20
WARM = 10
"""One part in so many of the work is done before memory is looked at."""

GROWTH_BYTES = 24 * MIB
"""What the allocators may keep in between. A leak of 256 bytes a turn would be as much."""


MAX_THREADS = 140
"""64 for requests, 64 for streams, and the few that are always there."""


def exchange(host: StreamHost, turns: int) -> None:
    """Turns in pieces of 50 batches, a thousand under way."""
    record = host.open("exchange", "scale")
    first = bytes(host.piece("exchange", VALUES, [{"value": 1}]).data)
    batch = bytes(host.piece("exchange", VALUES, [{"value": 1}]).data)
    pieces = turns // PER_PIECE
    for number in range(pieces):
        batches = first + batch * (PER_PIECE - 1) if number == 0 else batch * PER_PIECE
        host.notify("data", "exchange", batches=Payload("arrow", batches))
        if number % PIECES_AHEAD == 0:
            host.notify("credit", "exchange", bytes=MIB)
            host.settled()
    host.notify("credit", "exchange", bytes=64 * MIB)
    host.notify("close", "exchange")
    assert host.ended("exchange") == ["close"]
    assert (record.end["inputs"], record.end["outputs"]) == (turns, turns)
    assert record.column() == [2] * turns


def produce(host: StreamHost, turns: int) -> None:
    """Batches under credit that is given a megabyte at a time."""
    record = host.open("producer", "count", total=turns)
    while record.end is None:
        host.until(lambda: record.end or record.credit_bytes < MIB // 2)
        host.notify("credit", "producer", bytes=MIB)
    assert record.reason == "finish"
    assert record.column() == list(range(turns))


def open_and_end(host: StreamHost, streams: int) -> None:
    """Groups of streams that are cancelled, closed, finished and refused."""
    for _ in range(0, streams, 40):
        names = [f"s{number}" for number in range(40)]
        ids = [host.ask_open(name, method, **params) for name, (method, params) in zip(names, WAYS * 10, strict=True)]
        for id in ids:
            host.response(id)
        for name in names[0::4]:
            host.notify("cancel", name)
        for name in names[1::4]:
            host.notify("close", name)
        for name in names[2::4]:
            host.do(name, "raise own")
        assert host.ended(*names) == ["cancel", "close", "error", "finish"] * 10
        host.past.clear()
        host.responses.clear()


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("count", {"credit_bytes": 0}),
    ("scale", {}),
    ("obey", {}),
    ("count", {"total": 2}),
]


@pytest.mark.parametrize(
    ("work", "amount"),
    [(exchange, TURNS), (produce, TURNS), (open_and_end, STREAMS)],
    ids=["turns of an exchange", "batches of a producer", "streams"],
)
def test_nothing_grows(spawn_streams: SpawnStreams, work: Any, amount: int) -> None:
    streaming = spawn_streams("--no-warm")  # what is imported in the background would count
    work(streaming, amount // WARM)
    before = streaming.serve("usage")
    work(streaming, amount)
    assert streaming.open_streams() == []
    after = streaming.serve("usage")
    assert int(after["rss_bytes"]) - int(before["rss_bytes"]) < GROWTH_BYTES
    assert after["descriptors"] == before["descriptors"]
    assert after["threads"] < MAX_THREADS
    streaming.finish()
