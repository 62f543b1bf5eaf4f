"""Statistics as a host asks for them: all at once, or column by column as they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa

from ..services.tables.filters.filters import Filter
from ..services.tables.filters.search import Search
from ..services.tables.stats.arrow import columns_of
from ..services.tables.stats.column_stats import ColumnStats
from ..services.tables.stats.stats import StatsHeader, StatsResult
from .calls import OnProgress
from .line import Line
from .proxy import Caller
from .session import StreamSession
from .views import view


class StatsStream:
    """The statistics of columns as they come, cheap ones first. Leaving a loop over it early cancels the rest.

    `header` says how many rows are summed up, and the names of the columns in the order in which they come.
    """

    def __init__(self, stream: StreamSession) -> None:
        self._stream = stream
        self.header = msgspec.convert(stream.header, StatsHeader)

    def __iter__(self) -> Iterator[ColumnStats]:
        """Raises `SidecarError`."""
        for annotated in self._stream:
            yield from columns_of(annotated.batch)

    def cancel(self) -> None:
        """Stop the work; may be called on any thread."""
        self._stream.cancel()


class Statistics:
    """What a host sums up with."""

    _line: Line

    def stats(
        self,
        session: str,
        columns: Sequence[str] | None = None,
        *,
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> list[ColumnStats]:
        """`tables/stats`: exact statistics of some columns, or of all, over the rows that every `filter` and the
        `search` let through. Raises `SidecarError`."""
        params = {"session": session, **view(columns, (), filter, search)}
        call = self._line.request("tables/stats", params, on_progress)
        found = msgspec.convert(call.result(timeout_s), StatsResult).columns
        assert found is not None
        return found

    def stats_table(
        self,
        session: str,
        columns: Sequence[str] | None = None,
        *,
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> pa.Table:
        """The same as a table of Arrow with a row for each column."""
        params = {"session": session, "format": "arrow", **view(columns, (), filter, search)}
        answer = self._line.request("tables/stats", params, on_progress).result(timeout_s)
        return pa.ipc.open_stream(pa.py_buffer(answer["stats"].data)).read_all()

    def stats_stream(
        self,
        session: str,
        columns: Sequence[str] | None = None,
        *,
        filter: Sequence[Filter] = (),
        search: Search | str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> StatsStream:
        """The same as a stream, while which other requests of the session are served. `timeout_s` is for all of it."""
        caller = Caller(self._line, timeout_s, None, on_progress)
        return StatsStream(caller.begin("tables/stats", {"session": session, **view(columns, (), filter, search)}))
