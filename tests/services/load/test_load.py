"""The method `load`: one source, its names, its session, and the swap that happens whole or not at all."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import Cancelled
from sidecar.services.load.formats import BY_EXTENSION

from ..caller import (
    Caller,
    RecordingContext,
    arrow_payload,
    file_bytes,
    parquet_bytes,
    parquet_payload,
    stream_bytes,
)

TABLE = pa.table(
    {"a": pa.array([3, 1, 2], pa.int32()), "b": ["x", None, "z"]},
    schema=pa.schema([pa.field("a", pa.int32(), nullable=False), pa.field("b", pa.string())]),
)
STREAM, FILE, PARQUET = stream_bytes(TABLE), file_bytes(TABLE), parquet_bytes(TABLE)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


SOURCES = {
    "arrow_ipc stream": {"arrow_ipc": arrow_payload(STREAM)},
    "arrow_ipc file": {"arrow_ipc": arrow_payload(FILE)},
    "parquet": {"parquet": parquet_payload(PARQUET)},
    "arrow_ipc_b64 stream": {"arrow_ipc_b64": b64(STREAM)},
    "arrow_ipc_b64 file": {"arrow_ipc_b64": b64(FILE)},
    "parquet_b64": {"parquet_b64": b64(PARQUET)},
}


@pytest.mark.parametrize("params", SOURCES.values(), ids=SOURCES)
def test_every_source_of_bytes(params: dict[str, Any]) -> None:
    caller = Caller()
    answer = caller.load(**params)
    kind = next(iter(params))
    assert re.fullmatch("[0-9a-f]{32}", answer.session)
    assert (answer.source, answer.path, answer.filename, answer.mode) == (kind, "<inline>", "<inline>", "eager")
    assert (answer.rows, answer.warnings) == (3, [])
    assert [(c.name, c.dtype, c.nullable) for c in answer.columns] == [("a", "int32", False), ("b", "string", True)]
    assert answer.bytes == caller.sessions()[answer.session].bytes > 0
    assert caller.rows(answer.session).to_pydict() == TABLE.to_pydict()


@pytest.mark.parametrize(
    ("label", "path", "filename"),
    [(None, "<inline>", "<inline>"), ("", "<inline>", "<inline>"), ("dir/t.arrow", "dir/t.arrow", "t.arrow")],
)
def test_bytes_are_called_by_their_label(label: str | None, path: str, filename: str) -> None:
    answer = Caller().load(arrow_ipc=arrow_payload(STREAM), label=label)
    assert (answer.path, answer.filename) == (path, filename)


@pytest.mark.parametrize(("label", "shown"), [(None, None), ("my table", "my table")])
def test_a_file_keeps_its_name_under_a_label(tmp_path: Path, label: str | None, shown: str | None) -> None:
    path = str(tmp_path / "t.parquet")
    Path(path).write_bytes(PARQUET)
    answer = Caller().load(path=path, label=label)
    assert (answer.path, answer.filename, answer.source) == (shown or path, "t.parquet", "path")


def test_none_and_several_sources() -> None:
    caller = Caller()
    error = caller.load_error(session="s")
    assert error.kind == "source_missing"
    assert error.data["sources"] == ["path", "arrow_ipc", "parquet", "arrow_ipc_b64", "parquet_b64", "stream"]
    error = caller.load_error(path="x", parquet_b64="", parquet=parquet_payload(PARQUET))
    assert (error.kind, error.data["sources"]) == ("source_conflict", ["path", "parquet", "parquet_b64"])
    assert caller.sessions() == {}


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"path": 5}, "path"),
        ({"path": "x", "mode": "later"}, "mode"),
        ({"path": "x", "session": 1}, "session"),
        ({"path": "x", "label": []}, "label"),
        ({"path": "x", "nonsense": 1}, "nonsense"),
        ({"arrow_ipc": "text"}, "arrow_ipc"),
    ],
)
def test_every_field_is_checked(params: dict[str, Any], names: str) -> None:
    error = Caller().load_error(**params)
    assert error.kind == "invalid_params"
    assert names in error.message


@pytest.mark.parametrize("text", ["!!!!", "QUJD=QUJD", "QUJ", "ä", "QU JD", "QUJD\n"])
@pytest.mark.parametrize("field", ["arrow_ipc_b64", "parquet_b64"])
def test_base64_that_is_not(field: str, text: str) -> None:
    error = Caller().load_error(**{field: text})
    assert (error.kind, error.data) == ("invalid_base64", {"field": field})


def test_a_given_session_is_used_and_minted_ones_differ() -> None:
    caller = Caller()
    assert caller.load_table(TABLE, "mine").session == "mine"
    minted = {caller.load(arrow_ipc=arrow_payload(STREAM)).session for _ in range(3)}
    assert len(minted) == 3
    assert set(caller.sessions()) == {"mine", *minted}


def corrupt_second_batch() -> bytes:
    """Compressed, so that a change in the body of the second batch is noticed half-way through."""
    table = pa.table({"a": pa.array(range(4096), pa.int64())})
    data = bytearray(stream_bytes(table, 2048, compression="zstd"))
    place = data.rindex(b"\x28\xb5\x2f\xfd")  # Zstandard's magic number
    data[place] ^= 0xFF
    return bytes(data)


def corrupt_second_group() -> bytes:
    table = pa.table({"a": pa.array(range(4096), pa.int64())})
    data = bytearray(
        parquet_bytes(table, row_group_size=2048, compression="none", use_dictionary=False, write_page_checksum=True)
    )
    data[len(data) // 2 + 4096] ^= 0xFF
    return bytes(data)


FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "no source": ({}, "source_missing"),
    "two sources": ({"path": "x", "parquet_b64": "x"}, "source_conflict"),
    "missing file": ({"path": "/no/such/file"}, "file_not_found"),
    "directory": ({"path": "/"}, "not_a_file"),
    "no base64": ({"arrow_ipc_b64": "?"}, "invalid_base64"),
    "cut": ({"arrow_ipc": arrow_payload(STREAM[:-20])}, "invalid_file"),
    "second batch": ({"arrow_ipc": arrow_payload(corrupt_second_batch())}, "invalid_file"),
    "second row group": ({"parquet": parquet_payload(corrupt_second_group())}, "invalid_file"),
    "no lazy form": ({"arrow_ipc": arrow_payload(STREAM), "mode": "lazy"}, "lazy_unsupported"),
    "too large": ({"parquet": parquet_payload(parquet_bytes(pa.table({"a": range(100_000)})))}, "memory_limit"),
    "lazy cut": ({"parquet": parquet_payload(PARQUET[:-9]), "mode": "lazy"}, "invalid_file"),
}


@pytest.mark.parametrize(("params", "kind"), FAILING.values(), ids=FAILING)
def test_a_failing_load_leaves_the_old_session_and_makes_none(params: dict[str, Any], kind: str) -> None:
    caller = Caller(memory_limit_bytes=200_000)
    caller.load_table(TABLE, "s", label="old")
    order = caller.rows(sort=[{"column": "a"}]).to_pydict()
    before = caller.sessions()
    context = RecordingContext()
    assert caller.error("load", {**params, "session": "s"}, context).kind == kind
    assert caller.error("load", {**params, "session": "new"}).kind == kind
    assert caller.error("load", params).kind == kind
    assert context.commits == 0
    assert caller.sessions() == before
    assert caller.rows(sort=[{"column": "a"}]).to_pydict() == order


@pytest.mark.parametrize("params", [*SOURCES.values()], ids=[*SOURCES])
def test_a_cancel_at_any_moment_before_the_commit_leaves_everything_as_it_was(params: dict[str, Any]) -> None:
    caller = Caller()
    caller.load_table(TABLE.slice(0, 1), "s", label="old")
    before = caller.sessions()
    whole = RecordingContext()
    caller.call("load", {**params, "session": "other"}, whole)
    caller.call("sessions/close", {"session": "other"})
    assert whole.commits == 1
    for looks in range(whole.looks):
        context = RecordingContext(cancel_after=looks)
        assert caller.error("load", {**params, "session": "s"}, context).kind == "cancelled"
        assert context.commits == 0
        assert caller.sessions() == before
        assert caller.taken_bytes() == before["s"].bytes
    caller.call("load", {**params, "session": "s"}, RecordingContext(cancel_after=whole.looks))
    assert caller.sessions()["s"].rows == 3


class CommitWatch(RecordingContext):
    """Notes what a host would see at the moment of the commit, which is where the last cancel may still come."""

    def __init__(self, caller: Caller, comes_cancel: bool) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self._caller = caller
        self._comes_cancel = comes_cancel

    def commit(self) -> None:
        self.seen.append(self._caller.sessions())
        if self._comes_cancel:
            raise Cancelled
        super().commit()


@pytest.mark.parametrize("session", ["old", "new"])
@pytest.mark.parametrize(
    "params",
    [SOURCES["arrow_ipc stream"], {**SOURCES["parquet"], "mode": "lazy"}],
    ids=["eager", "lazy"],
)
def test_a_load_commits_before_its_session_is_seen(params: dict[str, Any], session: str) -> None:
    """After the commit nobody is told that the load was cancelled, so nothing of it may be there before."""
    caller = Caller()
    caller.load_table(TABLE.slice(0, 1), "old")
    before, taken = caller.sessions(), caller.taken_bytes()
    cancelled = CommitWatch(caller, comes_cancel=True)
    assert caller.error("load", {**params, "session": session}, cancelled).kind == "cancelled"
    assert (cancelled.seen, caller.sessions(), caller.taken_bytes()) == ([before], before, taken)
    served = CommitWatch(caller, comes_cancel=False)
    assert caller.call("load", {**params, "session": session}, served).rows == 3
    assert (served.seen, served.commits) == ([before], 1)
    assert caller.sessions()[session].rows == 3


def test_a_close_commits_before_its_session_is_gone() -> None:
    caller = Caller()
    caller.load_table(TABLE)
    before = caller.sessions()
    cancelled, served = CommitWatch(caller, comes_cancel=True), CommitWatch(caller, comes_cancel=False)
    assert caller.error("sessions/close", {"session": "s"}, cancelled).kind == "cancelled"
    assert (cancelled.seen, caller.sessions()) == ([before], before)
    caller.call("sessions/close", {"session": "s"}, served)
    assert (served.seen, caller.sessions()) == ([before], {})


def test_a_new_load_replaces_the_table_and_what_was_kept_of_it() -> None:
    caller = Caller()
    caller.load_table(TABLE)
    assert caller.rows(sort=[{"column": "a"}])["a"].to_pylist() == [1, 2, 3]
    caller.load_table(pa.table({"a": [9, 7, 8, 6]}))
    assert caller.rows(sort=[{"column": "a"}])["a"].to_pylist() == [6, 7, 8, 9]


@pytest.mark.parametrize("name", ["f.parquet", "f.arrow", "f.arrows", "f.csv", "f.ndjson"])
def test_progress_never_goes_back_and_ends_with_all(tmp_path: Path, name: str) -> None:
    table = pa.table({"a": pa.array(range(5000), pa.int64())})
    content = {
        "f.parquet": parquet_bytes(table, row_group_size=500),
        "f.arrow": file_bytes(table, 500),
        "f.arrows": stream_bytes(table, 500),
        "f.csv": b"a\n" + b"".join(b"%d\n" % i for i in range(5000)),
        "f.ndjson": b"".join(b'{"a":%d}\n' % i for i in range(5000)),
    }[name]
    (tmp_path / name).write_bytes(content)
    context = RecordingContext()
    Caller().call("load", {"path": str(tmp_path / name)}, context)
    ends = {}
    for unit in ("bytes", "batches", "rows"):
        done = [done for done, _, told in context.progress_calls if told == unit]
        assert done == sorted(done)
        if done:
            ends[unit] = done[-1]
    assert ends in ({"rows": 5000}, {"bytes": len(content), "batches": 10})


def test_a_column_name_that_is_not_utf8_is_refused_before_the_swap() -> None:
    caller = Caller()
    data = stream_bytes(pa.table({"abcdefgh": [1]})).replace(b"abcdefgh", b"abc\xff\xfefgh")
    error = caller.load_error(arrow_ipc=arrow_payload(data), session="s")
    assert error.kind == "invalid_file"
    assert caller.sessions() == {}


@pytest.mark.parametrize(
    ("names", "renamed"),
    [
        (["a", "a"], ["a", "a_2"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a_2", "a"], ["a", "a_2", "a_3"]),
        (["", ""], ["", "_2"]),
    ],
)
@pytest.mark.parametrize("form", ["arrow_ipc", "parquet"])
def test_of_two_columns_with_one_name_the_second_is_renamed(names: list[str], renamed: list[str], form: str) -> None:
    table = pa.table([pa.array([i]) for i in range(len(names))], names=names)
    data = parquet_payload(parquet_bytes(table)) if form == "parquet" else arrow_payload(stream_bytes(table))
    caller = Caller()
    answer = caller.load(**{form: data, "session": "s"})
    assert [column.name for column in answer.columns] == renamed
    assert len(answer.warnings) == sum(old != new for old, new in zip(names, renamed, strict=True))
    assert all(repr(renamed[-1]) in warning for warning in answer.warnings[-1:])
    assert caller.json_rows() == [dict(zip(renamed, range(len(names)), strict=True))]


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(pa.table({}), id="no columns"),
        pytest.param(pa.table({"a": pa.array([], pa.int8())}), id="no rows"),
        pytest.param(pa.table({f"c{i}": pa.array([i, None]) for i in range(5000)}), id="5000 columns"),
    ],
)
@pytest.mark.parametrize("form", ["stream", "file", "parquet"])
def test_odd_shapes(table: pa.Table, form: str) -> None:
    caller = Caller()
    encode = {"stream": stream_bytes, "file": file_bytes, "parquet": parquet_bytes}[form]
    key = "parquet" if form == "parquet" else "arrow_ipc"
    answer = caller.load(**{key: arrow_payload(encode(table)), "session": "s"})
    assert (answer.rows, [column.name for column in answer.columns]) == (table.num_rows, table.column_names)
    assert caller.rows().to_pydict() == table.to_pydict()
    if table.num_columns:
        name = table.column_names[-1]
        page = caller.rows(sort=[{"column": name}], columns=[name])
        assert page.to_pydict() == {name: table[name].to_pylist()}


@pytest.mark.parametrize(
    ("method", "params", "place", "expected"),
    [
        ("load", {"mode": "Lazy"}, "params.mode", ["eager", "lazy"]),
        ("load", {"format": "xlsx"}, "params.format", sorted(BY_EXTENSION.values())),
        ("tables/rows", {"session": "s", "format": "csv"}, "params.format", ["arrow", "parquet", "json"]),
        ("tables/rows", {"session": "s", "filter": [{"column": "a", "op": "=="}]}, "params.filter[0].op", None),
    ],
)
def test_a_word_that_is_none_of_the_choice(method: str, params: dict[str, Any], place: str, expected: Any) -> None:
    error = Caller().error(method, params)
    assert (error.kind, place in error.message) == ("invalid_params", True)
    assert {*(expected or ["eq", "between"])} <= {*error.data["expected"]}
    assert all(word in error.message for word in error.data["expected"])
