"""tables/stats of every kind of type: times, text, nested values and what nothing else can compare."""

from __future__ import annotations

import json
import math
import random
import uuid
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...caller import Caller, decode, parquet_bytes, parquet_payload
from .test_stats import chunks_of_two, figures, moments, whole

D = Decimal


def said(array: pa.Array) -> list[Any]:
    """The values as a page says them."""
    caller = Caller()
    caller.load_table(pa.table({"c": array}))
    return [row["c"] for row in caller.json_rows()]


def counted(array: pa.Array) -> tuple[int, int, Counter[str]]:
    """Nulls, different values, and how often each is there, by its JSON text."""
    values = [json.dumps(value) for value in said(array) if value is not None]
    return len(array) - len(values), len({*values}), Counter(values)


ODD = {
    "list": pa.array([[1], None, [], [2], [1], [None], [1, None]]),
    "large list": pa.array([[1], None, [1]], pa.large_list(pa.uint8())),
    "list of floats": pa.array([[0.0], [-0.0], [1.5], None]).take(pa.array([0, 2, 3, 2, 0])),
    "list of NaN": pa.array([[math.nan], [math.nan], [1.0]]),
    "list of half floats": pa.array([[1.5], [1.5], None], pa.list_(pa.float16())),
    "list of lists": pa.array([[[1], []], [[1], []], [None], None]),
    "list of strings": pa.array([["a", None], ["a", None], ["a"], []]),
    "list of times": pa.array([[1], [1], [2**40]], pa.list_(pa.timestamp("s"))),
    "list of seconds that overflow": pa.array([[2**33], [2**33]], pa.list_(pa.duration("s"))),
    "list of a dictionary": pa.ListArray.from_arrays(
        pa.array([0, 1, 1, 2, 3], pa.int32()), pa.array(["x", "y", "x"]).dictionary_encode()
    ),
    "list of intervals": pa.array([[pa.MonthDayNano([1, 2, 3])], None, []], pa.list_(pa.month_day_nano_interval())),
    "list of large decimals": pa.array([[D(10) ** 60], [D(10) ** 60]], pa.list_(pa.decimal256(76, 2))),
    "list of decimals": pa.array([[D("1.10")], [D("1.10")], [D("2")]], pa.list_(pa.decimal128(9, 2))),
    "fixed size list": pa.array([[1, 2], None, [1, 2], [2, 1]], pa.list_(pa.int8(), 2)),
    "fixed size list of none": pa.array([[], None, []], pa.list_(pa.int32(), 0)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": 1, "b": "x"}, {"a": None, "b": "x"}]),
    "struct of nothing": pa.array([{}, None, {}], pa.struct([])),
    "struct of lists": pa.array([{"a": [1, 2]}, {"a": [1, 2]}, {"a": None}, None]),
    "map": pa.array([[("a", 1)], None, [], [("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "map with a key twice": pa.array([[("a", 1), ("a", 2)], [("a", 2)]], pa.map_(pa.string(), pa.int64())),
    "map in a list": pa.array([[[("a", 1)]], [[("a", 1)]], None], pa.list_(pa.map_(pa.string(), pa.int32()))),
    "dictionary of structs": pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0, 1], pa.int8()), pa.array([{"x": 1}, {"x": 2}, {"x": 3}])
    ),
    "decimal256": pa.array([D(10) ** 60, None, D(-1), D(-1)], pa.decimal256(76, 2)),
    "interval": pa.array([(1, 2, 3), None, (1, 2, 3), (0, 0, 1)], pa.month_day_nano_interval()),
    "sparse union": pa.UnionArray.from_sparse(
        pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 1]), pa.array(["a", "b", "c"])]
    ),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 1]), pa.array(["1"])]
    ),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([uuid.UUID(int=1).bytes, None], pa.binary(16))),
    "tensor": pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int8(), [2]), pa.array([[1, 2], None, [1, 2]], pa.list_(pa.int8(), 2))
    ),
    "binary of no width": pa.array([b"", None, b""], pa.binary(0)),
    "decimal with a negative scale": pa.array([D(1100), None, D(-200), D(1100)], pa.decimal128(5, -2)),
    "ordered dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), ["z", "a"], ordered=True),
    "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0, 1], pa.int8())),
}


