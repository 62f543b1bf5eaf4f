"""Forms: what the values of a column are computed with, and how a value is said in JSON.

Every type has one whose values can be sorted. Numbers and times are integers or doubles. Nested values become keys that
are equal where the values are, and what cannot even be that is told apart by its JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import pyarrow as pa

from ....protocol.errors import SidecarError
from ....wire.limits import MAX_SAFE_INTEGER
from ... import compute as pc
from ...json_rows import json_values
from ...plain import decoded, is_text, large_type, storage, value_type
from ..order.ranks import Ranks
from . import steps

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["numeric", "temporal", "categorical"]
Made = Callable[[pa.ChunkedArray], pa.ChunkedArray]
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Form(NamedTuple):
    """How a column is computed with."""

    kind: Kind
    """Of its histogram."""
    made: Made
    """The column as one that Polars sorts."""
    say: Callable[[Sequence[Any]], list[Any]]
    """Sorted values in JSON."""
    has_moments: bool = False
    has_ends: bool = True
    """Whether values have an order that means something."""
    unit: Fraction = Fraction(1)
    """What a sorted value of 1 stands for."""
    tick: int = 1
    """Times are multiples of it."""
    bits: int = 0
    """Of the integers behind a time; an edge beyond them cannot be said."""
    steps: Callable[[Fraction], Iterator[steps.Step]] | None = None
    """Steps of bins for a width, ascending."""
    is_looked_up: bool = False
    """Whether `say` is not enough, as keys do not tell their values."""


def form_of(field: pa.Field) -> Form | None:
    """The form of a column; None for one that has no values (`null`)."""
    dtype, types = value_type(field.type), pa.types
    if types.is_null(dtype):
        return None
    if types.is_temporal(dtype) and not types.is_interval(dtype):
        return _temporal(field, dtype)
    return _numeric(dtype) or _categorical(field.name, dtype)


def _numeric(dtype: pa.DataType) -> Form | None:
    types = pa.types
    if types.is_boolean(dtype):
        return Form("categorical", _cast(pa.uint8()), lambda values: [bool(value) for value in values], True)
    if types.is_integer(dtype):
        return Form("numeric", _values, _said_numbers, True, steps=steps.integers)
    if types.is_floating(dtype):
        return Form("numeric", _cast(pa.float64()), _said_numbers, True, steps=steps.doubles)
    if types.is_decimal(dtype) and not types.is_decimal256(dtype):
        unit = Fraction(10) ** -dtype.scale
        return Form("numeric", _unscaled, _said_decimals(dtype.scale), True, unit=unit, steps=steps.integers)
    return None


def _categorical(name: str, dtype: pa.DataType) -> Form:
    types = pa.types
    if is_text(dtype):
        return Form("categorical", _cast(pa.large_string()), list)
    if types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype):
        return Form("categorical", _cast(pa.large_binary()), _said_binary)
    wanted = _groupable(dtype) if types.is_nested(dtype) else None
    if wanted is not None:
        return Form("categorical", _keys(wanted), list, has_ends=False, is_looked_up=True)
    return Form("categorical", _texts(name), _said_texts, has_ends=False)


def by_ranks(form: Form, ranks: Ranks) -> Form:
    """The form of a dictionary by the ranks of its values, which are looked up to be said."""

    def say(places: Sequence[Any]) -> list[Any]:
        return form.say(ranks.values.take(pa.array(places, pa.int64())).to_pylist())

    return form._replace(made=ranks, say=say)


def _temporal(field: pa.Field, dtype: pa.DataType) -> Form:
    bits = dtype.bit_width
    stored = pa.int32() if bits == 32 else pa.int64()

    def say(values: Sequence[Any]) -> list[Any]:
        try:
            return json_values(field.name, pa.chunked_array([pa.array(values, stored).cast(dtype)]))
        except SidecarError:
            return [None] * len(values)  # no form to say them in: a time zone that nobody knows

    tick = steps.DAY_S * TICKS["ms"] if pa.types.is_date64(dtype) else 1
    return Form("temporal", _cast(stored), say, True, tick=tick, bits=bits, steps=_clock(dtype))


def _clock(dtype: pa.DataType) -> Callable[[Fraction], Iterator[steps.Step]]:
    if pa.types.is_date(dtype):
        day = 1 if dtype.bit_width == 32 else steps.DAY_S * TICKS["ms"]
        return lambda _: steps.days(day)
    second = TICKS[dtype.unit]
    return lambda _: steps.instants(second) if pa.types.is_timestamp(dtype) else steps.durations(second)


def unit_of_deviation(dtype: pa.DataType) -> tuple[int, str]:
    """How a deviation of times is said: what one tick is, and in which unit."""
    if pa.types.is_date32(dtype):
        return steps.DAY_S, "s"
    return 1, "ms" if pa.types.is_date64(dtype) else dtype.unit


# -- columns as Polars sorts them --------------------------------------------------------------------------------


def _values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return decoded(storage(column))


def _cast(wanted: pa.DataType) -> Made:
    return lambda column: _values(column).cast(wanted)


def _unscaled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals as the integers that they are stored as."""
    column = _values(column)
    bits = column.type.bit_width
    wanted = {32: pa.int32(), 64: pa.int64()}.get(bits, pa.decimal128(38, 0))
    chunks = [pa.Array.from_buffers(wanted, len(c), c.buffers(), offset=c.offset) for c in column.chunks]
    whole = pa.chunked_array(chunks, wanted)
    if bits != 128 or column.type.precision > 18:
        return whole
    return whole.cast(pa.decimal128(19, 0)).cast(pa.int64())


