"""Search: a text that is looked for in many columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec import Struct

from ....protocol.errors import SidecarError
from ..plan import Plan, position
from .conditions import regex_reason, text_test
from .leaves import Needle
from .value_tests import by_value

if TYPE_CHECKING:
    import polars as pl


class Search(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rows with `text` in one of the `columns`, or in any where none are given. The text is taken literally; an empty
    one is found everywhere.

    A value is searched as the text that a page has in JSON, a nested one in each of its values. Nulls have no text.
    """

    text: str
    columns: list[str] | None = None
    ignore_case: bool = False


def searched(search: Search, schema: pa.Schema) -> Sequence[int]:
    """The positions of the columns that are looked at. Raises `unknown_column`."""
    if search.columns is None:
        return range(len(schema))
    return [position(schema, name) for name in dict.fromkeys(search.columns)]


def matches(search: Search, plan: Plan) -> pl.Expr:
    """The rows in which the text is found. Raises `unknown_column`, and `invalid_params` for a text that is too long to
    ignore its case."""
    from ...polars import pl

    needle = _needle(search)
    columns = [index for index in searched(search, plan.schema) if needle.can_be_in(plan.schema.field(index).type)]
    found = [plan.test(index, by_value(needle.found, of_null=False)) for index in columns]
    return pl.any_horizontal(*found) if found else pl.lit(False)


def _needle(search: Search) -> Needle:
    from ...polars import pl

    test = text_test("contains", search.text, search.ignore_case)
    try:
        pl.select(test(pl.lit(pl.Series([], dtype=pl.String))))
    except pl.exceptions.ComputeError as fault:
        message = f"search.text has {len(search.text)} characters, too many to ignore their case: {regex_reason(fault)}"
        raise SidecarError("invalid_params", message) from None
    return Needle(search.text, search.ignore_case, test)
