"""Counts as small pictures: a sparkline of one line, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Glyphs(NamedTuple):
    """What pictures are drawn with. `levels` go from the lowest to the highest; `eighths` end a bar."""

    levels: str
    empty: str
    below: str
    above: str
    full: str
    eighths: str
    ellipsis: str


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "·", "‹", "›", "█", "▏▎▍▌▋▊▉", "…")  # noqa: RUF001 - the marks of tails are meant
ASCII = Glyphs("12345678", ".", "<", ">", "#", "", "...")


def sparkline(counts: Sequence[int], below: int = 0, above: int = 0, glyphs: Glyphs = BLOCKS) -> str:
    """One character a bin, its height the bin's share of the largest. A bin with anything in it is never as low as an
    empty one. The tails, which are rows outside of the bins, are marked and not drawn: `‹▂▁·█▅▂›`."""
    largest = max(counts, default=0)
    bars = "".join(_level(count, largest, glyphs) for count in counts)
    return f"{glyphs.below if below else ''}{bars}{glyphs.above if above else ''}"


def _level(count: int, largest: int, glyphs: Glyphs) -> str:
    if count <= 0:
        return glyphs.empty
    steps = len(glyphs.levels)
    return glyphs.levels[-(-count * steps // largest) - 1]  # rounded up: in integers, exact at any size


def bar(count: int, largest: int, cells: int, glyphs: Glyphs = BLOCKS) -> str:
    """A bar of up to `cells`, as long as its share of `largest`; anything but 0 is seen."""
    if count <= 0 or largest <= 0:
        return ""
    steps = len(glyphs.eighths) + 1
    parts = max(1, count * cells * steps // largest)
    full, rest = divmod(parts, steps)
    return glyphs.full * full + (glyphs.eighths[rest - 1] if rest else "")
