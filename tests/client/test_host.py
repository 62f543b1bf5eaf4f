"""The Python host against the real process: typed results, cancel, timeouts, faults that say why, clean stops."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sidecar.client import Host, SidecarError, Sort


def test_the_main_job(host: Host) -> None:
    """Load a table, read a sorted page of it, close the session."""
    table = pa.table({"n": [3, 1, 2], "s": ["c", "a", "b"]})
    loaded = host.load(arrow=table)
    page = host.tables.rows(loaded.session, 0, 2, sort=[Sort("n")])
    assert page.table.to_pydict() == {"n": [1, 2], "s": ["a", "b"]}
    assert (page.total, page.matched, page.stop) == (3, 3, 2)
    assert host.sessions.close(loaded.session).bytes == loaded.bytes
    with pytest.raises(SidecarError, match="no session") as refused:
        host.tables.rows(loaded.session)
    assert refused.value.kind == "unknown_session"
