"""Memory of a real process: what it says that sessions take is what the system sees, and it comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.app import GIVE_BACK_S
from sidecar.client import Host, Sort
from sidecar.testing import SpawnHost
from sidecar.wire.payload import Payload

from .conftest import SpawnRaw

MIB = 1024 * 1024
ROWS = 1_200_000
SMALL_ROWS = 50_000
OVERHEAD_BYTES = 24 * MIB
"""What may come on top: threads, their stacks and caches, modules that are imported later."""

SETTLE_S = 30.0
"""Polars' allocator gives back by itself, after about two seconds on a machine that is not busy."""


def frame(rows: int) -> pl.DataFrame:
    """Numbers, floats, strings, a category and a column with nulls."""
    row = pl.int_range(rows)
    return pl.select(
        number=row,
        ratio=row * 7919 % rows / 7,
        text=pl.format("name-{}-of-the-row", row * 7919 % rows),
        kind=pl.format("kind {}", row % 50),
        maybe=pl.when(row % 3 == 0).then(row.cast(pl.Int32)),
    )


def mixed(rows: int) -> pa.Table:
    table = frame(rows).to_arrow(compat_level=pl.CompatLevel.oldest())
    kind = table.column("kind").dictionary_encode()
    return table.set_column(table.column_names.index("kind"), "kind", kind)


def nested(rows: int) -> pa.Table:
    table = mixed(rows)
    numbers = pa.array(range(2 * rows), pa.int64())
    lists = pa.LargeListArray.from_arrays(pa.array(range(0, 2 * rows + 1, 2), pa.int64()), numbers)
    fields = [table.column(name).combine_chunks() for name in ("number", "text")]
    return pa.table({"list": lists, "struct": pa.StructArray.from_arrays(fields, ["number", "text"])})