@pytest.mark.parametrize("layout", [whole, chunks_of_two])
@pytest.mark.parametrize("array", ODD.values(), ids=ODD)
def test_counts_of_any_type(array: pa.Array, layout: Any) -> None:
    found = figures(layout(array))
    nulls, distinct, values = counted(array)
    assert (found["null_count"], found["distinct_count"]) == (nulls, distinct)
    frequent = Counter({json.dumps(entry["value"]): entry["count"] for entry in found["most_frequent"]})
    assert frequent == values  # at most five of each
    assert rows_of(found["histogram"]) == len(array) - nulls


def rows_of(histogram: dict[str, Any]) -> int:
    """All rows that a histogram counts."""
    listed = [*histogram["bins"], *histogram["values"]]
    others = [part for part in (histogram["below"], histogram["above"], histogram["others"]) if part]
    return sum(part["count"] for part in [*listed, *others])


@pytest.mark.parametrize(
    ("name", "count"),
    [("list", 1), ("large list", 0), ("list of strings", 1), ("map", 1), ("fixed size list", 0)],
)
def test_empty_lists_and_maps(name: str, count: int) -> None:
    assert figures(whole(ODD[name]))["empty_count"] == count


def test_ends_of_large_decimals() -> None:
    found = figures(whole(ODD["decimal256"]))
    assert (found["min"], found["max"], found["mean"]) == ("-1.00", f"1{'0' * 60}.00", None)


def test_decimals_with_a_negative_scale() -> None:
    found = figures(whole(ODD["decimal with a negative scale"]))
    assert {name: found[name] for name in ("mean", "std", "median", "q25", "q75")} == pytest.approx(
        moments([1100, -200, 1100])
    )
    assert (found["min"], found["max"]) == tuple(said(ODD["decimal with a negative scale"])[index] for index in (2, 0))


@pytest.mark.parametrize("array", [array for array in ODD.values() if pa.types.is_nested(array.type)])
def test_nested_values_have_no_ends_and_no_moments(array: pa.Array) -> None:
    found = figures(whole(array))
    assert [found[name] for name in ("min", "max", "mean", "std", "median")] == [None] * 5


UNSAYABLE = pa.timestamp("s", "Mars/Olympus")


def test_lists_of_what_cannot_be_said_are_counted() -> None:
    found = figures(whole(pa.array([[1], [1], [2], None], pa.list_(UNSAYABLE))))
    assert (found["null_count"], found["distinct_count"]) == (1, 2)
    assert found["most_frequent"] == [{"value": None, "count": 2}, {"value": None, "count": 1}]


def test_what_can_neither_be_said_nor_compared_has_nulls_alone() -> None:
    dtype = pa.struct([("t", UNSAYABLE), ("i", pa.month_day_nano_interval())])
    found = figures(whole(pa.array([{"t": 1, "i": None}, None], dtype)))
    assert (found["null_count"], found["non_null_count"], found["distinct_count"]) == (1, 1, None)
    assert found["histogram"] is None


# -- times -------------------------------------------------------------------------------------------------------

TIMES = {
    "date32": (pa.date32(), pa.int32(), [0, 1, 19_782, None, -5, 1], 86_400, "s"),
    "date64": (pa.date64(), pa.int64(), [0, 86_400_000, None, 172_800_000], 1, "ms"),
    "time32[s]": (pa.time32("s"), pa.int32(), [0, 86_399, None, 7], 1, "s"),
    "time64[ns]": (pa.time64("ns"), pa.int64(), [1, 10**13, 7], 1, "ns"),
    "timestamp[s]": (pa.timestamp("s"), pa.int64(), [1_709_208_000, None, 3, 4], 1, "s"),
    "timestamp[ns]": (pa.timestamp("ns"), pa.int64(), [2**62, 2**62 + 1, 2**62 + 3], 1, "ns"),
    "timestamp in a zone": (pa.timestamp("us", "Europe/Oslo"), pa.int64(), [10**15, 10**15 + 5, 0], 1, "us"),
    "duration": (pa.duration("ms"), pa.int64(), [-5, None, 10, 2], 1, "ms"),
    "half a tick": (pa.duration("s"), pa.int64(), [1, 2], 1, "s"),
}


