"""Lazy sessions: each page reads the pieces that it needs, from a file that may change, vanish or be replaced."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.services.cache import Cache
from sidecar.services.lazy import LazyTable, piece_cache

from .caller import (
    Caller,
    RecordingContext,
    arrow_payload,
    file_bytes,
    parquet_bytes,
    parquet_payload,
    stream_bytes,
)

ROWS = 1000
TABLE = pa.table(
    {
        "a": pa.array([row * 7 % ROWS for row in range(ROWS)], pa.int64()),
        "b": pa.array([f"v{row}" if row % 10 else None for row in range(ROWS)]),
        "d": pa.array([f"d{row % 3}" for row in range(ROWS)]).dictionary_encode(),
        "l": pa.array([[row] for row in range(ROWS)]),
    }
)
CONTENT = {"parquet": parquet_bytes(TABLE, row_group_size=100), "arrow": file_bytes(TABLE, 100)}


@pytest.fixture(params=CONTENT)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def load(caller: Caller, form: str, path: Path | None, content: bytes | None = None, **params: Any) -> Any:
    content = CONTENT[form] if content is None else content
    if path is not None:
        path.write_bytes(content)
        return caller.load(path=str(path), mode="lazy", session="s", **params)
    key = "parquet" if form == "parquet" else "arrow_ipc"
    return caller.load(**{key: parquet_payload(content)}, mode="lazy", session="s", **params)


@pytest.mark.parametrize("source", ["path", "bytes"])
def test_pages_are_those_of_the_eager_table(tmp_path: Path, form: str, source: str) -> None:
    caller = Caller()
    answer = load(caller, form, tmp_path / f"t.{form}" if source == "path" else None)
    assert (answer.mode, answer.rows, answer.bytes) == ("lazy", ROWS, 0)
    assert [column.name for column in answer.columns] == TABLE.column_names
    rows = TABLE.to_pylist()
    for start, stop in ((0, ROWS), (0, 1), (95, 105), (100, 200), (250, 251), (999, 1000), (1000, 1000), (0, 0)):
        assert caller.rows(start=start, stop=stop).to_pylist() == rows[start:stop]
    by_a = sorted(rows, key=lambda row: row["a"])
    for start, stop in ((0, ROWS), (0, 10), (500, 533), (1000, 1000)):
        assert caller.rows(start=start, stop=stop, sort=[{"column": "a"}]).to_pylist() == by_a[start:stop]
    page = caller.rows(start=5, stop=8, columns=["l", "a"], sort=[{"column": "b", "descending": True}])
    by_b = sorted(rows, key=lambda row: (row["b"] is not None, row["b"] or ""), reverse=True)
    assert page.to_pylist() == [{"l": row["l"], "a": row["a"]} for row in by_b[5:8]]
    assert caller.sessions()["s"].bytes > 0


@pytest.mark.parametrize("form_", ["stream", "csv", "ndjson", "json"])
def test_a_format_without_pieces_says_what_to_do(tmp_path: Path, form_: str) -> None:
    content = {"stream": stream_bytes(TABLE), "csv": b"a\n1\n", "ndjson": b'{"a":1}\n{"a":2}', "json": b'[{"a":1}]'}[
        form_
    ]
    (tmp_path / f"t.{form_}").write_bytes(content)
    error = Caller().load_error(path=str(tmp_path / f"t.{form_}"), mode="lazy", format=None)
    assert (error.kind, error.data["formats"]) == ("lazy_unsupported", ["parquet", "arrow_file"])


def test_two_columns_with_one_name(tmp_path: Path, form: str) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    content = parquet_bytes(table) if form == "parquet" else file_bytes(table)
    (tmp_path / "t").write_bytes(content)
    assert Caller().load_error(path=str(tmp_path / "t"), mode="lazy").kind == "lazy_unsupported"


@pytest.mark.parametrize("names", [["a", "a.b", "", "s.x"], ["s.x", "s"]])
def test_names_with_dots_are_not_paths(form: str, names: list[str]) -> None:
    columns = {name: pa.array([index]) for index, name in enumerate(names)}
    columns["s"] = pa.array([{"x": 7}])
    table = pa.table(columns)
    caller = Caller()
    load(caller, form, None, parquet_bytes(table) if form == "parquet" else file_bytes(table))
    for name in table.column_names:
        assert caller.rows(columns=[name]).to_pydict() == {name: table[name].to_pylist()}
    assert caller.rows().to_pydict() == table.to_pydict()


@pytest.mark.parametrize(
    "table",
    [pa.table({}), pa.table({"a": pa.array([], pa.int8())}), pa.table({f"c{i}": [i] for i in range(5000)})],
    ids=["no columns", "no rows", "5000 columns"],
)
def test_odd_shapes(form: str, table: pa.Table) -> None:
    caller = Caller()
    load(caller, form, None, parquet_bytes(table) if form == "parquet" else file_bytes(table))
    assert caller.rows().to_pydict() == table.to_pydict()
    if table.num_columns:
        assert caller.rows(sort=[{"column": table.column_names[0]}]).to_pydict() == table.to_pydict()


def test_a_file_that_is_written_to_is_noticed(tmp_path: Path, form: str) -> None:
    caller, path = Caller(), tmp_path / "t"
    load(caller, form, path)
    assert caller.rows(stop=10).num_rows == 10
    with open(path, "r+b") as file:
        file.write(b"\0" * 100)
    os.utime(path, ns=(1, 1))  # clocks may be coarse
    for params in ({"start": 500}, {"sort": [{"column": "a"}]}, {"start": 500, "format": "json"}):
        error = caller.rows_error(**params)
        assert (error.kind, error.data["path"]) == ("file_changed", os.path.realpath(path))
    load(caller, form, path)
    assert caller.rows(start=500).num_rows == 500


def test_a_file_that_is_cut_is_noticed(tmp_path: Path, form: str) -> None:
    caller, path = Caller(), tmp_path / "t"
    load(caller, form, path)
    os.truncate(path, 10)
    assert caller.rows_error().kind == "file_changed"


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_what_was_opened_stays_readable(tmp_path: Path, form: str, how: str) -> None:
    caller, path = Caller(), tmp_path / "t"
    load(caller, form, path)
    if how == "deleted":
        path.unlink()
    else:
        (tmp_path / "new").write_bytes(b"something else")
        os.replace(tmp_path / "new", path)
    assert caller.rows().to_pydict() == TABLE.to_pydict()


def test_damage_in_a_piece_is_told_where_it_is_read() -> None:
    """Only the pieces that are read are looked at, so the load cannot tell."""
    table = pa.table({"a": pa.array(range(4096), pa.int64())})
    data = bytearray(
        parquet_bytes(table, row_group_size=1024, compression="none", use_dictionary=False, write_page_checksum=True)
    )
    data[3 * 8192 + 4096] ^= 0xFF
    caller = Caller()
    load(caller, "parquet", None, bytes(data))
    assert caller.rows(stop=1024)["a"].to_pylist() == list(range(1024))
    for params in ({}, {"sort": [{"column": "a"}]}):
        assert caller.rows_error(**params).kind == "invalid_file"
    assert caller.rows(start=1000, stop=1024).num_rows == 24


def test_an_arrow_column_that_points_anywhere_is_refused() -> None:
    wild = (2**31 - 1).to_bytes(4, "little")
    offsets = b"".join(row.to_bytes(4, "little") for row in range(3)) + wild + (4).to_bytes(4, "little")
    strings = pa.Array.from_buffers(pa.string(), 4, [None, pa.py_buffer(offsets), pa.py_buffer(b"abcd")])
    table = pa.table({"k": range(4), "v": strings})
    caller = Caller()
    load(caller, "arrow", None, file_bytes(table))
    for params in ({}, {"sort": [{"column": "k"}]}, {"sort": [{"column": "v"}]}, {"format": "json"}):
        assert caller.rows_error(**params).kind == "invalid_file"
    assert caller.rows(columns=["k"], sort=[{"column": "k"}]).num_rows == 4


def test_a_load_of_batches_can_be_cancelled() -> None:
    context = RecordingContext(cancel_after=3)
    params = {"arrow_ipc": arrow_payload(CONTENT["arrow"]), "mode": "lazy"}
    assert Caller().error("load", params, context).kind == "cancelled"
    assert context.progress_calls == [(1, 10, "batches"), (2, 10, "batches"), (3, 10, "batches")]


# which pieces are read


class Pieces:
    """A table of 4 pieces with 10 rows each, which counts what is read."""

    def __init__(self, cache: Cache | None = None) -> None:
        self.reads: list[tuple[int, tuple[int, ...]]] = []
        self.schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
        self.cache = cache or piece_cache(None)
        self.table = LazyTable(self.schema, [10, 10, 10, 10], self._read, self.cache)

    def _read(self, piece: int, columns: Any, max_bytes: int) -> Iterator[pa.Table]:
        self.reads.append((piece, tuple(columns)))
        values = pa.array(range(piece * 10, piece * 10 + 10), pa.int64())
        yield pa.table([values for _ in columns], names=[self.schema.names[column] for column in columns])


def test_a_page_reads_the_pieces_and_columns_that_it_needs_once() -> None:
    pieces = Pieces()
    assert pieces.table.slice(8, 22, [0])["a"].to_pylist() == list(range(8, 22))
    assert pieces.reads == [(0, (0,)), (1, (0,)), (2, (0,))]
    pieces.table.slice(0, 30, [0])
    assert len(pieces.reads) == 3
    pieces.table.slice(25, 26, [1, 0])
    assert pieces.reads[3:] == [(2, (1,))]
    pieces.table.slice(10, 10, [0, 1])
    assert len(pieces.reads) == 4


def test_a_gather_reads_each_piece_once_and_keeps_the_order() -> None:
    pieces = Pieces()
    rows = [39, 0, 38, 1, 0, 20]
    page = pieces.table.gather(pa.array(rows, pa.uint32()), [0])
    assert page["a"].to_pylist() == rows
    assert sorted(pieces.reads) == [(0, (0,)), (2, (0,)), (3, (0,))]


def test_the_cache_keeps_to_its_budget() -> None:
    piece_bytes = 80
    pieces = Pieces(piece_cache(memory_limit_bytes=8 * piece_bytes))
    for start in (0, 10, 0, 20, 0, 10):  # 0 is used again and stays; 20 drops 10
        pieces.table.slice(start, start + 10, [0])
        assert pieces.cache.bytes_of(pieces.table.owner) <= 2 * piece_bytes
    assert [piece for piece, _ in pieces.reads] == [0, 1, 2, 1]


def test_whole_columns_leave_the_cache_alone() -> None:
    pieces = Pieces()
    pieces.table.slice(0, 10, [0])
    taken = pieces.cache.bytes_of(pieces.table.owner)
    assert pieces.table.select([1])["b"].to_pylist() == list(range(40))
    assert pieces.cache.bytes_of(pieces.table.owner) == taken


def test_all_tables_share_one_cache() -> None:
    """A quarter of the limit is for pieces, however many lazy sessions there are; a table that goes leaves nothing."""
    cache = piece_cache(memory_limit_bytes=4 * 160)
    first, second = Pieces(cache), Pieces(cache)
    for pieces in (first, second):
        pieces.table.slice(0, 40, [0, 1])
    assert cache.bytes <= 160
    second.table.slice(0, 20, [0])
    assert (cache.bytes_of(first.table.owner), cache.bytes_of(second.table.owner)) == (0, 160)
    del second, pieces
    gc.collect()
    first.table.slice(0, 20, [0])
    assert cache.bytes_of(first.table.owner) == cache.bytes == 160


def test_a_table_that_goes_while_the_cache_is_in_use_does_not_wait_for_it() -> None:
    """Garbage collection ends tables at any point, on the thread that is inside the cache too."""
    cache = piece_cache(None)
    pieces = Pieces(cache)
    pieces.table.slice(0, 10, [0])
    with cache._lock:
        del pieces
        gc.collect()
    assert Pieces(cache).table.slice(0, 10, [0]).num_rows == 10
    assert len(cache._kept) == 1


def test_an_arrow_file_without_columns_keeps_its_rows() -> None:
    batch = pa.RecordBatch.from_struct_array(pa.array([{}] * 5, pa.struct([])))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    caller = Caller()
    data = arrow_payload(sink.getvalue().to_pybytes())
    assert [caller.load(arrow_ipc=data, mode=mode).rows for mode in ("eager", "lazy")] == [5, 5]
