"""Sorting in passes: the rows of a table in the order of their keys, range by range, within a budget of memory.

Each pass reads the table and keeps the rows of one range of the order. Nothing is written anywhere: what a pass does
not keep, a later one reads again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from ...allocations import give_back
from ...table import Table
from ..plan import Plan
from .pivots import Key, Keys, Sample, compact, comparable_everywhere, frame_of
from .ranges import Bounds, next_bounds

if TYPE_CHECKING:
    import polars as pl

    from ....protocol.methods import Work

__all__ = ["Key", "Range", "in_passes", "sort_bytes"]

BYTES_FACTOR = 3
SEVERAL_KEYS_FACTOR = 5
ROW_BYTES = 16
"""What a sort takes: a multiple of its rows, a larger one with several keys, and more for each row. Measured with
Polars 2.1 and 4 M rows, with the row numbers and as growth of the resident memory: 50 bytes a row with one integer as
the key, 110 with two, 117 with a string of 23 bytes, 300 with two of them, 34 with a boolean."""

STEP_SHARE = 32
MIN_STEP_BYTES = 64 * 1024
MAX_STEP_BYTES = 8 * 1024 * 1024


class Range(NamedTuple):
    """Rows that follow one another in the order.

    `keys` has the columns `key_0`, `key_1`, … (the expressions of the keys) in order. Either it has one line for each
    of the `row_count` rows, or a single line, which is that of all: rows that are equal need no more. `rows` are their
    row numbers in the table (uint32, equal rows in the table's order), None where they were not asked for. `is_all`
    says that there is no other range.
    """

    row_count: int
    keys: pl.DataFrame
    rows: pl.Series | None
    is_all: bool = False


def in_passes(
    table: Table,
    plan: Plan,
    tests: Sequence[pl.Expr],
    keys: Sequence[Key],
    budget_bytes: int | None,
    work: Work,
    with_rows: bool = True,
) -> Iterator[Range]:
    """The rows that pass all `tests`, sorted by `keys` (one at least), as ranges.

    Every row of a range stands strictly before every row of the next one, so equal rows are always in one range.
    `tests` and the values of `keys` are expressions over the columns of `plan`. Without a budget, and for an eager
    table whose sort fits in it, there is one range, and it costs what Polars' sort costs. A lazy table whose keys fit
    is read once; else each pass reads it once, and looks at cancellation before each step of reading.

    The bound. Rows are kept while sorting them takes no more than half of the budget (`sort_bytes`); a step of
    reading takes a thirty-second, and a few times that while it is worked on. When the kept rows are more, they are
    sorted, and the key in their middle becomes the end of the pass: rows behind it are dropped, those equal to it are
    kept as row numbers only (4 bytes each; none without `with_rows`), those before it stay. So at least half of the
    kept rows leave at once, whatever the values are: all rows equal, or sorted the other way. Beside the budget stay
    the row numbers of equal rows, which are part of what the caller gets. A pass ends with half of the rows that fit,
    or more, behind it: of n rows where m fit, there are at most 2 n / m + 1 passes. A sample that the first pass takes
    makes it n / m in the usual case, as the others begin with an end that fits.
    """
    if budget_bytes is None or (not table.is_lazy and _fits(table, plan, len(keys), budget_bytes)):
        yield from _at_once(table, plan, tests, keys, work, with_rows)
        return
    scan = _Scan(table, plan, tests, Keys(keys), budget_bytes, work, with_rows)
    yield from scan.ranges()


def sort_bytes(rows: int, size: int, keys: int = 1) -> int:
    """The memory that a sort of so many rows takes, whose keys and row numbers take `size` bytes, these included."""
    return (BYTES_FACTOR if keys == 1 else SEVERAL_KEYS_FACTOR) * size + ROW_BYTES * rows


def _fits(table: Table, plan: Plan, keys: int, budget_bytes: int) -> bool:
    size = table.select(plan.columns).nbytes + 4 * table.rows
    return sort_bytes(table.rows, size, keys) <= budget_bytes


def _at_once(
    table: Table, plan: Plan, tests: Sequence[pl.Expr], keys: Sequence[Key], work: Work, with_rows: bool
) -> Iterator[Range]:
    work.check()
    sort = Keys(keys)
    row = ["row"] if with_rows else []
    frame = plan.frame(table.select(plan.columns)).filter(*tests).select(*row, *sort.columns())
    ordered = sort.sorted(frame, is_stable=with_rows)
    if ordered.height:
        yield Range(ordered.height, ordered.select(sort.names), ordered["row"] if with_rows else None, True)


class _Scan:
    """A table that is read pass by pass."""

    def __init__(
        self,
        table: Table,
        plan: Plan,
        tests: Sequence[pl.Expr],
        keys: Keys,
        budget_bytes: int,
        work: Work,
        with_rows: bool,
    ) -> None:
        self._table = table
        self._plan = plan
        self._tests = tests
        self._keys = keys
        self._row = ["row"] if with_rows else []
        self._kept_bytes = budget_bytes // 2
        self._step_bytes = min(max(budget_bytes // STEP_SHARE, MIN_STEP_BYTES), MAX_STEP_BYTES)
        self._work = work
        self._sample: Sample | None = Sample(budget_bytes // STEP_SHARE)
        self._read_rows = 0
        self._expected_rows = table.rows
        self._matched = 0

    def ranges(self) -> Iterator[Range]:
        """All ranges."""
        yielded = 0
        bounds = Bounds(self._keys)
        while True:
            kept = self._one_pass(bounds)
            for found in kept.ranges():
                yielded += found.row_count
                yield found._replace(is_all=found.row_count == self._matched)
            if bounds.end is None:
                return
            give_back()  # what decoding left: 10 ms for 20 MB (measured)
            remaining = self._matched - yielded
            bounds = self._next(bounds, remaining)

    def _next(self, done: Bounds, remaining: int) -> Bounds:
        """What the next pass is to keep: as much as fits, by the sample."""
        assert done.end is not None
        assert self._sample is not None
        bounds = next_bounds(self._keys, done.end, self._sample.rows(), remaining, self._fitting_rows)
        passes = max(1, -(-remaining // max(1, self._fitting_rows(self._sample.rows()))))
        self._expected_rows = self._read_rows + passes * self._table.rows
        return bounds

    def _fitting_rows(self, rows: pl.DataFrame) -> int:
        """How many rows like these can be kept; a tenth is left for what the sample does not tell."""
        size = compact(rows).nbytes + 4 * rows.height
        return self._kept_bytes * rows.height * 9 // 10 // max(1, sort_bytes(rows.height, size, len(self._keys.names)))

    def _one_pass(self, bounds: Bounds) -> _Kept:
        is_first = bounds.start is None
        kept = _Kept(self._keys, bounds, self._kept_bytes, bool(self._row))
        start = 0
        for piece in self._table.pieces(self._plan.columns, self._step_bytes):
            self._work.progress(self._read_rows, max(self._expected_rows, self._read_rows), "rows")
            frame = self._frame(piece, start)
            if is_first and self._sample is not None:
                found = frame.collect()
                self._matched += found.height
                self._sample.add(found.select(self._keys.names))
                frame = found.lazy()
            kept.add(frame.filter(bounds.tests()).collect())
            start += piece.num_rows
            self._read_rows += piece.num_rows
        return kept

    def _frame(self, piece: pa.Table, start: int) -> pl.LazyFrame:
        from ...polars import pl

        row = [(pl.col("row") + pl.lit(start, pl.UInt32)).alias("row")] if self._row else []
        frame = self._plan.frame(piece).filter(*self._tests).select(*row, *self._keys.columns())
        return comparable_everywhere(frame)


class _Kept:
    """The rows of one pass: those between its pivots with their keys, those equal to a pivot as row numbers."""

    def __init__(self, keys: Keys, bounds: Bounds, max_sort_bytes: int, with_rows: bool) -> None:
        self._keys = keys
        self._bounds = bounds
        self._max_sort_bytes = max_sort_bytes
        self._with_rows = with_rows
        self._between: list[pa.Table] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Rows within the bounds, in the table's order after all that were added before."""
        between = self._bounds.take_equal(frame)
        if between.height:
            self._between.append(compact(between))
        if self._is_large():
            self._halve()

    def ranges(self) -> Iterator[Range]:
        """All that is kept, in order. Lets go of it."""
        between = self._sorted() if self._between else None
        self._between = []
        for pivot in self._bounds.pivots:
            if between is not None:
                count = between.height - int(between.select(self._keys.after(pivot.keys).sum()).item())
                if count:
                    yield self._range(between.head(count))
                between = between.slice(count)
            if pivot.count:
                yield Range(pivot.count, pivot.keys, pivot.take_rows() if self._with_rows else None)
        if between is not None and between.height:
            yield self._range(between)

    def _range(self, rows: pl.DataFrame) -> Range:
        return Range(rows.height, rows.select(self._keys.names), rows["row"] if self._with_rows else None)

    def _is_large(self) -> bool:
        rows = sum(part.num_rows for part in self._between)
        size = sum(part.nbytes for part in self._between)
        return rows > 1 and sort_bytes(rows, size, len(self._keys.names)) > self._max_sort_bytes

    def _sorted(self) -> pl.DataFrame:
        return self._keys.sorted(frame_of(self._between).lazy(), is_stable=self._with_rows)

    def _halve(self) -> None:
        ordered = self._sorted()
        self._between = []
        self._bounds.end_at(ordered.slice(ordered.height // 2, 1).select(self._keys.names))
        left = self._bounds.take_equal(ordered.filter(self._bounds.tests()))
        if left.height:
            self._between.append(compact(left))
