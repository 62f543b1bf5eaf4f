"""A histogram: the values of a column counted by bins, so that every row is counted once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from msgspec import Struct

from .bins import Bins
from .forms import Form, Kind
from .ordered import Ordered, Range


class ValueCount(Struct):
    """A value, as a page has it in JSON, and the rows that have it."""

    value: Any
    count: int


class Bin(Struct):
    """The rows from `low` on and below `high`; where both are the same, those of this value. An end that is null is
    open."""

    low: Any
    high: Any
    count: int


class Tail(Struct):
    """The rows on one side of all bins, and the least and the greatest of their values."""

    count: int
    min: Any = None
    max: Any = None


class Others(Struct):
    """The values of a categorical column that are not counted one by one: how many, and their rows."""

    distinct: int
    count: int


class Histogram(Struct):
    """`bins` ascend. `values` are counted by themselves and in no bin: those of a numeric or temporal column that have
    more than a fifth of the rows, the most frequent of a categorical one. Every row that is not null or NaN is counted
    once: in a bin, in `values`, in a tail or in `others`."""

    kind: Kind
    bins: list[Bin]
    values: list[ValueCount]
    below: Tail | None = None
    above: Tail | None = None
    others: Others | None = None


def histogram(bins: Bins, column: Ordered, distinct_count: int, form: Form) -> Histogram:
    """The column counted; it may be a part of the one that the bins are of."""
    counter = Counter(bins)
    for range in column.pieces():
        counter.add(range)
    alone = [ValueCount(value, count) for value, count in zip(bins.said, counter.alone, strict=True)]
    if form.kind == "categorical":
        distinct = distinct_count - sum(1 for count in counter.alone if count)
        return Histogram(form.kind, [], alone, others=Others(distinct, counter.rows - sum(counter.alone)))
    below, above = (_tail(tail, form) for tail in (counter.below, counter.above))
    if not bins.edges:
        each = [Bin(entry.value, entry.value, entry.count) for entry in alone]
        return Histogram(form.kind, each, [], below, above)
    edges = [None if edge is None else form.say([edge])[0] for edge in bins.edges]
    filled = [Bin(*ends, count) for ends, count in zip(pairwise(edges), counter.filled, strict=True)]
    return Histogram(form.kind, filled, alone, below, above)


def _tail(tail: Tail, form: Form) -> Tail:
    return Tail(tail.count, *form.say([tail.min, tail.max])) if tail.count else tail


class Counter:
    """Counts values range by range. `alone` are the rows of the values that are counted by themselves, `filled` those
    of the bins; the ends of the tails are sorted values."""

    def __init__(self, bins: Bins) -> None:
        self._bins = bins
        self.rows = 0
        self.alone = [0] * len(bins.values)
        self.filled = [0] * max(0, len(bins.edges) - 1)
        self.below, self.above = Tail(0), Tail(0)

    def add(self, range: Range) -> None:
        """The next range."""
        values, repeats = range
        self.rows += range.rows
        runs = [(place(values, value), place(values, value, "right")) for value in self._bins.values]
        self.alone = [old + (stop - start) * repeats for old, (start, stop) in zip(self.alone, runs, strict=True)]
        if self._bins.edges:
            self._add_bins(range, sorted(runs))
        elif values.dtype.is_float():
            self._add_tails(range, runs, place(values, float("-inf"), "right"), place(values, float("inf")))

    def _add_bins(self, range: Range, runs: list[tuple[int, int]]) -> None:
        values, repeats = range
        first, *inner, last = self._bins.edges
        is_float = values.dtype.is_float()
        start = place(values, first) if first is not None else place(values, float("-inf"), "right") if is_float else 0
        end = len(values) if not is_float else place(values, float("inf"))
        stop = place(values, last) if last is not None else end
        cuts = [start, *(place(values, edge) for edge in inner), stop]
        counts = [stop - start - _within(runs, start, stop) for start, stop in pairwise(cuts)]
        self.filled = [old + count * repeats for old, count in zip(self.filled, counts, strict=True)]
        self._add_tails(range, runs, start, stop)

    def _add_tails(self, range: Range, runs: list[tuple[int, int]], start: int, stop: int) -> None:
        self.below = _longer(self.below, range, runs, 0, start)
        self.above = _longer(self.above, range, runs, stop, len(range.values))


def _within(runs: list[tuple[int, int]], start: int, stop: int) -> int:
    """How many of the places from `start` to `stop` lie in runs; no run lies partly there."""
    return sum(end - begin for begin, end in runs if start <= begin and end <= stop)


def _longer(tail: Tail, range: Range, runs: list[tuple[int, int]], start: int, stop: int) -> Tail:
    """A tail with the places from `start` to `stop` of the next range, but for the runs, which ascend."""
    count = (stop - start - _within(runs, start, stop)) * range.repeats
    if not count:
        return tail
    for begin, end in runs:
        start = end if begin == start else start
    for begin, end in reversed(runs):
        stop = begin if end == stop else stop
    least, greatest = range.values[start], range.values[stop - 1]
    if tail.count:
        least, greatest = min(least, tail.min), max(greatest, tail.max)
    return Tail(tail.count + count, least, greatest)


def place(values: Any, value: Any, side: str = "left") -> int:
    """How many of sorted values are below `value`, with `right` also those that are equal. It may be of no value that
    their type holds."""
    from ...polars import pl

    if value > values[-1]:
        return len(values)
    if value < values[0]:
        return 0
    return int(values.search_sorted(pl.Series([value], dtype=values.dtype), side)[0])
