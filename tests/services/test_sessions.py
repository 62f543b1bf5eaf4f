"""The registry: list, close, replace, and the memory limit over sessions and loads under way."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services.cache import Cache, Owner
from sidecar.services.sessions import REMEMBERED_EVICTIONS, CloseParams, Session, Sessions

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


# -- what is kept of tables ----------------------------------------------------------------------------------


def test_a_row_order_counts_as_cached_and_goes_with_its_session() -> None:
    caller = Caller()
    table = caller.load_table(NUMBERS).bytes
    caller.rows(sort=[{"column": "a", "descending": True}])
    info = caller.sessions()["s"]
    assert info.cached_bytes == 4 * 1000
    assert info.bytes == caller.taken_bytes() == table + info.cached_bytes
    assert caller.call("sessions/close", {"session": "s"}).bytes == info.bytes
    assert caller.taken_bytes() == 0


def test_a_column_that_is_joined_counts_beside_the_payload_until_all_are() -> None:
    caller = Caller()
    table = pa.table({"a": pa.array(range(1000)), "b": pa.array(range(1000))})
    payload = caller.load(arrow_ipc=arrow_payload(stream_bytes(table, 100)), session="s").bytes
    for columns, joined in ((["a"], 8000 + payload - 9 * 512), (["a", "b"], 16000)):
        caller.rows(columns=columns, sort=[{"column": "a"}])
        info = caller.sessions()["s"]
        assert info.bytes - info.cached_bytes == joined


def test_what_is_cached_makes_room_for_a_load() -> None:
    """It can be made again; nothing is refused for its sake."""
    sessions, cache = Sessions(100), Cache(50)
    sessions.register(cache)
    sessions.put(session("s", 40))
    for key in "ab":
        cache.keep(sessions.get("s").table.owner, key, key, 20)
    with sessions.claim("new") as claim:
        claim.hold(20)
        assert (cache.bytes, total(sessions)) == (40, 100)
        claim.hold(21)
        assert (cache.bytes, total(sessions)) == (20, 81)
        claim.hold(60)
        assert (cache.bytes, total(sessions)) == (0, 100)
        cache.keep(sessions.get("s").table.owner, "c", "c", 1)
        assert (cache.bytes, total(sessions)) == (0, 100)  # nor does it take what is not there


def test_a_refusal_leaves_what_is_cached() -> None:
    sessions, cache = Sessions(100), Cache(50)
    sessions.register(cache)
    sessions.put(session("s", 40))
    cache.keep(sessions.get("s").table.owner, "a", "a", 20)
    with sessions.claim("new") as claim, pytest.raises(SidecarError, match="takes 61 bytes, 40 are taken"):
        claim.hold(61)
    assert total(sessions) == 60


def test_a_table_counts_until_nobody_reads_it_any_more() -> None:
    """Work under way goes on with what it has, also when the session is closed or replaced."""
    sessions = Sessions()
    sessions.put(session("s", 100))
    table = sessions.get("s").table
    sessions.put(session("s", 10))
    assert total(sessions) == 110
    del table
    assert total(sessions) == 10


def close(sessions: Sessions, id: str) -> int:
    return sessions.close_session(CloseParams(id), RecordingContext()).bytes


def test_a_closed_table_counts_until_nobody_reads_it_any_more() -> None:
    sessions = Sessions(100)
    sessions.put(session("s", 60))
    table = sessions.get("s").table
    assert close(sessions, "s") == 60
    assert (sessions.ids(), total(sessions)) == ([], 60)
    with sessions.claim("new") as claim, pytest.raises(SidecarError, match="60 are taken already"):
        claim.hold(41)
    del table
    assert total(sessions) == 0


def test_a_cancelled_close_leaves_the_session() -> None:
    caller = Caller()
    size = caller.load_table(NUMBERS).bytes
    assert caller.error("sessions/close", {"session": "s"}, RecordingContext(cancel_after=0)).kind == "cancelled"
    assert (caller.taken_bytes(), caller.rows(stop=1).num_rows) == (size, 1)


def test_a_table_counts_once_when_it_becomes_a_session() -> None:
    sessions = Sessions()
    with sessions.claim("new") as claim:
        claim.hold(100)
        sessions.put(session("s", 100), claim)
        assert total(sessions) == 100
    assert total(sessions) == 100


def test_a_refused_claim_is_as_before() -> None:
    sessions = Sessions(100)
    with sessions.claim("new") as claim:
        claim.hold(60)
        with pytest.raises(SidecarError):
            claim.hold(101)
        assert claim.bytes == total(sessions) == 60
    assert total(sessions) == 0


def test_it_is_told_where_memory_became_free() -> None:
    freed: list[int] = []
    sessions = Sessions(on_freed=lambda: freed.append(total(sessions)))
    with sessions.claim("new") as claim:
        claim.hold(10)
        sessions.put(session("s", 5), claim)
        assert freed == []
    assert freed == [5]
    with pytest.raises(SidecarError), sessions.claim("new"):
        sessions.get("none")
    assert freed == [5, 5]
    close(sessions, "s")
    assert len(freed) == 3
    with pytest.raises(SidecarError):
        close(sessions, "s")
    assert len(freed) == 3


# -- eviction ------------------------------------------------------------------------------------------------

ONE = len(stream_bytes(NUMBERS))


class Sized:
    """A table of some bytes."""

    def __init__(self, size: int) -> None:
        self.bytes, self.rows, self.schema, self.owner = size, 0, pa.schema([]), Owner()


def session(id: str, size: int) -> Session:
    return Session(id, f"{id}.parquet", id, "path", "parquet", "eager", Sized(size), [])  # type: ignore[arg-type]


def total(sessions: Sessions) -> int:
    return sessions.list_sessions(None, None).bytes  # type: ignore[arg-type]


class Evicting:
    """Sessions of 30, 20 and 40 bytes, named in this order, under a limit of 100."""

    def __init__(self, evicts: bool = True) -> None:
        self.told: list[dict[str, Any]] = []
        self.sessions = Sessions(100, evicts, self._notify)
        for id, size in {"a": 30, "b": 20, "c": 40}.items():
            self.sessions.put(session(id, size))

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        assert method == "sessions/evicted"
        self.told.append(params)

    def hold(self, size: int, replaced: str | None = None) -> None:
        with self.sessions.claim("new", replaced) as claim:
            claim.hold(size)

    def ids(self) -> str:
        return "".join(info.session for info in self.sessions.list_sessions(None, None).sessions)  # type: ignore[arg-type]

    def evicted(self) -> str:
        return "".join(params["session"] for params in self.told)


@pytest.mark.parametrize(
    ("named", "size", "replaced", "evicted"),
    [
        pytest.param("", 10, None, "", id="fits"),
        pytest.param("", 11, None, "a", id="one byte too many"),
        pytest.param("", 40, None, "a", id="as much as the oldest has"),
        pytest.param("", 41, None, "ab", id="more than that"),
        pytest.param("", 100, None, "abc", id="all"),
        pytest.param("a", 11, None, "b", id="a request named the oldest"),
        pytest.param("ab", 60, None, "ca", id="order of use"),
        pytest.param("", 11, "a", "b", id="not what is replaced"),
        pytest.param("", 70, "a", "bc", id="nor then"),
    ],
)
def test_the_least_recently_named_go_and_no_more_than_needed(
    named: str, size: int, replaced: str | None, evicted: str
) -> None:
    case = Evicting()
    for id in named:
        case.sessions.get(id)
    case.hold(size, replaced)
    assert case.evicted() == evicted
    assert set(case.ids()) == set("abc") - set(evicted)
    assert all(params == told(params["session"]) for params in case.told)


def told(id: str) -> dict[str, Any]:
    size = {"a": 30, "b": 20, "c": 40}[id]
    return {"session": id, "path": f"{id}.parquet", "bytes": size, "reason": "memory_limit"}


@pytest.mark.parametrize(
    ("evicts", "size", "replaced"),
    [
        pytest.param(False, 11, None, id="not asked for"),
        pytest.param(True, 101, None, id="more than all"),
        pytest.param(True, 71, "a", id="more than all that may go"),
    ],
)
def test_nothing_goes_where_that_would_not_be_enough(evicts: bool, size: int, replaced: str | None) -> None:
    case = Evicting(evicts)
    with pytest.raises(SidecarError) as caught:
        case.hold(size, replaced)
    assert caught.value.kind == "memory_limit"
    assert [entry["session"] for entry in caught.value.data["sessions"]] == ["a", "b", "c"]
    assert (case.told, case.ids(), total(case.sessions)) == ([], "abc", 90)


def test_what_work_reads_is_not_evicted_for_that_would_free_nothing() -> None:
    case = Evicting()
    reading = case.sessions.get("a").table
    case.sessions.get("b")
    case.sessions.get("c")
    case.hold(11)
    assert case.evicted() == "b"
    with pytest.raises(SidecarError, match="70 are taken already"):
        case.hold(71)
    assert case.evicted() == "b"
    del reading
    case.hold(71)
    assert case.evicted() == "bac"


def test_an_evicted_session_is_known_as_such_until_it_is_loaded_again() -> None:
    case = Evicting()
    case.hold(11)
    for id, data in {"a": {"evicted": True}, "z": {}}.items():
        with pytest.raises(SidecarError) as caught:
            case.sessions.get(id)
        assert caught.value.kind == "unknown_session"
        assert caught.value.data == {"session": id, "sessions": ["b", "c"], **data}
    case.sessions.put(session("a", 1))
    assert case.sessions.get("a").table.bytes == 1


def test_an_evicted_session_that_was_loaded_and_closed_is_just_unknown() -> None:
    case = Evicting()
    case.hold(11)
    case.sessions.put(session("a", 1))
    close(case.sessions, "a")
    assert not is_remembered(case.sessions, "a")


def test_a_session_without_bytes_is_not_evicted_for_that_would_free_nothing() -> None:
    told: list[Any] = []
    sessions = Sessions(100, True, lambda _, params: told.append(params["session"]))
    for id, size in {"lazy": 0, "old": 40, "new": 40}.items():
        sessions.put(session(id, size))
    with sessions.claim("next") as claim:
        claim.hold(50)
    assert (told, sessions.ids()) == (["old"], ["lazy", "new"])


def test_only_so_many_evictions_are_remembered() -> None:
    sessions = Sessions(1, evicts=True)
    for number in range(REMEMBERED_EVICTIONS + 2):
        sessions.put(session(str(number), 1))
        with sessions.claim("next") as claim:
            claim.hold(1)
    remembered = [id for id in map(str, range(REMEMBERED_EVICTIONS + 2)) if is_remembered(sessions, id)]
    assert remembered == [str(number) for number in range(2, REMEMBERED_EVICTIONS + 2)]


def is_remembered(sessions: Sessions, id: str) -> bool:
    with pytest.raises(SidecarError) as caught:
        sessions.get(id)
    return "evicted" in caught.value.data


def test_a_load_evicts_what_was_not_asked_for_the_longest() -> None:
    caller = Caller(memory_limit_bytes=2 * ONE + ONE // 2, evict=True)
    for id in ("one", "two"):
        caller.load_table(NUMBERS, id)
    caller.rows("one", stop=1)
    caller.load_table(NUMBERS, "three")
    assert set(caller.sessions()) == {"one", "three"}
    assert caller.rows_error("two").data["evicted"] is True
    assert caller.load_error(arrow_ipc=arrow_payload(stream_bytes(WIDE))).kind == "memory_limit"
    assert set(caller.sessions()) == {"one", "three"}


# -- bombs ---------------------------------------------------------------------------------------------------

LONG = [f"{number}" * 5000 for number in range(4)]
LONG_ROWS = 20_000
REPEATING = {
    "string": pa.array(LONG * (LONG_ROWS // 4)),
    "large string": pa.array(LONG * (LONG_ROWS // 4), pa.large_string()),
    "string view": pa.array(LONG * (LONG_ROWS // 4), pa.string_view()),
    "binary": pa.array([text.encode() for text in LONG] * (LONG_ROWS // 4)),
    "json": pa.array([f'"{text}"' for text in LONG] * (LONG_ROWS // 4), pa.json_()),
    "in lists": pa.array([LONG] * (LONG_ROWS // 4)),
    "in structs": pa.array([{"n": 1, "text": text} for text in LONG] * (LONG_ROWS // 4)),
    "in maps": pa.array([[("key", text)] for text in LONG] * (LONG_ROWS // 4), pa.map_(pa.string(), pa.string())),
}


def growth(caller: Caller, **params: Any) -> int:
    """What Arrow allocates at most while a load is refused."""
    pool = pa.default_memory_pool()
    peak, now = pool.max_memory(), pool.bytes_allocated()
    ballast = pa.allocate_buffer(max(0, peak - now))  # so that any more raises the peak
    before = pool.max_memory()
    assert caller.load_error(**params).kind == "memory_limit"
    del ballast
    return pool.max_memory() - before


@pytest.mark.parametrize("column", REPEATING.values(), ids=REPEATING)
def test_long_values_of_a_dictionary_are_refused_before_they_are_repeated(column: pa.Array) -> None:
    """100 MB in a file of a few hundred bytes."""
    data = parquet_bytes(pa.table({"a": column}))
    assert len(data) < 200_000
    caller = Caller(memory_limit_bytes=8 * 1024 * 1024)
    assert growth(caller, parquet=parquet_payload(data)) < 16 * 1024 * 1024
    assert Caller(memory_limit_bytes=256 * 1024 * 1024).load(parquet=parquet_payload(data)).rows == len(column)


def test_a_dictionary_with_one_long_value_is_counted_by_the_rows_that_have_it() -> None:
    """The bound by its longest value would refuse it; the exact figure does not."""
    column = pa.array(["x" * 100_000, *["y"] * 100_000])
    data = parquet_bytes(pa.table({"a": column}))
    assert Caller(memory_limit_bytes=2 * 1024 * 1024).load(parquet=parquet_payload(data)).rows == 100_001


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("encode", [stream_bytes, file_bytes], ids=["stream", "file"])
@pytest.mark.parametrize("kind", ["values", "dictionary"])
def test_compressed_batches_are_refused_before_they_are_decompressed(codec: str, encode: Any, kind: str) -> None:
    column = pa.array(["x" * 1_000_000] * 64)
    if kind == "dictionary":
        column = pa.array([f"{number}" + "x" * 1_000_000 for number in range(64)]).dictionary_encode()
    data = encode(pa.table({"a": column, "b": pa.nulls(64)}), compression=codec)
    assert len(data) < 2 * 1024 * 1024
    caller = Caller(memory_limit_bytes=8 * 1024 * 1024)
    assert growth(caller, arrow_ipc=arrow_payload(data)) < 1024 * 1024
    assert Caller(memory_limit_bytes=96 * 1024 * 1024).load(arrow_ipc=arrow_payload(data)).rows == 64


def test_many_nulls_in_one_row_group_take_next_to_nothing() -> None:
    """200 bytes that would take 600 MB to decode in one go."""
    rows = 100_000_000
    data = parquet_bytes(pa.table({"a": pa.nulls(rows)}), row_group_size=rows)
    pool = pa.default_memory_pool()
    before = pool.max_memory()
    assert Caller(memory_limit_bytes=64 * 1024 * 1024).load(parquet=parquet_payload(data)).rows == rows
    assert pool.max_memory() - before < 128 * 1024 * 1024
