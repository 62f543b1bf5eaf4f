"""Streams beside each other: none of them holds up another one, a request or a cancel, and each has its one end."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.raw import cancel, kind
from tests.peers.stream_host import Record, StreamHost

MIB = 1024**2
COUNT = 64


def check_all_is_served(host: StreamHost, small_csv: Path) -> None:
    """Ping, a load, a call, a producer and an exchange are served from beginning to end."""
    assert host.get("ping")["result"] == {"data": None}
    assert host.get("load", {"path": str(small_csv)})["result"]["rows"] == 3
    assert isinstance(host.serve("closed"), list)
    host.open("served producer", "count", total=3)
    host.open("served exchange", "scale")
    host.values("served exchange", 1, 2)
    host.notify("close", "served exchange")
    assert host.ended("served producer", "served exchange") == ["finish", "close"]
    assert host.streams["served producer"].column() == [0, 1, 2]
    assert host.streams["served exchange"].column() == [2, 4]


# -- turns that do not return ------------------------------------------------------------------------------------


def test_cancel_is_answered_while_the_turn_never_returns(streaming: StreamHost, small_csv: Path) -> None:
    record = streaming.open("s", "obey")
    streaming.do("s", "echo", "never a")
    streaming.serve("started", name="a")
    check_all_is_served(streaming, small_csv)
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    assert record.end == {"stream": "s", "reason": "cancel", "outputs": 1, "inputs": 1, "error": None}
    assert "s" not in streaming.open_streams()
    streaming.open("s", "count", total=2)
    assert streaming.ended("s") == ["finish"]
    streaming.finish()


def test_an_opening_that_never_returns(streaming: StreamHost, small_csv: Path) -> None:
    opening = streaming.ask_open("s", "open_and", action="never a")
    streaming.serve("started", name="a")
    check_all_is_served(streaming, small_csv)
    streaming.send(cancel(opening))
    assert kind(streaming.response(opening)) == "cancelled"
    streaming.finish()


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("act", {"actions": ["wait all"], "credit_bytes": MIB}),
        ("act", {"actions": ["emit 2"], "credit_bytes": 1}),
    ],
    ids=["turns that wait", "turns that wait for credit"],
)
def test_100_turns_that_wait_hold_up_no_other_stream(
    streaming: StreamHost, small_csv: Path, method: str, params: dict[str, Any]
) -> None:
    """More than there are threads at first."""
    names = [f"s{number}" for number in range(100)]
    for name in names:
        streaming.open(name, method, **params)
    check_all_is_served(streaming, small_csv)
    for name in names:
        streaming.notify("cancel", name)
    assert set(streaming.ended(*names)) == {"cancel"}
    streaming.serve("tell", name="all")
    streaming.finish()


def test_1000_streams_that_wait_for_their_host(streaming: StreamHost) -> None:
    """They cost no thread each."""
    before = streaming.serve("usage")["threads"]
    names = [f"s{number}" for number in range(1000)]
    ids = [streaming.ask_open(name, "count" if number % 2 else "scale", 0) for number, name in enumerate(names)]
    assert all("result" in streaming.response(id) for id in ids)
    assert streaming.serve("usage")["threads"] < before + 140
    assert sorted(streaming.open_streams()) == sorted(names)
    for name in names:
        streaming.notify("cancel", name)
    assert set(streaming.ended(*names)) == {"cancel"}
    assert streaming.closings(1000) == sorted(f"{name} cancel" for name in names)
    assert streaming.open_streams() == []
    streaming.finish()


# -- 64 at once --------------------------------------------------------------------------------------------------


class Life:
    """What a host does with one stream, step by step, and what must have come of it in the end. `next` is what is to
    be done now; it is None once the rest is the sidecar's."""

    def __init__(self, host: StreamHost, name: str, random: random.Random) -> None:
        self.host = host
        self.name = name
        self.steps = random.randrange(1, 40)
        """Batches, before whatever ends it."""
        self.done = 0
        self.reason = ""
        self.error: str | None = None

    @property
    def record(self) -> Record:
        """The host's account of it."""
        return self.host.streams[self.name]

    def ask_open(self) -> int:
        raise NotImplementedError

    def step(self) -> bool:
        """Do what is next; False once nothing is left to do."""
        raise NotImplementedError

    def check(self) -> None:
        """All data is there and in order, up to the end."""
        raise NotImplementedError


class Finishes(Life):
    """A producer that is given credit for one batch after the other."""

    reason = "finish"

    def ask_open(self) -> int:
        self.reason = "finish"
        return self.host.ask_open(self.name, "count", 1, total=self.steps)

    def step(self) -> bool:
        self.done += 1
        if self.record.end is None:
            self.host.notify("credit", self.name, bytes=400)
        return self.record.end is None

    def check(self) -> None:
        assert self.record.column() == list(range(self.steps))


class Fails(Finishes):
    """A producer whose last turn raises."""

    def ask_open(self) -> int:
        self.reason, self.error = "error", "service_error"
        return self.host.ask_open(self.name, "act", 1, actions=["emit"] * self.steps + ["emit_and_raise value"])

    def check(self) -> None:
        assert self.record.column() == list(range(self.steps + 1))


