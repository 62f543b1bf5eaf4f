"""Streams of the built-in nouns: `tables/stats` is opened as `Service.method` is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from ..protocol.errors import SidecarError
from ..protocol.methods import Context, convert
from ..protocol.streams import Kind, Output, Reason
from ..services.producers import Exchange, Producer, StreamMethod
from ..wire.payload import Payload
from .collector import OutputCollector
from .context import CallContext
from .pieces import PieceReader


class ProducerTurns:
    """Implements `protocol.streams.Turns`: a turn sends the next batch."""

    kind: Kind = "producer"
    input_schema: pa.Schema | None = None

    def __init__(self, method: str, id: str, producer: Producer) -> None:
        self.method = method
        self.header = msgspec.to_builtins(producer.header)
        self.output_schema = producer.schema
        self._id = id
        self._producer = producer
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._out: OutputCollector

    def read(self, piece: Payload) -> Iterator[Any]:  # noqa: ARG002 - a producer has none
        """Never called: input of a producer is refused before."""
        raise AssertionError

    def turn(self, input: Any, output: Output) -> bool:  # noqa: ARG002 - a producer has none
        """Send a batch; True after the last."""
        if self._batches is None:
            context = CallContext(output, self.method, self._id, None)
            self._out = OutputCollector(self.kind, self.output_schema, output, context)
            self._batches = self._producer.batches(context)
        batch = next(self._batches, None)
        if batch is not None:
            self._out.emit(batch)
        return batch is None

    def close(self, reason: Reason) -> None:  # noqa: ARG002 - all are the same to a noun
        """Give back what the producer holds: its table too, which a stream that has ended must not keep alive."""
        if self._batches is not None:
            self._batches.close()  # type: ignore[attr-defined]  # a generator
        self._batches = None
        del self._producer


class ExchangeTurns:
    """Implements `protocol.streams.Turns`: a turn takes a batch of any schema and answers it."""

    kind: Kind = "exchange"
    input_schema: pa.Schema | None = None
    header = None

    def __init__(self, method: str, id: str, exchange: Exchange) -> None:
        self.method = method
        self.output_schema = exchange.schema
        self.exchange = exchange
        self._id = id
        self._reader = PieceReader()
        self._out: OutputCollector | None = None
        self._context: CallContext

    def read(self, piece: Payload) -> Iterator[Any]:
        """The batches in a piece of input. Raises `invalid_input`."""
        for batch, _ in self._reader.read(piece):
            yield batch, piece

    def turn(self, input: Any, output: Output) -> bool:
        """Take a batch, send the answer. Only the host ends the stream."""
        if self._out is None:
            self._context = CallContext(output, self.method, self._id, None)
            self._out = OutputCollector(self.kind, self.output_schema, output, self._context)
        self._out.begin_turn()
        batch, piece = input
        self._out.emit(self.exchange.take(batch, piece, self._context))
        return self._out.end_turn()

    def close(self, reason: Reason) -> None:  # noqa: ARG002 - all are the same to a noun
        """Give back what the exchange holds, and what the reader does."""
        self._reader = PieceReader()
        self.exchange.close()


def open_noun(
    methods: Mapping[str, StreamMethod], name: str, id: str, params: dict[str, Any], context: Context
) -> ProducerTurns | ExchangeTurns:
    """The turns of a stream of a noun's. Raises `method_not_found`, `invalid_params` and what the noun does."""
    method = methods.get(name)
    if method is None:
        message = f"{name} does not stream" if "/" in name else f"there is no method {name!r}"
        raise SidecarError("method_not_found", message, methods=list(methods))
    opened = method.open(convert(params, method.params), context)
    if isinstance(opened, Producer):
        return ProducerTurns(name, id, opened)
    return ExchangeTurns(name, id, opened)
