"""A service whose streams do on request what streams should not. Mounted by `--service tests.peers.streaming:make`.

A producer works off a list of actions, one a turn; an exchange does the action that each batch names. An action is a
word of `ACTIONS`, and where it takes one, a blank and an argument: `emit 10`. What waits does so until it is told.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

import pyarrow as pa

from sidecar import (
    AnnotatedBatch,
    ArrowSerializableDataclass,
    CallContext,
    ExchangeState,
    OutputCollector,
    ProducerState,
    ServiceError,
    Sidecar,
    Stream,
)

LONG_S = 3600
VALUES = pa.schema([("value", pa.int64())])
TEXTS = pa.schema([("do", pa.string())])
LINES = pa.schema([("done", pa.string())])

_told: defaultdict[str, Event] = defaultdict(Event)
_started: defaultdict[str, Event] = defaultdict(Event)
_closed: list[str] = []


@dataclass
class Usage(ArrowSerializableDataclass):
    """What the process has of what could leak."""

    rss_bytes: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Plan(ArrowSerializableDataclass):
    """The header of `act`."""

    name: str
    turns: int


class Streaming(Protocol):
    """Streams that misbehave."""

    def tell(self, name: str) -> None:
        """Let what waits under this name go on."""
        ...

    def started(self, name: str) -> bool:
        """Wait until something waits under this name."""
        ...

    def closed(self) -> list[str]:
        """`name reason` of each stream whose `on_close` was called, in order."""
        ...

    def usage(self) -> Usage:
        """What the process holds now."""
        ...

    def act(self, name: str, actions: list[str]) -> Stream[Acting, Plan]:
        """A producer that does one action a turn, and finishes after the last."""
        ...

    def count(self, name: str, total: int = -1, rows: int = 1, per_turn: int = 1) -> Stream[Counting]:
        """A producer of consecutive numbers, without an end if `total` is negative."""
        ...

    def obey(self, name: str) -> Stream[Obeying]:
        """An exchange that does what it is told, and says so."""
        ...

    def scale(self, name: str, factor: int = 2) -> Stream[Scaling]:
        """An exchange that multiplies."""
        ...

    def open_and(self, name: str, action: str) -> Stream[Counting]:
        """Do an action, and return a producer then."""
        ...

    def unopenable(self, name: str) -> Stream[Unopenable]:
        """A stream whose state is no good."""
        ...

    def unkeepable(self, name: str) -> Stream[Unkeepable]:
        """A producer whose state no token can hold."""
        ...

    def bulky(self, name: str, size: int) -> Stream[Bulky]:
        """A producer whose state takes so many bytes."""
        ...


# -- actions -----------------------------------------------------------------------------------------------------


class Panic(BaseException):
    """What a panic in Rust looks like in Python."""


class Unspeakable(Exception):
    """An exception that cannot even be printed."""

    def __str__(self) -> str:
        raise ValueError("no text")


RAISED: dict[str, Callable[[], BaseException]] = {
    "value": lambda: ValueError("culprit"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "memory": MemoryError,
    "panic": lambda: Panic("culprit"),
    "generator": GeneratorExit,
    "stop": StopIteration,
    "surrogate": lambda: OSError("no file \udcff"),
    "unspeakable": Unspeakable,
    "own": lambda: ServiceError("out_of_cheese", "culprit", redo=True),
    "unencodable": lambda: ServiceError("out_of_cheese", "culprit", what=object()),
    "long": lambda: ValueError("x" * 20_000_000),
    "long_own": lambda: ServiceError("out_of_cheese", "culprit", what="x" * 20_000_000),
}


class Turn:
    """What an action may touch."""

    def __init__(self, name: str, out: OutputCollector | None, ctx: CallContext, value: int = 0) -> None:
        self.name = name
        self.ctx = ctx
        self.value = value
        self._out = out

    @property
    def out(self) -> OutputCollector:
        """Where the turn's output goes; an opening has none."""
        assert self._out is not None
        return self._out


