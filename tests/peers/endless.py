"""A service whose streams never end by themselves, and say on standard error why they did."""

from __future__ import annotations

import os
from typing import Protocol

import pyarrow as pa

from sidecar import AnnotatedBatch, CallContext, ExchangeState, OutputCollector, ProducerState, Sidecar, Stream

SERVICE = ("--service", "tests.peers.endless:make")
SCHEMA = pa.schema([("value", pa.int64())])


class Endless(Protocol):
    """What is served."""

    def ping(self, number: int) -> int: ...

    def count(self) -> Stream[ProducerState]: ...

    def echo(self) -> Stream[ExchangeState]: ...


class Count(ProducerState):
    """0, 1, 2, …"""

    def __init__(self) -> None:
        self.number = 0

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.emit_pydict({"value": [self.number]})
        self.number += 1

    def on_close(self, reason: str) -> None:
        os.write(2, b"count: %s\n" % reason.encode())  # whole, whatever other threads write


class Echo(ExchangeState):
    """What comes in."""

    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        out.emit(input.batch, input.custom_metadata)

    def on_close(self, reason: str) -> None:
        os.write(2, b"echo: %s\n" % reason.encode())  # whole, whatever other threads write


class Implementation:
    """Implements it."""

    def ping(self, number: int) -> int:
        return number

    def count(self) -> Stream[ProducerState]:
        return Stream(SCHEMA, Count())

    def echo(self) -> Stream[ExchangeState]:
        return Stream(SCHEMA, Echo(), SCHEMA)


def make() -> Sidecar:
    """The service, as `--service` takes it."""
    return Sidecar().mount(Endless, Implementation())
