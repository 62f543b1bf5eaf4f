"""Proxies: a service is called as its Protocol says, and what does not fit is told before anything is sent."""

from __future__ import annotations

import enum
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pyarrow as pa
import pytest

from sidecar import (
    ArrowSerializableDataclass,
    CallContext,
    ContractError,
    InvalidValue,
    OutputCollector,
    ProducerState,
    SidecarError,
    Stream,
    serve_pipe,
)
from sidecar.client.proxy import make_proxy

TABLE = pa.RecordBatch.from_pydict({"a": [1, 2]})


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Numbers(ProducerState):
    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.finish()


@dataclass
class Counted(ArrowSerializableDataclass):
    """As it is made, its number goes up once: `Counted(1)` is written with a 2 in it."""

    number: int

    def __post_init__(self) -> None:
        self.number += 1


class Desk(Protocol):
    """What is called."""

    def told(self, a: int, b: int = 2, *, c: str = "c") -> list[int | str]:
        """Gives back what it was told."""
        ...

    def paint(self, colours: list[Colour], day: date | None = None) -> dict[str, Colour]: ...

    def store(self, data: bytes, table: pa.RecordBatch) -> tuple[bytes, pa.RecordBatch]: ...

    def nothing(self) -> None: ...

    def counted(self) -> Counted: ...

    def counts(self) -> Stream[ProducerState, Counted]: ...

    def grown(self, items: list[int] = []) -> list[int]: ...  # noqa: B006

    def lies(self) -> int: ...

    def stream(self, rows: int, step: int = 1) -> Stream[ProducerState, dict[str, int]]: ...


class Implementation:
    """Counts how often it is called."""

    def __init__(self) -> None:
        self.calls = 0

    def told(self, a, b=2, *, c="c"):  # type: ignore[no-untyped-def]
        self.calls += 1
        return [a, b, c]

    def paint(self, colours: list[Colour], day: date | None = None) -> dict[str, Colour]:
        assert all(isinstance(colour, Colour) for colour in colours)
        return {f"{day!r} {number}": colour for number, colour in enumerate(colours)}

    def store(self, data: bytes, table: pa.RecordBatch) -> tuple[bytes, pa.RecordBatch]:
        return data[::-1], table.slice(1)

    def nothing(self) -> None:
        self.calls += 1

    def counted(self) -> Counted:
        return Counted(1)

    def counts(self) -> Stream[ProducerState, Counted]:
        return Stream(pa.schema([]), Numbers(), header=Counted(1))

    def grown(self, items: list[int]) -> list[int]:
        items.append(1)
        return items

    def lies(self):  # type: ignore[no-untyped-def]
        return "no number"

    def stream(self, rows: int, step: int = 1) -> Stream[ProducerState, dict[str, int]]:
        self.calls += 1
        return Stream(pa.schema([]), Numbers(), header={"rows": rows, "step": step})


@pytest.fixture
def desk() -> Iterator[Any]:
    """The proxy, untyped, for calls that its type forbids; `desk.calls()` counts what was sent."""
    implementation = Implementation()
    with serve_pipe(Desk, implementation) as proxy:
        yield SimpleNamespace(proxy=proxy, calls=lambda: implementation.calls)


CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any], list[Any]]] = {
    "by position": ((1, 3), {}, [1, 3, "c"]),
    "by name": ((), {"b": 3, "a": 1, "c": "d"}, [1, 3, "d"]),
    "mixed": ((1,), {"c": "d"}, [1, 2, "d"]),
    "defaults": ((1,), {}, [1, 2, "c"]),
}


@pytest.mark.parametrize(("given", "named", "told"), CALLS.values(), ids=CALLS)
def test_arguments(desk: Any, given: tuple[Any, ...], named: dict[str, Any], told: list[Any]) -> None:
    assert desk.proxy.told(*given, **named) == told


