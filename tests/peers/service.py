"""A service as people call it from a shell, and one with a parameter of every type. Mounted by
`--service tests.peers.service:make`, or run as a program of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from threading import Event
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from sidecar import (
    AnnotatedBatch,
    ArrowSerializableDataclass,
    ArrowType,
    CallContext,
    ExchangeState,
    OutputCollector,
    ProducerState,
    Sidecar,
    Stream,
)

NUMBERS = pa.schema([("value", pa.int64()), ("word", pa.string())])
REALS = pa.schema([("value", pa.float64())])
MOMENTS = pa.schema([("at", pa.timestamp("us", "UTC")), ("raw", pa.binary()), ("price", pa.decimal128(10, 2))])


class Color(Enum):
    """What is painted."""

    RED = 1
    DARK_BLUE = 2


class Access(Flag):
    """Who may."""

    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class JobHeader(ArrowSerializableDataclass):
    """What is to come."""

    total: int
    description: str
    began: datetime
    job: UUID
    tags: dict[str, int]
    span: tuple[int, float]
    note: str | None = None
    either: int | str = "x"


@dataclass(frozen=True)
class Point(ArrowSerializableDataclass):
    """A place; it may end with */ or
    go over several lines."""

    x: float
    y: float = 0.0
    self_: str = "me"
    type: str = "point"  # noqa: RUF100
    maxRows: int = 3  # noqa: N815


@dataclass(frozen=True)
class Record(ArrowSerializableDataclass):
    """Named as a type of TypeScript's."""

    points: list[Point]
    nearest: Point | None = None
    labels: dict[int, Point] = field(default_factory=dict)


class Counter(Protocol):
    """Counts things.

    And no more.
    """

    def add(self, a: int, b: int = 2) -> int:
        """Add two numbers.

        The second line.
        """
        ...

    def greet(self, name: str, color: Color = Color.RED) -> str: ...

    def size(self, data: bytes) -> int: ...

    def rows(self, table: pa.Table) -> pa.Table: ...

    def blob(self) -> bytes: ...

    def where(self) -> Record: ...

    def fail(self) -> None: ...

    def wait(self) -> None: ...

    def count(self, n: int, fail_at: int = -1) -> Stream[Counting, JobHeader]:
        """Count to n."""
        ...

    def endless(self) -> Stream[Endless]: ...

    def scale(self, factor: float = 2.0) -> Stream[Scaling]: ...

    def same(self) -> Stream[Same]: ...


class Typed(Protocol):
    """Every type."""

    def scalars(
        self,
        real: float,
        truth: bool,
        text: str,
        raw: bytes,
        price: Decimal,
        id: UUID,
        at: datetime,
        day: date,
        hour: time,
        span: timedelta,
        small: Annotated[int, ArrowType(pa.uint8())],
        big: Annotated[int, ArrowType(pa.uint64())],
    ) -> None: ...

    def named(
        self,
        color: Color,
        access: Access,
        mode: Literal["fast", "slow and careful", ""],
        level: Literal[1, 2],
        mixed: Literal["a", 1, None],
        record: Record,
        maybe: Point | None = None,
        other: str | None = "other",
    ) -> Record: ...

    def nested(
        self,
        any: Any,
        plain_list: list,  # type: ignore[type-arg]
        plain_dict: dict,  # type: ignore[type-arg]
        many: list[list[int]],
        unique: set[str],
        pair: tuple[int, str],
        one: tuple[int],
        none: tuple[()],
        by_name: dict[str, list[float]],
        by_color: dict[Color, Point],
        untagged: int | str | bool,
        tagged: int | float,
        things: list[Point | None],
        either: Point | str,
        tables: list[pa.Table],
    ) -> dict[str, int | None]: ...

    def classes(self, async_: int, Self: int, self_: int, match: int) -> list[Color]: ...  # noqa: N803


@dataclass
class Counting(ProducerState):
    """Rows of 0 to n, two a batch."""

    n: int
    fail_at: int
    next: int = 0
    output_schema = NUMBERS

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        if self.next == self.fail_at:
            out.client_log("error", "about to fail")
            raise KeyError("no such number")
        if self.next >= self.n:
            out.finish()
            return
        values = list(range(self.next, min(self.next + 2, self.n)))
        ctx.progress(values[-1] + 1, self.n, "rows")
        out.emit_pydict({"value": values, "word": [f"w{value}" for value in values]})
        self.next = values[-1] + 1


@dataclass
class Endless(ProducerState):
    """Never finishes; says how it ended."""

    output_schema = pa.schema([("value", pa.int64())])

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.emit_pydict({"value": [1]})

    def on_close(self, reason: str) -> None:
        print("endless closed:", reason)


@dataclass
class Scaling(ExchangeState):
    """Multiplies."""

    factor: float
    output_schema = REALS
    input_schema = REALS

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        out.client_log("info", "scaling", rows=input.batch.num_rows)
        metadata = None if input.custom_metadata is None else dict(input.custom_metadata)
        out.emit_arrays([pc.multiply(input.batch.column("value"), self.factor)], metadata)


@dataclass
class Same(ExchangeState):
    """Gives back what it gets."""

    output_schema = MOMENTS
    input_schema = MOMENTS

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        out.emit(input.batch)


class CounterService:
    """Implements Counter."""

    def add(self, a: int, b: int = 2) -> int:
        return a + b

    def greet(self, name: str, color: Color = Color.RED, *, ctx: CallContext) -> str:
        ctx.client_log("info", f"greeting {name}", color=color.name)
        return f"hello, {name}"

    def size(self, data: bytes) -> int:
        return len(data)

    def rows(self, table: pa.Table) -> pa.Table:
        return table

    def blob(self) -> bytes:
        return b"\x00\xff"

    def where(self) -> Record:
        return Record([Point(1.5)], Point(2.0, float("nan")), {7: Point(3.0)})

    def fail(self) -> None:
        raise KeyError("x")

    def wait(self, ctx: CallContext) -> None:
        ctx.client_log("info", "waiting")
        while not ctx.cancelled:
            Event().wait(0.01)
        print("wait was cancelled")

    def count(self, n: int, fail_at: int = -1) -> Stream[Counting, JobHeader]:
        began = datetime(2026, 1, 2, 3, 4, 5)
        header = JobHeader(n, "count", began, UUID(int=7), {"a": 1}, (1, 2.0), None, 5)
        return Stream(state=Counting(n, fail_at), header=header)

    def endless(self) -> Stream[Endless]:
        return Stream(state=Endless())

    def scale(self, factor: float = 2.0) -> Stream[Scaling]:
        return Stream(state=Scaling(factor))

    def same(self) -> Stream[Same]:
        return Stream(state=Same())


class TypedService(Typed):
    """Has the methods of Typed; none is ever called."""


def make() -> Sidecar:
    """Both services."""
    return make_counter().mount(Typed, TypedService())


def make_counter() -> Sidecar:
    """The one for people."""
    return Sidecar().mount(Counter, CounterService())


if __name__ == "__main__":
    make_counter().run()
