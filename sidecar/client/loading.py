"""Tables on their way to the sidecar: in one frame, or as a stream of record batches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa

from ..protocol.errors import SidecarError
from ..services.load.load import LoadResult
from ..streams.batch import AnnotatedBatch
from ..wire.payload import Payload
from .calls import OnProgress, Progress
from .line import Line
from .proxy import Caller
from .session import StreamSession

PIECE_BYTES = 8 * 1024 * 1024
"""About how large a piece of a stream is: half of the input credit, so that one is read while the other is served."""

Batches: TypeAlias = pa.Table | pa.RecordBatch | pa.RecordBatchReader | Iterable[pa.RecordBatch]


class Loading:
    """What a host loads with."""

    _line: Line

    def load(
        self,
        *,
        path: str | os.PathLike[str] | None = None,
        arrow: pa.Table | pa.RecordBatch | bytes | pa.Buffer | memoryview | None = None,
        parquet: bytes | pa.Buffer | memoryview | None = None,
        label: str | None = None,
        session: str | None = None,
        mode: str = "eager",
        format: str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> LoadResult:
        """`load`: a file, an Arrow table or IPC bytes, or Parquet bytes becomes a session. A table that is larger than
        one frame goes as `load_stream` sends it."""
        options = {"label": label, "session": session, "mode": mode, "format": format}
        is_table = isinstance(arrow, pa.Table | pa.RecordBatch)
        may_stream = is_table and path is parquet is None and mode == "eager" and format in (None, "arrow_stream")
        limit = self._line.limits.max_payload_bytes
        if not may_stream or arrow.nbytes <= limit:  # type: ignore[union-attr]  # it is a table
            params = {**sources(path, arrow, parquet), **options}
            if not may_stream or params["arrow_ipc"].size <= limit:
                return msgspec.convert(self._line.request("load", params, on_progress).result(timeout_s), LoadResult)
        return self.load_stream(arrow, label=label, session=session, on_progress=on_progress, timeout_s=timeout_s)

    def load_stream(
        self,
        batches: Batches,
        *,
        label: str | None = None,
        session: str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> LoadResult:
        """`load/stream`: a table of any size, batch by batch; then `load` makes a session of it in one step.

        `batches` have one schema; an iterable brings at least one, which may have no rows. `on_progress` is told the
        rows that are staged. Whatever goes wrong, also in the iterable, leaves the old session as it was.
        """
        deadline = None if timeout_s is None else monotonic() + timeout_s
        total = batches.num_rows if isinstance(batches, pa.Table | pa.RecordBatch) else None
        stream = Caller(self._line, timeout_s, None, None).begin("load/stream", {"label": label})
        try:
            for piece in _pieces(batches, self._line.limits.max_payload_bytes):
                stream.send(AnnotatedBatch(piece), _left_s(deadline))
                _report(stream, total, on_progress)
            params = {"stream": stream.id, "label": label, "session": session}
            result = self._line.request("load", params, on_progress).result(_left_s(deadline))
            _report(stream, total, on_progress)
            stream.close()
        except SidecarError as error:
            if error.kind == "unknown_stream":
                stream.close()  # which raises what it ended with
            raise
        finally:
            stream.cancel()
        return msgspec.convert(result, LoadResult)


def sources(path: Any, arrow: Any, parquet: Any) -> dict[str, Any]:
    """Those that are given, as parameters of `load`."""
    params: dict[str, Any] = {}
    if path is not None:
        params["path"] = os.path.abspath(os.fsdecode(path)) if path else ""
    if arrow is not None:
        params["arrow_ipc"] = Payload("arrow", ipc_bytes(arrow))
    if parquet is not None:
        params["parquet"] = Payload("parquet", _bytes("parquet", "Parquet bytes", parquet))
    return params


def ipc_bytes(arrow: Any) -> Any:
    """Arrow IPC stream bytes of a table; bytes as they are."""
    if isinstance(arrow, pa.RecordBatch):
        arrow = pa.Table.from_batches([arrow])
    if not isinstance(arrow, pa.Table):
        return _bytes("arrow", "a pyarrow Table or RecordBatch, or IPC bytes", arrow)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    return sink.getvalue()


def _bytes(name: str, taken: str, value: Any) -> memoryview:
    try:
        return memoryview(value)
    except TypeError:
        hint = "; a file is loaded with path=" if isinstance(value, str | os.PathLike) else ""
        raise TypeError(f"{name}= takes {taken}, not a {type(value).__name__}{hint}") from None


def _pieces(batches: Batches, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """The rows in batches that fit a frame; one without rows where that is all there is."""
    if isinstance(batches, pa.RecordBatch):
        batches = pa.Table.from_batches([batches])
    reader = batches.to_reader() if isinstance(batches, pa.Table) else batches
    is_empty = True
    for batch in reader:
        if not isinstance(batch, pa.RecordBatch):
            raise TypeError(f"load_stream takes record batches, not {type(batch).__name__}")
        is_empty = False
        yield from _split(batch, min(PIECE_BYTES, max_bytes))
    if is_empty and isinstance(reader, pa.RecordBatchReader):
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)


def _split(batch: pa.RecordBatch, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """Slices of about this size, by their bytes: a few rows may have most of them. Dictionaries do not count, as they
    travel once."""
    count = -(-pa.ipc.get_record_batch_size(batch) // max_bytes)
    if count <= 1 or batch.num_rows <= 1:
        yield batch
        return
    rows = -(-batch.num_rows // count)
    for start in range(0, batch.num_rows, rows):
        yield from _split(batch.slice(start, rows), max_bytes)


def _report(stream: StreamSession, total: int | None, on_progress: OnProgress | None) -> None:
    """Tell the last of the answers that came."""
    answers = stream.received()
    if answers and on_progress is not None:
        on_progress(Progress(answers[-1].batch.column("rows")[0].as_py(), total, "rows"))


def _left_s(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())
