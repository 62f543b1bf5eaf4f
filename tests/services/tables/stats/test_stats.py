"""tables/stats: every figure of every type, held against a plain computation with fractions."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.protocol.errors import Cancelled
from sidecar.services.table import EagerTable
from sidecar.services.tables.selection import Selection
from sidecar.services.tables.stats.column_stats import bins_of, column_stats, summary

from ...caller import Caller, RecordingContext, parquet_bytes, parquet_payload

MOMENTS = ("mean", "std", "median", "q25", "q75")


# -- the plain computation ---------------------------------------------------------------------------------------


def root(value: Fraction) -> float:
    """The square root, exact to a float's last digits however large the fraction."""
    scale = 2**1200
    return math.isqrt(value.numerator * scale**2 // value.denominator) / scale


def quantile(ordered: list[Fraction], share: Fraction) -> float:
    """Linear between the two nearest ranks."""
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def moments(numbers: list[Any]) -> dict[str, float | None]:
    """The five figures, of finite numbers."""
    if not numbers:
        return dict.fromkeys(MOMENTS)
    ordered = sorted(Fraction(number) for number in numbers)
    mean = sum(ordered) / len(ordered)
    squares = sum((number - mean) ** 2 for number in ordered)
    return {
        "mean": float(mean),
        "std": root(squares / (len(ordered) - 1)) if len(ordered) > 1 else None,
        "median": quantile(ordered, Fraction(1, 2)),
        "q25": quantile(ordered, Fraction(1, 4)),
        "q75": quantile(ordered, Fraction(3, 4)),
    }


def shown(value: Any) -> Any:
    """A number as `tables/rows` shows it in JSON."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(value) if isinstance(value, int) and abs(value) > 2**53 - 1 else value


def most_frequent(values: list[Any]) -> list[dict[str, Any]]:
    """The five that are there most often, the smaller of equally frequent ones first."""
    found = sorted(Counter(values).items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"value": shown(value), "count": count} for value, count in found[:5]]


def counts(values: list[Any]) -> dict[str, Any]:
    """What can be counted of numbers, and their ends."""
    present = [value for value in values if value is not None]
    numbers = [value for value in present if value == value]
    nan_count = len(present) - len(numbers)
    return {
        "null_count": len(values) - len(present),
        "non_null_count": len(present),
        "most_frequent": most_frequent(numbers),
        "nan_count": nan_count if is_floating(present) else None,
        "empty_count": None,
        "distinct_count": len({*numbers}) + bool(nan_count),
        "min": shown(min(numbers)) if numbers else None,
        "max": shown(max(numbers)) if numbers else None,
    }


def is_floating(present: list[Any]) -> bool:
    return any(isinstance(value, float) for value in present)


def numeric(values: list[Any]) -> dict[str, Any]:
    """All figures of a column of numbers."""
    return {**counts(values), **moments([value for value in values if value is not None and value == value])}


# -- columns -----------------------------------------------------------------------------------------------------


def whole(array: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([array])


def chunks_of_two(array: pa.Array) -> pa.ChunkedArray:
    """Several chunks, the last two empty ones; each but the first begins within its buffers."""
    pieces = [array.slice(start, 2) for start in range(0, len(array), 2)]
    return pa.chunked_array([*pieces, array.slice(0, 0), array.slice(0, 0)], array.type)


def within_others(array: pa.Array) -> pa.ChunkedArray:
    """A slice out of the middle: what lies around it must not be counted."""
    return pa.chunked_array([pa.concat_arrays([array, array, array]).slice(len(array), len(array))])


LAYOUTS = (whole, chunks_of_two, within_others)


def figures(column: pa.ChunkedArray) -> dict[str, Any]:
    """The statistics of a column as a host gets them, less its name and type, which are checked."""
    rows = Selection(EagerTable(pa.table({"c": column})))
    work = RecordingContext()
    found = summary(rows, 0, None, work)
    stats = column_stats(rows, 0, found, None if found is None else bins_of(found), work)
    stats = msgspec.json.decode(msgspec.json.encode(stats))
    assert (stats.pop("column"), stats.pop("dtype")) == ("c", str(column.type))
    return dict(stats)


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Counts and ends must be the same, and of the same Python type; moments the same but for rounding."""
    for name, value in expected.items():
        if name in MOMENTS and value is not None:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-300), name
        else:
            assert (found[name], type(found[name])) == (value, type(value)), name


