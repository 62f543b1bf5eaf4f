"""A noun's stream: what it holds of a table goes when it ends, whenever the collector comes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from msgspec import Struct

from sidecar.protocol.methods import Work
from sidecar.services.producers import Producer
from sidecar.streams.nouns import ProducerTurns


class Sink:
    """An output that takes everything."""

    cancelled = False
    deadline = None

    def emit(self, piece: list[Any]) -> None: ...

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None: ...

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None: ...


class Held:
    """Stands for a table."""


class Header(Struct):
    rows: int


SCHEMA = pa.schema([("a", pa.int64())])


def turns_of(held: Held) -> ProducerTurns:
    def batches(_work: Work) -> Iterator[pa.RecordBatch]:
        for value in (1, 2):
            yield pa.record_batch([pa.array([value])], schema=SCHEMA)
        assert held

    return ProducerTurns("tables/stats", "s", Producer(Header(2), SCHEMA, batches))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_stream_that_is_over_holds_no_table(count: int) -> None:
    held = Held()
    turns, gone = turns_of(held), weakref.ref(held)
    del held
    gc.disable()
    try:
        for _ in range(count):
            turns.turn(None, Sink())
        assert gone() is not None
        turns.close("finish")
        assert gone() is None
    finally:
        gc.enable()
