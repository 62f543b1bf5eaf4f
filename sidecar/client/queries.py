"""`host.tables.sql` and `host.tables.compare`: sessions made of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..services.load.load import LoadResult
from ..services.tables.compare.compare import CompareResult
from .calls import OnProgress
from .line import Line
from .views import listed


class Queries:
    """What `host.tables` has to make sessions of others."""

    _line: Line

    def sql(
        self,
        query: str,
        *,
        tables: Mapping[str, str] | None = None,
        session: str | None = None,
        label: str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> LoadResult:
        """`tables/sql`: the result of a query over all sessions, by their ids and by the names in `tables`, becomes a
        session. Raises `SidecarError`."""
        if tables is not None and not isinstance(tables, Mapping):
            raise TypeError(f"tables maps names to sessions, as {{'t': session}}; it is not {tables!r}")
        params = {"query": query, "tables": {**(tables or {})}, "session": session, "label": label}
        result = self._line.request("tables/sql", params, on_progress).result(timeout_s)
        return msgspec.convert(result, LoadResult)

    def compare(
        self,
        left: str,
        right: str,
        keys: Sequence[str],
        *,
        columns: Sequence[str] | None = None,
        session: str | None = None,
        label: str | None = None,
        include_equal: bool = False,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> CompareResult:
        """`tables/compare`: what differs between two sessions, whose rows belong together where the `keys` are the
        same, becomes a session. Raises `SidecarError`."""
        params = {
            "left": left,
            "right": right,
            "keys": listed("keys", keys, str),
            "columns": None if columns is None else listed("columns", columns, str),
            "session": session,
            "label": label,
            "include_equal": include_equal,
        }
        result = self._line.request("tables/compare", params, on_progress).result(timeout_s)
        return msgspec.convert(result, CompareResult)
