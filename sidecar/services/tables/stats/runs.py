"""What a column's values tell in sorted order: how many there are of each, which stand where, their moments.

The values come as one or several ranges: sorted series, each beginning above the end of the one before. So a column
that does not fit into memory is summed up as one that does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from .ordered import Range
from .sums import squares, total


class Run(NamedTuple):
    """One value, how many rows have it, and the place where it begins."""

    value: Any
    rows: int
    start: int


class Runs:
    """Takes the ranges of a column of `count` values, in order."""

    def __init__(self, count: int, has_moments: bool, tops: int, places: Iterable[int] = ()) -> None:
        """`tops` is how many of the most frequent values to remember, `places` the ranks at which to."""
        self.count = count
        self.distinct_count = 0
        self.infinities = (0, 0)
        """How many come before and after the finite values."""
        self.least: Any = None
        self.greatest: Any = None
        self.at: dict[int, Any] = {}
        """Values by place."""
        self.top: list[Run] = []
        """The most frequent; of equally frequent ones the smaller come first."""
        self._moments: list[_Moments] = []
        self._has_moments = has_moments
        self._tops = tops
        self._places = sorted({*places})
        self._offset = 0

    def add(self, range: Range) -> None:
        """The next range."""
        values = range.values
        self.least = values[0] if self.least is None else self.least
        self.greatest = values[-1]
        self.at.update(picked(range, self._offset, self._places))
        self._add_runs(range)
        if self._has_moments:
            self._add_moments(range)
        self._offset += range.rows

    def _add_runs(self, range: Range) -> None:
        from ...polars import pl

        values = range.values
        starts = (values != values.shift(1)).fill_null(True).arg_true()  # before the first is nothing to differ from
        self.distinct_count += len(starts)
        counts = pl.concat([starts.slice(1), pl.Series([len(values)], dtype=starts.dtype)]) - starts
        bound = counts.top_k(self._tops).min()
        found = pl.concat([(counts > bound).arg_true(), (counts == bound).arg_true().head(self._tops)])
        runs = zip(values.gather(starts.gather(found)), counts.gather(found), starts.gather(found), strict=True)
        self.top += [Run(value, count * range.repeats, start + self._offset) for value, count, start in runs]
        self.top = sorted(self.top, key=lambda run: (-run.rows, run.start))[: self._tops]

    def _add_moments(self, range: Range) -> None:
        values, repeats = range
        if values.dtype.is_float():
            below, above = values.search_sorted(-math.inf, "right"), values.search_sorted(math.inf, "left")
            before, after = self.infinities
            self.infinities = before + below * repeats, after + (len(values) - above) * repeats
            values = values.slice(below, above - below)
        if not values.is_empty():
            self._moments.append(_moments(values, repeats))

    def mean(self) -> Fraction | float | None:
        """The mean, exactly; infinite or NaN with infinities."""
        if not self.count:
            return None
        before, after = self.infinities
        if before or after:
            return math.nan if before and after else math.inf if after else -math.inf
        return sum((part.total for part in self._moments), Fraction(0)) / self.count

    def variance(self) -> Fraction | float | None:
        """Of the sample: n - 1."""
        if self.count < 2:
            return None
        mean = self.mean()
        if not isinstance(mean, Fraction):
            return math.nan
        return sum((part.squares_about(mean) for part in self._moments), Fraction(0)) / (self.count - 1)

    def quantile(self, share: Fraction) -> Fraction | float | None:
        """Linear interpolation between the two values next to the place. Their places must have been asked for."""
        if not self.count:
            return None
        low, high = around(share, self.count)
        part = share * (self.count - 1) - low
        below, above = self.at[low], self.at[high]
        if part == 0 or below == above:
            return below if is_infinite(below) else Fraction(below)
        if is_infinite(below) or is_infinite(above):
            return float(below) + float(above)
        return Fraction(below) + part * (Fraction(above) - Fraction(below))


class _Moments(NamedTuple):
    """Of one range: `squares` are of the distances to `centre`, so that nothing is lost by cancellation."""

    rows: int
    total: Fraction
    centre: Fraction
    squares: Fraction

    def squares_about(self, mean: Fraction) -> Fraction:
        shift = self.centre - mean
        return self.squares + 2 * shift * (self.total - self.rows * self.centre) + self.rows * shift * shift


def _moments(values: Any, repeats: int) -> _Moments:
    sum = total(values)
    mean = sum / len(values)
    centre = float(mean) if values.dtype.is_float() else round(mean)
    return _Moments(len(values) * repeats, sum * repeats, Fraction(centre), squares(values, centre) * repeats)


def around(share: Fraction, count: int) -> tuple[int, int]:
    """The two places next to a share of sorted values."""
    place = share * (count - 1)
    return math.floor(place), math.ceil(place)


def is_infinite(value: Any) -> bool:
    """Whether it is an infinite double."""
    return isinstance(value, float) and math.isinf(value)


def picked(range: Range, offset: int, places: Iterable[int]) -> Iterator[tuple[int, Any]]:
    """The values at those places that lie in a range which begins at `offset`."""
    inside = (place for place in places if 0 <= place - offset < range.rows)
    return ((place, range.values[(place - offset) // range.repeats]) for place in inside)
