"""The part of a table that is asked for, as parameters of `tables/…`. A mistake is told before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..services.tables.filters.filters import Filter
from ..services.tables.filters.search import Search
from ..services.tables.order.ordering import Sort


def view(
    columns: Sequence[str] | None,
    sort: Sequence[Sort],
    filter: Sequence[Filter],
    search: Search | str | None,
) -> dict[str, Any]:
    """Those that are given. A text is searched for in all columns, as it is."""
    params: dict[str, Any] = {}
    if columns is not None:
        params["columns"] = listed("columns", columns, str)
    if sort:
        params["sort"] = listed("sort", sort, Sort)
    if filter:
        params["filter"] = listed("filter", filter, Filter)
    if search is not None:
        params["search"] = Search(search) if isinstance(search, str) else search
    return params


def listed(name: str, values: Any, type: type) -> list[Any]:
    """`values` as a list; one value alone is a mistake that its letters must not hide. What stands for a `type` as the
    protocol has it, an object, is taken as well."""
    if isinstance(values, str | Mapping | type):
        raise TypeError(f"{name} is a list, not {values!r}")
    taken = [*values]
    forms = str if type is str else type | Mapping
    for value in taken:
        if not isinstance(value, forms):
            raise TypeError(f"{name} is a list of {type.__name__}, not of {value!r}")
    return taken
