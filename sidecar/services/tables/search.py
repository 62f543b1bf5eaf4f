"""Search: a text that is looked for in many columns at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec import Struct

from ..plain import decoded, is_text, storage
from .plan import Plan, position

if TYPE_CHECKING:
    import polars as pl


class Search(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rows with `text` in one of the `columns`, or in any where none are given. The text is taken literally; an empty
    one is found everywhere."""

    text: str
    columns: list[str] | None = None
    ignore_case: bool = False


def matches(search: Search, plan: Plan) -> pl.Expr:
    """The rows in which the text is found. Raises `unknown_column`."""
    from ..polars import pl

    names = plan.schema.names if search.columns is None else search.columns
    found = [_found(search, plan, position(plan.schema, name)) for name in names]
    return pl.any_horizontal(*found) if found else pl.lit(False)


def _found(search: Search, plan: Plan, index: int) -> pl.Expr:
    text = plan.use(index, "text", as_text)
    if search.ignore_case:
        return text.str.contains("(?i)" + re.escape(search.text)).fill_null(False)
    return text.str.contains(search.text, literal=True).fill_null(False)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each value as the text that it has in a page in JSON."""
    column = decoded(storage(column))
    return column if is_text(column.type) else column.cast(pa.string())
