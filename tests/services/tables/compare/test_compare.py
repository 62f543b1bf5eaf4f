"""tables/compare: what differs between two sessions, exactly, and the same as a comparison row by row in Python."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.protocol.errors import Cancelled
from sidecar.services.tables.compare.compare import CompareResult
from tests.services.caller import Caller, RecordingContext

MIB = 1024 * 1024
NAN = float("nan")
D = Decimal


def compared(
    left: pa.Table, right: pa.Table, keys: list[str], **params: Any
) -> tuple[CompareResult, list[dict[str, Any]]]:
    """The answer, and the rows of the result."""
    caller = Caller()
    caller.load_table(left, "l")
    caller.load_table(right, "r")
    params = {"left": "l", "right": "r", "keys": keys, "session": "out", **params}
    answer: CompareResult = caller.call("tables/compare", params)
    rows = caller.rows("out").to_pylist()
    assert answer.rows == len(rows)
    return answer, rows


def counts(answer: CompareResult) -> tuple[int, int, int, int]:
    found = answer.counts
    return found.left_only, found.right_only, found.changed, found.equal


LEFT = pa.table({"id": [3, 1, 2, 4], "v": ["c", "a", "b", "d"], "w": [1, 2, 3, 4], "gone": [0, 0, 0, 0]})
RIGHT = pa.table({"id": [2, 3, 9, 1], "v": ["B", "c", "x", "a"], "w": [3, 1, 9, 5], "new": [0, 0, 0, 0]})


def test_what_differs_in_the_order_of_the_left_then_of_the_right() -> None:
    answer, rows = compared(LEFT, RIGHT, ["id"])
    assert counts(answer) == (1, 1, 2, 1)
    assert rows == [
        {"id": 1, "status": "changed", "v_left": "a", "v_right": "a", "w_left": 2, "w_right": 5},
        {"id": 2, "status": "changed", "v_left": "b", "v_right": "B", "w_left": 3, "w_right": 3},
        {"id": 4, "status": "left_only", "v_left": "d", "v_right": None, "w_left": 4, "w_right": None},
        {"id": 9, "status": "right_only", "v_left": None, "v_right": "x", "w_left": None, "w_right": 9},
    ]
    assert [(column.column, column.left, column.right, column.changed) for column in answer.columns_changed] == [
        ("v", "v_left", "v_right", 1),
        ("w", "w_left", "w_right", 1),
    ]
    assert (answer.left_only_columns, answer.right_only_columns) == (["gone"], ["new"])
    assert (answer.source, answer.format, answer.mode, answer.path) == ("compare", "compare", "eager", "<compare>")
    assert answer.warnings == []


def test_rows_that_are_the_same_are_in_it_where_they_are_asked_for() -> None:
    answer, rows = compared(LEFT, RIGHT, ["id"], include_equal=True)
    assert [(row["id"], row["status"]) for row in rows] == [
        (3, "equal"),
        (1, "changed"),
        (2, "changed"),
        (4, "left_only"),
        (9, "right_only"),
    ]
    assert counts(answer) == (1, 1, 2, 1)


def test_chosen_columns_alone() -> None:
    answer, rows = compared(LEFT, RIGHT, ["id"], columns=["v"])
    assert counts(answer) == (1, 1, 1, 2)
    assert [*rows[0]] == ["id", "status", "v_left", "v_right"]


def test_a_session_is_the_same_as_itself() -> None:
    caller = Caller()
    caller.load_table(LEFT, "s")
    answer = caller.call("tables/compare", {"left": "s", "right": "s", "keys": ["id"], "session": "s"})
    assert counts(answer) == (0, 0, 0, 4)
    assert caller.rows("s").num_rows == 0
    assert caller.rows("s").column_names[:2] == ["id", "status"]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (LEFT.slice(0, 0), RIGHT, (0, 4, 0, 0)),
        (LEFT, RIGHT.slice(0, 0), (4, 0, 0, 0)),
        (LEFT.slice(0, 0), RIGHT.slice(0, 0), (0, 0, 0, 0)),
        (LEFT.select(["id"]), RIGHT.select(["id", "new"]), (1, 1, 0, 3)),
    ],
    ids=["left", "right", "both", "no common columns"],
)
def test_empty_tables(left: pa.Table, right: pa.Table, expected: tuple[int, ...]) -> None:
    answer, rows = compared(left, right, ["id"])
    assert counts(answer) == expected
    assert len(rows) == sum(expected[:3])


def test_repeated_keys_are_paired_by_their_place() -> None:
    left = pa.table({"k": [1, 1, 2, None, None], "v": [1, 2, 3, 4, 5]})
    right = pa.table({"k": [1, None, 1, 1], "v": [1, 4, 9, 7]})
    answer, rows = compared(left, right, ["k"], include_equal=True)
    found = [(row["k"], row["status"], row["v_left"], row["v_right"]) for row in rows]
    assert found == [
        (1, "equal", 1, 1),
        (1, "changed", 2, 9),
        (2, "left_only", 3, None),
        (None, "equal", 4, 4),
        (None, "left_only", 5, None),
        (1, "right_only", None, 7),
    ]
    assert answer.warnings == [
        "2 rows on the left have the keys of an earlier row: the n-th is paired with the n-th",
        "2 rows on the right have the keys of an earlier row: the n-th is paired with the n-th",
    ]


def test_several_keys() -> None:
    left = pa.table({"a": ["x", "x", None], "b": [1, 2, 1], "v": [1, 1, 1]})
    right = pa.table({"b": [2, 1, 1], "a": ["x", None, "y"], "v": [1, 2, 1]})
    _, rows = compared(left, right, ["a", "b"])
    assert [(row["a"], row["b"], row["status"]) for row in rows] == [
        ("x", 1, "left_only"),
        (None, 1, "changed"),
        ("y", 1, "right_only"),
    ]


def test_names_that_collide() -> None:
    left = pa.table({"status": [1], "v": [1], "v_left": [1]})
    right = pa.table({"status": [1], "v": [2], "v_left": [2]})
    answer, rows = compared(left, right, ["status"])
    assert answer.status_column == "status_2"
    assert rows == [
        {"status": 1, "status_2": "changed", "v_left": 1, "v_right": 2, "v_left_left": 1, "v_left_right": 2},
    ]
    left, right = (pa.table({"v_left": [1], "v": [n]}) for n in (1, 2))
    answer, rows = compared(left, right, ["v_left"])
    assert rows == [{"v_left": 1, "status": "changed", "v_left_2": 1, "v_right": 2}]
    assert answer.columns_changed[0].left == "v_left_2"
    assert answer.warnings == ["a second column named 'v_left' is called 'v_left_2'"]


# -- exactness ---------------------------------------------------------------------------------------------------

BIG = 2**53
SAME: list[tuple[str, pa.Array, pa.Array]] = [
    ("nulls", pa.array([None], pa.int64()), pa.array([None], pa.int64())),
    ("nan", pa.array([NAN]), pa.array([NAN])),
    ("zeros", pa.array([0.0]), pa.array([-0.0])),
    ("int-float", pa.array([BIG]), pa.array([float(BIG)])),
    ("int8-uint64", pa.array([5], pa.int8()), pa.array([5], pa.uint64())),
    ("float32-64", pa.array([0.5], pa.float32()), pa.array([0.5])),
    ("float16-32", pa.array([0.5], pa.float16()), pa.array([0.5], pa.float32())),
    ("decimal-scale", pa.array([D("1.50")], pa.decimal128(5, 2)), pa.array([D("1.5")], pa.decimal128(38, 30))),
    ("decimal-widths", pa.array([D("1.5")], pa.decimal32(5, 2)), pa.array([D("1.5")], pa.decimal256(50, 2))),
    ("decimal-int", pa.array([D("7.00")], pa.decimal128(5, 2)), pa.array([7])),
    ("decimal-negative-scale", pa.array([D("15E2")], pa.decimal128(5, -2)), pa.array([1500])),
    ("timestamp-units", pa.array([1], pa.timestamp("s")), pa.array([10**9], pa.timestamp("ns"))),
    (
        "timestamp-zones",
        pa.array([1], pa.timestamp("s", "Europe/Paris")),
        pa.array([1000], pa.timestamp("ms", "+05:30")),
    ),
    ("duration-units", pa.array([1], pa.duration("s")), pa.array([1000], pa.duration("ms"))),
    ("time-units", pa.array([1], pa.time32("s")), pa.array([10**9], pa.time64("ns"))),
    ("dates", pa.array([1], pa.date32()), pa.array([86_400_000], pa.date64())),
    ("dictionary", pa.array(["a"]).dictionary_encode(), pa.array(["a"])),
    ("dictionaries", pa.array(["b", "a"]).dictionary_encode().slice(1), pa.array(["a"]).dictionary_encode()),
    ("strings", pa.array(["a"]), pa.array(["a"], pa.large_string())),
    ("binary", pa.array([b"ab"], pa.binary(2)), pa.array([b"ab"], pa.large_binary())),
    ("null-column", pa.nulls(1), pa.array([None], pa.string())),
    ("list", pa.array([[1.0, NAN, None]]), pa.array([[1.0, NAN, None]], pa.large_list(pa.float64()))),
    ("list-ints", pa.array([[1]], pa.list_(pa.int8())), pa.array([[1]], pa.list_(pa.uint64()))),
    ("struct", pa.array([{"a": None, "b": [1]}]), pa.array([{"a": None, "b": [1]}])),
    (
        "struct-dictionary",
        pa.array([{"a": "x"}], pa.struct([("a", pa.dictionary(pa.int8(), pa.string()))])),
        pa.array([{"a": "x"}]),
    ),
    (
        "map",
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    ),
    (
        "interval",
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    ),
    (
        "list-zones",
        pa.array([[1]], pa.list_(pa.timestamp("s", "+05:30"))),
        pa.array([[1000]], pa.list_(pa.timestamp("ms", "UTC"))),
    ),
    (
        "uuid",
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef"], pa.binary(16))),
        pa.array([b"0123456789abcdef"], pa.binary()),
    ),
]

DIFFERENT: list[tuple[str, pa.Array, pa.Array]] = [
    ("null-zero", pa.array([None], pa.int64()), pa.array([0])),
    ("null-empty", pa.array([None], pa.string()), pa.array([""])),
    ("null-nan", pa.array([None], pa.float64()), pa.array([NAN])),
    ("int-float", pa.array([BIG + 1]), pa.array([float(BIG)])),
    ("int-float-rest", pa.array([1]), pa.array([1.5])),
    ("int-float-null", pa.array([None], pa.int64()), pa.array([1.5])),
    ("int-infinity", pa.array([BIG]), pa.array([math.inf])),
    ("int-float-max", pa.array([2**63 - 1]), pa.array([float(2**63)])),
    ("int-uint", pa.array([-1]), pa.array([2**64 - 1], pa.uint64())),
    ("float32-64", pa.array([0.1], pa.float32()), pa.array([0.1])),
    ("decimal", pa.array([D("1.51")], pa.decimal128(5, 2)), pa.array([D("1.5")], pa.decimal128(38, 30))),
    ("decimal-digits", pa.array([D(10**37)], pa.decimal128(38, 0)), pa.array([D("0.1")], pa.decimal128(38, 38))),
    ("timestamp-units", pa.array([2**62], pa.timestamp("s")), pa.array([0], pa.timestamp("ns"))),
    ("timestamp-aware", pa.array([1], pa.timestamp("s")), pa.array([1], pa.timestamp("s", "UTC"))),
    ("text-number", pa.array(["1"]), pa.array([1])),
    ("decimal-float", pa.array([D("0.1")], pa.decimal128(5, 1)), pa.array([0.1])),
    ("bool-int", pa.array([True]), pa.array([1])),
    ("list-nulls", pa.array([[None]], pa.list_(pa.int64())), pa.array([[]], pa.list_(pa.int64()))),
    ("list-null", pa.array([None], pa.list_(pa.int64())), pa.array([[]], pa.list_(pa.int64()))),
    (
        "struct",
        pa.array([{"a": None}], pa.struct([("a", pa.int64())])),
        pa.array([None], pa.struct([("a", pa.int64())])),
    ),
]


@pytest.mark.parametrize(("left", "right"), [pair[1:] for pair in SAME], ids=[pair[0] for pair in SAME])
@pytest.mark.parametrize("is_turned", [False, True])
def test_cells_that_are_the_same(left: pa.Array, right: pa.Array, is_turned: bool) -> None:
    left, right = (right, left) if is_turned else (left, right)
    answer, _ = compared(pa.table({"k": [1], "v": left}), pa.table({"k": [1], "v": right}), ["k"])
    assert counts(answer) == (0, 0, 0, 1)
    assert answer.columns_changed[0].changed == 0
    assert len(answer.warnings) == (left.type != right.type)


@pytest.mark.parametrize(("left", "right"), [pair[1:] for pair in DIFFERENT], ids=[pair[0] for pair in DIFFERENT])
@pytest.mark.parametrize("is_turned", [False, True])
def test_cells_that_differ(left: pa.Array, right: pa.Array, is_turned: bool) -> None:
    left, right = (right, left) if is_turned else (left, right)
    caller = Caller()
    caller.load_table(pa.table({"k": [1], "v": left}), "l")
    caller.load_table(pa.table({"k": [1], "v": right}), "r")
    answer = caller.call("tables/compare", {"left": "l", "right": "r", "keys": ["k"], "session": "out"})
    assert counts(answer) == (0, 0, 1, 0)
    page = caller.rows("out")
    assert page["v_left"].combine_chunks().to_string() == left.to_string()
    assert page["v_right"].combine_chunks().to_string() == right.to_string()


KEYS = [pair for pair in SAME if not pa.types.is_nested(pair[1].type) and not pa.types.is_interval(pair[1].type)]


@pytest.mark.parametrize(("left", "right"), [pair[1:] for pair in KEYS], ids=[pair[0] for pair in KEYS])
def test_keys_that_are_the_same(left: pa.Array, right: pa.Array) -> None:
    answer, rows = compared(pa.table({"k": left}), pa.table({"k": right}), ["k"], include_equal=True)
    assert counts(answer) == (0, 0, 0, 1)
    assert rows[0]["status"] == "equal"


def test_a_key_of_two_types_that_no_type_holds_has_two_columns() -> None:
    left, right = pa.table({"k": [BIG + 1, 2]}), pa.table({"k": [float(BIG), 2.0, 0.5]})
    answer, rows = compared(left, right, ["k"], include_equal=True)
    assert rows == [
        {"k_left": BIG + 1, "k_right": None, "status": "left_only"},
        {"k_left": 2, "k_right": 2.0, "status": "equal"},
        {"k_left": None, "k_right": float(BIG), "status": "right_only"},
        {"k_left": None, "k_right": 0.5, "status": "right_only"},
    ]
    assert len(answer.warnings) == 1


def test_keys_at_the_ends_of_both_kinds_of_integers() -> None:
    """2^63 and -2^63 have the same bits."""
    left = pa.table({"k": pa.array([-(2**63), 2**63 - 1, -1], pa.int64())})
    right = pa.table({"k": pa.array([2**63, 2**63 - 1, 2**64 - 1], pa.uint64())})
    _, rows = compared(left, right, ["k"], include_equal=True)
    assert [(row["k_left"], row["k_right"], row["status"]) for row in rows] == [
        (-(2**63), None, "left_only"),
        (2**63 - 1, 2**63 - 1, "equal"),
        (-1, None, "left_only"),
        (None, 2**63, "right_only"),
        (None, 2**64 - 1, "right_only"),
    ]


def test_rows_of_the_right_alone_are_in_its_order() -> None:
    left = pa.table({"k": [3, 1], "v": [0, 0]})
    right = pa.table({"k": [9, 3, None, 7, 1, 8, 5], "v": [0] * 7})
    _, rows = compared(left, right, ["k"])
    assert [row["k"] for row in rows] == [9, None, 7, 8, 5]


@pytest.mark.parametrize("is_turned", [False, True])
def test_lists_of_instants_and_of_what_a_clock_showed_do_not_compare(is_turned: bool) -> None:
    caller = Caller()
    zones = ("UTC", None) if is_turned else (None, "UTC")
    for name, zone in zip("lr", zones, strict=True):
        caller.load_table(pa.table({"k": [1], "v": pa.array([[1]], pa.list_(pa.timestamp("s", zone)))}), name)
    fault = caller.error("tables/compare", {"left": "l", "right": "r", "keys": ["k"]})
    assert (fault.kind, fault.data["column"]) == ("incomparable_columns", "v")


# -- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "kind", "data"),
    [
        ({"left": "none"}, "unknown_session", {"session": "none"}),
        ({"right": "none"}, "unknown_session", {"session": "none"}),
        ({"keys": []}, "invalid_params", {}),
        ({"keys": ["id", "id"]}, "invalid_params", {"column": "id"}),
        ({"keys": ["nope"]}, "unknown_column", {"column": "nope", "session": "l"}),
        ({"keys": ["gone"]}, "unknown_column", {"column": "gone", "session": "r"}),
        ({"columns": ["new"]}, "unknown_column", {"column": "new", "session": "l"}),
        ({"columns": ["id"]}, "invalid_params", {"column": "id"}),
        ({"keys": ["odd"]}, "incomparable_columns", {"column": "odd", "left_dtype": "string", "right_dtype": "int64"}),
        ({"keys": ["list"]}, "incomparable_columns", {"column": "list"}),
        ({"columns": ["list"]}, "incomparable_columns", {"column": "list"}),
    ],
)
def test_errors_name_the_column_and_both_types(params: dict[str, Any], kind: str, data: dict[str, Any]) -> None:
    caller = Caller()
    caller.load_table(
        pa.table({**dict(zip(LEFT.column_names, LEFT.columns, strict=True)), "odd": ["1"] * 4, "list": [[1]] * 4}), "l"
    )
    caller.load_table(
        pa.table({**dict(zip(RIGHT.column_names, RIGHT.columns, strict=True)), "odd": [1] * 4, "list": [["x"]] * 4}),
        "r",
    )
    fault = caller.error("tables/compare", {"left": "l", "right": "r", "keys": ["id"], "session": "out", **params})
    assert fault.kind == kind
    assert fault.data.items() >= data.items()
    assert caller.sessions().keys() == {"l", "r"}


def test_a_cell_that_has_no_common_form_is_named() -> None:
    left = pa.table({"k": [1], "v": pa.array([[2**62]], pa.list_(pa.timestamp("s")))})
    right = pa.table({"k": [1], "v": pa.array([[1]], pa.list_(pa.timestamp("ns")))})
    caller = Caller()
    caller.load_table(left, "l")
    caller.load_table(right, "r")
    fault = caller.error("tables/compare", {"left": "l", "right": "r", "keys": ["k"]})
    assert (fault.kind, fault.data["column"]) == ("incomparable_columns", "v")


# -- memory, progress, cancelling --------------------------------------------------------------------------------


def test_lazy_sessions_compare_as_eager_ones(tmp_path: Path) -> None:
    rows = 3000
    left = pa.table({"k": range(rows), "v": [n % 5 for n in range(rows)], "s": [f"x{n % 3}" for n in range(rows)]})
    right = pa.table({"k": range(100, rows + 100), "v": [n % 7 for n in range(rows)], "s": ["x1"] * rows})
    caller = Caller()
    pages = []
    for mode in ("eager", "lazy"):
        for name, table in (("l", left), ("r", right)):
            pq.write_table(table, tmp_path / name, row_group_size=250)
            caller.load(path=str(tmp_path / name), session=name, mode=mode, format="parquet")
        caller.call(
            "tables/compare", {"left": "l", "right": "r", "keys": ["k"], "session": "out", "include_equal": True}
        )
        pages.append(caller.rows("out"))
    assert pages[0].equals(pages[1])
    assert pages[0].num_rows == rows + 100


def test_a_result_that_is_too_large_is_refused_and_freed() -> None:
    caller = Caller(memory_limit_bytes=12 * MIB)
    rows = 200_000
    for name, value in (("l", 1), ("r", 2)):
        caller.load_table(pa.table({"k": range(rows), "v": pa.array([value] * rows, pa.int64())}), name)
    before = caller.taken_bytes()
    fault = caller.error("tables/compare", {"left": "l", "right": "r", "keys": ["k"], "session": "out"})
    assert fault.kind == "memory_limit"
    assert caller.taken_bytes() == before
    assert "out" not in caller.sessions()


def test_progress_is_told_in_columns() -> None:
    caller = Caller()
    caller.load_table(LEFT, "l")
    caller.load_table(RIGHT, "r")
    context = RecordingContext()
    caller.call("tables/compare", {"left": "l", "right": "r", "keys": ["id"]}, context)
    assert context.progress_calls == [(done, 6, "columns") for done in (0, 1, 2, 4, 5)]
    assert context.commits == 1


def test_cancelling_at_any_point_leaves_no_session() -> None:
    caller = Caller()
    caller.load_table(LEFT, "l")
    caller.load_table(RIGHT, "r")
    before = caller.taken_bytes()
    params = {"left": "l", "right": "r", "keys": ["id"], "session": "out"}
    looks = 0
    while True:
        try:
            caller.call("tables/compare", params, RecordingContext(cancel_after=looks))
            break
        except Cancelled:
            looks += 1
        assert caller.taken_bytes() == before
        assert "out" not in caller.sessions()
    assert looks > 8


# -- against a comparison row by row ------------------------------------------------------------------------------

ints = st.one_of(st.none(), st.integers(0, 3), st.sampled_from([BIG, BIG + 1, -(2**63), 2**63 - 1]))
floats = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5, NAN, math.inf, float(BIG), float(2**63)]))
texts = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ä"]))
lists = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=2))
COLUMNS = {
    "int": (ints, pa.int64()),
    "float": (floats, pa.float64()),
    "text": (texts, pa.string()),
    "dictionary": (texts, pa.dictionary(pa.int8(), pa.string())),
    "list": (lists, pa.list_(pa.int64())),
}
PAIRS = [
    ("int", "int"),
    ("int", "float"),
    ("float", "float"),
    ("text", "dictionary"),
    ("dictionary", "dictionary"),
    ("list", "list"),
    ("text", "int"),
]
KEY_PAIRS = PAIRS[:5]


@st.composite
def two_tables(draw: st.DrawFn) -> tuple[pa.Table, pa.Table, list[str]]:
    keys = draw(st.lists(st.sampled_from(KEY_PAIRS), min_size=1, max_size=2))
    columns = draw(st.lists(st.sampled_from(PAIRS), max_size=2))
    names = [*(f"k{n}" for n in range(len(keys))), *(f"c{n}" for n in range(len(columns)))]
    tables = []
    for side in (0, 1):
        rows = draw(st.integers(0, 8))
        made = {}
        for name, pair in zip(names, [*keys, *columns], strict=True):
            values, dtype = COLUMNS[pair[side]]
            made[name] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), dtype)
        tables.append(pa.table(made))
    return tables[0], tables[1], names[: len(keys)]


def canonical(value: Any) -> Any:
    """Values that are the same have one form: NaN is one, and Python compares integers with floats exactly."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN", None
    if isinstance(value, list):
        return tuple(canonical(item) for item in value)
    return (value,) if isinstance(value, str) else value


