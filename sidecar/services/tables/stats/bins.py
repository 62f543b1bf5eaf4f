"""Bins: where the bars of a histogram begin and end, which is a matter of the whole column whatever view is counted."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from .forms import Form
from .ordered import Ordered
from .runs import Run, Runs, is_infinite, picked
from .steps import Step

MAX_BINS = 20
TOP_VALUES = 10
"""Categories that are counted one by one."""
PEAK_SHARE = Fraction(1, 5)
"""A value with more than this share of the rows is counted by itself, so that it does not hide the others."""


class Bins(NamedTuple):
    """What is counted, as sorted values. A bin holds its lower edge and not its upper one; an edge at an end may be
    None: that bin has no end there. `values` are counted by themselves, and are in no bin."""

    edges: list[Any]
    values: list[Any]
    said: list[Any]
    """The `values` in JSON."""


def choose(runs: Runs, column: Ordered, form: Form) -> Bins:
    """The bins of a column. Reads it once more where it has infinities or peaks."""
    if form.kind == "categorical":
        top = [run.value for run in runs.top[:TOP_VALUES]]
        return Bins([], top, form.say(top))
    finite = [run for run in runs.top if not is_infinite(run.value)]
    if runs.distinct_count - _infinite_values(runs) <= MAX_BINS:
        values = sorted(run.value for run in finite)
        return Bins([], values, form.say(values))
    rest = _Rest(runs)
    edges = _edges(*rest.range(column), form)
    return Bins(edges, rest.peaks, form.say(rest.peaks))


def _infinite_values(runs: Runs) -> int:
    return sum(1 for count in runs.infinities if count)


class _Rest:
    """The finite values that are no peaks."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        before, after = runs.infinities
        finite = runs.count - before - after
        self._peaks = sorted(
            (run for run in runs.top if run.rows > finite * PEAK_SHARE and not is_infinite(run.value)), key=_start
        )
        self.peaks = [run.value for run in self._peaks]
        self._count = finite - sum(run.rows for run in self._peaks)

    def range(self, column: Ordered) -> tuple[Fraction, Fraction]:
        """What the bins are to cover: from the quantile of 1 % to that of 99 %, and up to half of that width more on
        either side, but not beyond the least and the greatest."""
        wanted = [self._place(number) for number in places(self._count)]
        at = self._at(wanted, column)
        least, first, second, greatest = (Fraction(at[place]) for place in wanted)
        if first == second:
            return least, greatest
        half = (second - first) / 2
        return max(least, first - half), min(greatest, second + half)

    def _place(self, number: int) -> int:
        """Among all values, of the one with this number among the rest."""
        place = number + self._runs.infinities[0]
        for run in self._peaks:
            if run.start <= place:
                place += run.rows
        return place

    def _at(self, places: Iterable[int], column: Ordered) -> dict[int, Any]:
        found = {place: self._runs.at[place] for place in places if place in self._runs.at}
        offset = 0
        for range in column.ranges() if len(found) < len({*places}) else ():
            found.update(picked(range, offset, places))
            offset += range.rows
        return found


def _start(run: Run) -> int:
    return run.start


def places(count: int) -> list[int]:
    """Those of the least, of the quantiles of 1 % and of 99 %, and of the greatest of sorted values. The quantiles are
    rounded to the middle: a single outlier is never one of them, however few values there are."""
    last = count - 1
    return [0, -(-last // 100), last * 99 // 100, last] if count else []


def _edges(low: Fraction, high: Fraction, form: Form) -> list[Any]:
    assert form.steps is not None
    step, first, last = next(
        (step, first, last)
        for step in form.steps(high - low)
        if (last := step.number(high)) - (first := step.number(low)) < MAX_BINS
    )
    edges = [_sayable(step, number, form) for number in range(first, last + 2)]
    return [edge for place, edge in enumerate(edges) if place == 0 or edge is None or edge != edges[place - 1]]


def _sayable(step: Step, number: int, form: Form) -> Any:
    """The edge, None if no value of the type is there."""
    edge = step.edge(number)
    if is_infinite(edge) or (form.bits and not -(2 ** (form.bits - 1)) <= edge < 2 ** (form.bits - 1)):
        return None
    return edge
