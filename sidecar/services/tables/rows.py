"""tables: rows of a session, by range, in any order of its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET, Raw, Struct, UnsetType

from ...protocol.errors import SidecarError
from ...protocol.methods import Context
from ...wire.payload import Payload
from ..sessions import Sessions
from ..table import Table
from .filters.filters import Filter
from .filters.search import Search
from .order.ordering import Sort
from .order.orders import RowOrders
from .pages import ENCODERS, PageFormat
from .plan import position
from .view import View

CHEAP_CELLS = 16 * 1024
CHEAP_BYTES = 1024 * 1024
"""A page that the reading thread may serve itself, by its cells and by its share of the table's bytes: it takes well
below a millisecond."""


MAX_PAGE_ROWS = 2**31 - 1
"""What one record batch of an IPC stream holds."""


class RowsParams(Struct, forbid_unknown_fields=True):
    """The rows `start` to `stop` (exclusive; the end where none is given) of the session under `sort`, of those that
    every condition of `filter` and the `search` let through."""

    session: str
    start: int = 0
    stop: int | None = None
    columns: list[str] | None = None
    sort: list[Sort] = []
    filter: list[Filter] = []
    search: Search | None = None
    format: PageFormat = "arrow"


class RowsResult(Struct):
    """One page. `start` and `stop` are the rows that it holds, `total` those of the table, `matched` those that the
    filter and the search let through, which the range counts. `rows` is a payload (`arrow`: an IPC stream, `parquet`),
    or with `json` a list of objects."""

    session: str
    start: int
    stop: int
    total: int
    matched: int
    format: PageFormat
    rows: Payload | Raw | UnsetType = UNSET


class Tables:
    """The methods `tables/…`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.orders = RowOrders(sessions=sessions)
        sessions.register(self.orders.cache)

    def rows(self, params: RowsParams, context: Context) -> RowsResult:
        """`tables/rows`. Raises `unknown_session`, `invalid_range`, `unknown_column`, `unsortable_column`,
        `invalid_filter`, `unencodable_column`."""
        table = self._sessions.get(params.session).table
        columns = chosen(params.columns, table)
        view = View(params.filter, params.search, params.sort)
        view.check(table.schema)
        if table.is_lazy or not (view.is_whole or self.orders.has(table, view)):
            context.leave_lane()  # it may take long
        if not view.is_whole:
            order = self.orders.get(table, view, context)
            context.check()
            matched = len(order)
            start, stop = _range(params, matched)
            page = table.ordered(order, start, stop, columns)
        else:
            matched = table.rows
            start, stop = _range(params, matched)
            page = table.slice(start, stop, columns)
        context.check()
        if page.num_rows > MAX_PAGE_ROWS:
            message = f"{page.num_rows} rows are too many for a page"
            raise SidecarError("too_large", message, rows=page.num_rows, max_rows=MAX_PAGE_ROWS)
        rows = ENCODERS[params.format](page, context)
        return RowsResult(params.session, start, stop, table.rows, matched, params.format, rows)

    def is_cheap(self, params: RowsParams) -> bool:
        """Whether a page costs well below a millisecond."""
        try:
            table = self._sessions.get(params.session).table
        except SidecarError:
            return True
        if params.format != "arrow":
            return False
        try:
            columns = chosen(params.columns, table)
        except SidecarError:
            return True
        stop = table.rows if params.stop is None else min(params.stop, table.rows)
        rows = stop - params.start
        view = View(params.filter, params.search, params.sort)
        is_ordered = not view.is_whole
        return (
            rows * len(columns) <= CHEAP_CELLS
            and rows * table.bytes <= CHEAP_BYTES * table.rows
            and table.is_ready(columns, gather=is_ordered)
            and (not is_ordered or self.orders.has(table, view))
        )


def _range(params: RowsParams, matched: int) -> tuple[int, int]:
    """A `stop` beyond the end means the end, as grids ask; everything else must make sense."""
    start, stop = params.start, params.stop
    if start < 0 or start > matched or (stop is not None and stop < start):
        asked = f"{start} to {'the end' if stop is None else stop}"
        raise SidecarError(
            "invalid_range",
            f"rows {asked} of {matched}: start must be within 0 … {matched}, and stop not before it",
            start=start,
            stop=stop,
            matched=matched,
        )
    return start, matched if stop is None else min(stop, matched)


def chosen(names: list[str] | None, table: Table) -> Sequence[int]:
    """The positions of the columns that are asked for; all where none are. Raises `unknown_column`."""
    if names is None:
        return range(len(table.schema))
    if len({*names}) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise SidecarError("invalid_params", f"column {twice!r} is asked for twice", column=twice)
    return [position(table.schema, name) for name in names]