@pytest.mark.parametrize(("dtype", "stored", "ticks", "tick", "unit"), TIMES.values(), ids=TIMES)
def test_moments_of_times(dtype: pa.DataType, stored: pa.DataType, ticks: list[Any], tick: int, unit: str) -> None:
    """Rounded to the unit of the column, of dates to the day, halves to the even one."""
    numbers = sorted(Fraction(value) for value in ticks if value is not None)
    mean = sum(numbers) / len(numbers)

    def at(share: Fraction) -> Fraction:
        place = share * (len(numbers) - 1)
        low, high = math.floor(place), math.ceil(place)
        return numbers[low] + (place - low) * (numbers[high] - numbers[low])

    unit_ticks = 86_400_000 if pa.types.is_date64(dtype) else 1
    exact = [mean, at(Fraction(1, 4)), at(Fraction(1, 2)), at(Fraction(3, 4))]
    wanted = [round(value / unit_ticks) * unit_ticks for value in exact]
    found = figures(whole(pa.array(ticks, stored).cast(dtype)))
    expected = said(pa.array(wanted, stored).cast(dtype))
    assert [found[name] for name in ("mean", "q25", "median", "q75")] == expected
    variance = sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1) * tick * tick
    count, found_unit = found["std"].split(" ")
    assert found_unit == unit
    assert abs(int(count) ** 2 - variance) <= 2 * int(count) + 1


# -- order and layout of rows mean nothing -------------------------------------------------------------------------

NUMBERS = st.lists(
    st.none() | st.floats(width=64) | st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, math.inf]), max_size=60
)


@given(NUMBERS, st.randoms())
def test_any_floats_in_any_order(values: list[float | None], dice: random.Random) -> None:
    shuffled = list(values)
    dice.shuffle(shuffled)
    found = figures(whole(pa.array(values, pa.float64())))
    assert figures(chunks_of_two(pa.array(shuffled, pa.float64()))) == found
    finite = [value for value in values if value is not None and math.isfinite(value)]
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    if numbers and len(finite) == len(numbers):
        exact = moments(finite)
        for name in ("mean", "median", "q25", "q75"):
            assert found[name] == exact[name]
        if exact["std"] is not None:
            assert found["std"] == pytest.approx(exact["std"], rel=1e-14, abs=1e-300)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=40))
def test_any_64_bit_integers(values: list[int]) -> None:
    found = figures(whole(pa.array(values, pa.int64())))
    exact = moments(values)
    assert [found[name] for name in ("mean", "median", "q25", "q75")] == [
        exact[name] for name in ("mean", "median", "q25", "q75")
    ]
    assert found["std"] == pytest.approx(exact["std"], rel=1e-14)


@given(st.lists(st.none() | st.sampled_from(["b", "", "a", "ä", "\U0001f600", "aa", "ab"]), max_size=60))
def test_most_frequent_text(values: list[str | None]) -> None:
    present = Counter(value for value in values if value is not None)
    top = sorted(present.items(), key=lambda entry: (-entry[1], entry[0]))[:5]
    found = figures(chunks_of_two(pa.array(values, pa.string())))
    assert [(entry["value"], entry["count"]) for entry in found["most_frequent"]] == top
    assert figures(chunks_of_two(pa.array(values, pa.string()).dictionary_encode())) == found


# -- the method --------------------------------------------------------------------------------------------------


def mixed(rows: int, seed: int = 3) -> pa.Table:
    """Numbers with a tail, text with few and with many values, times, lists."""
    dice = random.Random(seed)
    maybe = [dice.random() > 0.1 for _ in range(rows)]
    return pa.table(
        {
            "n": pa.array([dice.randrange(10**6) if ok else None for ok in maybe]),
            "f": pa.array([dice.gauss(0, 1) ** 3 if ok else math.nan for ok in maybe]),
            "few": pa.array([dice.randrange(7) for _ in maybe], pa.int8()),
            "zeros": pa.array([0 if dice.random() < 0.8 else dice.randrange(-1000, 1000) for _ in maybe]),
            "city": pa.array([f"city-{dice.randrange(30)}" if ok else None for ok in maybe]),
            "name": pa.array([f"name-{dice.randrange(10**9)}" for _ in maybe]),
            "t": pa.array([dice.randrange(10**9) for _ in maybe], pa.timestamp("s")),
            "d": pa.array([dice.randrange(20_000) for _ in maybe], pa.int32()).cast(pa.date32()),
            "l": pa.array([[dice.randrange(3)] * dice.randrange(3) if ok else None for ok in maybe]),
            "p": pa.array([D(dice.randrange(10**6)).scaleb(-2) for _ in maybe], pa.decimal128(20, 2)),
        }
    )