def stream(table: pa.Table, rows_per_batch: int | None = None, compression: str | None = None) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=rows_per_batch)
    return sink.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of mixed columns in every format, one to be accounted for and a small one for many rounds."""
    folder = tmp_path_factory.mktemp("memory")
    for name, rows in {"large": ROWS, "small": SMALL_ROWS}.items():
        table = mixed(rows)
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=100_000)
        (folder / f"{name}.arrows").write_bytes(stream(table, 65536))
        frame(rows).write_csv(folder / f"{name}.csv")
    table = mixed(ROWS)
    with pa.ipc.new_file(folder / "large.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=65536)
    pq.write_table(nested(ROWS), folder / "nested.parquet")
    frame(ROWS // 2).write_ndjson(folder / "large.ndjson")
    (folder / "tiny.csv").write_text("number,text\n1,a\n2,b\n", encoding="utf-8")
    return folder


def rss(host: Host) -> int:
    pages = Path(f"/proc/{host.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def settled(host: Host, is_enough: Callable[[int], bool]) -> int:
    """The resident memory once it is as it should be, or after a generous while."""
    ends_at = time.monotonic() + SETTLE_S
    while not is_enough(now := rss(host)) and time.monotonic() < ends_at:
        time.sleep(0.1)  # nothing tells when an allocator gives back
    return now


def wait_for_rest(host: Host) -> None:
    """Until nothing has been given back for longer than the sidecar waits before it does."""
    least, ends_at = rss(host), time.monotonic() + 3 * GIVE_BACK_S
    while time.monotonic() < ends_at:
        time.sleep(0.1)  # nothing tells when an allocator gives back
        if rss(host) < least - MIB:
            least, ends_at = rss(host), time.monotonic() + 3 * GIVE_BACK_S


@pytest.fixture
def host(sidecar_command: list[str], folder: Path) -> Iterator[Host]:
    """A sidecar that has everything imported and its threads running."""
    with Host.spawn(sidecar_command) as host:
        for path in (folder / "tiny.csv", folder / "small.parquet"):
            session = host.load(path=path).session
            host.tables.rows(session, 0, 10, sort=[Sort("text")])
            host.sessions.close(session)
        wait_for_rest(host)
        yield host


# -- what is said is what is there ---------------------------------------------------------------------------


def load_many_chunks(host: Host, _folder: Path) -> None:
    """Small batches: much of the payload is metadata and padding."""
    host.load(arrow=stream(mixed(ROWS), 100))


def load_sliced(host: Host, _folder: Path) -> None:
    host.load(arrow=stream(mixed(2 * ROWS).slice(ROWS // 2, ROWS)))


def load_sorted(host: Host, _folder: Path) -> None:
    """The page joins the chunks of all columns, and the row order is kept."""
    session = host.load(arrow=stream(mixed(ROWS), 65536)).session
    host.tables.rows(session, 0, 100, sort=[Sort("text")])
    (info,) = host.sessions.list().sessions
    assert info.cached_bytes == 4 * ROWS


def load_partly_joined(host: Host, _folder: Path) -> None:
    """One column is joined, and lies beside the payload that the others are in."""
    session = host.load(arrow=stream(mixed(ROWS), 65536)).session
    host.tables.rows(session, 0, 100, columns=["text"], sort=[Sort("number", descending=True)])


def load_lazy(host: Host, folder: Path) -> None:
    """As much as the cache of pieces takes."""
    session = host.load(path=folder / "large.parquet", mode="lazy").session
    for start in range(0, ROWS, 100_000):
        host.tables.rows(session, start, start + 1)
    (info,) = host.sessions.list().sessions
    assert info.bytes == info.cached_bytes > 32 * MIB


LOADS: dict[str, Callable[[Host, Path], Any]] = {
    "inline Arrow": lambda host, _folder: host.load(arrow=stream(mixed(ROWS))),
    "inline Arrow, compressed": lambda host, _folder: host.load(arrow=stream(mixed(ROWS), None, "zstd")),
    "many chunks": load_many_chunks,
    "sliced": load_sliced,
    "nested": lambda host, _folder: host.load(arrow=stream(nested(ROWS))),
    "Arrow stream": lambda host, folder: host.load(path=folder / "large.arrows"),
    "Arrow file": lambda host, folder: host.load(path=folder / "large.arrow"),
    "Parquet": lambda host, folder: host.load(path=folder / "large.parquet"),
    "nested Parquet": lambda host, folder: host.load(path=folder / "nested.parquet"),
    "inline Parquet": lambda host, folder: host.load(parquet=(folder / "large.parquet").read_bytes()),
    "CSV": lambda host, folder: host.load(path=folder / "large.csv"),
    "NDJSON": lambda host, folder: host.load(path=folder / "large.ndjson"),
    "sorted": load_sorted,
    "partly joined": load_partly_joined,
    "lazy": load_lazy,
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_the_bytes_of_sessions_are_those_that_the_process_has_grown_by(
    host: Host, folder: Path, load: Callable[[Host, Path], Any]
) -> None:
    before = rss(host)
    load(host, folder)
    listed = host.sessions.list()
    assert listed.bytes == sum(info.bytes for info in listed.sessions) > 32 * MIB

    def is_close(now: int) -> bool:
        return abs(now - before - listed.bytes) <= listed.bytes // 10 + OVERHEAD_BYTES

    grown = settled(host, is_close) - before
    assert is_close(grown + before), f"grown by {grown >> 20} MiB, said {listed.bytes >> 20} MiB"


# -- what is closed is given back ----------------------------------------------------------------------------

ROUNDS = 100


def one_round(host: Host, source: dict[str, Any]) -> None:
    session = host.load(**source).session
    host.tables.rows(session, 0, 100, sort=[Sort("text"), Sort("number")])
    host.tables.rows(session, 0, 100, sort=[Sort("ratio")])
    host.tables.stats(session, ["ratio", "maybe"])
    if "session" not in source:
        host.sessions.close(session)


@pytest.mark.parametrize("kind", ["inline Arrow", "Parquet", "CSV", "replaced"])
def test_a_hundred_loads_leave_nothing_behind(host: Host, folder: Path, kind: str) -> None:
    """After the first ten, which find their threads and caches, the process does not grow."""
    sources: dict[str, dict[str, Any]] = {
        "inline Arrow": {"arrow": (folder / "small.arrows").read_bytes()},
        "Parquet": {"path": folder / "small.parquet"},
        "CSV": {"path": folder / "small.csv"},
        "replaced": {"path": folder / "small.parquet", "session": "same"},
    }
    for _ in range(10):
        one_round(host, sources[kind])
    early = settled(host, lambda now: now < 160 * MIB)
    for _ in range(ROUNDS - 10):
        one_round(host, sources[kind])
    for info in host.sessions.list().sessions:
        host.sessions.close(info.session)
    listed = host.sessions.list()
    assert (listed.sessions, listed.bytes) == ([], 0)
    assert settled(host, lambda now: now <= early + OVERHEAD_BYTES) <= early + OVERHEAD_BYTES


# -- eviction ------------------------------------------------------------------------------------------------


def test_an_eviction_is_told_before_the_answer_that_it_made_room_for(spawn_raw: SpawnRaw) -> None:
    data = bytes(memoryview(stream(pa.table({"n": pa.array(range(100_000))}))))
    host = spawn_raw("--memory-limit", str(2 * len(data)), "--evict")
    host.hello()

    def load(id: int) -> dict[str, Any]:
        return {"session": f"s{id}", "label": "numbers", "arrow_ipc": Payload("arrow", data)}

    for id in (0, 1):
        assert "result" in host.call(id, "load", load(id))
    host.request(2, "load", load(2))
    told, answer = host.read(), host.read()
    assert told["method"] == "sessions/evicted"
    assert told["params"] == {"session": "s0", "path": "numbers", "bytes": len(data), "reason": "memory_limit"}
    assert answer["result"]["session"] == "s2"
    assert host.call(3, "tables/rows", {"session": "s0"})["error"]["data"]["evicted"] is True


def test_a_host_is_called_back_before_its_load_returns(spawn_host: SpawnHost) -> None:
    data = stream(pa.table({"n": pa.array(range(100_000))}))
    evicted: list[str] = []
    host = spawn_host("--memory-limit", str(data.size), "--evict")
    host.sessions.on_evicted = lambda told: evicted.append(told.session)
    first = host.load(arrow=data).session
    host.load(arrow=data)
    assert evicted == [first]
