"""The service that is measured: what it does itself is as little as can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from sidecar import (
    AnnotatedBatch,
    CallContext,
    ExchangeState,
    OutputCollector,
    ProducerState,
    Sidecar,
    Stream,
)

SCHEMA = pa.schema([("value", pa.int64())])


class Streaming(Protocol):
    """Batches of int64."""

    def nothing(self) -> None: ...
    def produce(self, batches: int, rows: int) -> Stream[ProducerState]: ...
    def echo(self) -> Stream[ExchangeState]: ...


@dataclass
class Produce(ProducerState):
    """The same batch, again and again."""

    left: int
    rows: int

    def __post_init__(self) -> None:
        self.batch = batch_of(self.rows)

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        if not self.left:
            out.finish()
            return
        self.left -= 1
        out.emit(self.batch)


@dataclass
class Echo(ExchangeState):
    """What comes goes back."""

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        out.emit(input.batch)


class StreamingImpl:
    """Implements `Streaming`."""

    def nothing(self) -> None:
        return None

    def produce(self, batches: int, rows: int) -> Stream[Produce]:
        return Stream(SCHEMA, Produce(batches, rows))

    def echo(self) -> Stream[Echo]:
        return Stream(SCHEMA, Echo(), SCHEMA)


def batch_of(rows: int) -> pa.RecordBatch:
    """A batch of `rows` numbers."""
    return pa.RecordBatch.from_arrays([pa.array(range(rows), pa.int64())], schema=SCHEMA)


def make() -> Sidecar:
    """For `--service`."""
    return Sidecar().mount(Streaming, StreamingImpl())
