"""Round steps: 1, 2 and 5 times a power of ten, and what a clock and a calendar have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

DAY_S = 86_400
MONDAY = 4
"""Days from 1970-01-01 to the first Monday."""
CLOCK_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
MONTHS = (1, 3, 6, 12, 24, 60)


class Step(Protocol):
    """Edges in ascending order, numbered by integers."""

    def number(self, value: Fraction) -> int:
        """That of the last edge which is not above `value`."""

    def edge(self, number: int) -> Any:
        """The edge of this number."""


class Whole:
    """Multiples of an integer, counted from `origin`."""

    def __init__(self, size: int, origin: int = 0) -> None:
        self._size, self._origin = size, origin

    def number(self, value: Fraction) -> int:
        """As `Step`."""
        return math.floor((value - self._origin) / self._size)

    def edge(self, number: int) -> int:
        """As `Step`."""
        return self._origin + number * self._size


class Double:
    """Multiples of a fraction, each rounded to the nearest double."""

    def __init__(self, size: Fraction) -> None:
        self._size = size

    def number(self, value: Fraction) -> int:
        """As `Step`: the edges are the rounded ones."""
        number = math.floor(value / self._size)
        while self.edge(number + 1) <= value:
            number += 1
        return number

    def edge(self, number: int) -> float:
        """As `Step`; infinite beyond the largest double."""
        try:
            return float(number * self._size)
        except OverflowError:
            return math.copysign(math.inf, number)


class Months:
    """The first days of months, in ticks of which a day has `day`."""

    def __init__(self, months: int, day: int) -> None:
        self._months, self._day = months, day

    def number(self, value: Fraction) -> int:
        """As `Step`."""
        year, month = _year_and_month(math.floor(value / self._day))
        return (year * 12 + month - 1) // self._months

    def edge(self, number: int) -> int:
        """As `Step`."""
        year, month = divmod(number * self._months, 12)
        return _first_day(year, month + 1) * self._day


def doubles(width: Fraction) -> Iterator[Step]:
    """Ascending, from one that divides `width` by more than a hundred."""
    return (Double(size) for size in _decimal(_exponent(width)))


def integers(width: Fraction) -> Iterator[Step]:
    """The same, of integers alone."""
    return (Whole(int(size)) for size in _decimal(max(0, _exponent(width))))


def durations(second: int) -> Iterator[Step]:
    """In ticks of which a second has `second`; up to the day as on a clock."""
    yield from _below_a_second(second)
    yield from (Whole(size * second) for size in CLOCK_S)
    yield from (Whole(int(size) * DAY_S * second) for size in _decimal(0))


def instants(second: int) -> Iterator[Step]:
    """The same of points in time, whose larger steps are those of the calendar."""
    yield from _below_a_second(second)
    yield from (Whole(size * second) for size in CLOCK_S)
    yield from days(DAY_S * second)


def days(day: int) -> Iterator[Step]:
    """Days, weeks that begin on a Monday, months and years, in ticks of which a day has `day`."""
    yield from (Whole(day), Whole(2 * day), Whole(7 * day, MONDAY * day), Whole(14 * day, MONDAY * day))
    yield from (Months(months, day) for months in MONTHS)
    yield from (Months(12 * int(size), day) for size in _decimal(1))


def _below_a_second(second: int) -> Iterator[Step]:
    for size in _decimal(0):
        if size >= second:
            return
        yield Whole(int(size))


def _decimal(exponent: int) -> Iterator[Fraction]:
    while True:
        yield from (digit * Fraction(10) ** exponent for digit in (1, 2, 5))
        exponent += 1


def _exponent(width: Fraction) -> int:
    """Of a power of ten at least a hundred times below `width`."""
    return math.floor(math.log10(width.numerator) - math.log10(width.denominator)) - 2


def _first_day(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month of the Gregorian calendar, which goes on before its beginning."""
    year, month = (year - 1, month + 9) if month <= 2 else (year, month - 3)  # the leap day comes last
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 - 719_468


def _year_and_month(day: int) -> tuple[int, int]:
    """The month that a day lies in."""
    year = (day * 400 + 287_660_000) // 146_097  # at most one too far
    while _first_day(year, 1) > day:
        year -= 1
    while _first_day(year + 1, 1) <= day:
        year += 1
    return year, next(month for month in range(12, 0, -1) if _first_day(year, month) <= day)
