"""tables/stats: exact statistics of each column, at any size; nothing is sampled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
from msgspec import Struct

from ....protocol.methods import Context, Work
from ....wire.payload import Payload
from ...cache import Cache
from ...producers import Producer
from ...sessions import Claim, Sessions
from ...table import Table
from ..filters.filters import Filter
from ..filters.search import Search
from ..order.orders import RowOrders
from ..order.passes import sort_bytes
from ..order.ranks import RANK_BYTES, has_ranks
from ..rows import chosen
from ..selection import Selection
from ..view import View
from .arrow import SCHEMA, batch_of, payload_of
from .bins import Bins
from .column_stats import ColumnStats, bins_of, column_stats, summary
from .cost import by_cost

BINS_CACHE_BYTES = 4 * 1024 * 1024
"""Bins that are kept over all sessions, so that a filtered view need not sort the whole column again for them."""
LAZY_BYTES = 1024**3
"""What a column of a lazy table may take while it is sorted, where no memory limit says less."""

MIN_BYTES = 256 * 1024
"""With less there would be more passes than anyone waits for."""

StatsFormat = Literal["json", "arrow"]


class StatsParams(Struct, forbid_unknown_fields=True):
    """The columns of a session to sum up, all where none are given, over the rows that every condition of `filter` and
    the `search` let through. A stream is in Arrow whatever `format` is."""

    session: str
    columns: list[str] | None = None
    filter: list[Filter] = []
    search: Search | None = None
    format: StatsFormat = "json"


class StatsResult(Struct):
    """`total` is the rows of the table, `matched` those that are summed up. With `json` there are `columns`, in the
    order in which they were asked for, with `arrow` there is the payload `stats` with a row for each of them; the other
    is null."""

    session: str
    total: int
    matched: int
    columns: list[ColumnStats] | None = None
    stats: Payload | None = None


class StatsHeader(Struct):
    """What a stream says first: `columns` are the names in the order in which they come."""

    session: str
    total: int
    matched: int
    columns: list[str]


class Stats:
    """The method `tables/stats`, as a request and as a stream."""

    def __init__(self, sessions: Sessions, orders: RowOrders) -> None:
        self._sessions = sessions
        self._orders = orders
        self._bins = Cache(BINS_CACHE_BYTES)
        sessions.register(self._bins)

    def stats(self, params: StatsParams, context: Context) -> StatsResult:
        """One column after another, with a look at cancellation between. Raises `unknown_column`, `invalid_filter`,
        `memory_limit`."""
        table = self._sessions.get(params.session).table
        indices = chosen(params.columns, table)
        context.leave_lane()
        rows = self._selection(table, params, context)
        columns = []
        for done, index in enumerate(indices):
            context.progress(done, len(indices), "columns")
            columns.append(self._column(table, rows, index, context))
        result = StatsResult(params.session, table.rows, rows.rows)
        if params.format == "arrow":
            result.stats = payload_of(columns)
        else:
            result.columns = columns
        return result

    def stream(self, params: StatsParams, context: Context) -> Producer:
        """The same as a stream, cheap columns first. Raises as `stats`."""
        table = self._sessions.get(params.session).table
        indices = by_cost(chosen(params.columns, table), table.schema)
        context.leave_lane()
        rows = self._selection(table, params, context)

        def batches(work: Work) -> Iterator[pa.RecordBatch]:
            for done, index in enumerate(indices):
                work.progress(done, len(indices), "columns")
                yield batch_of([self._column(table, rows, index, work)])

        names = [table.schema.field(index).name for index in indices]
        return Producer(StatsHeader(params.session, table.rows, rows.rows, names), SCHEMA, batches)

    def _selection(self, table: Table, params: StatsParams, work: Work) -> Selection:
        view = View(params.filter, params.search)
        view.check(table.schema)
        return Selection(table, None if view.is_whole else self._orders.get(table, view, work))

    def _column(self, table: Table, rows: Selection, index: int, work: Work) -> ColumnStats:
        name = table.schema.field(index).name
        with self._sessions.claim(f"statistics of column {name!r}") as claim:
            bins = self._bins.get(table.owner, index)
            if bins is None and rows.rows < table.rows:
                bins = self._bins_of(table, index, claim, work)
            budget = self._budget(table, index, claim)
            found = summary(rows, index, budget, work)
            if bins is None and found is not None:
                bins = bins_of(found)
                self._keep(table, index, bins)
            return column_stats(rows, index, found, bins, work)

    def _bins_of(self, table: Table, index: int, claim: Claim, work: Work) -> Bins | None:
        found = summary(Selection(table), index, self._budget(table, index, claim), work)
        bins = None if found is None else bins_of(found)
        if bins is not None:
            self._keep(table, index, bins)
        return bins

    def _keep(self, table: Table, index: int, bins: Bins) -> None:
        self._bins.keep(table.owner, index, bins, 256 + sum(map(_bytes, [*bins.edges, *bins.values, *bins.said])))

    def _budget(self, table: Table, index: int, claim: Claim) -> int | None:
        """The memory that sorting a column may take, which is held. None is any. Raises `memory_limit`."""
        claim.hold(0)
        free = self._sessions.free_bytes
        needed = LAZY_BYTES if table.is_lazy else _needed(table, index)
        budget = needed if free is None else max(MIN_BYTES, min(needed, free // 2))
        claim.hold(budget)
        return None if free is None and not table.is_lazy else budget


def _needed(table: Table, index: int) -> int:
    """What a sort of a column in memory takes. A dictionary without ranks is spelled out for it."""
    column = table.select([index]).column(0)
    size = column.nbytes
    if has_ranks(table, index):
        size += table.rows * RANK_BYTES
    elif pa.types.is_dictionary(column.type):
        size += sum(chunk.dictionary.nbytes * len(chunk) // max(1, len(chunk.dictionary)) for chunk in column.chunks)
    return sort_bytes(table.rows, size)


def _bytes(value: object) -> int:
    return 64 + (len(value) if isinstance(value, str | bytes) else 0)
