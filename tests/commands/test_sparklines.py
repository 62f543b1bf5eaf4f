"""Counts as pictures, and text in cells: what is drawn, how wide text is, and what is never printed."""

from __future__ import annotations

import pytest

from sidecar.commands.cells import clip, pad, printable, width
from sidecar.commands.grid import Grid, GridColumn, fitted
from sidecar.commands.sparklines import ASCII, BLOCKS, Glyphs, bar, sparkline


@pytest.mark.parametrize(
    ("counts", "tails", "drawn"),
    [
        ([], (0, 0), ""),
        ([0], (0, 0), "·"),
        ([7], (0, 0), "█"),
        ([0, 0, 0], (1, 2), "‹···›"),  # noqa: RUF001
        ([1, 2, 3, 4, 5, 6, 7, 8], (0, 0), "▁▂▃▄▅▆▇█"),
        ([8, 0, 8], (0, 0), "█·█"),
        ([1, 1_000_000], (0, 0), "▁█"),
        ([500_000, 1_000_000], (3, 0), "‹▄█"),  # noqa: RUF001
        ([500_001, 1_000_000], (0, 1), "▅█›"),  # noqa: RUF001
        ([2**62, 2**63], (0, 0), "▄█"),
    ],
    ids=str,
)
def test_a_sparkline(counts: list[int], tails: tuple[int, int], drawn: str) -> None:
    assert sparkline(counts, *tails) == drawn


def test_a_sparkline_without_block_characters() -> None:
    assert sparkline([1, 0, 4, 8], 1, 1, ASCII) == "<1.48>"


@pytest.mark.parametrize("glyphs", [BLOCKS, ASCII], ids=["blocks", "ascii"])
def test_each_glyph_is_one_cell(glyphs: Glyphs) -> None:
    assert [width(character) for character in "".join(glyphs)] == [1] * len("".join(glyphs))
    assert len(glyphs.levels) == 8


@pytest.mark.parametrize(
    ("count", "largest", "drawn", "plain"),
    [
        (0, 10, "", ""),
        (10, 10, "████", "####"),
        (5, 10, "██", "##"),
        (1, 10, "▍", "#"),
        (1, 10**9, "▏", "#"),
        (9, 10, "███▌", "###"),
        (0, 0, "", ""),
    ],
    ids=str,
)
def test_a_bar(count: int, largest: int, drawn: str, plain: str) -> None:
    assert (bar(count, largest, 4), bar(count, largest, 4, ASCII)) == (drawn, plain)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain", "plain"),
        ("Zoë", "Zoë"),
        ("東京", "東京"),
        ("a\u3000b", "a\u3000b"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("\x7f", "\\x7f"),
        ("\x00", "\\x00"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b", "a\\u2028b"),
        ("\ufeff", "\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("e\u0301", "e\u0301"),
        ("\u0301e", "\\u0301e"),
    ],
    ids=ascii,
)
def test_nothing_in_a_text_steers_the_terminal(text: str, printed: str) -> None:
    assert printable(text) == printed


def test_marks_do_not_pile_up() -> None:
    piled = printable("e" + "\u0301" * 5000)
    assert piled.count("\u0301") == 8
    assert width(piled) > 1000


@pytest.mark.parametrize(
    ("encoding", "printed"), [("utf-8", "Zoë 東"), ("latin-1", "Zoë \\u6771"), ("ascii", "Zo\\xeb \\u6771")]
)
def test_what_an_encoding_does_not_have(encoding: str, printed: str) -> None:
    assert printable("Zoë 東", encoding) == printed


@pytest.mark.parametrize(
    ("text", "cells"),
    [("abc", 3), ("東京", 4), ("e\u0301", 1), ("👍", 2), ("ｱ", 1), ("한", 2), ("\u1112\u1161\u11ab", 2), ("", 0)],
    ids=ascii,
)
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "cut"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("東京都", 6, "東京都"),
        ("東京都", 5, "東京…"),
        ("東京都", 4, "東…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
    ids=ascii,
)
def test_clip(text: str, cells: int, cut: str) -> None:
    assert clip(text, cells) == cut
    assert width(clip(text, cells)) <= cells
    assert width(pad(cut, cells)) == cells


def test_clip_with_a_longer_ellipsis() -> None:
    assert [clip("abcdef", cells, "...") for cells in (6, 5, 3, 2)] == ["abcdef", "ab...", "...", ".."]


def column(head: str, *cells: str, right: bool = False) -> GridColumn:
    """One of two or three rows."""
    return GridColumn(head, cells, right)


NAMES = column("name", "Ada", "東京", "e\u0301")
AGES = column("age", "36", "1", "null", right=True)


def test_a_grid() -> None:
    grid = Grid(None)
    assert list(grid.lines([NAMES, AGES])) == [
        "name   age",
        "----  ----",
        "Ada     36",
        "東京     1",
        "e\u0301     null",
    ]
    assert grid.fitting == 2
    assert list(grid.lines([column("name", "Zoë"), column("age", "123456", right=True)])) == ["Zoë   123456"]


@pytest.mark.parametrize("cells", range(1, 15))
def test_a_grid_is_never_wider_than_its_terminal(cells: int) -> None:
    grid = Grid(cells)
    lines = list(grid.lines([NAMES, AGES]))
    assert max(map(width, lines)) <= cells
    assert grid.fitting == (2 if cells >= 10 else 1)


@pytest.mark.parametrize(
    ("widths", "room", "given"),
    [
        ([], 80, []),
        ([10, 10], 80, [10, 10]),
        ([500, 10], 80, [68, 10]),
        ([500], 80, [80]),
        ([500, 500, 500], 80, [25, 25, 25]),
        ([500] * 5000, 80, [20, 20, 20]),
        ([30, 5], 7, [7]),
        ([3, 30, 3], 7, [3]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_room_is_shared_and_then_given_from_the_left(widths: list[int], room: int, given: list[int]) -> None:
    assert fitted(widths, room) == given