def expected(left: pa.Table, right: pa.Table, keys: list[str]) -> list[tuple[str, int | None, int | None]]:
    """Status, left row and right row of every row of the result."""
    rows = [table.to_pylist() for table in (left, right)]
    columns = [name for name in left.column_names if name not in keys]
    waiting: dict[Any, list[int]] = defaultdict(list)
    for number, row in enumerate(rows[1]):
        waiting[tuple(canonical(row[key]) for key in keys)].append(number)
    found: list[tuple[str, int | None, int | None]] = []
    for number, row in enumerate(rows[0]):
        others = waiting[tuple(canonical(row[key]) for key in keys)]
        if not others:
            found.append(("left_only", number, None))
            continue
        other = others.pop(0)
        is_same = all(canonical(row[name]) == canonical(rows[1][other][name]) for name in columns)
        found.append(("equal" if is_same else "changed", number, other))
    return [*found, *(("right_only", None, other) for other in sorted(n for left in waiting.values() for n in left))]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(two_tables())
def test_it_equals_a_comparison_row_by_row(tables: tuple[pa.Table, pa.Table, list[str]]) -> None:
    left, right, keys = tables
    answer, rows = compared(left, right, keys, include_equal=True)
    wanted = expected(left, right, keys)
    assert [row["status"] for row in rows] == [status for status, _, _ in wanted]
    statuses = [status for status, _, _ in wanted]
    assert counts(answer) == tuple(statuses.count(name) for name in ("left_only", "right_only", "changed", "equal"))
    sides = [table.to_pylist() for table in (left, right)]
    for column in answer.columns_changed:
        pairs = [(row[column.left], row[column.right]) for row in rows]
        cells = [
            tuple(None if n is None else side[n][column.column] for side, n in zip(sides, numbers, strict=True))
            for _, *numbers in wanted
        ]
        assert repr(pairs) == repr(cells)
        changed = [(a, b) for (a, b), status in zip(cells, statuses, strict=True) if status in ("changed", "equal")]
        assert column.changed == sum(canonical(a) != canonical(b) for a, b in changed)