class IsCancelled(Life):
    """A producer without an end, cancelled in the middle of it."""

    def ask_open(self) -> int:
        self.reason = "cancel"
        return self.host.ask_open(self.name, "count", 64 * 1024)

    def step(self) -> bool:
        self.done += 1
        if self.done == self.steps:
            self.host.notify("cancel", self.name)
            return False
        self.host.notify("credit", self.name, bytes=10_000)
        return True

    def check(self) -> None:
        column = self.record.column()
        assert column == list(range(len(column)))
        assert self.record.end["outputs"] == len(column)


class IsClosed(Life):
    """An exchange, pipelined, and closed."""

    def ask_open(self) -> int:
        self.reason = "close"
        return self.host.ask_open(self.name, "scale", factor=3)

    def step(self) -> bool:
        self.host.values(self.name, self.done)
        self.done += 1
        if self.done == self.steps:
            self.host.notify("close", self.name)
        return self.done < self.steps

    def check(self) -> None:
        assert self.record.column() == [3 * value for value in range(self.steps)]
        assert self.record.end["inputs"] == self.steps


class IsRefused(Life):
    """An exchange whose last input fails."""

    def ask_open(self) -> int:
        self.reason, self.error = "error", "service_error"
        return self.host.ask_open(self.name, "obey")

    def step(self) -> bool:
        self.done += 1
        self.host.do(self.name, "echo" if self.done < self.steps else "raise value")
        return self.done < self.steps

    def check(self) -> None:
        assert self.record.column() == ["echo"] * (self.steps - 1)


class IsAbandoned(Life):
    """An exchange that is cancelled with input under way."""

    def ask_open(self) -> int:
        self.reason = "cancel"
        return self.host.ask_open(self.name, "scale", factor=5)

    def step(self) -> bool:
        self.host.values(self.name, self.done)
        self.done += 1
        if self.done == self.steps:
            self.host.notify("cancel", self.name)
        return self.done < self.steps

    def check(self) -> None:
        column = self.record.column()
        assert column == [5 * value for value in range(len(column))]


LIVES: list[Callable[..., Life]] = [Finishes, Fails, IsCancelled, IsClosed, IsRefused, IsAbandoned]


@pytest.mark.parametrize("seed", range(4))
def test_64_streams_under_cancels_and_errors(streaming: StreamHost, seed: int) -> None:
    """In any order each one ends once, for its own reason, with all its data; `on_close` was called once for each."""
    chance = random.Random(seed)
    lives = [LIVES[number % len(LIVES)](streaming, f"s{number}", chance) for number in range(COUNT)]
    ids = [life.ask_open() for life in lives]
    for id in ids:
        assert "result" in streaming.response(id)
    busy = list(lives)
    while busy:
        life = chance.choice(busy)
        if not life.step():
            busy.remove(life)
        if chance.random() < 0.2:
            streaming.settled()
    streaming.ended(*(life.name for life in lives))
    for life in lives:
        assert (life.name, life.record.reason, life.record.error) == (life.name, life.reason, life.error)
        life.check()
    assert streaming.closings(COUNT) == sorted(f"{life.name} {life.reason}" for life in lives)
    assert streaming.open_streams() == []
    assert streaming.refusals == []
    streaming.finish()


# -- fairness ----------------------------------------------------------------------------------------------------


def received_bytes(host: StreamHost) -> int:
    """All output so far."""
    return sum(sum(map(len, record.pieces)) for record in host.streams.values())


@pytest.mark.parametrize("rows", [1, 4000], ids=["small", "large"])
def test_64_producers_that_never_finish(streaming: StreamHost, rows: int) -> None:
    """Each gets its share, and neither a ping nor an exchange waits for more than what is on its way: the pipe's
    buffer and a frame of each, several times over. A stream may run 4 MiB ahead of the writer, so that a round of all
    of them is 256 MiB at most."""
    bound_bytes = 128 * MIB
    round_bytes = COUNT * 4 * MIB
    names = [f"s{number}" for number in range(COUNT)]
    ids = [streaming.ask_open(name, "count", 2**40, rows=rows) for name in names]
    for id in ids:
        streaming.response(id)
    exchange = streaming.open("exchange", "scale")
    for number in range(10):
        before = received_bytes(streaming)
        streaming.settled()
        streaming.values("exchange", number)
        streaming.until(lambda number=number: len(exchange.pieces) > number)
        assert received_bytes(streaming) - before < bound_bytes
    shares = [len(streaming.streams[name].pieces) for name in names]
    before = received_bytes(streaming)
    streaming.until(
        lambda: all(len(streaming.streams[name].pieces) >= 5 + share for name, share in zip(names, shares, strict=True))
    )
    assert received_bytes(streaming) - before < 5 * round_bytes
    for name in names:
        streaming.notify("cancel", name)
    streaming.notify("close", "exchange")
    assert set(streaming.ended(*names)) == {"cancel"}
    assert streaming.ended("exchange") == ["close"]
    assert exchange.column() == [2 * number for number in range(10)]
    streaming.finish()
