"""Which part of an order one pass keeps: the rows between two pivots, with others in between that are often hit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .pivots import Keys

if TYPE_CHECKING:
    import polars as pl

MAX_PIVOTS = 32
HEAVY_SHARE = 16
"""A key that takes more than a sixteenth of what fits is worth a pivot of its own."""


class Pivot:
    """The keys of a row (a frame of one line), and the rows that are equal to it as they are found."""

    def __init__(self, keys: pl.DataFrame) -> None:
        self.keys = keys
        self.count = 0
        self._rows: list[pl.Series] = []

    def add(self, equal: pl.DataFrame) -> None:
        """Rows that are equal."""
        self.count += equal.height
        if "row" in equal.columns and equal.height:
            self._rows.append(equal["row"].rechunk())

    def take_rows(self) -> pl.Series:
        """Their row numbers, which are let go of."""
        from ...polars import pl

        rows, self._rows = self._rows, []
        return pl.concat(rows) if rows else pl.Series("row", [], pl.UInt32)


class Bounds:
    """Rows strictly after `start` up to and including the last of `pivots`; None and no pivots are no bounds.

    If `is_open`, rows behind the last pivot belong to it, too: it is the last pass, unless it turns out too large.
    """

    def __init__(
        self, keys: Keys, start: pl.DataFrame | None = None, pivots: list[Pivot] | None = None, is_open: bool = True
    ) -> None:
        self._keys = keys
        self.start = start
        self.pivots = pivots or []
        self.is_open = is_open

    @property
    def end(self) -> pl.DataFrame | None:
        """The keys of the last row; None if the pass goes to the end of the order."""
        return None if self.is_open else self.pivots[-1].keys

    def tests(self) -> pl.Expr:
        """Whether a row lies within."""
        from ...polars import pl

        inside = pl.lit(True) if self.start is None else self._keys.after(self.start)
        return inside if self.end is None else inside & ~self._keys.after(self.end)

    def end_at(self, keys: pl.DataFrame) -> None:
        """Make the pass end with a row that lies within the bounds and is equal to no pivot."""
        before = ~self._keys.after(keys)
        self.pivots = [pivot for pivot in self.pivots if pivot.keys.select(before).item()]
        self.pivots.append(Pivot(keys))
        self.is_open = False

    def take_equal(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give the rows that are equal to a pivot to it; what is left of rows within the bounds."""
        for pivot in self.pivots:
            is_same = frame.select(self._keys.same(pivot.keys)).to_series()
            if is_same.any():
                pivot.add(frame.filter(is_same))
                frame = frame.filter(~is_same)
        return frame


def next_bounds(
    keys: Keys, start: pl.DataFrame, sample: pl.DataFrame, remaining: int, fitting: Callable[[pl.DataFrame], int]
) -> Bounds:
    """The bounds of the pass that begins after `start`, when `remaining` rows stand there: as many as fit, by a sample
    of all rows. `fitting` tells how many rows like some can be kept. Keys that many rows have become pivots, as their
    rows take little; so all rows of a few values are one pass, however many they are."""
    from ...polars import pl

    sample = sample.filter(keys.after(start))
    if not sample.height:
        return Bounds(keys, start)
    weight = remaining / sample.height
    fitting_rows = fitting(sample)
    values = keys.sorted(sample.lazy().group_by(keys.names).agg(pl.len().alias("count")), is_stable=False)
    expected = values["count"] * weight
    is_heavy = (values["count"] > 1) & (expected > fitting_rows / HEAVY_SHARE)
    light = pl.select(pl.when(is_heavy).then(0.0).otherwise(expected).alias("light")).to_series().cum_sum()
    count = max(1, int((light <= fitting_rows).sum()))
    heavy = is_heavy.head(count).arg_true().to_list()[:MAX_PIVOTS]
    if len(heavy) == MAX_PIVOTS:
        count = heavy[-1] + 1
    is_open = count == values.height
    if not is_open and count - 1 not in heavy:
        heavy.append(count - 1)
    pivots = [Pivot(values.slice(index, 1).select(keys.names)) for index in heavy]
    return Bounds(keys, start, pivots, is_open)
