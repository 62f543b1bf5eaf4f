"""Requests whose methods are not made yet: the reader makes none, so that a busy sidecar answers; lanes keep order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import msgspec
import pytest

from sidecar.protocol.methods import Method, Methods
from sidecar.runtime.server import Server
from sidecar.runtime.stdio import Wire
from sidecar.runtime.stopping import Stopper
from sidecar.wire.limits import MIB, Limits
from tests.peers.raw import RawHost, cancel, kind

WAIT_S = 30


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """Of every method here."""

    session: str | None = None
    number: int = 0
    timeout_s: float | None = None


class Slow:
    """A group of one method, `slow`, that is made once it is let; beside it the methods of a sidecar's core."""

    def __init__(self) -> None:
        self.making, self.may_be_made = Event(), Event()
        self.faults: list[BaseException] = []
        self.served: list[int] = []
        core = {"ping": Method(Params, self.serve, lambda _: True), "load": Method(Params, self.serve)}
        self.methods = Methods(core, (("slow",), self.make))

    def make(self) -> dict[str, Method]:
        self.making.set()
        assert self.may_be_made.wait(WAIT_S)
        if self.faults:
            raise self.faults.pop()
        return {"slow": Method(Params, self.serve, lambda _: True)}

    def serve(self, params: Params, _context: Any) -> int:
        self.served.append(params.number)
        return params.number


@contextmanager
def serving(methods: Methods, clock: Callable[[], float] = time.monotonic) -> Iterator[RawHost]:
    """A host of a server on a thread of this process."""
    (their_input, our_output), (our_input, their_output) = os.pipe(), os.pipe()

    def stopper(wind_down: Callable[..., None]) -> Stopper:
        return Stopper(wind_down, exit=lambda _code: os.close(their_output), arm_deadline=lambda: None)

    server = Server(Wire(their_input, their_output), methods, Limits(), MIB, clock=clock, stopper=stopper)
    thread = Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield RawHost(None, our_output, our_input, None)  # type: ignore[arg-type]  # there is no process
    finally:
        os.close(our_output)
        thread.join(WAIT_S)
        assert not thread.is_alive()
        os.close(our_input)
        os.close(their_input)


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.may_be_made.set()


def test_ping_and_cancel_are_answered_while_a_group_is_made(slow: Slow) -> None:
    with serving(slow.methods) as host:
        host.request(1, "slow", {"number": 1})
        assert slow.making.wait(WAIT_S)
        assert host.call(2, "ping", {"number": 2})["result"] == 2
        assert host.call(3, "load", {"session": "s", "number": 3})["result"] == 3
        host.send(cancel(1))
        assert kind(host.answer(1)) == "cancelled"
        slow.may_be_made.set()
        assert host.call(4, "slow", {"number": 4})["result"] == 4
    assert slow.served == [2, 3, 4]


def test_a_lane_keeps_its_order_whether_its_methods_are_made_or_not(slow: Slow) -> None:
    names = ["slow", "load", "ping", "slow", "ping"]
    with serving(slow.methods) as host:
        for number, name in enumerate(names):
            host.request(number, name, {"session": "s", "number": number})
        assert host.call("other lane", "ping", {"session": "t", "number": -1})["result"] == -1
        slow.may_be_made.set()
        assert [host.answer()["result"] for _ in names] == list(range(len(names)))
    assert slow.served == [-1, *range(len(names))]


def test_a_shutdown_does_not_wait_for_a_group(slow: Slow) -> None:
    with serving(slow.methods) as host:
        host.request(1, "slow")
        assert slow.making.wait(WAIT_S)
        host.request(2, "shutdown")
        assert kind(host.call(3, "ping")) == "shutting_down"
        assert kind(host.answer(1)) == "cancelled"
        assert host.answer(2)["result"] is None
        assert not slow.may_be_made.is_set()
        slow.may_be_made.set()


FAULTS = {
    "no such method": ("slower", {}, "method_not_found"),
    "params that do not fit": ("slow", {"number": "1"}, "invalid_params"),
}


@pytest.mark.parametrize(("name", "params", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_a_request_is_said_as_ever(
    slow: Slow, name: str, params: dict[str, Any], expected: str
) -> None:
    slow.may_be_made.set()
    with serving(slow.methods) as host:
        before, after = host.call(1, name, params), host.call(2, name, params)
        assert kind(before) == kind(after) == expected
        assert before["error"] == after["error"]


def test_a_name_that_there_is_not_makes_no_group(slow: Slow) -> None:
    with serving(slow.methods) as host:
        error = host.call(1, "slower")["error"]
        assert error["data"]["methods"] == ["load", "ping", "shutdown", "slow"]
    assert not slow.making.is_set()


def test_a_group_that_cannot_be_made_is_an_error_and_is_tried_again(slow: Slow) -> None:
    slow.faults = [ImportError("a library is damaged")]
    slow.may_be_made.set()
    with serving(slow.methods) as host:
        assert kind(host.call(1, "slow", {"session": "s"})) == "internal_error"
        assert host.call(2, "slow", {"session": "s", "number": 2})["result"] == 2


def test_requests_that_wait_for_a_group_are_pending(slow: Slow) -> None:
    with serving(slow.methods) as host:
        host.request(1, "slow", {"session": "s" * 600_000})
        assert slow.making.wait(WAIT_S)
        assert kind(host.call(2, "slow", {"session": "t" * 600_000})) == "overloaded"
        slow.may_be_made.set()
        host.answer(1)
        assert kind(host.call(3, "slow", {"session": "t" * 600_000})) is None


def test_the_time_of_a_request_counts_from_its_arrival(slow: Slow) -> None:
    """The deadline that its handler sees; the clock goes on while the group is made."""
    now, seen = [100.0], []

    def make() -> dict[str, Method]:
        slow.make()
        return {"slow": Method(Params, lambda _params, context: seen.append(context.deadline))}

    with serving(Methods({}, (("slow",), make)), clock=lambda: now[0]) as host:
        host.request(1, "slow", {"timeout_s": 60})
        assert slow.making.wait(WAIT_S)
        now[0] = 130.0
        slow.may_be_made.set()
        host.answer(1)
    assert seen == [160.0]
