"""One column in depth: all figures, the histogram as bars with edges and counts, the most frequent values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..services.tables.stats.column_stats import ColumnStats
from .cells import clip, pad, width
from .distributions import Bar, bars, share
from .grid import GAP
from .sizes import plural
from .sparklines import bar
from .terminal import Screen

BAR_CELLS = 40
LABEL_CELLS = 40

_COUNTS = ("null_count", "nan_count", "empty_count", "non_null_count", "distinct_count")
_VALUES = ("min", "q25", "median", "q75", "max", "mean", "std")


def column_lines(stats: ColumnStats, total: int, shown: Screen) -> Iterator[str]:
    """Printable lines, which may be wider than the terminal."""
    yield f"{shown.text(stats.column)}{GAP}{shown.text(stats.dtype)}{GAP}{plural(total, 'row')}"
    yield ""
    yield from _named(_figures(stats, total, shown))
    for title, made in _pictures(stats, shown):
        if made:
            yield ""
            yield title
            yield from _drawn(made, total, shown)


def _figures(stats: ColumnStats, total: int, shown: Screen) -> Iterator[tuple[str, str]]:
    for name in _COUNTS:
        count = getattr(stats, name)
        if count is not None:
            yield name.removesuffix("_count").replace("_", "-"), f"{count:,}{GAP}{share(count, total)}"
    for name in _VALUES:
        value = getattr(stats, name)
        if value is not None:
            yield name, shown.text(value)


def _named(figures: Iterator[tuple[str, str]]) -> Iterator[str]:
    for name, text in figures:
        yield f"{GAP}{name.ljust(10)}{text}"


def _pictures(stats: ColumnStats, shown: Screen) -> Iterator[tuple[str, list[Bar]]]:
    """The histogram of categories begins with the most frequent: they are not drawn twice."""
    histogram = stats.histogram
    if histogram is not None:
        yield "Histogram", bars(histogram, shown)
    if histogram is None or histogram.kind != "categorical":
        yield "Most frequent", _frequent(stats, shown)


def _frequent(stats: ColumnStats, shown: Screen) -> list[Bar]:
    return [Bar(shown.text(value.value), value.count) for value in stats.most_frequent or []]


def _drawn(made: Sequence[Bar], total: int, shown: Screen) -> Iterator[str]:
    """One line each: label, count, share, bar. The bar is what a narrow terminal cuts."""
    largest = max(one.rows for one in made)
    labels = [clip(one.label, LABEL_CELLS, shown.glyphs.ellipsis) for one in made]
    label_cells = max(map(width, labels))
    count_cells = len(f"{largest:,}")
    room = BAR_CELLS if shown.width is None else shown.width - label_cells - count_cells - 6 - 4 * len(GAP)
    for label, one in zip(labels, made, strict=True):
        drawn = bar(one.rows, largest, max(0, min(BAR_CELLS, room)), shown.glyphs)
        parts = [
            "",
            pad(label, label_cells),
            f"{one.rows:,}".rjust(count_cells),
            share(one.rows, total).rjust(6),
            drawn,
        ]
        yield GAP.join(parts).rstrip()
