"""A service whose turns are scripts of the test, in this process over real pipes, and what became of its streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from sidecar import (
    AnnotatedBatch,
    ArrowSerializableDataclass,
    CallContext,
    ExchangeState,
    OutputCollector,
    ProducerState,
    Stream,
    StreamSession,
    serve_pipe,
)

WAIT_S = 30.0
"""No wait ends by this in a run that passes."""

INTS = pa.schema([("value", pa.int64())])
FLOATS = pa.schema([pa.field("value", pa.float64(), nullable=False), ("label", pa.string())])


class Turn(NamedTuple):
    """What a script gets: the number of the turn from 0, and what the author's method gets."""

    number: int
    input: AnnotatedBatch
    out: OutputCollector
    ctx: CallContext
    lab: Lab

    def emit(self, *values: Any) -> None:
        """One batch of these values."""
        self.out.emit_pydict({"value": list(values)})


Script = Callable[[Turn], object]
Made = Callable[["Lab"], Any]


@dataclass(frozen=True)
class Header(ArrowSerializableDataclass):
    """Of the methods that have one."""

    rows: int


class Service(Protocol):
    """The Protocol of the lab."""

    def ping(self, number: int) -> int: ...

    def producer(self) -> Stream[ProducerState]: ...

    def producer_with_header(self) -> Stream[ProducerState, Header]: ...

    def exchange(self) -> Stream[ExchangeState]: ...

    def exchange_with_header(self) -> Stream[ExchangeState, Header]: ...

    def probe(self) -> Stream[ProducerState]: ...


class _Scripted:
    """What the states have in common. The lab is no field: these states are never serialized."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def process(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        number, self.lab.turns = self.lab.turns, self.lab.turns + 1
        self.lab.script(Turn(number, input, out, ctx, self.lab))

    def on_close(self, reason: str) -> None:
        self.lab.closes.put(reason)
        self.lab.on_close()


class Producer(_Scripted, ProducerState):
    """A producer that does what the script says."""

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        raise AssertionError("process is overridden")


class Exchange(_Scripted, ExchangeState):
    """An exchange that does what the script says."""

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        raise AssertionError("process is overridden")


class Probe(ProducerState):
    """Ends at once."""

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.finish()


def producer(lab: Lab, header: Any = None) -> Any:
    """A stream of whole numbers."""
    return Stream(INTS, Producer(lab), header=header)


def exchange(lab: Lab, header: Any = None) -> Any:
    """Takes numbers and labels, gives whole numbers."""
    return Stream(INTS, Exchange(lab), FLOATS, header)


class Lab:
    """Implements the service. `makes` is what a streaming method returns, `script` every turn."""

    def __init__(
        self, script: Script, makes: Made | None = None, on_close: Callable[[], object] = lambda: None
    ) -> None:
        self.script = script
        self.makes = makes
        self.on_close = on_close
        self.turns = 0
        self.closes: SimpleQueue[str] = SimpleQueue()
        self.logs: list[Any] = []
        self.logged = Event()
        self.entered = Event()
        """Set by scripts that are in the middle of a turn."""
        self.go = Event()
        """Set by hosts, for scripts that wait."""

    def ping(self, number: int) -> int:
        return number

    def producer(self) -> Stream[ProducerState]:
        return (self.makes or producer)(self)

    def producer_with_header(self) -> Stream[ProducerState, Header]:
        return (self.makes or (lambda lab: producer(lab, Header(3))))(self)

    def exchange(self) -> Stream[ExchangeState]:
        return (self.makes or exchange)(self)

    def exchange_with_header(self) -> Stream[ExchangeState, Header]:
        return (self.makes or (lambda lab: exchange(lab, Header(3))))(self)

    def probe(self) -> Stream[ProducerState]:
        return Stream(INTS, Probe())

    def take_log(self, log: Any) -> None:
        """`on_log` of the proxy."""
        self.logs.append(log)
        self.logged.set()

    def wait_for_go(self) -> None:
        """In a script: say that the turn is under way, and wait for the host."""
        self.entered.set()
        assert self.go.wait(WAIT_S)


class Bench(NamedTuple):
    """What a host has: the lab, its proxy, and a way to open the stream of the row."""

    lab: Lab
    proxy: Service
    method: str

    def open(self) -> StreamSession:
        """The stream of the method under test."""
        return getattr(self.proxy, self.method)()  # type: ignore[no-any-return]

    def open_streams(self) -> list[str]:
        """`streams/list`, without the stream by which it is asked; which also shows that the line works."""
        probe: Any = self.proxy.probe()
        assert list(probe) == []
        listed = probe._line.request("streams/list", {}).result(WAIT_S)["streams"]
        return [stream["method"] for stream in listed if stream["stream"] != probe.id]


@contextmanager
def served(lab: Lab, method: str = "producer", **options: Any) -> Iterator[Bench]:
    """The lab behind real pipes."""
    try:
        with serve_pipe(Service, lab, on_log=lab.take_log, **options) as proxy:
            yield Bench(lab, proxy, method)
    finally:
        lab.go.set()


def batch(*values: Any, **columns: Any) -> AnnotatedBatch:
    """Input of the lab's exchange, or of other columns."""
    return AnnotatedBatch.from_pydict(columns or {"value": list(values), "label": ["x"] * len(values)})


def values(answer: AnnotatedBatch) -> list[Any]:
    """What a batch of the lab's holds."""
    found: list[Any] = answer.batch.column("value").to_pylist()
    return found
