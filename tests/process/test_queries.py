"""A query or a comparison that is cancelled is answered at once, holds up nobody, and ends."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.client import Host
from sidecar.protocol.errors import SidecarError
from tests.peers.raw import DEADLINE_S

ENDLESS = "SELECT max(a.n * b.n) AS m FROM big a CROSS JOIN small b"
"""Minutes, in pieces of a fraction of a second: each of 4000 pieces of one table with 20 000 rows of the other."""


@pytest.fixture
def loaded(host: Host, tmp_path: Path) -> Host:
    """A sidecar with the two tables."""
    pq.write_table(pa.table({"n": range(4_000_000)}), tmp_path / "big.parquet", row_group_size=1000)
    host.load(path=tmp_path / "big.parquet", session="big", mode="lazy")
    host.load(arrow=pa.table({"n": range(20_000)}), session="small")
    return host


def test_a_cancelled_query(loaded: Host) -> None:
    begun = Event()
    call = loaded.request("tables/sql", {"query": ENDLESS, "session": "out"}, lambda _: begun.set())
    while not begun.is_set():
        assert loaded.ping("x", DEADLINE_S) == "x"  # also reads the wire, and so the progress
    call.cancel()
    with pytest.raises(SidecarError) as caught:
        call.result(DEADLINE_S)
    assert caught.value.kind == "cancelled"
    # the same lane: it is served once the cancelled query has really ended
    answer = loaded.tables.sql("SELECT count(*) AS n FROM small", session="out", timeout_s=DEADLINE_S)
    assert answer.rows == 1
    assert loaded.tables.rows("out").table.to_pylist() == [{"n": 20_000}]


def test_typed_results(host: Host) -> None:
    host.load(arrow=pa.table({"k": [1, 2], "v": ["a", "b"]}), session="l")
    host.load(arrow=pa.table({"k": [2, 3], "v": ["x", "c"]}), session="r")
    made = host.tables.sql("SELECT k FROM x", tables={"x": "l"}, label="ks")
    assert (made.rows, made.path, made.columns[0].dtype) == (2, "ks", "int64")
    found = host.tables.compare("l", "r", ["k"], session="diff", include_equal=True)
    assert (found.counts.left_only, found.counts.right_only, found.counts.changed) == (1, 1, 1)
    assert found.columns_changed[0].changed == 1
    statuses: list[Any] = host.tables.rows("diff").table["status"].to_pylist()
    assert statuses == ["left_only", "changed", "right_only"]
    with pytest.raises(TypeError):
        host.tables.compare("l", "r", "k")
    with pytest.raises(SidecarError) as caught:
        host.tables.sql("SELECT nope FROM l")
    assert caught.value.kind == "invalid_query"
    assert caught.value.data["column"] == 8