def edges(dtype: pa.DataType) -> list[int | None]:
    """The least and the greatest of a type, some between, one twice, and nulls."""
    bits, is_signed = dtype.bit_width, pa.types.is_signed_integer(dtype)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    return [high, None, 5, low, 7, 5, None, high - 1]


def decimals(scale: int, *digits: int | None) -> list[Decimal | None]:
    """Numbers of as many digits as a type has, which is more than `Decimal` computes with."""
    return [None if number is None else Decimal(f"{number}E-{scale}") for number in digits]


INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
NUMBERS: dict[str, tuple[pa.DataType, list[Any]]] = {
    **{f"edges of {dtype}": (dtype, edges(dtype)) for dtype in INTEGERS},
    "uint64 beyond the signed ones": (pa.uint64(), [2**64 - 1, 2**63, 2**63 + 2, None, 0]),
    "around the largest integers of JSON": (pa.int64(), [2**53, 2**53 - 1, -(2**53) + 1, -(2**53), None]),
    "one number": (pa.int32(), [7]),
    "one number and nulls": (pa.int32(), [None, 7, None]),
    "two numbers": (pa.int32(), [1, 2]),
    "the same number": (pa.int32(), [3, 3, 3, 3]),
    "booleans": (pa.bool_(), [True, None, False, True, True]),
    "one boolean": (pa.bool_(), [False]),
    "float16": (pa.float16(), [1.5, None, -2.25, 1.5]),
    "float32": (pa.float32(), [0.5, 3.25, None, -1.75, 0.5]),
    "float64": (pa.float64(), [0.1, 0.2, 0.3, None, -1e100, 1e-300]),
    "zeros of both signs": (pa.float64(), [-0.0, 0.0, None]),
    "NaN": (pa.float64(), [math.nan, 1.0, None, math.nan, 2.0]),
    "decimal32": (pa.decimal32(9, 2), decimals(2, 150, None, -275, 150, 999_999_999)),
    "decimal64": (pa.decimal64(18, 3), decimals(3, 1500, None, -(10**18) + 1, 7)),
    "decimal128": (pa.decimal128(38, 10), decimals(10, 10**38 - 1, None, 1, 10**37, 1)),
    "decimal128 without a fraction": (pa.decimal128(20, 0), decimals(0, 10**20 - 1, -1, None)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "values"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(dtype: pa.DataType, values: list[Any], layout: Callable[[pa.Array], pa.ChunkedArray]) -> None:
    check(figures(layout(pa.array(values, dtype))), numeric(values))


DICTIONARIES = {
    "integers": (pa.int64(), [2**60, None, -1, 2**60]),
    "floats": (pa.float64(), [0.5, None, math.nan, 0.5]),
    "booleans": (pa.bool_(), [True, None, True]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "values"), DICTIONARIES.values(), ids=DICTIONARIES)
def test_numbers_in_a_dictionary(
    dtype: pa.DataType, values: list[Any], layout: Callable[[pa.Array], pa.ChunkedArray]
) -> None:
    check(figures(layout(pa.array(values, dtype).dictionary_encode())), numeric(values))


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([1.0, math.inf, None], (1.0, "Infinity")),
        ([-math.inf, 2.0, math.nan], ("-Infinity", 2.0)),
        ([math.inf, -math.inf], ("-Infinity", "Infinity")),
    ],
    ids=["one", "the other", "both"],
)
def test_infinities_are_counted_and_are_ends(values: list[float | None], ends: tuple[Any, Any]) -> None:
    found = figures(whole(pa.array(values, pa.float64())))
    check(found, counts(values))
    assert (found["min"], found["max"]) == ends


@pytest.mark.parametrize(
    ("values", "mean", "std", "quartiles"),
    [
        ([1.0, math.inf], "Infinity", "NaN", ["Infinity"] * 3),
        ([-math.inf, -math.inf, 2.0], "-Infinity", "NaN", ["-Infinity"] * 3),
        ([-math.inf, math.inf], "NaN", "NaN", ["NaN", "NaN", "NaN"]),
        ([math.inf], "Infinity", None, ["Infinity"] * 3),
    ],
    ids=["one", "two and the other way", "both", "alone"],
)
def test_moments_that_no_json_number_is(values: list[float], mean: Any, std: Any, quartiles: list[Any]) -> None:
    found = figures(whole(pa.array(values)))
    quarters = [found[name] for name in ("q25", "median", "q75")]
    assert (found["mean"], found["std"], quarters) == (mean, std, quartiles)