def _keys(wanted: pa.DataType) -> Made:
    def made(column: pa.ChunkedArray) -> pa.ChunkedArray:
        from ...polars import series

        column = _values(column)
        is_valid = column.is_valid()
        encoded = series(column.cast(wanted))._row_encode().to_arrow().cast(pa.large_binary())
        return pc.if_else(is_valid, pa.chunked_array([encoded]), pa.scalar(None, pa.large_binary()))

    return made


def _texts(name: str) -> Made:
    def made(column: pa.ChunkedArray) -> pa.ChunkedArray:
        texts = [None if value is None else msgspec.json.encode(value).decode() for value in json_values(name, column)]
        return pa.chunked_array([pa.array(texts, pa.large_string())])

    return made


def _groupable(dtype: pa.DataType) -> pa.DataType | None:
    """The nested type that Polars can group by and Arrow casts `dtype` to; None if there is none."""
    types = pa.types
    if types.is_dictionary(dtype):
        return _groupable(dtype.value_type)
    if types.is_map(dtype):
        dtype = pa.list_(pa.struct([dtype.key_field, dtype.item_field]))
    if types.is_struct(dtype):
        inner = [(field, _groupable(field.type)) for field in dtype]
        fields = [field.with_type(wanted) for field, wanted in inner if wanted is not None]
        return pa.struct(fields) if len(fields) == len(inner) > 0 else None
    if types.is_list(dtype) or types.is_large_list(dtype):
        wanted = _groupable(dtype.value_type)
        return None if wanted is None else pa.large_list(dtype.value_field.with_type(wanted))
    if types.is_fixed_size_list(dtype):
        wanted = _groupable(dtype.value_type) if dtype.list_size else None
        return None if wanted is None else pa.large_list(dtype.value_field.with_type(wanted))  # Polars fails on some
    return _groupable_leaf(dtype)


def _groupable_leaf(dtype: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if types.is_decimal(dtype):
        return None if types.is_decimal256(dtype) or not 0 <= dtype.scale <= dtype.precision else dtype
    if types.is_interval(dtype) or types.is_union(dtype) or isinstance(dtype, pa.BaseExtensionType):
        return None
    if types.is_temporal(dtype):
        return pa.int32() if dtype.bit_width == 32 else pa.int64()
    if types.is_fixed_size_binary(dtype):
        return pa.large_binary()
    return pa.float32() if types.is_float16(dtype) else large_type(dtype)


# -- values in JSON ----------------------------------------------------------------------------------------------


def number(value: Any) -> Any:
    """A number as a page says it."""
    if isinstance(value, int):
        return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else str(value)
    if value != value:
        return "NaN"
    return value if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"


def _said_numbers(values: Sequence[Any]) -> list[Any]:
    return [number(value) for value in values]


def _said_decimals(scale: int) -> Callable[[Sequence[Any]], list[Any]]:
    def say(values: Sequence[Any]) -> list[Any]:
        exact = [Decimal(f"{value}E{-scale}") for value in values]
        return list(pa.array(exact, pa.decimal256(76, scale)).cast(pa.string()).to_pylist())

    return say


def _said_binary(values: Sequence[Any]) -> list[Any]:
    return json_values("", pa.chunked_array([pa.array(values, pa.large_binary())]))


def _said_texts(values: Sequence[Any]) -> list[Any]:
    return [msgspec.json.decode(value) for value in values]


def sortable(column: pl.Expr, form: Form) -> tuple[list[pl.Expr], pl.Expr]:
    """The tests that leave out nulls and NaN, and the values: with one zero instead of two."""
    tests = [column.is_not_null()]
    if form.steps is steps.doubles:
        return [*tests, column.is_not_nan()], column + 0.0
    return tests, column
