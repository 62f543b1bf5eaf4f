"""Polars, with what it must never do switched off before its import."""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module

import pyarrow as pa

from . import spilling
from .plain import decoded, is_text, storage

_was_collecting = gc.isenabled()
gc.disable()  # what is imported stays: looking through it for garbage is a tenth of an import of 110 ms (measured)
try:
    spilling.forbid()
    import polars as pl

    import_module("polars._plr")  # without its library `import polars` may do no more than warn
except (ImportError, NameError):
    import_module("_polars_runtime_32._polars_runtime")  # which says what is missing
    raise
finally:
    if _was_collecting:
        gc.enable()

__all__ = ["answers", "comparable", "pl", "series", "to_arrow"]


def series(column: pa.ChunkedArray) -> pl.Series:
    """A column as Polars has it; numbers are used where they lie. An extension type goes by its storage."""
    converted = pl.from_arrow(_with_views(storage(column)))
    assert isinstance(converted, pl.Series)
    return converted


def _with_views(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Strings as the views that Polars has. Arrow makes them in half the time, and lets other threads run the while:
    10 M names take 13 ms against 26 ms (measured). It has no views into more than 2 GiB."""
    if not is_text(column.type):
        return column
    try:
        return column.cast(pa.string_view())
    except pa.ArrowCapacityError:
        return column


def answers(column: pa.ChunkedArray, test: Callable[[pl.Expr], pl.Expr]) -> pa.ChunkedArray:
    """What a test in Polars says of each value."""
    frame = pl.DataFrame({"column": series(comparable(column))}).select(test(pl.col("column")))
    return pa.chunked_array([frame.to_series().rechunk().to_arrow()])


def comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose values compare in Polars as they do in Arrow.

    Dates, times and durations become the integers that they are: Polars has no seconds, so it multiplies and
    overflows, and it refuses time zones that it does not know (`+05:30` among them).
    """
    column = storage(column)
    dtype = column.type
    if pa.types.is_dictionary(dtype) and not pa.types.is_string(dtype.value_type):
        return comparable(decoded(column))  # Polars makes strings of other values, and sorts them as such
    if pa.types.is_temporal(dtype) and not pa.types.is_interval(dtype):
        return column.cast(pa.int32() if dtype.bit_width == 32 else pa.int64())
    return column


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """The same values in Arrow types that every Arrow reader has: strings as `large_string`, not as views, and
    128-bit integers as `decimal128(38, 0)`."""
    exact = frame.with_columns(pl.col(pl.Int128, pl.UInt128).cast(pl.Decimal(38, 0)))
    return exact.to_arrow(compat_level=pl.CompatLevel.oldest())
