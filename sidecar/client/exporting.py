"""`host.tables.export`: a table as a file, at a path or in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ..protocol.errors import SidecarError
from ..services.load.formats import Format
from ..services.tables.export.export import ExportResult
from ..services.tables.filters.filters import Filter
from ..services.tables.filters.search import Search
from ..services.tables.order.ordering import Sort
from .calls import OnProgress
from .line import Line
from .proxy import Caller
from .session import StreamSession
from .views import view


class Exporting:
    """What `host.tables` has for files."""

    _line: Line

    def export(
        self,
        session: str,
        format: Format,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        columns: Sequence[str] | None = None,
        sort: Sequence[Sort] = (),
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> ExportResult:
        """`tables/export` to a path, which the sidecar writes: the file is there whole, or not at all."""
        target = os.path.abspath(os.fsdecode(path)) if path else ""
        params = {"session": session, "format": format, "path": target, "overwrite": overwrite}
        params |= view(columns, sort, filter, search)
        result = self._line.request("tables/export", params, on_progress).result(timeout_s)
        return msgspec.convert(result, ExportResult)

    def export_bytes(
        self,
        session: str,
        format: Format,
        *,
        columns: Sequence[str] | None = None,
        sort: Sequence[Sort] = (),
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> memoryview:
        """The same file as bytes: in one answer, or where that would be too large for a frame, as a stream."""
        params = {"session": session, "format": format, **view(columns, sort, filter, search)}
        try:
            result = self._line.request("tables/export", params, on_progress).result(timeout_s)
        except SidecarError as fault:
            if fault.kind != "too_large" or "max_payload_bytes" not in fault.data:
                raise
            return memoryview(b"".join(self._pieces(params, on_progress, timeout_s)))
        return memoryview(result["data"].data)

    def export_pieces(
        self,
        session: str,
        format: Format,
        *,
        columns: Sequence[str] | None = None,
        sort: Sequence[Sort] = (),
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[memoryview]:
        """The same file in pieces of about 1 MiB, each made as it is taken; leaving the loop early ends the export.
        `timeout_s` is for all of it."""
        params = {"session": session, "format": format, **view(columns, sort, filter, search)}
        return self._pieces(params, on_progress, timeout_s)

    def _pieces(
        self, params: dict[str, Any], on_progress: OnProgress | None, timeout_s: float | None
    ) -> Iterator[memoryview]:
        return _values(Caller(self._line, timeout_s, None, on_progress).begin("tables/export", params))


def _values(stream: StreamSession) -> Iterator[memoryview]:
    for batch in stream:
        for piece in batch.batch.column(0):
            yield memoryview(piece.as_buffer())
