"""tables/export: a table or a view of it as a file, at a path, as bytes, or as a stream of pieces."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from msgspec import UNSET, Struct, UnsetType

from ....protocol.errors import SidecarError
from ....protocol.methods import Context, Work
from ....wire.limits import MIB
from ....wire.payload import Payload
from ...files import new_file
from ...load.formats import Format
from ...paths import PathPolicy
from ...producers import Producer
from ...sessions import Sessions
from ...table import Table
from ..filters.filters import Filter
from ..filters.search import Search
from ..order.ordering import Sort
from ..order.orders import RowOrders
from ..rows import chosen
from ..view import View
from .dictionaries import whole_dictionaries, with_dictionaries
from .steps import Hold, Size, view_steps
from .writers import KINDS, check_writable, file_pieces

PIECE_BYTES = MIB
"""What a batch of the stream holds, the last one less; half of a frame where the host takes less than two."""

MIN_STEP_BYTES = MIB
PIECES = pa.schema([pa.field("data", pa.binary(), nullable=False)])
"""The batches of the stream: each has one row."""


class ExportParams(Struct, forbid_unknown_fields=True):
    """The rows of `session` that `filter` and `search` let through, in the order of `sort`, and of these the
    `columns`, as a file of `format`: at `path`, or without one in the answer."""

    session: str
    format: Format
    path: str | None = None
    overwrite: bool = False
    columns: list[str] | None = None
    sort: list[Sort] = []
    filter: list[Filter] = []
    search: Search | None = None


class ExportResult(Struct):
    """`rows` and `bytes` of the file. It is at `path`, or it is `data`, a payload."""

    session: str
    format: Format
    rows: int
    bytes: int
    path: str | None = None
    data: Payload | UnsetType = UNSET


class ExportHeader(Struct):
    """What a stream will hold: the `rows` and the `columns` of the file."""

    session: str
    format: Format
    rows: int
    columns: int


class Export:
    """The method `tables/export`, as a request and as a stream."""

    def __init__(self, sessions: Sessions, paths: PathPolicy, orders: RowOrders) -> None:
        self._sessions = sessions
        self._paths = paths
        self._orders = orders

    def export(self, params: ExportParams, context: Context) -> ExportResult:
        """`tables/export`. Raises what `tables/rows` does, what `files.new_file` does, `too_large` and
        `memory_limit`."""
        if params.path is None and params.overwrite:
            raise SidecarError("invalid_params", "overwrite is for a path, and there is none", expected=["path"])
        return self._to_payload(params, context) if params.path is None else self._to_path(params.path, params, context)

    def stream(self, params: ExportParams, context: Context) -> Producer:
        """`streams/open` of `tables/export`: the same bytes in pieces, each made when the host has credit for it."""
        if params.path is not None or params.overwrite:
            raise SidecarError("invalid_params", "a stream takes no path: send tables/export", expected=["format"])
        job = self._job(params, context)
        piece_bytes = max(1, min(PIECE_BYTES, context.max_payload_bytes // 2))

        def batches(work: Work) -> Iterator[pa.RecordBatch]:
            with self._sessions.claim(job.label) as claim:
                for piece in _of_size(job.pieces(work, claim.hold), piece_bytes):
                    yield _batch(piece)

        return Producer(ExportHeader(params.session, params.format, job.rows, len(job.columns)), PIECES, batches)

    def _to_path(self, path: str, params: ExportParams, context: Context) -> ExportResult:
        with new_file(path, self._paths, params.overwrite) as file:
            job = self._job(params, context)
            with self._sessions.claim(job.label) as claim:
                for piece in job.pieces(context, claim.hold):
                    file.write(piece)
            file.publish(context.commit)
            return ExportResult(params.session, params.format, job.rows, file.bytes, path)

    def _to_payload(self, params: ExportParams, context: Context) -> ExportResult:
        job = self._job(params, context)
        pieces: list[Any] = []
        size = 0
        with self._sessions.claim(job.label) as claim:

            def hold(step_bytes: int) -> None:
                claim.hold(step_bytes + size)

            for piece in job.pieces(context, hold):
                pieces.append(piece)
                size += memoryview(piece).nbytes
                if size > context.max_payload_bytes:
                    raise _too_large(size, context.max_payload_bytes)
                if not job.is_shared:
                    hold(0)
        data = Payload(KINDS[params.format].payload, pieces)
        return ExportResult(params.session, params.format, job.rows, size, None, data)

    def _job(self, params: ExportParams, context: Context) -> _Job:
        table = self._sessions.get(params.session).table
        columns = chosen(params.columns, table)
        schema = pa.schema([table.schema.field(column) for column in columns], table.schema.metadata)
        check_writable(params.format, schema)
        context.leave_lane()
        view = View(params.filter, params.search, params.sort)
        view.check(table.schema)
        order = None if view.is_whole else self._orders.get(table, view, context)
        context.check()
        return _Job(table, columns, schema, order, params, self._step_size(params.format))

    def _step_size(self, format: Format) -> Size:
        """Smaller steps where memory is short."""
        size = KINDS[format].step
        free_bytes = self._sessions.free_bytes
        if free_bytes is None:
            return size
        return Size(size.max_rows, max(MIN_STEP_BYTES, min(size.max_bytes, free_bytes // 8)))


class _Job(NamedTuple):
    """An export that may begin: its rows are known, and its columns have a form."""

    table: Table
    columns: Sequence[int]
    schema: pa.Schema
    order: pa.Array | None
    params: ExportParams
    size: Size

    @property
    def rows(self) -> int:
        return self.table.rows if self.order is None else len(self.order)

    @property
    def label(self) -> str:
        return f"the export of session {self.params.session!r}"

    @property
    def is_shared(self) -> bool:
        """Whether the bytes of the file are for the most part those of the table in memory."""
        return self.order is None and not self.table.is_lazy and KINDS[self.params.format].payload == "arrow"

    def pieces(self, work: Work, hold: Hold) -> Iterator[Any]:
        """The bytes of the file."""
        found = view_steps(self.table, self.columns, self.order, bool(self.params.sort), self.size, hold)
        steps: Iterable[pa.Table] = self._told(found, work)
        if self.params.format == "arrow_file":
            steps = with_dictionaries(steps, whole_dictionaries(self.table, self.columns, work))
        return file_pieces(self.params.format, self.schema, steps)

    def _told(self, steps: Iterator[pa.Table], work: Work) -> Iterator[pa.Table]:
        done = 0
        work.progress(0, self.rows, "rows")
        for step in steps:
            yield step
            done += step.num_rows
            work.progress(done, self.rows, "rows")


def _too_large(size: int, max_bytes: int) -> SidecarError:
    message = (
        f"the file has more than the {max_bytes} bytes that the host takes in a frame: open tables/export with "
        "streams/open, or give a path"
    )
    return SidecarError("too_large", message, payload_bytes=size, max_payload_bytes=max_bytes)


def _of_size(pieces: Iterator[Any], max_bytes: int) -> Iterator[pa.Buffer]:
    """The same bytes: large pieces are cut where they lie, small ones joined."""
    small: list[Any] = []
    size = 0
    for piece in pieces:
        buffer = pa.py_buffer(piece)
        if size + buffer.size > max_bytes and size:
            yield pa.py_buffer(b"".join(small))
            small, size = [], 0
        if buffer.size < max_bytes:
            small.append(buffer)
            size += buffer.size
            continue
        for start in range(0, buffer.size, max_bytes):
            yield buffer.slice(start, min(max_bytes, buffer.size - start))
    if size:
        yield pa.py_buffer(b"".join(small))


def _batch(piece: pa.Buffer) -> pa.RecordBatch:
    """A batch of one value, which is `piece` where it lies."""
    offsets = pa.py_buffer(struct.pack("=ii", 0, piece.size))
    return pa.record_batch([pa.Array.from_buffers(pa.binary(), 1, [None, offsets, piece])], schema=PIECES)
