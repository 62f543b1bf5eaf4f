"""A view: which rows of a table are seen, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from ...protocol.errors import SidecarError
from .filters.filters import Filter, check_filters
from .filters.search import Search, searched
from .order.ordering import Sort


class View(NamedTuple):
    """The rows that every filter and the search let through, in the order of the sort."""

    filter: Sequence[Filter] = ()
    search: Search | None = None
    sort: Sequence[Sort] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is the table as it is."""
        return not self.filter and not self.sort and (self.search is None or not self.search.text)

    def check(self, schema: pa.Schema) -> None:
        """Raises `unknown_column`: a search for no text, too, names columns that there are."""
        if self.search is not None:
            searched(self.search, schema)

    def key(self) -> bytes:
        """The same for equal views. Raises `invalid_filter`."""
        check_filters(self.filter)
        try:
            return msgspec.json.encode((self.filter, self.search, self.sort))
        except TypeError:
            raise SidecarError("invalid_filter", "the value of a filter is JSON, not a payload") from None