def as_json(columns: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(columns))


def from_texts(value: Any) -> Any:
    """A row of the answer in Arrow with its JSON texts read."""
    texts = {"value", "low", "high", "min", "max", "mean", "std", "median", "q25", "q75"}
    if isinstance(value, dict):
        return {
            key: (None if item is None else json.loads(item)) if key in texts else from_texts(item)
            for key, item in value.items()
        }
    return [from_texts(item) for item in value] if isinstance(value, list) else value


def test_the_answer_in_arrow_says_the_same() -> None:
    caller = Caller()
    caller.load_table(mixed(500))
    in_json = caller.call("tables/stats", {"session": "s"})
    in_arrow = caller.call("tables/stats", {"session": "s", "format": "arrow"})
    assert (in_arrow.columns, in_json.stats) == (None, None)
    table = pa.ipc.open_stream(in_arrow.stats.data).read_all()
    table.validate(full=True)
    assert [from_texts(row) for row in table.to_pylist()] == as_json(in_json.columns)
    assert (in_arrow.total, in_arrow.matched) == (500, 500)


VIEWS = {
    "filter": {"filter": [{"column": "few", "op": "lt", "value": 3}]},
    "search": {"search": {"text": "city-1", "columns": ["city"]}},
    "both": {"filter": [{"column": "f", "op": "is_not_nan"}], "search": {"text": "7"}},
    "nothing": {"filter": [{"column": "few", "op": "gt", "value": 100}]},
}


@pytest.mark.parametrize("mode", ["eager", "lazy"])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_of_a_view_as_of_a_table_of_its_rows(view: dict[str, Any], mode: str) -> None:
    """All figures but the histogram, whose bins are those of the whole table."""
    caller = Caller()
    data = mixed(3000)
    caller.load(parquet=parquet_payload(parquet_bytes(data, row_group_size=700)), session="s", mode=mode)
    page = caller.call("tables/rows", {"session": "s", **view})
    caller.load_table(decode(page), session="rows")
    answer = caller.call("tables/stats", {"session": "s", **view})
    found, expected = as_json(answer.columns), as_json(caller.call("tables/stats", {"session": "rows"}).columns)
    assert (answer.total, answer.matched) == (3000, page.matched)
    whole_table = as_json(caller.call("tables/stats", {"session": "s"}).columns)
    for mine, theirs, all_rows in zip(found, expected, whole_table, strict=True):
        histogram = mine.pop("histogram")
        theirs.pop("histogram")
        assert mine == theirs
        assert rows_of(histogram) == mine["non_null_count"] - (mine["nan_count"] or 0)
        assert_fits(histogram, all_rows["histogram"])


def assert_fits(part: dict[str, Any], all_rows: dict[str, Any]) -> None:
    """The same bins and values, none with more rows."""
    for name, keys in (("bins", ("low", "high")), ("values", ("value",))):
        assert [[bin[key] for key in keys] for bin in part[name]] == [[b[key] for key in keys] for b in all_rows[name]]
        assert all(mine["count"] <= theirs["count"] for mine, theirs in zip(part[name], all_rows[name], strict=True))
    for name in ("below", "above", "others"):
        assert (part[name] or {"count": 0})["count"] <= (all_rows[name] or {"count": 0})["count"]


@pytest.mark.parametrize("name", ["n", "f", "few", "zeros", "city", "name", "t", "d", "p"])
def test_in_ranges_as_at_once(name: str) -> None:
    """A memory limit so small that the column is sorted in several passes."""
    data = mixed(60_000).select([name])
    payload = parquet_payload(parquet_bytes(data, row_group_size=5000))
    small, large = Caller(memory_limit_bytes=1_500_000), Caller()
    for caller in (small, large):
        caller.load(parquet=payload, session="s", mode="lazy")
    (found,), (expected,) = (caller.call("tables/stats", {"session": "s"}).columns for caller in (small, large))
    if isinstance(expected.std, float):  # its squares are rounded, about another centre in each range
        assert found.std == pytest.approx(expected.std, rel=1e-14)
        found.std = expected.std
    assert found == expected
