"""Filters: conditions on columns, their values typed as the columns are, so that every comparison is exact."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from ...protocol.errors import SidecarError
from ..plain import has_order, value_type
from .plan import Plan, position

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

WITHOUT_VALUE = frozenset({"is_null", "is_not_null", "is_nan", "is_not_nan"})
TEXT_OPERATORS = frozenset({"contains", "starts_with", "ends_with", "regex"})


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


def passes(filter: Filter, plan: Plan) -> pl.Expr:
    """`filter` as an expression over the columns of `plan`. Raises `unknown_column` and `invalid_filter`."""
    from ..polars import pl

    if filter.all is not None:
        return pl.all_horizontal(pl.lit(True), *(passes(inner, plan) for inner in filter.all))
    if filter.any is not None:
        return pl.any_horizontal(pl.lit(False), *(passes(inner, plan) for inner in filter.any))
    if filter.not_ is not None:
        return passes(filter.not_, plan).not_()
    assert filter.column is not None
    index = position(plan.schema, filter.column)
    return _condition(filter, plan, index, plan.schema.field(index))


def _condition(filter: Filter, plan: Plan, index: int, field: pa.Field) -> pl.Expr:
    if filter.op in WITHOUT_VALUE:
        return _without_value(filter, plan, index, field)
    if not has_order(field.type):
        raise _invalid(filter, field, "its values cannot be compared: it takes is_null and is_not_null")
    if filter.op in TEXT_OPERATORS:
        return _on_text(filter, field, plan.value(index))
    if filter.op in ("between", "in"):
        return _membership(filter, field, plan.value(index))
    return _COMPARE[filter.op or ""](plan.value(index), _literal(filter, field, [filter.value]))


def _without_value(filter: Filter, plan: Plan, index: int, field: pa.Field) -> pl.Expr:
    if filter.value is not None:
        raise _invalid(filter, field, "it takes no value")
    if filter.op in ("is_null", "is_not_null"):  # by Arrow, which has it for every type
        is_null = plan.use(index, "null", pc.is_null)
        return is_null if filter.op == "is_null" else ~is_null
    if not pa.types.is_floating(value_type(field.type)):
        raise _invalid(filter, field, "only floats can be NaN")
    return plan.value(index).is_nan() if filter.op == "is_nan" else plan.value(index).is_not_nan()


_COMPARE: dict[str, Callable[[Any, Any], pl.Expr]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
}


def _membership(filter: Filter, field: pa.Field, column: pl.Expr) -> pl.Expr:
    values = filter.value
    if not isinstance(values, list) or (filter.op == "between" and len(values) != 2):
        raise _invalid(filter, field, "it takes a list of two values" if filter.op == "between" else "it takes a list")
    if filter.op == "in":
        return column.is_in(_series(filter, field, values).implode())
    low, high = (_literal(filter, field, [value]) for value in values)
    return (column >= low) & (column <= high)


def _on_text(filter: Filter, field: pa.Field, column: pl.Expr) -> pl.Expr:
    dtype = value_type(field.type)
    if not (pa.types.is_string(dtype) or pa.types.is_large_string(dtype)) or not isinstance(filter.value, str):
        raise _invalid(filter, field, "it takes a string, on a column of strings")
    from ..polars import pl

    return column.cast(pl.String).str.contains(filter.value, literal=True)


def _literal(filter: Filter, field: pa.Field, values: list[Any]) -> pl.Expr:
    from ..polars import pl

    return pl.lit(_series(filter, field, values), allow_object=False).first()


def _series(filter: Filter, field: pa.Field, values: list[Any]) -> Any:
    from ..polars import comparable, series

    dtype = value_type(field.type)
    try:
        scalars = [typed(value, dtype) for value in values]
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as fault:
        raise _invalid(filter, field, str(fault)) from None
    return series(comparable(pa.chunked_array([pa.array(scalars, dtype)])))


def typed(value: Any, dtype: pa.DataType) -> pa.Scalar:
    """A JSON value as a scalar of `dtype`, exactly. Raises `ValueError`, `TypeError` or Arrow's errors."""
    if isinstance(value, bool) != pa.types.is_boolean(dtype):
        raise TypeError(f"{value!r} is no {dtype}")
    for is_one, scalar in _SCALARS:
        if is_one(dtype):
            return scalar(value, dtype)
    raise TypeError(f"a column of {dtype} cannot be compared")


def _integer(value: Any, dtype: pa.DataType) -> pa.Scalar:
    return pa.scalar(int(value) if isinstance(value, str) else _expect(value, int, dtype), dtype)


def _binary(value: Any, dtype: pa.DataType) -> pa.Scalar:
    return pa.scalar(base64.b64decode(_expect(value, str, dtype), validate=True), dtype)


def _floating(value: Any, dtype: pa.DataType) -> pa.Scalar:
    is_named = value in ("NaN", "Infinity", "-Infinity")
    return pa.scalar(float(value if is_named else _expect(value, (int, float), dtype)), dtype)


def _duration(value: Any, dtype: pa.DataType) -> pa.Scalar:
    count, _, unit = value.partition(" ") if isinstance(value, str) else (_expect(value, int, dtype), "", dtype.unit)
    if unit != dtype.unit:
        raise TypeError(f"{value!r} is no count of {dtype.unit}")
    return pa.scalar(int(count), dtype)


def _time(value: Any, dtype: pa.DataType) -> pa.Scalar:
    """By way of a timestamp: Arrow has no cast from a string to a time."""
    return pa.scalar(f"1970-01-01 {_expect(value, str, dtype)}").cast(pa.timestamp(dtype.unit)).cast(dtype)


_SCALARS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], pa.Scalar]], ...] = (
    (pa.types.is_boolean, pa.scalar),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _floating),
    (pa.types.is_decimal, lambda value, dtype: pa.scalar(str(_expect(value, (int, str), dtype))).cast(dtype)),
    (pa.types.is_duration, _duration),
    (pa.types.is_time, _time),
    (pa.types.is_temporal, lambda value, dtype: pa.scalar(_expect(value, str, dtype)).cast(dtype)),
    (pa.types.is_string, lambda value, dtype: pa.scalar(_expect(value, str, dtype), dtype)),
    (pa.types.is_large_string, lambda value, dtype: pa.scalar(_expect(value, str, dtype), dtype)),
    (pa.types.is_binary, _binary),
    (pa.types.is_large_binary, _binary),
    (pa.types.is_fixed_size_binary, _binary),
)


def _expect(value: Any, kind: type | tuple[type, ...], dtype: pa.DataType) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {dtype}")
    return value


def _invalid(filter: Filter, field: pa.Field, reason: str) -> SidecarError:
    return SidecarError(
        "invalid_filter",
        f"filter {filter.op} on column {filter.column!r} ({field.type}) with {filter.value!r}: {reason}",
        column=filter.column,
        dtype=str(field.type),
        op=filter.op,
        value=filter.value,
    )
