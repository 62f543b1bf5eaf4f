"""Filters: conditions on columns, their values typed as the columns are, so that every comparison is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from ....protocol.errors import SidecarError
from ..plan import Plan, position
from .conditions import condition

if TYPE_CHECKING:
    import polars as pl

Operator = Literal[
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "between",
    "in",
    "contains",
    "starts_with",
    "ends_with",
    "regex",
    "is_null",
    "is_not_null",
    "is_nan",
    "is_not_nan",
]

TEXT_OPERATORS = frozenset({"contains", "starts_with", "ends_with", "regex"})

MAX_FILTER_DEPTH = 32
"""Groups within groups. A thread whose stack has 256 KiB serves this, and macOS gives one 512 KiB."""

MAX_FILTER_CONDITIONS = 1024
"""Conditions of one request, in all its groups. Each takes a bit a row while they are joined; more values of one column
are asked for with `in`."""


class Filter(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One condition on a column, or a group: all of some conditions, any of some, or not one.

    A condition has `column` and `op`. `value` is a value of the column's type; a list of two for `between` (both
    included), of any number for `in`, absent for the tests of null and NaN. A null in the column matches `is_null`
    alone, and a condition on it is neither true nor false, so that `not` does not match it either.

    A value has the form that `tables/rows` gives it in JSON, so that what a page shows can be asked for. More is taken
    where it is as exact: an integer beyond 2^53 as a number, a decimal as an integer, a duration as its count alone,
    any ISO 8601 form of a timestamp. The operators on text are for strings only; `ignore_case` is for them.
    """

    column: str | None = None
    op: Operator | None = None
    value: Any = None
    ignore_case: bool = False
    all: list[Filter] | None = None
    any: list[Filter] | None = None
    not_: Filter | None = field(default=None, name="not")

    def __post_init__(self) -> None:
        groups = [name for name in ("all", "any", "not_") if getattr(self, name) is not None]
        if len(groups) + (self.op is not None) != 1:
            raise ValueError("a filter has exactly one of op, all, any and not")
        if (self.op is None) != (self.column is None):
            raise ValueError("a filter with an op has a column, a group has none")
        if self.ignore_case and self.op not in TEXT_OPERATORS:
            raise ValueError("ignore_case is for contains, starts_with, ends_with and regex")


def check_filters(filters: Sequence[Filter]) -> None:
    """Raise `invalid_filter` for groups too deep, or conditions too many."""
    level, depth, conditions = list(filters), 0, 0
    while level:
        conditions += sum(filter.op is not None for filter in level)
        level = [inner for filter in level for inner in _within(filter)]
        depth += bool(level)
        if depth > MAX_FILTER_DEPTH:
            message = f"the filter has groups within groups beyond {MAX_FILTER_DEPTH} levels"
            raise SidecarError("invalid_filter", message, max_depth=MAX_FILTER_DEPTH)
        if conditions > MAX_FILTER_CONDITIONS:
            message = f"the filter has more than {MAX_FILTER_CONDITIONS} conditions: `in` takes many values in one"
            raise SidecarError("invalid_filter", message, max_conditions=MAX_FILTER_CONDITIONS)


def _within(filter: Filter) -> Iterator[Filter]:
    yield from filter.all or ()
    yield from filter.any or ()
    if filter.not_ is not None:
        yield filter.not_


def passes(filter: Filter, plan: Plan) -> pl.Expr:
    """`filter`, which `check_filters` let through, as an expression over the columns of `plan`: true, false, or null
    where a condition meets one. Raises `unknown_column` and `invalid_filter`."""
    from ...polars import pl

    if filter.all is not None:
        return pl.all_horizontal(pl.lit(True), *(passes(inner, plan) for inner in filter.all))
    if filter.any is not None:
        return pl.any_horizontal(pl.lit(False), *(passes(inner, plan) for inner in filter.any))
    if filter.not_ is not None:
        return passes(filter.not_, plan).not_()
    assert filter.column is not None
    return condition(filter, plan, position(plan.schema, filter.column))