def test_the_median_of_numbers_with_infinities() -> None:
    """Where no infinity is next to it, it is a number like any other."""
    found = figures(whole(pa.array([-math.inf, 1.0, 2.0, 4.0, math.inf])))
    assert (found["q25"], found["median"], found["q75"]) == (1.0, 2.0, 4.0)


CLOSE_TOGETHER = {
    "int64": (pa.int64(), [2**60 + n for n in (0, 1, 2, 7)]),
    "uint64": (pa.uint64(), [2**64 - n for n in (1, 2, 3, 8)]),
    "int64 around zero": (pa.int64(), [2**62, 1, -(2**62)]),
    "decimal128": (pa.decimal128(38, 0), [Decimal(10**30 + n) for n in (0, 1, 2, 7)]),
}


@pytest.mark.parametrize(("dtype", "values"), CLOSE_TOGETHER.values(), ids=CLOSE_TOGETHER)
def test_large_numbers_that_are_close_together(dtype: pa.DataType, values: list[Any]) -> None:
    """As doubles they would be the same number, and their deviation nothing."""
    check(figures(whole(pa.array(values, dtype))), numeric(values))


NOTHING = {
    "nan_count": None,
    "empty_count": None,
    "distinct_count": 0,
    "min": None,
    "max": None,
    **dict.fromkeys(MOMENTS),
}
KINDS = {
    **{str(dtype): (dtype, {}) for dtype in INTEGERS},
    "bool": (pa.bool_(), {}),
    "float32": (pa.float32(), {"nan_count": 0}),
    "float64": (pa.float64(), {"nan_count": 0}),
    "string": (pa.string(), {"empty_count": 0}),
    "large_string": (pa.large_string(), {"empty_count": 0}),
    "binary": (pa.binary(), {"empty_count": 0}),
    "fixed size binary": (pa.binary(3), {"empty_count": 0}),
    "decimal128": (pa.decimal128(10, 2), {}),
    "date32": (pa.date32(), {}),
    "date64": (pa.date64(), {}),
    "time32": (pa.time32("s"), {}),
    "time64": (pa.time64("ns"), {}),
    "timestamp": (pa.timestamp("us"), {}),
    "timestamp with a zone": (pa.timestamp("ns", "Europe/Oslo"), {}),
    "duration": (pa.duration("ms"), {}),
    "null": (pa.null(), {}),
}


@pytest.mark.parametrize("count", [0, 3], ids=["no rows", "nulls alone"])
@pytest.mark.parametrize(("dtype", "own"), KINDS.values(), ids=KINDS)
def test_no_values(dtype: pa.DataType, own: dict[str, int], count: int) -> None:
    array = pa.array([None] * count, dtype)
    for column in (whole(array), chunks_of_two(array), pa.chunked_array([], dtype) if not count else whole(array)):
        check(figures(column), {**NOTHING, **own, "null_count": count})


def entry(null: int, distinct: int, least: Any, greatest: Any, empty: int | None = None) -> dict[str, Any]:
    """The figures of a column that has no mean."""
    own = {"null_count": null, "distinct_count": distinct, "min": least, "max": greatest, "empty_count": empty}
    return {**NOTHING, **own}


def times(null: int, distinct: int, least: Any, greatest: Any) -> dict[str, Any]:
    """The same of a column whose moments are tried elsewhere."""
    return {name: value for name, value in entry(null, distinct, least, greatest).items() if name not in MOMENTS}


