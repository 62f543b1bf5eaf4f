"""What a turn puts out: batches of the stream's schema, its end, and messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..protocol.streams import Kind, Output
from .batch import checked_metadata
from .context import CallContext
from .pieces import Metadata, PieceWriter
from .schemas import Form
from .values.arrays import exact_array


class OutputCollector:
    """`out` of a turn. A producer's batches leave at once, an exchange's when its turn has returned, so that a turn
    that fails answers with its error alone."""

    def __init__(self, kind: Kind, schema: pa.Schema, output: Output, context: CallContext) -> None:
        self._kind = kind
        self._schema = schema
        self._columns = [(field.name, field.type) for field in schema]
        self._output = output
        self._context = context
        self._form = Form(schema, "invalid_output", exact=False)
        self._writer = PieceWriter(schema, with_schema=False)
        self._held: Callable[[], None] | None = None
        self._emitted = 0  # in this turn
        self._finished = False

    @property
    def output_schema(self) -> pa.Schema:
        """The schema of every batch of the stream."""
        return self._schema

    @property
    def finished(self) -> bool:
        """Whether `finish` was called."""
        return self._finished

    def emit(self, batch: pa.RecordBatch, metadata: Metadata | None = None) -> None:
        """Send `batch`. Its columns are taken by name and converted where nothing is lost; further ones are left out.

        Waits while the host has given no credit. Raises `invalid_output` for a batch that does not fit, after
        `finish`, and for the second one of an exchange's turn; `Cancelled` once nobody wants it any more. The batch
        must not be changed afterwards.
        """
        if self._finished:
            raise SidecarError("invalid_output", "nothing can be emitted after finish")
        if self._kind == "exchange" and self._emitted:
            raise SidecarError("invalid_output", "a turn of an exchange emits one batch, and this is the second")
        if not isinstance(batch, pa.RecordBatch):
            raise SidecarError("invalid_output", f"emit takes a pyarrow.RecordBatch, not {type(batch).__name__}")
        batch = self._form.conform(batch)
        metadata = None if metadata is None else checked_metadata(metadata)
        self._emitted += 1
        if self._kind == "exchange":
            self._held = lambda: self._send(batch, metadata)
        else:
            self._send(batch, metadata)

    def emit_pydict(self, data: Mapping[str, Any], metadata: Metadata | None = None) -> None:
        """Send a batch made of columns by name, each a list of Python values or an array."""
        try:
            columns = [exact_array(data[name], dtype) for name, dtype in self._columns]
            batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as fault:
            raise self._unfit(data, fault) from None
        self.emit(batch, metadata)

    def emit_arrays(self, arrays: Sequence[pa.Array], metadata: Metadata | None = None) -> None:
        """Send a batch made of arrays in the order of the schema."""
        try:
            batch = pa.RecordBatch.from_arrays(list(arrays), names=self._schema.names)
        except (TypeError, ValueError) as fault:
            message = f"{len(arrays)} arrays make no batch of {self._schema.names}: {fault}"
            raise SidecarError("invalid_output", message) from None
        self.emit(batch, metadata)

    def finish(self) -> None:
        """This is a producer's last turn. What it emitted is still sent."""
        if self._kind == "exchange":
            raise SidecarError("invalid_output", "an exchange is ended by the host, which closes it: it cannot finish")
        self._finished = True

    def client_log(self, level: str, message: str, **extra: Any) -> None:
        """As `CallContext.client_log`."""
        self._context.client_log(level, message, **extra)

    def begin_turn(self) -> None:
        """Called before each turn."""
        self._emitted = 0
        self._held = None

    def end_turn(self) -> bool:
        """Called after each turn that did not fail: send what was held; whether it was the last."""
        if not self._emitted and not self._finished:
            way_out = "emit one batch" if self._kind == "exchange" else "emit a batch or finish"
            raise SidecarError("invalid_output", f"the turn put out nothing: {way_out}")
        if self._held is not None:
            held, self._held = self._held, None
            held()
        return self._finished

    def _send(self, batch: pa.RecordBatch, metadata: Metadata | None) -> None:
        try:
            self._output.emit(self._writer.write(batch, metadata))
        except SidecarError:  # the host did not get the dictionaries that the writer counts as sent
            self._writer = PieceWriter(self._schema, with_schema=False)
            raise

    def _unfit(self, data: Any, fault: Exception) -> SidecarError:
        if not isinstance(data, Mapping):
            return SidecarError("invalid_output", f"emit_pydict takes columns by name, not {type(data).__name__}")
        missing = [name for name in self._schema.names if name not in data]
        if missing:
            message = f"columns {missing} are missing: the schema has {self._schema.names}, the data {list(data)}"
            return SidecarError("invalid_output", message, expected=self._schema.names, got=list(data))
        return SidecarError("invalid_output", f"the columns do not fit the schema: {self._culprit(data)}{fault}")

    def _culprit(self, data: Mapping[str, Any]) -> str:
        for field in self._schema:
            try:
                exact_array(data[field.name], field.type)
            except Exception:
                return f"{field.name!r}, of {field.type}: "
        return ""
