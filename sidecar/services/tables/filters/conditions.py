"""One condition of a filter: the test of a column that it stands for.

Numbers, booleans and what is counted (dates, times, decimals up to 128 bits) are compared by Polars, strings, bytes and
all else by Arrow, which needs no conversion for it. The values of a dictionary are tested once each, not once a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from reprlib import Repr
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ....protocol.errors import SidecarError
from ... import compute as pc
from ...plain import is_text, value_type
from ..plan import Plan
from .value_tests import by_value, of_storage
from .values import typed

if TYPE_CHECKING:
    import polars as pl

    from .filters import Filter

Build = Callable[[Any], "pl.Expr"]
"""Of an expression for the column, one for the test."""

LISTS = {"between": "a list of two values", "in": "a list of values"}


def condition(filter: Filter, plan: Plan, index: int) -> pl.Expr:
    """The test of the column at `index`; null where the column is. Raises `invalid_filter`."""
    field = plan.schema.field(index)
    if filter.op in ("is_null", "is_not_null"):
        return _null_test(filter, plan, index)
    if filter.op in ("is_nan", "is_not_nan"):
        return _nan_test(filter, plan, index)
    dtype = value_type(field.type)
    if filter.op in ("contains", "starts_with", "ends_with", "regex"):
        return _text_test(filter, plan, index, dtype)
    values = _series_of_values(filter, field, dtype)
    if _is_counted(dtype):
        return _polars_test(plan, index, "value", _comparison(filter.op or "", values))
    tests = _OF_INTERVALS if pa.types.is_interval(dtype) else _ARROW
    if filter.op is None or filter.op not in tests:
        raise invalid(filter, field, f"intervals have no order: it takes is_null, is_not_null, {', '.join(tests)}")
    return plan.test(index, by_value(tests[filter.op](values)))


def _is_counted(dtype: pa.DataType) -> bool:
    types = pa.types
    if types.is_decimal(dtype):
        return not types.is_decimal256(dtype) and dtype.scale <= dtype.precision
    is_number = types.is_integer(dtype) or types.is_floating(dtype) or types.is_boolean(dtype)
    return bool(is_number or (types.is_temporal(dtype) and not types.is_interval(dtype)))


def _null_test(filter: Filter, plan: Plan, index: int) -> pl.Expr:
    """By Arrow, which has it for every type. A value of a dictionary may be null, too."""
    _without_value(filter, plan.schema.field(index))
    is_null = plan.use(index, "null", by_value(pc.is_null, of_null=True))
    return is_null if filter.op == "is_null" else ~is_null


def _nan_test(filter: Filter, plan: Plan, index: int) -> pl.Expr:
    field = plan.schema.field(index)
    _without_value(filter, field)
    if not pa.types.is_floating(value_type(field.type)):
        raise invalid(filter, field, "only floats can be NaN")
    is_nan = filter.op == "is_nan"
    return _polars_test(plan, index, "value", lambda column: column.is_nan() if is_nan else column.is_not_nan())


def _without_value(filter: Filter, field: pa.Field) -> None:
    if filter.value is not None:
        raise invalid(filter, field, "it takes no value")


def _text_test(filter: Filter, plan: Plan, index: int, dtype: pa.DataType) -> pl.Expr:
    from ...polars import pl

    field = plan.schema.field(index)
    if not is_text(dtype) or not isinstance(filter.value, str):
        raise invalid(filter, field, "it takes a string, on a column of strings")
    build = text_test(filter.op or "", filter.value, filter.ignore_case)
    try:
        pl.select(build(pl.lit(pl.Series([], dtype=pl.String))))
    except pl.exceptions.ComputeError as fault:
        raise invalid(filter, field, regex_reason(fault)) from None
    return _polars_test(plan, index, "value", build)


def text_test(op: str, text: str, ignore_case: bool) -> Build:
    """The test of strings. Case is ignored by the simple case folding of Unicode: one character for one, so that É is
    é and ẞ is ß, but not ss."""
    if op == "regex" or (ignore_case and is_cased(text)):
        start, end = _ANCHORS.get(op, ("", ""))
        pattern = f"(?i){start}{re.escape(text)}{end}" if op != "regex" else ("(?i)" if ignore_case else "") + text
        return lambda column: column.str.contains(pattern)
    if op == "contains":
        return lambda column: column.str.contains(text, literal=True)
    if op == "starts_with":
        return lambda column: column.str.starts_with(text)
    return lambda column: column.str.ends_with(text)


_ANCHORS = {"starts_with": (r"\A", ""), "ends_with": ("", r"\z")}


def is_cased(text: str) -> bool:
    """Whether case can be ignored at all; a literal search is faster."""
    return not text.isascii() or text.lower() != text.upper()


def regex_reason(fault: Exception) -> str:
    """What the regex engine says, without what Polars puts around it."""
    return str(fault).removeprefix("regex error: ").partition("\n\nThis error occurred")[0]


def _polars_test(plan: Plan, index: int, role: str, build: Build) -> pl.Expr:
    """The expression on the column itself, or its answers for each value of a dictionary."""
    from ...polars import answers, comparable

    if not pa.types.is_dictionary(of_storage(plan.schema.field(index).type)):
        return build(plan.use(index, role, comparable))
    return plan.test(index, by_value(lambda values: answers(values, build)))


def _comparison(op: str, values: pa.Array) -> Build:
    """Of a column in Polars. -0.0 is 0.0, and NaN is equal to itself and larger than every other number, as in a
    sort."""
    from ...polars import comparable, pl, series

    held = series(comparable(pa.chunked_array([values])))
    if op == "in":
        return lambda column: column.is_in(held.implode())
    literals = [pl.lit(held.slice(place, 1), allow_object=False).first() for place in range(len(held))]
    if op == "between":
        low, high = literals
        return lambda column: (column >= low) & (column <= high)
    compare = {"eq": "__eq__", "ne": "__ne__", "lt": "__lt__", "le": "__le__", "gt": "__gt__", "ge": "__ge__"}[op]
    return lambda column: getattr(column, compare)(literals[0])


def _compared(function: str) -> Callable[[pa.Array], Callable[[Any], Any]]:
    return lambda values: lambda column: getattr(pc, function)(column, values.cast(column.type)[0])


def _within(values: pa.Array) -> Callable[[Any], Any]:
    def test(column: Any) -> Any:
        low, high = values.cast(column.type)
        return pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))

    return test


def _among(values: pa.Array) -> Callable[[Any], Any]:
    def test(column: Any) -> Any:
        found = pc.is_in(column, value_set=values.cast(column.type))
        return pc.if_else(pc.is_valid(column), found, pa.scalar(None, pa.bool_()))

    return test


def _not_among(values: pa.Array) -> Callable[[Any], Any]:
    return lambda column: pc.invert(_among(values)(column))


_OF_INTERVALS = {"eq": _among, "ne": _not_among, "in": _among}

_ARROW: dict[str, Callable[[pa.Array], Callable[[Any], Any]]] = {
    "eq": _compared("equal"),
    "ne": _compared("not_equal"),
    "lt": _compared("less"),
    "le": _compared("less_equal"),
    "gt": _compared("greater"),
    "ge": _compared("greater_equal"),
    "between": _within,
    "in": _among,
}


def _series_of_values(filter: Filter, field: pa.Field, dtype: pa.DataType) -> pa.Array:
    """What the column is compared with, as the column is typed."""
    if pa.types.is_nested(dtype) or (pa.types.is_decimal(dtype) and dtype.scale < 0):
        raise invalid(filter, field, "its values cannot be compared: it takes is_null and is_not_null")
    if filter.value is None and filter.op not in LISTS:
        raise invalid(filter, field, "it takes a value: nulls are asked for with is_null and is_not_null")
    values = filter.value if filter.op in LISTS else [filter.value]
    if not isinstance(values, list) or (filter.op == "between" and len(values) != 2):
        raise invalid(filter, field, f"it takes {LISTS[filter.op or '']}")
    try:
        return typed(values, dtype)
    except _UNFIT as fault:
        raise _unfit(filter, field, dtype, values, fault) from None


_UNFIT = (ValueError, TypeError, OverflowError, pa.ArrowException)


def _unfit(
    filter: Filter, field: pa.Field, dtype: pa.DataType, values: Sequence[Any], fault: Exception
) -> SidecarError:
    """Of many values it says which."""
    if filter.op not in LISTS:
        return invalid(filter, field, str(fault))
    for place, value in enumerate(values):
        try:
            typed([value], dtype)
        except _UNFIT as culprit:
            return invalid(filter, field, f"value {place}, {_SHORT.repr(value)}: {culprit}")
    return invalid(filter, field, str(fault))


_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def invalid(filter: Filter, field: pa.Field, reason: str) -> SidecarError:
    """`invalid_filter` for this condition."""
    return SidecarError(
        "invalid_filter",
        f"filter {filter.op} on column {filter.column!r} ({field.type}) with {_SHORT.repr(filter.value)}: {reason}",
        column=filter.column,
        dtype=str(field.type),
        op=filter.op,
        value=filter.value,
    )