WORDS = ["b", "", None, "ä", "a", "", "\U0001f600"]
BYTES = [b"b", b"", None, b"\xff\x00", b"a", b""]
NOON = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)
DAYS = [dt.date(2024, 2, 29), None, dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 2, 29)]
VALUES: dict[str, tuple[pa.Array, dict[str, Any]]] = {
    "string": (pa.array(WORDS), entry(1, 5, "", "\U0001f600", empty=2)),
    "large_string": (pa.array(WORDS, pa.large_string()), entry(1, 5, "", "\U0001f600", empty=2)),
    "dictionary of strings": (pa.array(WORDS).dictionary_encode(), entry(1, 5, "", "\U0001f600", empty=2)),
    "binary": (pa.array(BYTES), entry(1, 4, "", "/wA=", empty=2)),
    "large_binary": (pa.array(BYTES, pa.large_binary()), entry(1, 4, "", "/wA=", empty=2)),
    "fixed size binary": (pa.array([b"ab", None, b"aa"], pa.binary(2)), entry(1, 2, "YWE=", "YWI=", empty=0)),
    "date32": (pa.array(DAYS, pa.date32()), times(1, 3, "0001-01-01", "9999-12-31")),
    "date64": (pa.array(DAYS, pa.date64()), times(1, 3, "0001-01-01", "9999-12-31")),
    "time32[s]": (pa.array([86399, 0, None], pa.time32("s")), times(1, 2, "00:00:00", "23:59:59")),
    "time32[ms]": (pa.array([1, 2, 2], pa.time32("ms")), times(0, 2, "00:00:00.001", "00:00:00.002")),
    "time64[us]": (pa.array([1, None], pa.time64("us")), times(1, 1, "00:00:00.000001", "00:00:00.000001")),
    "time64[ns]": (pa.array([1, 5], pa.time64("ns")), times(0, 2, "00:00:00.000000001", "00:00:00.000000005")),
    "timestamp[s]": (
        pa.array([0, None, 1_709_208_000], pa.timestamp("s")),
        times(1, 2, "1970-01-01 00:00:00", "2024-02-29 12:00:00"),
    ),
    "timestamp[s] that no finer unit holds": (
        pa.array([-(10**11), 10**11], pa.timestamp("s")),
        times(0, 2, "-1199-02-15 14:13:20", "5138-11-16 09:46:40"),
    ),
    "timestamp[ns]": (
        pa.array([1, 2, None, 1], pa.timestamp("ns")),
        times(1, 2, "1970-01-01 00:00:00.000000001", "1970-01-01 00:00:00.000000002"),
    ),
    "timestamp in UTC": (
        pa.array([NOON, None], pa.timestamp("s", "UTC")),
        times(1, 1, "2024-02-29 12:00:00Z", "2024-02-29 12:00:00Z"),
    ),
    "duration[s]": (pa.array([-90, 5, None, 5], pa.duration("s")), times(1, 2, "-90 s", "5 s")),
    "duration[ns]": (
        pa.array([2**63 - 1, -(2**63) + 1], pa.duration("ns")),
        times(0, 2, f"{-(2**63) + 1} ns", f"{2**63 - 1} ns"),
    ),
    "dictionary of dates": (pa.array(DAYS, pa.date32()).dictionary_encode(), times(1, 3, "0001-01-01", "9999-12-31")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("array", "expected"), VALUES.values(), ids=VALUES)
def test_values_that_are_no_numbers(
    array: pa.Array, expected: dict[str, Any], layout: Callable[[pa.Array], pa.ChunkedArray]
) -> None:
    check(figures(layout(array)), expected)


DICTIONARY_FORMS = {
    "values that no row has": ([0, None, 0], ["a", "z", ""], entry(1, 1, "a", "a", empty=0)),
    "one value twice": ([0, 1, 2], ["a", "a", "b"], entry(0, 2, "a", "b", empty=0)),
    "a null among the values": ([0, 1, None], ["a", None], entry(2, 1, "a", "a", empty=0)),
    "not in the order of the alphabet": ([0, 1], ["b", "a"], entry(0, 2, "a", "b", empty=0)),
}


@pytest.mark.parametrize(("indices", "words", "expected"), DICTIONARY_FORMS.values(), ids=DICTIONARY_FORMS)
def test_what_a_dictionary_may_hold(indices: list[Any], words: list[Any], expected: dict[str, Any]) -> None:
    """The figures are of the rows: how they are encoded is nobody's business."""
    array = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), pa.array(words, pa.string()))
    check(figures(whole(array)), expected)


