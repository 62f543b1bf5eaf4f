"""Sums of a column without rounding: the same for every order and every division of its rows."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

INT64_END = 2**63
INT128_END = 2**127
WINDOW_BITS = 10
"""Doubles whose exponents are this close are integers of 63 bits together: a double has 53."""


def total(values: Any) -> Fraction:
    """The sum of a sorted series of integers or finite doubles."""
    if values.is_empty():
        return Fraction(0)
    return _of_doubles(values) if values.dtype.is_float() else Fraction(_of_integers(values))


def squares(values: Any, centre: Any) -> Fraction:
    """The sum of the squared distances of a sorted series to `centre`, which is one of the kind of its values. Exact
    for integers while 64 bits hold it; else each distance and its square are rounded to doubles, their sum is not."""
    from ...polars import pl

    if values.dtype.is_float():
        distances = values - centre
        if math.isinf(distances[0]) or math.isinf(distances[-1]):  # further apart than any double
            return 4 * squares(values / 2, centre / 2)
        return _of_squares(distances)
    largest = max(centre - values[0], values[-1] - centre)
    if largest >= INT128_END:
        return _of_squares(values.cast(pl.Float64) - float(centre))
    is_wide = values.dtype in (pl.UInt64, pl.Int128) or largest >= INT64_END
    numbers = values.cast(pl.Int128 if is_wide else pl.Int64)
    distances = numbers - pl.Series([centre], dtype=numbers.dtype)
    if largest**2 * len(values) >= INT64_END:
        return _of_squares(distances.cast(pl.Float64))
    distances = distances.cast(pl.Int64)
    return Fraction(int((distances * distances).sum()))


def _of_squares(distances: Any) -> Fraction:
    """Of sorted doubles. Made smaller or larger by a power of two, so that no square is too large for a double."""
    largest = max(abs(distances[0]), abs(distances[-1]))
    if largest == 0:
        return Fraction(0)
    exponent = math.frexp(largest)[1]
    scaled = _scaled(distances, -exponent)
    middle = scaled.search_sorted(0.0)
    below, above = scaled.head(middle), scaled.slice(middle)
    found = _of_doubles((below * below).reverse()) + _of_doubles(above * above)
    return found * Fraction(4) ** exponent


def _scaled(values: Any, exponent: int) -> Any:
    """Times a power of two, which may itself be too large or too small for a double."""
    while exponent:
        step = max(-1000, min(1000, exponent))
        values = values * math.ldexp(1.0, step)
        exponent -= step
    return values


def _of_integers(values: Any) -> int:
    from ...polars import pl

    largest = max(abs(values[0]), abs(values[-1]))
    if largest * len(values) < INT64_END:
        return int(values.cast(pl.Int64).sum())
    if largest * len(values) < INT128_END:
        return int(values.cast(pl.Int128).sum())
    wide = values.cast(pl.Int128)
    half = pl.Series([2**64], dtype=pl.Int128)
    high = wide // half
    return int(high.sum()) * 2**64 + int((wide - high * half).sum())


def _of_doubles(values: Any) -> Fraction:
    middle = values.search_sorted(0.0)
    return _of_positive(values.slice(middle)) - _of_positive(-values.head(middle).reverse())


def _of_positive(values: Any) -> Fraction:
    """Of ascending doubles, none negative: those of a window of exponents are summed as integers of one scale."""
    from ...polars import pl

    found = Fraction(0)
    stop = len(values)
    while stop and values[stop - 1] > 0:
        exponent = math.frexp(values[stop - 1])[1]
        bottom = exponent - WINDOW_BITS
        start = int(values.head(stop).search_sorted(math.ldexp(1.0, bottom))) if bottom > -1074 else 0
        window = _scaled(values.slice(start, stop - start), 52 - bottom)
        found += Fraction(int(window.cast(pl.Int64).cast(pl.Int128).sum())) * Fraction(2) ** (bottom - 52)
        stop = start
    return found
