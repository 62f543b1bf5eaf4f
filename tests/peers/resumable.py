"""A service whose streams tell all of their state in every batch, so that nothing can be lost between two of them.
Mounted by `--service tests.peers.resumable:make`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Literal, Protocol
from uuid import UUID

import pyarrow as pa

from sidecar import (
    AnnotatedBatch,
    ArrowSerializableDataclass,
    CallContext,
    ExchangeState,
    OutputCollector,
    ProducerState,
    Sidecar,
    Stream,
)

TOLD = pa.schema([("told", pa.string())])
SEVEN = UUID(int=7)
NUMBERS = pa.schema([("number", pa.int64())])


class Mood(Enum):
    """An enum whose names and values differ."""

    CALM = "quiet"
    LOUD = "CALM"
    ODD = "odd one"


@dataclass
class Step(ArrowSerializableDataclass):
    """A part of the state, nested in all ways."""

    at: int
    note: str | None
    parts: list[int]


@dataclass
class Memory(ArrowSerializableDataclass):
    """Something of every kind of field."""

    mood: Mood = Mood.CALM
    side: Literal["left", "right"] = "left"
    counts: dict[str, int] = field(default_factory=dict)
    by_number: dict[int, list[Step]] = field(default_factory=dict)
    moods: list[Mood] = field(default_factory=list)
    last: Step | None = None
    seen: frozenset[int] = frozenset()
    marks: set[str] = field(default_factory=set)
    pair: tuple[int, str] = (0, "")
    share: Decimal = Decimal("0.10")
    ratio: float = 0.1
    blob: bytes = b""
    when: datetime = datetime(2020, 2, 29, tzinfo=UTC)
    lasted: timedelta = timedelta(0)
    id: UUID = SEVEN
    is_even: bool = True

    def take(self, number: int) -> None:
        """Change all of it, in place."""
        step = Step(number, None if number % 3 else f"note \0 {number}", [*range(number % 4)])
        self.mood = list(Mood)[number % 3]
        self.side = "right" if self.side == "left" else "left"
        self.counts[f"k{number % 5}"] = self.counts.get(f"k{number % 5}", 0) + 1
        self.by_number.setdefault(number % 3, []).append(step)
        self.moods = [*self.moods, self.mood][-4:]
        self.last = None if number % 4 == 0 else step
        self.seen |= {number % 17}
        self.marks.add(f"m{number % 6}")
        self.pair = (self.pair[0] + number, f"{self.mood.name} é")
        self.share = (self.share + Decimal(number) / 10) % 100
        self.ratio = (self.ratio * 3.7 + number) % 1
        self.blob = (self.blob + bytes([number % 256]))[-10:]
        self.when += timedelta(microseconds=number * 1001)
        self.lasted += timedelta(microseconds=number)
        self.id = UUID(int=(self.id.int * 31 + number) % 2**128)
        self.is_even = not self.is_even

    def told(self) -> str:
        """All of it, sets in order."""
        fields = {name: value for name, value in vars(self).items() if name not in ("seen", "marks")}
        return f"{fields} {sorted(self.seen)} {sorted(self.marks)}"


@dataclass
class Walking(ProducerState):
    """Tells its memory `per_turn` times a turn."""

    total: int
    per_turn: int
    position: int = 0
    memory: Memory = field(default_factory=Memory)
    output_schema = TOLD

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        for _ in range(self.per_turn):
            if self.position == self.total:
                out.finish()
                return
            self.memory.take(self.position)
            self.position += 1
            out.emit_pydict({"told": [f"{self.position} {self.memory.told()}"]})


@dataclass
class Folding(ExchangeState):
    """Tells what it remembers of all input."""

    memory: Memory = field(default_factory=Memory)
    output_schema = TOLD
    input_schema = NUMBERS

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        for number in input.batch.column("number").to_pylist():
            self.memory.take(number)
        out.emit_pydict({"told": [self.memory.told()]})


class Resumable(Protocol):
    """Streams that can be kept."""

    def walk(self, total: int, per_turn: int = 1) -> Stream[Walking]:
        """A producer."""
        ...

    def fold(self) -> Stream[Folding]:
        """An exchange."""
        ...


class Kept:
    """Implements `Resumable`."""

    def walk(self, total: int, per_turn: int = 1) -> Stream[Walking]:
        return Stream(state=Walking(total, per_turn))

    def fold(self) -> Stream[Folding]:
        return Stream(state=Folding())


def make() -> Sidecar:
    """The service, as `--service` takes it."""
    return Sidecar().mount(Resumable, Kept())