def test_chunks_with_dictionaries_of_their_own() -> None:
    column = pa.chunked_array([pa.array(["a", "c"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()])
    check(figures(column), entry(0, 3, "a", "c", empty=0))


ZONES = {
    "half an hour off": ("+05:30", ("1970-01-01 05:30:01+0530", "1970-01-01 05:30:03+0530")),
    "a city": ("Asia/Kathmandu", ("1970-01-01 05:30:01+0530", "1970-01-01 05:30:03+0530")),
    "unknown": ("Mars/Olympus", (None, None)),
}


@pytest.mark.parametrize(("zone", "ends"), ZONES.values(), ids=ZONES)
def test_time_zones(zone: str, ends: tuple[Any, Any]) -> None:
    """Values of a zone that nobody knows cannot be said; how many there are can."""
    column = whole(pa.array([3, None, 1, 3], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("s", zone)))
    check(figures(column), times(1, 2, *ends))


def test_many_rows_in_uneven_chunks() -> None:
    dice = random.Random(7)
    values = [None if dice.random() < 0.1 else dice.randrange(-(10**6), 10**6) for _ in range(50_000)]
    cuts = [0, 1, 4096, 4096, 30_001, 50_000]
    column = pa.chunked_array([pa.array(values[start:stop], pa.int64()) for start, stop in pairwise(cuts)])
    check(figures(column), numeric(values))


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), max_size=40))
def test_any_integers(values: list[int | None]) -> None:
    check(figures(chunks_of_two(pa.array(values, pa.int64()))), numeric(values))


@given(st.lists(st.none() | st.text(max_size=5), max_size=20))
def test_any_strings(values: list[str | None]) -> None:
    """Strings are in the order of their code points, which is that of their UTF-8 bytes."""
    present = [value for value in values if value is not None]
    ends = (min(present), max(present)) if present else (None, None)
    expected = entry(len(values) - len(present), len({*present}), *ends, empty=present.count(""))
    check(figures(chunks_of_two(pa.array(values, pa.string()))), expected)


# -- the method --------------------------------------------------------------------------------------------------

TABLE = pa.table({"n": [3, 1, None], "s": ["x", "", "x"], "f": [1.5, 2.5, 3.5]})


@pytest.mark.parametrize(
    ("columns", "names"),
    [(None, ["n", "s", "f"]), (["f", "n"], ["f", "n"]), ([], [])],
    ids=["all", "some, in another order", "none"],
)
def test_the_columns_that_are_asked_for(columns: list[str] | None, names: list[str]) -> None:
    caller = Caller()
    caller.load_table(TABLE)
    answer = caller.call("tables/stats", {"session": "s", "columns": columns})
    assert (answer.session, answer.total, [stats.column for stats in answer.columns]) == ("s", 3, names)


@pytest.mark.parametrize(
    ("params", "kind", "named"),
    [
        ({"columns": ["n", "s", "n"]}, "invalid_params", {"column": "n"}),
        ({"columns": ["n", "x"]}, "unknown_column", {"column": "x", "columns": ["n", "s", "f"]}),
        ({"session": "t"}, "unknown_session", {"session": "t", "sessions": ["s"]}),
    ],
    ids=["a column twice", "an unknown column", "an unknown session"],
)
def test_a_bad_request(params: dict[str, Any], kind: str, named: dict[str, Any]) -> None:
    caller = Caller()
    caller.load_table(TABLE)
    error = caller.error("tables/stats", {"session": "s", **params})
    assert (error.kind, error.data) == (kind, named)


def test_a_cancel_at_any_look() -> None:
    caller = Caller()
    caller.load_table(TABLE)
    looks, told = 0, []
    while True:
        context = RecordingContext(cancel_after=looks)
        try:
            answer = caller.call("tables/stats", {"session": "s"}, context)
            break
        except Cancelled:
            told.append([call for call in context.progress_calls if call[2] == "columns"])
            assert caller.taken_bytes() == caller.sessions()["s"].bytes
            looks += 1
    assert len(answer.columns) == 3
    assert told[0] == []
    assert told[-1] == [(done, 3, "columns") for done in range(3)]
    assert context.lanes_left == 1


@pytest.mark.parametrize("source", ["parquet", "path"])
def test_of_a_lazy_session_as_of_an_eager_one(tmp_path: Path, source: str) -> None:
    data = parquet_bytes(TABLE, row_group_size=1)
    path = tmp_path / "t.parquet"
    path.write_bytes(data)
    caller = Caller()
    given = {"path": str(path)} if source == "path" else {"parquet": parquet_payload(data)}
    caller.load(**given, session="lazy", mode="lazy")
    caller.load(**given, session="eager")
    lazy, eager = (caller.call("tables/stats", {"session": name}).columns for name in ("lazy", "eager"))
    assert lazy == eager
