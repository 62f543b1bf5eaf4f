"""All figures of one column, exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from msgspec import Struct

from ....protocol.errors import SidecarError
from ... import compute as pc
from ...json_rows import json_values
from ...plain import decoded, storage, value_type
from ..order.ranks import Ranks, has_ranks
from ..selection import Selection
from .bins import MAX_BINS, Bins, choose, places
from .forms import Form, by_ranks, form_of, number, unit_of_deviation
from .histogram import Histogram, ValueCount, histogram
from .ordered import Counts, Ordered, counted
from .runs import Runs, around

if TYPE_CHECKING:
    from ....protocol.methods import Work

FREQUENT = 5
QUARTERS = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))


class ColumnStats(Struct):
    """One column. A figure that the type does not have is null, and so is one of no values.

    `null_count`, `non_null_count`, `nan_count` and `empty_count` (strings, binary, lists and maps of length 0) count
    rows; `distinct_count` counts different values, all NaN as one, null not among them. Values are in the form that
    `tables/rows` has in JSON: `min` and `max`, and those of `most_frequent`, up to five, of which equally frequent ones
    come in ascending order. `mean`, `std` (of the sample, n - 1), `median`, `q25` and `q75` (linear interpolation) are
    numbers, or the strings `NaN`, `Infinity` and `-Infinity`. Of times they are times, rounded to the column's unit,
    and `std` is a duration. NaN takes part in none but the counts.
    """

    column: str
    dtype: str
    null_count: int
    non_null_count: int = 0
    nan_count: int | None = None
    empty_count: int | None = None
    distinct_count: int | None = None
    min: Any = None
    max: Any = None
    mean: Any = None
    std: Any = None
    median: Any = None
    q25: Any = None
    q75: Any = None
    most_frequent: list[ValueCount] | None = None
    histogram: Histogram | None = None


class Summary(NamedTuple):
    """A column in order, and what was found out about it."""

    form: Form
    column: Ordered
    counts: Counts
    runs: Runs


def summary(rows: Selection, index: int, budget_bytes: int | None, work: Work) -> Summary | None:
    """Sorts the column. None where it has no values by its type, or none that can be told from each other: those that
    go by their JSON text, and have none."""
    form = form_of(rows.schema.field(index))
    if form is not None and has_ranks(rows.table, index):
        form = by_ranks(form, Ranks(rows.table, index))
    if form is None:
        return None
    try:
        return _summary(rows, index, form, budget_bytes, work)
    except SidecarError as fault:
        if fault.kind != "unencodable_column":
            raise
        return None


def _summary(rows: Selection, index: int, form: Form, budget_bytes: int | None, work: Work) -> Summary:
    counts = counted(rows, index, budget_bytes, work)
    count = rows.rows - counts.null - (counts.nan or 0)
    ranks = [rank for share in QUARTERS for rank in around(share, count)] if count else []
    runs = Runs(count, form.has_moments, MAX_BINS + 2, [*ranks, *places(count)] if form.has_moments else ())
    column = Ordered(rows, index, form, count, budget_bytes, work)
    for range in column.ranges():
        work.check()
        runs.add(range)
    if form.is_looked_up:
        form = form._replace(say=_Lookup(rows, index, form).say)
    return Summary(form, column, counts, runs)


def bins_of(found: Summary) -> Bins:
    """The bins of a whole column."""
    if not found.runs.count:
        return Bins([], [], [])
    return choose(found.runs, found.column, found.form)


def column_stats(rows: Selection, index: int, found: Summary | None, bins: Bins | None, work: Work) -> ColumnStats:
    """The figures of a column from its summary, its histogram with the given bins."""
    field = rows.schema.field(index)
    if found is None:
        return _without_values(rows, index, work)
    form, column, counts, runs = found
    stats = ColumnStats(field.name, str(field.type), counts.null, rows.rows - counts.null, counts.nan, counts.empty)
    stats.distinct_count = runs.distinct_count + (1 if counts.nan else 0)
    top = runs.top[:FREQUENT]
    said = form.say([run.value for run in top])
    stats.most_frequent = [ValueCount(value, run.rows) for value, run in zip(said, top, strict=True)]
    if runs.count and form.has_ends:
        stats.min, stats.max = form.say([runs.least, runs.greatest])
    elif runs.count and pa.types.is_decimal256(value_type(field.type)):
        stats.min, stats.max = _decimal_ends(rows, index, value_type(field.type))
    if form.has_moments and runs.count:
        _set_moments(stats, runs, form, value_type(field.type))
    if bins is not None:
        stats.histogram = histogram(bins, column, runs.distinct_count, form)
    return stats


def _without_values(rows: Selection, index: int, work: Work) -> ColumnStats:
    field, counts = rows.schema.field(index), counted(rows, index, None, work)
    stats = ColumnStats(field.name, str(field.type), counts.null, rows.rows - counts.null, counts.nan, counts.empty)
    if not stats.non_null_count:
        stats.distinct_count, stats.most_frequent = 0, []
    return stats


def _set_moments(stats: ColumnStats, runs: Runs, form: Form, dtype: pa.DataType) -> None:
    q25, median, q75 = (runs.quantile(share) for share in QUARTERS)
    mean, variance = runs.mean(), runs.variance()
    if form.kind == "temporal":
        times = [round(value / form.tick) * form.tick for value in (mean, q25, median, q75) if value is not None]
        stats.mean, stats.q25, stats.median, stats.q75 = form.say(times)
        stats.std = None if variance is None else _duration(Fraction(variance), dtype)
        return
    stats.mean, stats.q25, stats.median, stats.q75 = (_number(value, form) for value in (mean, q25, median, q75))
    if variance is not None:
        stats.std = "NaN" if isinstance(variance, float) else number(_root(variance * form.unit**2))


def _number(value: Fraction | float | None, form: Form) -> Any:
    return number(float(value * form.unit) if isinstance(value, Fraction) else value)


def _duration(variance: Fraction, dtype: pa.DataType) -> str:
    tick, unit = unit_of_deviation(dtype)
    return f"{round(_exact_root(variance * tick * tick))} {unit}"


def _root(value: Fraction) -> float:
    """The nearest double; no fraction of doubles is too large for it, as a deviation is none."""
    try:
        return float(_exact_root(value))
    except OverflowError:
        return math.inf


def _exact_root(value: Fraction) -> Fraction:
    """The square root to at least 60 bits, and exactly where it has no more."""
    shift = max(0, 64 + (value.denominator.bit_length() - value.numerator.bit_length()) // 2)
    scale = 1 << shift
    return Fraction(math.isqrt(value.numerator * scale * scale // value.denominator), scale)


def _decimal_ends(rows: Selection, index: int, dtype: pa.DataType) -> tuple[Any, Any]:
    ends: list[pa.Scalar] = []
    for piece in rows.pieces([index]):
        found = pc.min_max(pa.chunked_array([pa.array(ends, dtype), *decoded(storage(piece.column(0))).chunks]))
        ends = [found["min"], found["max"]]
    low, high = json_values("", pa.chunked_array([pa.array(ends, dtype)]))
    return low, high


class _Lookup:
    """Says nested values by their keys: it looks for a row that has them."""

    def __init__(self, rows: Selection, index: int, form: Form) -> None:
        self._rows, self._index, self._form = rows, index, form

    def say(self, keys: Any) -> list[Any]:
        """One value a key."""
        found: dict[bytes, Any] = {}
        name = self._rows.schema.field(self._index).name
        for piece in self._rows.pieces([self._index]):
            wanted = [key for key in keys if key not in found]
            if not wanted:
                break
            column = piece.column(0)
            made = self._form.made(column)
            at = pc.index_in(pa.array(wanted, made.type), value_set=made.combine_chunks())
            rows = [(key, row) for key, row in zip(wanted, at.to_pylist(), strict=True) if row is not None]
            values = self._said(name, column.take(pa.array([row for _, row in rows], pa.int64())))
            found.update(zip((key for key, _ in rows), values, strict=True))
        return [found[key] for key in keys]

    def _said(self, name: str, values: pa.ChunkedArray) -> list[Any]:
        try:
            return json_values(name, values)
        except SidecarError:
            return [None] * len(values)  # it has no form in JSON
