"""How the values of a column lie, on one line: a sparkline of its histogram, or its most frequent values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..services.tables.stats.column_stats import ColumnStats
from ..services.tables.stats.histogram import Bin, Histogram, Tail
from .cells import clip, width
from .sparklines import sparkline
from .terminal import Screen

FEW = 3
"""Values that are told one by one, though a histogram could be drawn."""


MAX_LABEL_CELLS = 24
"""What one of several values may take."""


class Bar(NamedTuple):
    """What is counted, in printable text, and the rows that have it."""

    label: str
    rows: int


def distribution(stats: ColumnStats, total: int, shown: Screen, cells: int) -> str:
    """In so many cells at most: a sparkline and what stands out of it, or the most frequent values. Empty for a column
    without values, or of a type whose values are not compared."""
    histogram = stats.histogram
    apart: list[tuple[Any, int]] = [("NaN", stats.nan_count)] if stats.nan_count else []
    if histogram is None:
        return top_values(apart, total, shown, cells)
    if not histogram.bins:
        return _categories(histogram, apart, total, shown, cells)
    if len(histogram.bins) <= FEW and all(bin.low == bin.high for bin in histogram.bins):
        return top_values([*((bin.low, bin.count) for bin in histogram.bins), *apart], total, shown, cells)
    counts = [bin.count for bin in histogram.bins]
    line = sparkline(counts, _count(histogram.below), _count(histogram.above), shown.glyphs)
    peaks = sorted(((peak.value, peak.count) for peak in histogram.values), key=lambda peak: -peak[1])
    room = cells - width(line) - 1
    beside = top_values([*peaks, *apart], total, shown, room) if room > 0 else ""
    return clip(f"{line} {beside}".rstrip(), cells, shown.glyphs.ellipsis)


def _categories(histogram: Histogram, apart: Sequence[tuple[Any, int]], total: int, shown: Screen, cells: int) -> str:
    entries = [(entry.value, entry.count) for entry in histogram.values if entry.count]
    if len(entries) > 1 and max(count for _, count in entries) == 1:
        return clip("all different", cells, shown.glyphs.ellipsis)
    is_all = histogram.others is None or not histogram.others.count
    return top_values([*entries, *apart], total, shown, cells, is_all)


def bars(histogram: Histogram, shown: Screen) -> list[Bar]:
    """Every row that is not null or NaN, in one bar each: bins with their edges, tails, values that are counted by
    themselves."""
    tails = (histogram.below, histogram.above)
    below, above = ([_tail(tail, shown)] if tail is not None and tail.count else [] for tail in tails)
    made = [*below, *(_bin(bin, shown) for bin in histogram.bins), *above]
    made += [Bar(f"{'= ' if histogram.bins else ''}{shown.text(one.value)}", one.count) for one in histogram.values]
    if histogram.others is not None and histogram.others.count:
        made.append(Bar(f"{histogram.others.distinct:,} other values", histogram.others.count))
    return made


def _bin(bin: Bin, shown: Screen) -> Bar:
    low, high = ("" if edge is None else shown.text(edge) for edge in (bin.low, bin.high))
    if low == high:
        return Bar(low, bin.count)
    return Bar(f"[{low}, {high})" if high else f"[{low}, )", bin.count)


def _tail(tail: Tail, shown: Screen) -> Bar:
    least, greatest = shown.text(tail.min), shown.text(tail.max)
    return Bar(least if least == greatest else f"{least} to {greatest}", tail.count)


def _count(tail: Tail | None) -> int:
    return 0 if tail is None else tail.count


def share(count: int, total: int) -> str:
    """`12.5%` of `total`; what is next to nothing or to all is not said to be it."""
    if count in (0, total):
        return "100%" if count else "0%"
    tenths = (2000 * count + total) // (2 * total)  # in integers, half up
    if tenths == 0:
        return "<0.1%"
    return ">99.9%" if tenths == 1000 else f"{tenths // 10}.{tenths % 10}%"


def short_share(count: int, total: int) -> str:
    """`12%`, in as many cells as there are digits."""
    if count in (0, total):
        return "100%" if count else "0%"
    hundredths = (200 * count + total) // (2 * total)
    return "<1%" if hundredths == 0 else ">99%" if hundredths == 100 else f"{hundredths}%"


def top_values(values: Sequence[tuple[Any, int]], total: int, shown: Screen, cells: int, is_all: bool = True) -> str:
    """`EWR 37%, JFK 34%, LGA 29%`: as many as there is room for, and a mark where there are more."""
    more = shown.glyphs.ellipsis
    texts = [f"{clip(shown.text(value), MAX_LABEL_CELLS, more)} {short_share(count, total)}" for value, count in values]
    for count in range(len(texts), 0, -1):
        text = ", ".join(texts[:count]) + ("" if is_all and count == len(texts) else f" {more}")
        if width(text) <= cells:
            return text
    return clip(texts[0], cells, more) if texts else ""
