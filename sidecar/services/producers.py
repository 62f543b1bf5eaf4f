"""What the nouns send and take as streams. `streams` makes streams of them, which a host opens as any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
from msgspec import Struct

from ..protocol.methods import Context, Work
from ..wire.payload import Payload


class Producer(NamedTuple):
    """Record batches of one schema. `batches(work)` is called for the first turn, each turn takes one; the iterator is
    closed when the stream ends, however it does, so that its `finally` gives back what it held. `header` comes with the
    answer that opens the stream."""

    header: Struct
    schema: pa.Schema
    batches: Callable[[Work], Iterator[pa.RecordBatch]]


class Exchange(Protocol):
    """Record batches of the host's, each answered with one of `schema`."""

    schema: pa.Schema

    def take(self, batch: pa.RecordBatch, piece: Payload, work: Work) -> pa.RecordBatch:
        """One turn, with a batch that lies in `piece`. May raise `SidecarError`, which ends the stream."""

    def close(self) -> None:
        """The stream is over. Called once, after the last turn."""


class StreamMethod(NamedTuple):
    """A method of a noun that is opened with `streams/open`: `open(params, context)` takes a `params` struct."""

    params: type[Struct]
    open: Callable[[Any, Context], Producer | Exchange]
