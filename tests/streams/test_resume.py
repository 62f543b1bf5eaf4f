"""Tokens and the classes that they were made of: states of older and newer versions, methods that are gone, time."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import Any, Protocol

import pyarrow as pa
import pytest

from sidecar import ProducerState, Sidecar, SidecarError, Stream
from sidecar.protocol.streams import Paused
from sidecar.streams.handlers import CheckpointParams, OpenParams, ResumeParams, Services
from sidecar.streams.tokens import TokenKeys, TokenSeal
from sidecar.wire.payload import Payload

SCHEMA = pa.schema([("value", pa.int64())])


class Counter(Protocol):
    def count(self) -> Stream[ProducerState]: ...


class Other(Protocol):
    def other(self) -> Stream[ProducerState]: ...


class Implementation:
    """Opens whatever state it is given."""

    def __init__(self, state: Any = None) -> None:
        self.state = state

    def count(self) -> Stream[ProducerState]:
        return Stream(SCHEMA, self.state)

    other = count


class Context:
    """A handler's call; it keeps what was opened."""

    id = 1
    deadline = None
    cancelled = False
    turns: Any = None

    def open_stream(self, id: str, turns: Any, credit_bytes: int, outputs: int = 0, inputs: int = 0) -> None:
        self.turns, self.counts = turns, (outputs, inputs)

    def pause(self, stream: str) -> Paused:
        return Paused(self.turns, 7, 0)


class Bench:
    """A sidecar with one service, at a time; `keys` are those of all."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.keys = TokenKeys.minted()

    def services(self, implementation: Any, protocol: Any = Counter, name: str = "Counter") -> Services:
        mounted = Sidecar().mount(protocol, implementation, name).services
        return Services(mounted, TokenSeal(self.keys, lambda: self.now), lambda: self.now)

    def token(self, state: Any, ttl_s: int = 60) -> bytes:
        """A checkpoint of a stream of this state."""
        context: Any = Context()
        services = self.services(Implementation(state))
        services.open(OpenParams("s", "Counter.count"), context)
        return bytes(services.checkpoint(CheckpointParams("s", ttl_s), context).token.data)

    def resumed(self, token: bytes, services: Services | None = None) -> Any:
        """The state of the stream that a token opens."""
        context: Any = Context()
        services = services or self.services(Implementation())
        services.resume(ResumeParams("s", Payload("bytes", token)), context)
        assert context.counts == (7, 0)
        return context.turns.state

    def refusal(self, token: bytes, services: Services | None = None) -> SidecarError:
        """The error of a resume."""
        with pytest.raises(SidecarError) as caught:
            self.resumed(token, services)
        return caught.value


@pytest.fixture
def bench() -> Bench:
    return Bench()


def produce(self: Any, out: Any, ctx: Any) -> None:
    """Never called here."""


def version(name: str, *fields: Any) -> Any:
    """A version of the state's class: later ones of the same name take its place, as in a program of a later day."""
    made = make_dataclass(name, fields, bases=(ProducerState,), namespace={"produce": produce})
    made.__module__ = __name__
    return made


def default(value: Any) -> Any:
    from dataclasses import field

    return field(default=value)


def test_the_state_comes_back_as_another_object(bench: Bench) -> None:
    cls = version("Plain", ("number", int), ("names", list[str]))
    state = cls(5, ["a"])
    found = bench.resumed(bench.token(state))
    assert found == state
    assert found is not state


def test_a_class_with_new_fields(bench: Bench) -> None:
    """They have their defaults; what was kept is as it was."""
    token = bench.token(version("Grown", ("number", int))(5))
    newer = version("Grown", ("number", int), ("name", str, default("new")), ("size", int, default(3)))
    assert bench.resumed(token) == newer(5, "new", 3)


def test_a_class_that_lost_fields(bench: Bench) -> None:
    token = bench.token(version("Shrunk", ("number", int), ("name", str))(5, "x"))
    newer = version("Shrunk", ("number", int))
    assert bench.resumed(token) == newer(5)


