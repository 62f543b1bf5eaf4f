"""The state of a stream, which authors write: its fields are what a checkpoint keeps, its method is a turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import pyarrow as pa

from ..protocol.streams import Reason
from .batch import AnnotatedBatch
from .collector import OutputCollector
from .context import CallContext
from .values.dataclass import ArrowSerializableDataclass


class StreamState(ArrowSerializableDataclass, ABC):
    """Base of a dataclass. The object stays in memory and is changed in place, turn by turn, by one thread at a time.
    Only `streams/checkpoint` serializes it; a state with a field that cannot be is fine until then.

    `output_schema` and `input_schema` may be set on the class, where they are the same for every stream: then
    `Stream` needs none, and `describe` can tell them.
    """

    output_schema: ClassVar[pa.Schema | None] = None
    input_schema: ClassVar[pa.Schema | None] = None

    @abstractmethod
    def process(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        """One turn. A producer's `input` has no columns."""

    def on_close(self, reason: Reason) -> None:
        """The stream is over; called once, after the last turn, however it ended."""

    def rehydrate(self, implementation: object) -> None:
        """The state was just made anew from a token: take from the service what a token cannot hold."""


class ProducerState(StreamState):
    """A stream that the sidecar fills until `out.finish()`."""

    @abstractmethod
    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        """One turn: emit one batch or several, or finish, or both in this order."""

    def process(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:  # noqa: ARG002 - of every state
        """Calls `produce`."""
        self.produce(out, ctx)


class ExchangeState(StreamState):
    """A stream that answers each batch of the host's with one of its own, until the host closes it."""

    @abstractmethod
    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        """One turn: emit one batch for `input`."""

    def process(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        """Calls `exchange`."""
        self.exchange(input, out, ctx)
