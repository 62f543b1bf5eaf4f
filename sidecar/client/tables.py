"""`host.tables`: the methods `tables/…`, with typed results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from ..services.tables.filters.filters import Filter
from ..services.tables.filters.search import Search
from ..services.tables.order.ordering import Sort
from ..services.tables.pages import PageFormat
from ..wire.payload import Payload
from .exporting import Exporting
from .line import Line
from .queries import Queries
from .stats import Statistics
from .views import view


class Page(msgspec.Struct):
    """Rows of a session; fields as in `tables/rows`."""

    session: str
    start: int
    stop: int
    total: int
    matched: int
    format: PageFormat
    rows: Any

    @property
    def table(self) -> pa.Table:
        """The rows as Arrow. Only for the formats `arrow` and `parquet`."""
        if not isinstance(self.rows, Payload):
            raise TypeError("a page in JSON has `rows`, not a table")
        buffer = pa.py_buffer(self.rows.data)
        if self.format == "parquet":
            import pyarrow.parquet as pq

            return pq.read_table(pa.BufferReader(buffer))
        return pa.ipc.open_stream(buffer).read_all()


class TablesNoun(Exporting, Queries, Statistics):
    """`host.tables`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def rows(
        self,
        session: str,
        start: int = 0,
        stop: int | None = None,
        *,
        columns: Sequence[str] | None = None,
        sort: Sequence[Sort] = (),
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        format: PageFormat = "arrow",
        timeout_s: float | None = None,
    ) -> Page:
        """`tables/rows`: the rows `start` to `stop` of a session under `sort` that every `filter` and the `search` let
        through; a text is searched for in all columns, as it is."""
        params = {"session": session, "start": start, "stop": stop, "format": format}
        params |= view(columns, sort, filter, search)
        return msgspec.convert(self._line.request("tables/rows", params).result(timeout_s), Page)
