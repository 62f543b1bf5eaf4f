"""A text, looked for in the values of a column: in those of any type, and in all that nested ones are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ... import compute as pc
from ...plain import is_text, value_type
from .value_tests import by_value

if TYPE_CHECKING:
    import polars as pl

DIGITS = "0123456789-"
PLAIN_FLOAT = DIGITS + "."
OUT_OF_RANGE = "<value out of range: >"
"""What Arrow writes around the count of a date or time that has no date."""

UTC = "UTC"


class Needle(NamedTuple):
    """A text and how to look for it."""

    text: str
    ignore_case: bool
    test: Callable[[pl.Expr], pl.Expr]

    def found(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Where it is in a column of any type but a dictionary or an extension; not in nulls."""
        nested = next((found for is_kind, found in _NESTED if is_kind(column.type)), None)
        if nested is not None:
            return pa.chunked_array([nested(self, chunk) for chunk in column.chunks], pa.bool_())
        if not self.can_be_in(column.type):
            return pa.chunked_array([pa.repeat(False, len(column))])
        if pa.types.is_interval(column.type):
            return self._in_intervals(column)
        return self._in_texts(self._texts(column))

    def can_be_in(self, dtype: pa.DataType) -> bool:
        """Whether the text of any value could have it: the letters of a name are in no number."""
        dtype = value_type(dtype)
        if pa.types.is_null(dtype):
            return False
        alphabet = next((letters for is_kind, letters in _ALPHABETS if is_kind(dtype)), None)
        if alphabet is None or (self.ignore_case and not self.text.isascii()):
            return True
        if self.ignore_case:
            return {*self.text.lower()} <= {*alphabet.lower()}
        return {*self.text} <= {*alphabet}

    def _inside(self, values: pa.Array) -> pa.Array:
        """Where it is in values of any type."""
        return by_value(self.found, of_null=False)(pa.chunked_array([values])).combine_chunks()

    def _in_texts(self, texts: pl.Series) -> pa.ChunkedArray:
        from ...polars import pl

        frame = pl.DataFrame({"text": texts}).select(self.test(pl.col("text")).fill_null(False))
        return pa.chunked_array([frame.to_series().rechunk().to_arrow()])

    def _texts(self, column: pa.ChunkedArray) -> pl.Series:
        """Each value as the text that it has in a page in JSON."""
        from ...polars import pl, series

        types, dtype = pa.types, column.type
        if is_text(dtype):
            return series(column)
        if types.is_integer(dtype) or types.is_boolean(dtype):
            return series(column).cast(pl.String)
        if types.is_floating(dtype):
            return self._float_texts(series(column).cast(pl.Float64).alias("number"))
        if types.is_duration(dtype):
            return series(column.cast(pa.int64())).cast(pl.String) + f" {dtype.unit}"
        if types.is_decimal(dtype) or types.is_temporal(dtype):
            return series(_temporal_or_decimal_texts(column))
        return series(column.cast(pa.large_binary())).bin.encode("base64")

    def _float_texts(self, numbers: pl.Series) -> pl.Series:
        """Polars writes 1e+20 and inf for 1e20 and Infinity; no text without letters is in one of the two alone."""
        from ...polars import pl

        if {*self.text} <= {*PLAIN_FLOAT}:
            return numbers.cast(pl.String)
        number = pl.col("number")
        infinity = pl.when(number > 0).then(pl.lit("Infinity")).otherwise(pl.lit("-Infinity"))
        finite = number.cast(pl.String).str.replace("e+", "e", literal=True)
        return numbers.to_frame().select(pl.when(number.is_infinite()).then(infinity).otherwise(finite)).to_series()

    def _in_intervals(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """In the months, the days or the nanoseconds, which JSON has as a list."""
        chunks = [chunk for chunk in column.chunks if len(chunk)]
        return pa.chunked_array([_masked(_any(map(self._inside, _counts(c))), c) for c in chunks], pa.bool_())

    def _in_list(self, array: Any) -> pa.Array:
        offsets = array.offsets
        start = offsets[0]
        values = array.values.slice(start.as_py(), offsets[-1].as_py() - start.as_py())
        return _masked(_in_parts(self._inside(values), pc.subtract(offsets, start)), array)

    def _in_fixed_list(self, array: Any) -> pa.Array:
        from ...polars import pl

        size, count = array.type.list_size, len(array)
        values = array.values.slice(array.offset * size, count * size)
        offsets = pl.int_range(count + 1, eager=True) * size
        return _masked(_in_parts(self._inside(values), offsets.to_arrow()), array)

    def _in_struct(self, array: Any) -> pa.Array:
        fields = [self._inside(array.field(index)) for index in range(array.type.num_fields)]
        return _masked(_any(fields), array) if fields else pa.repeat(False, len(array))

    def _in_union(self, array: Any) -> pa.Array:
        """In the value that each row has; which of the children has it, and where, a union says itself."""
        from ...polars import pl

        codes = _own(array, 1, pa.int8())
        is_dense = array.type.mode == "dense"
        places = _own(array, 2, pa.int32()) if is_dense else pl.int_range(len(array), eager=True).to_arrow()
        found = pa.repeat(False, len(array))
        for index, code in enumerate(array.type.type_codes):
            is_here = pc.equal(codes, pa.scalar(code, pa.int8()))
            inside = self._inside(array.field(index)).take(pc.if_else(is_here, places, None))
            found = pc.or_(found, pc.fill_null(inside, False))
        return found


def _own(array: Any, index: int, dtype: pa.DataType) -> pa.Array:
    """A buffer of a union. Not `type_codes` or `offsets`: of a slice they are those of the whole (pyarrow 26)."""
    return pa.Array.from_buffers(dtype, len(array), [None, array.buffers()[index]], offset=array.offset)


def _temporal_or_decimal_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As in JSON; of a time zone that is not known, where JSON has nothing, as the instants are in UTC."""
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        if not pa.types.is_timestamp(column.type) or column.type.tz in (None, UTC):
            raise
        return column.cast(pa.timestamp(column.type.unit, UTC)).cast(pa.large_string())


def _any(masks: Any) -> pa.Array:
    return reduce(pc.or_, masks)


def _masked(mask: pa.Array, array: pa.Array) -> pa.Array:
    """What lies behind a null is nothing."""
    return pc.and_(mask, array.is_valid()) if array.null_count else mask


def _in_parts(found: pa.Array, offsets: pa.Array) -> pa.Array:
    """Whether anything is found between one offset and the next: the count of what is found before it has grown."""
    counts = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(found.cast(pa.int64()))]).take(offsets)
    return pc.greater(counts[1:], counts[:-1])


def _counts(array: pa.Array) -> list[pa.Array]:
    """Months, days and nanoseconds of intervals: two integers of 32 bits and one of 64, side by side."""
    from ...polars import series

    data = array.buffers()[1]
    places = slice(array.offset, array.offset + len(array))
    small = series(pa.chunked_array([pa.Array.from_buffers(pa.int32(), data.size // 4, [None, data])]))
    large = series(pa.chunked_array([pa.Array.from_buffers(pa.int64(), data.size // 8, [None, data])]))
    counts: list[pl.Series] = [small.gather_every(4), small.gather_every(4, 1), large.gather_every(2, 1)]
    return [count[places].rechunk().to_arrow() for count in counts]


def _is_listed(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_map(dtype))


def _is_binary(dtype: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype))


_NESTED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Needle, Any], pa.Array]], ...] = (
    (_is_listed, Needle._in_list),
    (pa.types.is_fixed_size_list, Needle._in_fixed_list),
    (pa.types.is_struct, Needle._in_struct),
    (pa.types.is_union, Needle._in_union),
)

_ALPHABETS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_integer, DIGITS),
    (pa.types.is_interval, DIGITS),
    (pa.types.is_floating, PLAIN_FLOAT + "e" + "NaN" + "Infinity"),
    (pa.types.is_boolean, "truefalse"),
    (pa.types.is_decimal, PLAIN_FLOAT + "E+"),
    (pa.types.is_duration, DIGITS + " smun"),
    (pa.types.is_temporal, PLAIN_FLOAT + ":+Z" + OUT_OF_RANGE),
    (_is_binary, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
)
