"""Exports by a real process: only the whole file is ever seen, whoever is killed, cancelled or out of room; and a
stream under little credit takes little memory."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.client import Filter, Host, Sort, proxy, session
from sidecar.protocol.errors import SidecarError
from sidecar.testing import SpawnHost
from sidecar.wire.limits import MIB
from tests.peers.raw import DEADLINE_S

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="looks at /proc")

ROWS = 1_000_000


def table(rows: int = ROWS) -> pa.Table:
    numbers = pa.array(range(rows), pa.int64())
    return pa.table({"n": numbers, "f": numbers.cast(pa.float64()), "s": numbers.cast(pa.string())})


SLOW = {"format": "ndjson", "columns": ["n", "l"]}
"""Structs are encoded value by value: of so many rows that takes seconds."""


def load_slow(host: Host) -> None:
    numbers = pa.array(range(3 * ROWS), pa.int64())
    structs = pa.StructArray.from_arrays([numbers], ["x"])
    host.load(arrow=pa.table({"n": numbers, "l": structs}), session="s")


def begin(host: Host, path: Path, **params: Any) -> Any:
    """An export under way, which has told of some rows."""
    has_begun = Event()

    def on_progress(progress: Any) -> None:
        if progress.done:
            has_begun.set()

    call = host.request("tables/export", {"session": "s", "path": str(path), **SLOW, **params}, on_progress)
    assert has_begun.wait(DEADLINE_S)
    return call


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "overwrite"])
def test_killed_in_the_middle(spawn_host: SpawnHost, tmp_path: Path, is_there: bool) -> None:
    host = spawn_host()
    load_slow(host)
    path = tmp_path / "file"
    if is_there:
        path.write_bytes(b"old")
    begin(host, path, overwrite=is_there)
    os.kill(host.process.pid, signal.SIGKILL)
    host.process.wait(DEADLINE_S)
    assert os.listdir(tmp_path) == (["file"] if is_there else [])
    assert not is_there or path.read_bytes() == b"old"


def test_cancelled_in_the_middle(host: Host, tmp_path: Path) -> None:
    load_slow(host)
    call = begin(host, tmp_path / "file")
    call.cancel()
    with pytest.raises(SidecarError) as caught:
        call.result(DEADLINE_S)
    assert caught.value.kind == "cancelled"
    assert os.listdir(tmp_path) == []
    assert host.tables.rows("s", 0, 1).matched == 3 * ROWS


def test_pages_do_not_wait_for_an_export(host: Host, tmp_path: Path) -> None:
    load_slow(host)
    call = begin(host, tmp_path / "file")
    assert host.tables.rows("s", 0, 1, timeout_s=DEADLINE_S).matched == 3 * ROWS
    call.cancel()


def test_the_path_policy(spawn_host: SpawnHost, tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    allowed.mkdir()
    other.mkdir()
    (allowed / "out").symlink_to(other)
    host = spawn_host("--allow-path", str(allowed))
    host.load(arrow=table(10), session="s")
    result = host.tables.export("s", "csv", allowed / "a.csv")
    assert (result.rows, result.bytes) == (10, (allowed / "a.csv").stat().st_size)
    for path in (
        other / "a.csv",
        allowed / ".." / "other" / "a.csv",
        allowed / "out" / "a.csv",
        tmp_path / "none" / "a",
    ):
        with pytest.raises(SidecarError) as caught:
            host.call("tables/export", {"session": "s", "format": "csv", "path": str(path)})
        assert caught.value.kind == "path_not_allowed"
    assert os.listdir(other) == []


def test_no_room(spawn_host: SpawnHost, tmp_path: Path) -> None:
    """The system's limit of a file stands for a disk that is full."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    host = spawn_host()
    host.load(arrow=table(), session="s")
    resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (MIB, limit[1]))
    for format in ("arrow_file", "csv", "parquet"):
        (tmp_path / format).write_bytes(b"old")
        with pytest.raises(SidecarError) as caught:
            host.tables.export("s", format, tmp_path / format, overwrite=True)
        assert (caught.value.kind, caught.value.data["error"]) == ("write_failed", "EFBIG")
        assert (tmp_path / format).read_bytes() == b"old"
    assert host.tables.export("s", "csv", tmp_path / "small", columns=["n"], filter=[Filter("n", "lt", 9)]).rows == 9
    assert sorted(os.listdir(tmp_path)) == ["arrow_file", "csv", "parquet", "small"]


# -- bytes and streams -----------------------------------------------------------------------------------------------


def test_bytes_and_pieces_of_the_client(host: Host) -> None:
    host.load(arrow=table(), session="s")
    view: dict[str, Any] = {"sort": [Sort("s")], "filter": [Filter("n", "lt", 300_000)], "columns": ["s", "f"]}
    data = host.tables.export_bytes("s", "parquet", **view)
    assert b"".join(host.tables.export_pieces("s", "parquet", **view)) == bytes(data)
    found = pq.read_table(pa.BufferReader(data))
    assert found.equals(host.tables.rows("s", **view).table)


def test_bytes_beyond_a_frame_come_as_a_stream(
    spawn_host: SpawnHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from sidecar.client import host as client
    from sidecar.wire.limits import Limits

    monkeypatch.setattr(client, "HOST_LIMITS", Limits(MIB, MIB))
    host = spawn_host()
    host.load(arrow=table(), session="s")
    with pytest.raises(SidecarError) as caught:
        host.call("tables/export", {"session": "s", "format": "csv"})
    assert caught.value.kind == "too_large"
    host.tables.export("s", "csv", tmp_path / "file")
    assert bytes(host.tables.export_bytes("s", "csv")) == (tmp_path / "file").read_bytes()


def rss_bytes(host: Host) -> int:
    found = host.stats().rss_bytes
    assert found is not None
    return found


@pytest.mark.parametrize("format", ["arrow_stream", "csv", "parquet"])
def test_a_large_stream_under_little_credit(
    spawn_host: SpawnHost, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is many times what may be under way; the process takes no more at its end than near its start."""
    for module in (proxy, session):
        monkeypatch.setattr(module, "WINDOW_BYTES", 64 * 1024)
    source = tmp_path / "source.parquet"
    part = table()
    with pq.ParquetWriter(source, part.schema) as writer:
        for _ in range(8):
            writer.write_table(part, row_group_size=100_000)
    host = spawn_host()
    host.load(path=source, session="s", mode="lazy")
    size, early, most = 0, 0, 0
    for index, piece in enumerate(host.tables.export_pieces("s", format)):
        size += len(piece)
        if index % 16 == 0:
            most = max(most, rss_bytes(host))
            early = early or most
    assert size > (20 if format == "parquet" else 150) * MIB
    assert most - early < 150 * MIB


def test_a_stream_that_is_left_early(host: Host) -> None:
    load_slow(host)
    for _ in host.tables.export_pieces("s", "ndjson"):
        break
    assert host.sessions.close("s")