def _emit(turn: Turn, text: str) -> None:
    """`emit`, or `emit 3` for so many batches."""
    for _ in range(int(text or 1)):
        turn.out.emit_pydict({"value": [turn.value]})
        turn.value += 1


def _emit_rows(turn: Turn, text: str) -> None:
    turn.out.emit_arrays([pa.repeat(turn.value, int(text))])
    turn.value += 1


def _emit_and_finish(turn: Turn, text: str) -> None:
    _emit(turn, text)
    turn.out.finish()


def _finish_and_emit(turn: Turn, text: str) -> None:
    turn.out.finish()
    _emit(turn, text)


def _emit_and_raise(turn: Turn, text: str) -> None:
    _emit(turn, "")
    raise RAISED[text]()


def _log_and_raise(turn: Turn, text: str) -> None:
    turn.out.client_log("warning", "last words", name=turn.name)
    raise RAISED[text]()


def _raise(turn: Turn, text: str) -> None:
    raise RAISED[text]()


def _wait(turn: Turn, text: str) -> None:
    """Wait until told, whatever the context says."""
    os.write(2, f"waiting {text}\n".encode())  # for a host that reads no answers now
    _started[text].set()
    _told[text].wait(LONG_S)


def _wait_and_check(turn: Turn, text: str) -> None:
    """Wait until told or cancelled."""
    _started[text].set()
    while not _told[text].wait(0.005):
        turn.ctx.check()


def _never(turn: Turn, text: str) -> None:
    _started[text].set()
    Event().wait()


def _two(turn: Turn, text: str) -> None:
    """Two batches in a turn that may have one."""
    for _ in range(2):
        turn.out.emit_pydict({"done": [text]})


def _print(turn: Turn, text: str) -> None:
    print("stray", text, flush=True)
    sys.stdout.write("stray\n")
    os.write(1, b"\x00\x01stray bytes\n")


def _exit(turn: Turn, text: str) -> None:
    sys.exit(int(text or 3))


