"""A stream as the runtime drives it: batches in, one turn of the author's state, batches out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..protocol.streams import Kind, Output, Reason
from ..wire.payload import Payload
from .batch import AnnotatedBatch
from .collector import OutputCollector
from .context import CallContext
from .pieces import PieceReader
from .schemas import EMPTY, Form
from .service import Method, Service, service_error, stream_kind
from .state import StreamState
from .stream import Stream

_NO_INPUT = AnnotatedBatch(pa.RecordBatch.from_pylist([], schema=EMPTY))


class StreamTurns:
    """Implements `protocol.streams.Turns` for one stream of a service's."""

    def __init__(self, service: Service, method: Method, stream: Stream[StreamState, Any], id: str) -> None:
        self.method = method.full_name
        self._declared = method.state
        self._implementation = service.implementation
        self._id = id
        self._out: OutputCollector
        self._context: CallContext | None = None
        self._reader = PieceReader()
        self.state, self.output_schema, self.input_schema = self._checked(stream)
        self._form = None if self.input_schema is None else Form(self.input_schema, "invalid_input", exact=True)
        self.kind: Kind = stream_kind(self.state) or ("producer" if self.input_schema is None else "exchange")

    def read(self, piece: Payload) -> Iterator[AnnotatedBatch]:
        """The batches in a piece of input, in the input's schema. Raises `invalid_input`."""
        for batch, metadata in self._reader.read(piece):
            yield AnnotatedBatch(batch if self._form is None else self._form.conform(batch), metadata)

    def turn(self, input: AnnotatedBatch | None, output: Output) -> bool:
        """One turn. Raises what the author's code does, as `SidecarError`."""
        if self._context is None:
            self._context = CallContext(output, self.method, self._id, self._implementation)
            self._out = OutputCollector(self.kind, self.output_schema, output, self._context)
        out = self._out
        out.begin_turn()
        try:
            self.state.process(input or _NO_INPUT, out, self._context)
        except SidecarError:
            raise
        except BaseException as fault:  # sys.exit and KeyboardInterrupt in a turn are the author's
            raise service_error(self.method, fault) from fault
        return out.end_turn()

    def close(self, reason: Reason) -> None:
        """The stream is over."""
        self.state.on_close(reason)

    def _check_kind(self, state: StreamState) -> None:
        wanted, got = self._declared and stream_kind(self._declared), stream_kind(state)
        if wanted and got and wanted != got:
            name = type(state).__name__
            message = f"{self.method} is a {wanted} by its Protocol, and its state {name} is one of a {got}"
            raise SidecarError("invalid_output", message.replace("a exchange", "an exchange"))

    def _checked(self, stream: Any) -> tuple[StreamState, pa.Schema, pa.Schema | None]:
        if not isinstance(stream, Stream) or not isinstance(stream.state, StreamState):
            got = f"Stream with the state {stream.state!r:.100}" if isinstance(stream, Stream) else repr(stream)[:100]
            is_swapped = isinstance(stream.output_schema if isinstance(stream, Stream) else stream, StreamState)
            hint = ": write Stream(output_schema, state)" if is_swapped else ""
            message = f"{self.method} must return a Stream with a StreamState, not {got}{hint}"
            raise SidecarError("invalid_output", message)
        self._check_kind(stream.state)
        for name in ("output_schema", "input_schema"):
            schema = getattr(stream, name)
            if not isinstance(schema, pa.Schema) and not (name == "input_schema" and schema is None):
                message = f"the {name} of {self.method} is {schema!r:.100}: give Stream a pyarrow.Schema"
                raise SidecarError("invalid_output", message)
        kind = stream_kind(stream.state)
        input_schema = stream.input_schema
        if kind == "producer" and input_schema is not None and len(input_schema):
            raise SidecarError("invalid_output", f"{self.method} is a producer, which has no input_schema")
        if kind != "exchange" and input_schema is not None and not len(input_schema):
            input_schema = None
        return stream.state, stream.output_schema, input_schema