def test_a_default_that_changed_does_not_change_what_was_kept(bench: Bench) -> None:
    token = bench.token(version("Moved", ("number", int, default(1)))())
    newer = version("Moved", ("number", int, default(2)))
    assert bench.resumed(token) == newer(1)


def test_a_class_within_a_function_is_not_kept(bench: Bench) -> None:
    """Another call makes another class of its name; after a restart there is none until that call."""
    local = version("Local", ("number", int))
    local.__qualname__ = "make.<locals>.Local"
    with pytest.raises(SidecarError, match="move its class out of the function, into the module") as caught:
        bench.token(local(5))
    assert caught.value.kind == "not_serializable"


def test_a_class_with_a_new_field_that_has_no_default(bench: Bench) -> None:
    token = bench.token(version("Demanding", ("number", int))(5))
    version("Demanding", ("number", int), ("name", str))
    fault = bench.refusal(token)
    assert fault.kind == "not_serializable"
    assert "name" in fault.message


def test_a_field_of_another_type(bench: Bench) -> None:
    token = bench.token(version("Retyped", ("number", int))(5))
    version("Retyped", ("number", list[str]))
    assert bench.refusal(token).kind == "not_serializable"


def test_a_class_that_is_gone(bench: Bench) -> None:
    cls = version("Gone", ("number", int))
    token = bench.token(cls(5))
    cls.__qualname__ = "Renamed"
    fault = bench.refusal(token)
    assert fault.kind == "not_serializable"
    assert f"{__name__}:Gone" in fault.message


@pytest.mark.parametrize(
    ("protocol", "name"), [(Other, "Counter"), (Counter, "Renamed")], ids=["its method", "its service"]
)
def test_a_method_that_is_gone(bench: Bench, protocol: Any, name: str) -> None:
    token = bench.token(version("Plain", ("number", int))(5))
    fault = bench.refusal(token, bench.services(Implementation(), protocol, name))
    assert fault.kind == "method_not_found"
    assert "Counter.count" in fault.message


def test_time(bench: Bench) -> None:
    """Good until the moment in which it expires, and not in it; a token of the future is good."""
    token = bench.token(version("Plain", ("number", int))(5), ttl_s=60)
    bench.now += 59.9
    assert bench.resumed(token).number == 5
    bench.now += 0.2
    fault = bench.refusal(token)
    assert (fault.kind, fault.data) == ("token_expired", {"expires_at": 1060, "now": 1060})
    bench.now = 10.0
    assert bench.resumed(token).number == 5


def test_keys_are_rotated_while_streams_run(bench: Bench) -> None:
    old, new = ("old", bytes(32)), ("new", bytes(range(32)))
    cls = version("Plain", ("number", int))
    bench.keys.set([old])
    first = bench.token(cls(1))
    bench.keys.set([new, old])
    second = bench.token(cls(2))
    assert [bench.resumed(token).number for token in (first, second)] == [1, 2]
    bench.keys.set([new])
    assert bench.refusal(first).kind == "invalid_token"
    assert bench.resumed(second).number == 2


@dataclass
class Opened(ProducerState):
    """Takes from its service what no token holds."""

    number: int
    produce = produce

    def __post_init__(self) -> None:
        self.handle: Any = "of the first"

    def rehydrate(self, implementation: Any) -> None:
        if implementation.state == "broken":
            raise OSError("no handle")
        self.handle = implementation.state


def test_rehydration(bench: Bench) -> None:
    token = bench.token(Opened(3))
    assert bench.resumed(token, bench.services(Implementation("another"))).handle == "another"


def test_a_rehydration_that_fails(bench: Bench) -> None:
    token = bench.token(Opened(3))
    fault = bench.refusal(token, bench.services(Implementation("broken")))
    assert (fault.kind, fault.data["type"]) == ("service_error", "OSError")