def _fork(turn: Turn, text: str) -> None:
    """Go on in two processes for a moment; what the second one emits must reach nobody."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    signal.alarm(2)  # a lock that another thread held when the process was forked is never released here
    try:
        _emit(turn, "")
    finally:
        os._exit(0)


def _forever(act: Callable[[Turn], None]) -> Callable[[Turn, str], None]:
    """Do it over and over in one turn."""

    def go_on(turn: Turn, text: str) -> None:
        while True:
            act(turn)

    return go_on


def _unfit(turn: Turn, text: str) -> None:
    turn.out.emit(pa.RecordBatch.from_pydict({"other": [1]}))


ACTIONS: dict[str, Callable[[Turn, str], None]] = {
    "emit": _emit,
    "rows": _emit_rows,
    "finish": lambda turn, _text: turn.out.finish(),
    "emit_and_finish": _emit_and_finish,
    "finish_and_emit": _finish_and_emit,
    "emit_and_raise": _emit_and_raise,
    "log_and_raise": _log_and_raise,
    "log": lambda turn, text: turn.out.client_log("info", text, name=turn.name),
    "progress": lambda turn, text: turn.ctx.progress(int(text)),
    "log_forever": _forever(lambda turn: turn.out.client_log("info", "again")),
    "progress_forever": _forever(lambda turn: turn.ctx.progress(1)),
    "emit_forever": _forever(lambda turn: turn.out.emit_pydict({"value": [1]})),
    "raise": _raise,
    "wait": _wait,
    "wait_and_check": _wait_and_check,
    "never": _never,
    "nothing": lambda _turn, _text: None,
    "print": _print,
    "exit": _exit,
    "die": lambda _turn, text: os._exit(int(text)),
    "fork": _fork,
    "unfit": _unfit,
    "two": _two,
}
SILENT = frozenset({"log", "progress", "print", "wait", "wait_and_check", "fork"})
"""After these a turn emits as any other."""


def act(turn: Turn, action: str) -> str:
    """Do one action; returns its word."""
    word, _, text = action.partition(" ")
    ACTIONS[word](turn, text)
    return word


def note_end(name: str, reason: str) -> None:
    """For `closed`, and for whoever reads standard error when the process is gone."""
    _closed.append(f"{name} {reason}")
    os.write(2, f"closed {name} {reason}\n".encode())


# -- states ------------------------------------------------------------------------------------------------------


@dataclass
class Acting(ProducerState):
    name: str
    actions: list[str]
    position: int = 0
    value: int = 0

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        if self.position == len(self.actions):
            out.finish()
            return
        turn = Turn(self.name, out, ctx, self.value)
        self.position += 1
        if act(turn, self.actions[self.position - 1]) in SILENT:
            _emit(turn, "")
        self.value = turn.value

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)
        if self.name.startswith("bad "):
            raise ValueError("on_close fails")
        if self.name.startswith("stuck "):
            Event().wait()


@dataclass
class Counting(ProducerState):
    name: str
    total: int = -1
    rows: int = 1
    per_turn: int = 1
    value: int = 0

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        for _ in range(self.per_turn):
            if self.value == self.total:
                out.finish()
                return
            out.emit_arrays([pa.repeat(self.value, self.rows)])
            self.value += 1

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)


@dataclass
class Obeying(ExchangeState):
    name: str
    output_schema = LINES
    input_schema = TEXTS

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        action = input.batch.column("do")[0].as_py()
        if action.partition(" ")[0] in {"finish", "two", "nothing", "unfit"}:
            act(Turn(self.name, out, ctx), action)
            return
        if action != "echo":
            act(Turn(self.name, None, ctx), action)
        out.emit_pydict({"done": [action]}, input.custom_metadata)

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)


@dataclass
class Scaling(ExchangeState):
    name: str
    factor: int
    output_schema = VALUES
    input_schema = VALUES

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        out.emit_pydict({"value": [value * self.factor for value in input.batch.column("value").to_pylist()]})

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)


@dataclass
class Unopenable(ProducerState):
    """Returned without a schema."""

    name: str

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        raise AssertionError("never begun")

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)


@dataclass
class Unkeepable(ProducerState):
    name: str
    event: Any
    output_schema = VALUES

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.emit_pydict({"value": [1]})

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)


@dataclass
class Bulky(ProducerState):
    name: str
    bulk: bytes
    output_schema = VALUES

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.emit_pydict({"value": [len(self.bulk)]})

    def on_close(self, reason: str) -> None:
        note_end(self.name, reason)


class Misbehaving:
    """Implements `Streaming`."""

    def tell(self, name: str) -> None:
        _told[name].set()

    def started(self, name: str) -> bool:
        return _started[name].wait(LONG_S)

    def closed(self) -> list[str]:
        return list(_closed)

    def usage(self) -> Usage:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmRSS:"))
        descriptors = len(os.listdir("/proc/self/fd"))
        return Usage(int(line.split()[1]) * 1024, descriptors, threading.active_count())

    def act(self, name: str, actions: list[str]) -> Stream[Acting, Plan]:
        return Stream(VALUES, Acting(name, actions), header=Plan(name, len(actions)))

    def count(self, name: str, total: int = -1, rows: int = 1, per_turn: int = 1) -> Stream[Counting]:
        return Stream(VALUES, Counting(name, total, rows, per_turn))

    def obey(self, name: str) -> Stream[Obeying]:
        return Stream(state=Obeying(name))

    def scale(self, name: str, factor: int = 2) -> Stream[Scaling]:
        return Stream(state=Scaling(name, factor))

    def open_and(self, name: str, action: str, ctx: CallContext) -> Stream[Counting]:
        act(Turn(name, None, ctx), action)
        return Stream(VALUES, Counting(name))

    def unopenable(self, name: str) -> Stream[Unopenable]:
        return Stream(None, Unopenable(name))

    def unkeepable(self, name: str) -> Stream[Unkeepable]:
        return Stream(state=Unkeepable(name, Event()))

    def bulky(self, name: str, size: int) -> Stream[Bulky]:
        return Stream(state=Bulky(name, bytes(size)))


def make() -> Sidecar:
    """The service, as `--service` takes it."""
    return Sidecar().mount(Streaming, Misbehaving())
