"""The registry: list, close, replace, and the memory limit over sessions and loads under way."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.services.sessions import Sessions

from .caller import Caller, RecordingContext, arrow_payload, file_bytes, parquet_bytes, parquet_payload, stream_bytes

NUMBERS = pa.table({"a": pa.array(range(1000), pa.int64())})
NUMBERS_BYTES = NUMBERS.get_total_buffer_size()


def load(table: pa.Table, **params: Any) -> dict[str, Any]:
    return {"arrow_ipc": arrow_payload(stream_bytes(table)), **params}


def test_the_list_shows_every_session_in_the_order_of_their_first_load(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("x,y\n1,2\n")
    caller = Caller(memory_limit_bytes=10**6)
    caller.load_table(NUMBERS, "one", label="first")
    caller.load(path=str(tmp_path / "f.csv"), session="two")
    caller.load_table(NUMBERS.slice(0, 10), "one", label="dir/again")
    answer = caller.call("sessions/list", {})
    assert [info.session for info in answer.sessions] == ["one", "two"]
    one, two = answer.sessions
    assert (one.path, one.filename, one.rows, one.columns, one.source, one.format, one.mode) == (
        "dir/again",
        "again",
        10,
        1,
        "arrow_ipc",
        "arrow_stream",
        "eager",
    )
    assert (two.path, two.filename, two.rows, two.columns, two.source) == (
        str(tmp_path / "f.csv"),
        "f.csv",
        1,
        2,
        "path",
    )
    assert answer.bytes == one.bytes + two.bytes
    assert answer.memory_limit_bytes == 10**6


def test_close_forgets_the_session_and_says_what_it_took() -> None:
    caller = Caller()
    loaded = caller.load_table(NUMBERS)
    answer = caller.call("sessions/close", {"session": "s"})
    assert (answer.session, answer.bytes) == ("s", loaded.bytes)
    assert caller.sessions() == {}
    assert caller.taken_bytes() == 0
    assert caller.rows_error().kind == "unknown_session"


def test_an_unknown_session_is_named_with_those_that_are_known() -> None:
    caller = Caller()
    caller.load_table(NUMBERS, "known")
    for method in ("sessions/close", "tables/rows"):
        error = caller.error(method, {"session": "nope"})
        assert (error.kind, error.data) == ("unknown_session", {"session": "nope", "sessions": ["known"]})


@pytest.mark.parametrize("how", ["close", "replace"])
def test_the_memory_of_a_sorted_table_is_returned(how: str) -> None:
    """The row order that is kept for it must not hold it."""
    caller = Caller()
    registry = caller.methods["sessions/list"].handler.__self__  # type: ignore[attr-defined]
    caller.load(parquet=parquet_payload(parquet_bytes(NUMBERS)), session="s")  # decoded: in memory of Arrow's
    caller.rows(sort=[{"column": "a", "descending": True}])
    table = weakref.ref(registry.get("s").table)
    before = pa.total_allocated_bytes()
    if how == "close":
        caller.call("sessions/close", {"session": "s"})
    else:
        caller.load_table(NUMBERS.slice(0, 0))
    gc.collect()
    assert table() is None
    assert pa.total_allocated_bytes() <= before - NUMBERS_BYTES


def test_a_load_that_fits_exactly_is_let_in_and_one_byte_less_is_not() -> None:
    needed = max(len(stream_bytes(NUMBERS)), NUMBERS_BYTES)
    Caller(memory_limit_bytes=needed).load_table(NUMBERS)
    error = Caller(memory_limit_bytes=needed - 1).load_error(**load(NUMBERS))
    assert error.kind == "memory_limit"
    assert error.data == {"bytes": needed, "taken_bytes": 0, "memory_limit_bytes": needed - 1, "sessions": []}


def test_a_refusal_lists_the_sessions_and_their_sizes() -> None:
    caller = Caller(memory_limit_bytes=20_000)
    one = caller.load_table(NUMBERS, "one", label="numbers")
    error = caller.load_error(**load(pa.table({"b": pa.array(range(2000), pa.int64())}), session="two"))
    assert error.kind == "memory_limit"
    assert error.data["sessions"] == [{"session": "one", "path": "numbers", "bytes": one.bytes}]
    assert error.data["taken_bytes"] == one.bytes
    assert set(caller.sessions()) == {"one"}
    caller.call("sessions/close", {"session": "one"})
    assert caller.load(**load(pa.table({"b": pa.array(range(2000), pa.int64())}))).rows == 2000


def test_the_session_that_would_be_replaced_still_counts() -> None:
    """Both tables are in memory until the swap."""
    caller = Caller(memory_limit_bytes=12_000)
    caller.load_table(NUMBERS)
    error = caller.load_error(**load(NUMBERS.slice(0, 900), session="s"))
    assert error.kind == "memory_limit"
    assert [session["session"] for session in error.data["sessions"]] == ["s"]
    assert caller.rows().num_rows == 1000


def test_loads_under_way_count() -> None:
    sessions = Sessions(memory_limit_bytes=100)
    with sessions.claim("one") as one:
        one.hold(60)
        with sessions.claim("two") as two:
            with pytest.raises(Exception, match="two takes 41 bytes, 60 are taken already, the limit is 100"):
                two.hold(41)
            two.hold(40)
            with pytest.raises(Exception, match="takes 61 bytes, 40 are taken"):
                one.hold(61)
        one.hold(100)  # the second gave its claim back
    assert sessions.list_sessions(None, None).bytes == 0  # type: ignore[arg-type]


WIDE = pa.table({"a": pa.array(range(20_000), pa.int64())})


@pytest.mark.parametrize(
    ("params", "unit"),
    [
        pytest.param({"parquet": parquet_payload(parquet_bytes(WIDE, row_group_size=1000))}, "rows", id="parquet"),
        pytest.param(
            {"arrow_ipc": arrow_payload(stream_bytes(pa.table({"a": ["x" * 1000] * 2000}), 10, compression="zstd"))},
            "batches",
            id="compressed batches",
        ),
    ],
)
def test_a_table_over_the_limit_is_refused_half_way_and_gives_all_back(params: dict[str, Any], unit: str) -> None:
    caller = Caller(memory_limit_bytes=100_000)
    context = RecordingContext()
    error = caller.error("load", params, context)
    assert error.kind == "memory_limit"
    assert len(context.progress_calls) > 1
    done, total, unit_told = context.progress_calls[-1]
    assert unit_told == unit
    assert total is None or done < total
    assert caller.taken_bytes() == 0
    assert caller.load_table(NUMBERS).rows == 1000


def test_a_text_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_text("a\n" + "123456789\n" * 50_000)
    caller = Caller(memory_limit_bytes=100_000)
    assert caller.load_error(path=str(tmp_path / "big.csv")).kind == "memory_limit"
    assert caller.taken_bytes() == 0


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"arrow_ipc": arrow_payload(stream_bytes(NUMBERS)[:-100])}, id="cut"),
        pytest.param({"arrow_ipc": arrow_payload(file_bytes(NUMBERS)[:-4])}, id="no footer"),
        pytest.param({"parquet": parquet_payload(parquet_bytes(NUMBERS)[:-4])}, id="cut Parquet"),
        pytest.param({"path": "/no/such/file"}, id="missing"),
    ],
)
def test_claims_are_returned_after_failures(params: dict[str, Any]) -> None:
    caller = Caller()
    caller.load_error(**params)
    assert caller.taken_bytes() == 0


def test_a_cancelled_load_returns_its_claim() -> None:
    caller = Caller()
    assert caller.error("load", load(NUMBERS), RecordingContext(cancel_after=0)).kind == "cancelled"
    assert caller.taken_bytes() == 0


BOMBS = {
    "run ends": pa.table({"a": pa.RunEndEncodedArray.from_arrays(pa.array([20_000_000], pa.int32()), [1])}),
    "list views": pa.table(
        {"a": pa.ListViewArray.from_arrays(pa.array([0] * 2000, pa.int32()), [10_000] * 2000, pa.array(range(10_000)))}
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_expands_is_refused_before_it_does(name: str) -> None:
    """A few hundred bytes, or 100 kB, that stand for 160 MB."""
    caller = Caller(memory_limit_bytes=1024 * 1024)
    peak = pa.default_memory_pool().max_memory()
    error = caller.load_error(arrow_ipc=arrow_payload(stream_bytes(BOMBS[name])))
    assert error.kind == "memory_limit"
    assert pa.default_memory_pool().max_memory() - peak < 16 * 1024 * 1024


def test_a_column_of_one_value_is_refused_before_it_is_decoded() -> None:
    data = parquet_bytes(pa.table({"a": pa.repeat(7, 20_000_000)}), row_group_size=20_000_000)
    assert len(data) < 1024 * 1024
    error = Caller(memory_limit_bytes=1024 * 1024).load_error(parquet=parquet_payload(data))
    assert error.kind == "memory_limit"


@pytest.mark.parametrize("column", [pa.repeat(True, 1_000_000), pa.nulls(1_000_000)], ids=["bool", "null"])
def test_narrow_columns_are_claimed_as_what_they_take(column: pa.Array) -> None:
    table = pa.table({f"c{index}": column for index in range(20)})
    assert Caller(memory_limit_bytes=15 * 1024 * 1024).load(parquet=parquet_payload(parquet_bytes(table))).rows == 10**6