BAD_CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "none": ((), {}, "^Desk.told: missing a required argument: 'a'"),
    "too many": ((1, 2, "c"), {}, "too many positional"),
    "an unknown name": ((1,), {"x": 1}, "unexpected keyword argument 'x'"),
    "one twice": ((1,), {"a": 1}, "multiple values for argument 'a'"),
}


@pytest.mark.parametrize(("given", "named", "words"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_arguments_that_the_method_does_not_take(
    desk: Any, given: tuple[Any, ...], named: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        desk.proxy.told(*given, **named)
    assert desk.calls() == 0


@pytest.mark.parametrize("method", ["told", "stream"])
@pytest.mark.parametrize("value", ["1", None, 1.5, True, 2**64], ids=repr)
def test_a_value_that_does_not_fit(desk: Any, method: str, value: Any) -> None:
    """It names the parameter, and is no error of the line."""
    with pytest.raises(InvalidValue, match="^a" if method == "told" else "^rows"):
        getattr(desk.proxy, method)(value)
    assert desk.calls() == 0


def test_values_of_all_sorts(desk: Any) -> None:
    assert desk.proxy.paint([Colour.RED, Colour.GREEN], date(2026, 1, 2)) == {
        "datetime.date(2026, 1, 2) 0": Colour.RED,
        "datetime.date(2026, 1, 2) 1": Colour.GREEN,
    }
    assert desk.proxy.store(b"abc", TABLE) == (b"cba", TABLE.slice(1))
    assert desk.proxy.nothing() is None
    assert desk.proxy.stream(3, step=2).header == {"rows": 3, "step": 2}


def test_what_the_sidecar_made_is_not_changed_again(desk: Any) -> None:
    """A dataclass whose `__post_init__` counts up, as a result and as a header."""
    assert desk.proxy.counted() == Counted(1)
    assert desk.proxy.counts().header == Counted(1)


def test_a_default_is_new_in_every_call(desk: Any) -> None:
    assert [desk.proxy.grown(), desk.proxy.grown()] == [[1], [1]]


def test_a_result_that_does_not_fit_is_the_services_fault(desk: Any) -> None:
    with pytest.raises(SidecarError) as caught:
        desk.proxy.lies()
    assert caught.value.kind == "invalid_output"
    assert "Desk.lies" in caught.value.message
    assert desk.proxy.told(1) == [1, 2, "c"]


def test_a_proxy_looks_like_its_protocol(desk: Any) -> None:
    assert type(desk.proxy).__name__ == "Desk"
    assert desk.proxy.__doc__ == "What is called."
    assert desk.proxy.told.__doc__ == "Gives back what it was told."
    assert list(inspect.signature(desk.proxy.told).parameters) == ["a", "b", "c"]
    assert [name for name in dir(desk.proxy) if not name.startswith("_")] == sorted(
        ["counted", "counts", "grown", "told", "paint", "store", "nothing", "lies", "stream"]
    )


# -- a host whose Protocol is another one than the sidecar's -----------------------------------------------------


class OtherDesk(Protocol):
    def told(self, a: int, b: int = 2, more: int = 3) -> dict[str, int]: ...

    def missing(self) -> int: ...

    def nothing(self) -> Stream[ProducerState]: ...

    def stream(self, rows: int) -> Stream[ProducerState, list[int]]: ...


@pytest.fixture
def other(desk: Any) -> Any:
    """Another view of the same service, on the same line."""
    desk.line = desk.proxy.stream(1)._line
    return make_proxy(OtherDesk, desk.line, "Desk")


def kind(call: Any) -> str:
    with pytest.raises(SidecarError) as caught:
        call()
    return caught.value.kind


def test_another_protocol(desk: Any, other: Any) -> None:
    """What the host asks for and the sidecar does not have is an answer, as is what cannot be read."""
    assert kind(other.missing) == "method_not_found"
    assert kind(lambda: other.told(1, more=4)) == "invalid_params"
    assert kind(other.nothing) == "method_not_found"
    with pytest.raises(InvalidValue, match=r"the result of Desk\.told"):
        other.told(1)
    assert desk.proxy.told(1) == [1, 2, "c"]


def test_a_header_that_cannot_be_read_ends_the_stream(desk: Any, other: Any) -> None:
    with pytest.raises(InvalidValue, match="header"):
        other.stream(1)
    assert desk.line.request("streams/list", {}).result()["streams"] == []


def test_a_service_that_is_not_there(desk: Any, other: Any) -> None:
    stranger: Any = make_proxy(OtherDesk, desk.line)
    with pytest.raises(SidecarError, match="OtherDesk") as caught:
        stranger.missing()
    assert caught.value.data["methods"] == [f"Desk.{name}" for name in vars(Desk) if not name.startswith("_")]


def test_a_protocol_that_cannot_be_served_makes_no_proxy(desk: Any, other: Any) -> None:
    class Unusable(Protocol):
        async def method(self) -> int: ...

    with pytest.raises(ContractError, match="without async"):
        make_proxy(Unusable, desk.line)


# -- types -------------------------------------------------------------------------------------------------------

TYPED = """
from dataclasses import dataclass
from typing import Protocol
from sidecar import AnnotatedBatch, ArrowSerializableDataclass, ExchangeState, ProducerState, Stream, serve_pipe
from sidecar.client import Host

@dataclass(frozen=True)
class Header(ArrowSerializableDataclass):
    rows: int

class Service(Protocol):
    def add(self, a: int, b: int = 2) -> int: ...
    def count(self, n: int) -> Stream[ProducerState, Header]: ...
    def scale(self, factor: float) -> Stream[ExchangeState]: ...

class Implementation:
    def add(self, a: int, b: int = 2) -> int:
        return a + b
    def count(self, n: int) -> Stream[ProducerState, Header]:
        raise NotImplementedError
    def scale(self, factor: float) -> Stream[ExchangeState]:
        raise NotImplementedError

with serve_pipe(Service, Implementation()) as proxy:
    reveal_type(proxy)  # typed.Service
    reveal_type(proxy.add(1))  # int
    reveal_type(proxy.count(3).header)  # typed.Header
    reveal_type(proxy.scale(3.0).header)  # None
    for got in proxy.count(3):
        reveal_type(got)  # sidecar.streams.batch.AnnotatedBatch
    with proxy.scale(1.0) as session:
        reveal_type(session.exchange(got))  # sidecar.streams.batch.AnnotatedBatch
    proxy.add("x")  # error: arg-type
    proxy.add()  # error: call-arg
    proxy.missing()  # error: attr-defined
    proxy.count(3).header.columns  # error: attr-defined

with Host.spawn() as host:
    reveal_type(host.service(Service))  # typed.Service
"""


def expected_of(source: str) -> list[tuple[int, str]]:
    """What the comments say: the type that is revealed in a line, or the code of the error."""
    lines = enumerate(source.splitlines(), start=1)
    return [(number, line.partition("# ")[2]) for number, line in lines if "# " in line]


def found_by_mypy(program: Path, cache: Path) -> list[tuple[int, str]]:
    options = ["--strict", "--config-file=", "--ignore-missing-imports", f"--cache-dir={cache}"]
    command = [sys.executable, "-m", "mypy", *options, str(program)]
    root = Path(__file__).parents[2]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=root, check=False)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    line = re.compile(r'typed\.py:(\d+): (?:note: Revealed type is "(.*)"|error: .*\[(.*)\])')
    return [(int(at), revealed or f"error: {code}") for at, revealed, code in line.findall(run.stdout)]


def test_type_checkers_see_the_protocol(tmp_path: Path) -> None:
    """mypy --strict takes 2 to 20 s for this, as it looks at the package too."""
    program = tmp_path / "typed.py"
    program.write_text(TYPED, "utf-8")
    assert found_by_mypy(program, tmp_path / "cache") == expected_of(TYPED)
