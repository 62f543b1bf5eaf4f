"""Histograms of tables/stats: every row counted once, in bins that are round, the same for every view, and useful."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...caller import Caller, parquet_bytes, parquet_payload
from .test_stats import chunks_of_two, figures, whole
from .test_stats_types import assert_fits, rows_of, said


def histogram(values: list[Any], dtype: pa.DataType | None = None) -> dict[str, Any]:
    found = figures(whole(pa.array(values, dtype)))["histogram"]
    return dict(found)


def edges(found: dict[str, Any]) -> list[Any]:
    """All edges of bins that follow one another."""
    assert all(before["high"] == after["low"] for before, after in pairwise(found["bins"]))
    return [found["bins"][0]["low"], *(bin["high"] for bin in found["bins"])]


def filled(found: dict[str, Any]) -> list[int]:
    return [bin["count"] for bin in found["bins"]]


def tail(count: int, least: Any = None, greatest: Any = None) -> dict[str, Any]:
    return {"count": count, "min": least, "max": greatest}


# -- numbers -----------------------------------------------------------------------------------------------------


def test_few_different_values_have_a_bin_each() -> None:
    found = histogram([3, 1, 1, None, 7], pa.int8())
    assert found["bins"] == [{"low": n, "high": n, "count": count} for n, count in ((1, 2), (3, 1), (7, 1))]
    assert (found["values"], found["below"], found["above"]) == ([], tail(0), tail(0))


EDGES = {
    "a hundred integers": (list(range(100)), pa.int64(), list(range(0, 101, 5))),
    "around zero": (list(range(-50, 51)), pa.int16(), list(range(-50, 61, 10))),
    "integers with steps below one": (list(range(21)), pa.int64(), list(range(0, 23, 2))),
    "fractions": ([n / 100 for n in range(100)], pa.float64(), [n / 20 for n in range(21)]),
    "float32": ([n / 4 for n in range(41)], pa.float32(), [float(n) for n in range(12)]),
    "decimals": (
        [Decimal(n).scaleb(-2) for n in range(100)],
        pa.decimal128(5, 2),
        [f"{n / 20:.2f}" for n in range(21)],
    ),
    "beyond 2^53": ([2**60 + n for n in range(40)], pa.int64(), [str(n) for n in range(2**60 - 1, 2**60 + 40)]),
    "the largest of a type": (list(range(128)), pa.int8(), list(range(0, 131, 10))),
    "the largest of all": ([2**64 - 1 - n for n in range(100)], pa.uint64(), None),
}


@pytest.mark.parametrize(("values", "dtype", "expected"), EDGES.values(), ids=EDGES)
def test_edges_are_round(values: list[Any], dtype: pa.DataType, expected: list[Any] | None) -> None:
    found = histogram(values, dtype)
    exact = [Fraction(edge) for edge in edges(found)]
    steps = {after - before for before, after in pairwise(exact)}
    assert rows_of(found) == len(values)
    assert found["below"]["count"] == found["above"]["count"] == 0
    if pa.types.is_floating(dtype):
        assert edges(found) == expected
        return
    (step,) = steps
    assert str(step * 10**9).strip("0") in ("1", "2", "5")
    assert all(edge % step == 0 for edge in exact)
    if expected is not None and len(expected) <= 21:
        assert edges(found) == expected


def test_an_outlier_does_not_flatten_the_others() -> None:
    """Not even one of few values."""
    for count in (25, 100, 10_000):
        found = histogram([*range(count), 10**15], pa.int64())
        assert found["above"] == tail(1, 10**15, 10**15)
        assert sum(1 for rows in filled(found) if rows) >= 5


def test_a_long_tail_is_counted_and_its_ends_are_told() -> None:
    dice = random.Random(1)
    values = [dice.gauss(0, 1) ** 7 for _ in range(5000)]
    found = histogram(values, pa.float64())
    low, high = edges(found)[0], edges(found)[-1]
    below, above = [v for v in values if v < low], [v for v in values if v >= high]
    assert found["below"] == tail(len(below), min(below), max(below))
    assert found["above"] == tail(len(above), min(above), max(above))


def test_a_peak_does_not_hide_the_others() -> None:
    found = histogram([0] * 9000 + list(range(1000)), pa.int64())
    assert found["values"] == [{"value": 0, "count": 9001}]
    assert edges(found) == list(range(0, 1001, 50))
    assert filled(found) == [49] + [50] * 19


def test_a_peak_outside_of_the_bins_is_no_tail() -> None:
    found = histogram([-(10**9)] * 500 + [-(10**10)] + list(range(1000)), pa.int64())
    assert found["values"] == [{"value": -(10**9), "count": 500}]
    assert found["below"] == tail(1, -(10**10), -(10**10))
    assert sum(filled(found)) == 1000


def test_infinities_are_in_the_tails() -> None:
    found = histogram([-math.inf, *map(float, range(100)), math.inf, math.inf, math.nan, None])
    assert (found["below"], found["above"]) == (tail(1, "-Infinity", "-Infinity"), tail(2, "Infinity", "Infinity"))
    few = histogram([1.0, math.inf, None])
    assert (few["bins"], few["above"]) == ([{"low": 1.0, "high": 1.0, "count": 1}], tail(1, "Infinity", "Infinity"))


@pytest.mark.parametrize("finite", [20, 21])
def test_infinities_take_no_bin_from_few_different_values(finite: int) -> None:
    found = histogram([*map(float, range(finite)), math.inf, -math.inf])
    assert (found["below"], found["above"]) == (tail(1, "-Infinity", "-Infinity"), tail(1, "Infinity", "Infinity"))
    assert sum(filled(found)) == finite
    assert all(bin["low"] == bin["high"] for bin in found["bins"]) is (finite == 20)


def test_tails_that_are_counted_in_several_ranges_are_as_at_once() -> None:
    """A memory limit so small that the column is sorted in several passes."""
    dice = random.Random(1)
    values = [dice.gauss(0, 1) ** 7 for _ in range(60_000)]
    payload = parquet_payload(parquet_bytes(pa.table({"n": values}), row_group_size=5000))
    found = []
    for limit in (1_500_000, None):
        caller = Caller(memory_limit_bytes=limit)
        caller.load(parquet=payload, session="s", mode="lazy")
        found.append(as_dict(caller.call("tables/stats", {"session": "s"}).columns[0].histogram))
    assert found[0] == found[1]
    low, high = edges(found[0])[0], edges(found[0])[-1]
    below, above = [v for v in values if v < low], [v for v in values if v >= high]
    assert found[0]["below"] == tail(len(below), min(below), max(below))
    assert found[0]["above"] == tail(len(above), min(above), max(above))


def test_numbers_up_to_the_largest_double() -> None:
    """An edge beyond it is none."""
    values = [math.ldexp(n / 64, 1024) for n in range(-63, 64)] + [1.7976931348623157e308, math.inf]
    found = histogram(values, pa.float64())
    assert edges(found)[-1] is None
    assert (sum(filled(found)), found["above"]["count"]) == (128, 1)


# -- times -------------------------------------------------------------------------------------------------------

DAY = 86_400
START = int(dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp())
SPANS = {
    "seconds": (60, "2024-01-01 00:00:00", "2024-01-01 00:00:05"),
    "minutes": (3600, "2024-01-01 00:00:00", "2024-01-01 00:05:00"),
    "hours": (DAY, "2024-01-01 00:00:00", "2024-01-01 02:00:00"),
    "days": (20 * DAY, "2024-01-01 00:00:00", "2024-01-02 00:00:00"),
    "weeks": (100 * DAY, "2024-01-01 00:00:00", "2024-01-08 00:00:00"),
    "months": (366 * DAY, "2024-01-01 00:00:00", "2024-02-01 00:00:00"),
    "years": (366 * DAY + 14 * 365 * DAY, "2024-01-01 00:00:00", "2025-01-01 00:00:00"),
    "centuries": (5000 * 365 * DAY, "2000-01-01 00:00:00", "2500-01-01 00:00:00"),
}


@pytest.mark.parametrize(("span", "first", "second"), SPANS.values(), ids=SPANS)
def test_times_are_binned_as_a_calendar_is(span: int, first: str, second: str) -> None:
    values = [START + span * n // 2000 for n in range(2000)]
    found = histogram(values, pa.timestamp("s"))
    assert (found["kind"], edges(found)[:2]) == ("temporal", [first, second])
    assert len(found["bins"]) <= 20
    assert sum(filled(found)) == 2000


def test_months_are_as_long_as_they_are() -> None:
    days = [dt.date(2023, 6, 1) + dt.timedelta(n) for n in range(366)]
    found = histogram(days, pa.date32())
    wanted = Counter((day.year, day.month) for day in days)
    assert filled(found) == list(wanted.values())
    assert edges(found)[0] == "2023-06-01"
    assert edges(histogram(days, pa.date64())) == edges(found)


def test_durations_and_times_of_the_day() -> None:
    lags = histogram([n * DAY * 1000 for n in range(100)], pa.duration("ms"))
    assert edges(lags)[:3] == ["0 ms", f"{5 * DAY * 1000} ms", f"{10 * DAY * 1000} ms"]
    clock = histogram([n * 60 for n in range(1440)], pa.time32("s"))
    assert edges(clock)[:3] == ["00:00:00", "02:00:00", "04:00:00"]


def test_times_at_the_ends_of_their_type() -> None:
    values = [-(2**63) + n * 2**57 for n in range(128)] + [2**63 - 1]
    found = histogram(values, pa.duration("ns"))
    assert (edges(found)[0], edges(found)[-1]) == (None, None)
    assert sum(filled(found)) == 129


# -- categories --------------------------------------------------------------------------------------------------


def test_the_long_tail_of_words() -> None:
    words = [f"w{n:02}" for n in range(30) for _ in range(30 - n)]
    found = histogram(words)
    assert found["values"] == [{"value": f"w{n:02}", "count": 30 - n} for n in range(10)]
    assert found["others"] == {"distinct": 20, "count": sum(range(1, 21))}
    assert (found["bins"], found["below"], found["above"]) == ([], None, None)
    assert figures(whole(pa.array(words).dictionary_encode()))["histogram"] == found


@pytest.mark.parametrize(
    ("least", "alone", "distinct", "count"),
    [(0, 10, 20, 210), (5, 5, 20, 210), (15, 0, 15, 120), (28, 0, 2, 3), (30, 0, 0, 0)],
)
def test_the_others_of_a_view_are_those_that_it_has(least: int, alone: int, distinct: int, count: int) -> None:
    """The values that are counted by themselves are those of the whole, also where the view has none of them."""
    numbers = [n for n in range(30) for _ in range(30 - n)]
    caller = Caller()
    caller.load_table(pa.table({"n": numbers, "s": [f"w{n:02}" for n in numbers]}))
    params = {"session": "s", "columns": ["s"], "filter": [{"column": "n", "op": "ge", "value": least}]}
    found = as_dict(caller.call("tables/stats", params).columns[0].histogram)
    assert sum(1 for entry in found["values"] if entry["count"]) == alone
    assert found["others"] == {"distinct": distinct, "count": count}


def test_booleans_are_categories() -> None:
    found = histogram([True, False, None, True])
    assert found["values"] == [{"value": True, "count": 2}, {"value": False, "count": 1}]
    assert found["others"] == {"distinct": 0, "count": 0}


# -- any values --------------------------------------------------------------------------------------------------

INTEGERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100) | st.just(0), max_size=120)
FLOATS = st.lists(st.none() | st.floats() | st.floats(-1, 1) | st.just(0.0), max_size=120)


@given(st.one_of(INTEGERS.map(lambda v: (v, pa.int64())), FLOATS.map(lambda v: (v, pa.float64()))))
def test_every_row_is_counted_once(given_values: tuple[list[Any], pa.DataType]) -> None:
    values, dtype = given_values
    column = pa.array(values, dtype)
    stats = figures(chunks_of_two(column))
    found = stats["histogram"]
    assert rows_of(found) + stats["null_count"] + (stats["nan_count"] or 0) == len(values)
    present = [value for value in values if value is not None and value == value]
    alone = {number(entry["value"]) for entry in found["values"]}
    for bin in found["bins"]:
        low, high = number(bin["low"], -math.inf), number(bin["high"], math.inf)
        inside = [v for v in present if (low <= v < high or v == low == high) and v not in alone and not inf(v)]
        assert bin["count"] == len(inside)
    for entry in found["values"]:
        assert entry["count"] == present.count(number(entry["value"]))
    assert len(found["bins"]) <= 20


def inf(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)


def number(value: Any, missing: Any = None) -> Any:
    """What a page's number is."""
    if value is None:
        return missing
    return (
        int(value)
        if isinstance(value, str) and value.lstrip("-").isdigit()
        else float(value)
        if isinstance(value, str)
        else value
    )


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=200), st.integers(-1000, 1000))
def test_a_part_has_the_bins_of_the_whole(values: list[int], bound: int) -> None:
    caller = Caller()
    caller.load_table(pa.table({"n": pa.array(values, pa.int64()), "s": [str(value % 40) for value in values]}))
    all_rows = caller.call("tables/stats", {"session": "s"}).columns
    part = caller.call("tables/stats", {"session": "s", "filter": [{"column": "n", "op": "le", "value": bound}]})
    assert part.matched == sum(1 for value in values if value <= bound)
    for mine, theirs in zip(part.columns, all_rows, strict=True):
        assert_fits(as_dict(mine.histogram), as_dict(theirs.histogram))
        assert rows_of(as_dict(mine.histogram)) == part.matched


def as_dict(found: Any) -> dict[str, Any]:
    import msgspec

    return dict(msgspec.to_builtins(found))


def test_a_part_is_counted_in_the_bins_of_the_whole_though_it_is_asked_for_first() -> None:
    caller = Caller()
    caller.load_table(pa.table({"n": pa.array(range(1000), pa.int64())}))
    few = caller.call("tables/stats", {"session": "s", "filter": [{"column": "n", "op": "lt", "value": 10}]})
    found = as_dict(few.columns[0].histogram)
    assert (edges(found), filled(found)) == (list(range(0, 1001, 50)), [10] + [0] * 19)
    assert said(pa.array([1])) == [1]
