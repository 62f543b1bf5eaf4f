"""`host.tables.sql` and `host.tables.compare`: sessions made of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..services.load.load import LoadResult
from ..services.tables.compare.compare import CompareResult
from .calls import OnProgress
from .line import Line


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
        for name, value in {"keys": keys, "columns": columns}.items():
            if isinstance(value, str):
                raise TypeError(f"{name} is a list, not {value!r}")
        params = {
            "left": left,
            "right": right,
            "keys": [*keys],
            "columns": None if columns is None else [*columns],
            "session": session,
            "label": label,
            "include_equal": include_equal,
        }
        result = self._line.request("tables/compare", params, on_progress).result(timeout_s)
        return msgspec.convert(result, CompareResult)
