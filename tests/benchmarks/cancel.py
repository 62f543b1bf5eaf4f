"""Long work that is cancelled: how soon the answer comes, and how long what it held is held."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from sidecar.client import Host, SidecarError

from .data import ipc, table
from .harness import Line, shown

REACH_S = 0.1
HEAD_START_S = 0.15
"""The work is cancelled in the middle."""

WORK: dict[str, tuple[str, dict[str, Any]]] = {
    "sort": ("tables/rows", {"session": "t", "sort": [{"column": "name"}, {"column": "ratio"}]}),
    "search": ("tables/rows", {"session": "t", "search": {"text": "99x", "ignore_case": True}}),
    "statistics": ("tables/stats", {"session": "t"}),
    "SQL": ("tables/sql", {"query": "SELECT name, COUNT(*) AS n, AVG(ratio) FROM t GROUP BY name ORDER BY n, name"}),
    "export": ("tables/export", {"session": "t", "format": "parquet", "sort": [{"column": "ratio"}]}),
    "comparison": ("tables/compare", {"left": "t", "right": "u", "keys": ["id"]}),
}


def lines(quick: bool) -> list[Line]:
    """One line an operation. A call that ends before it is cancelled has none."""
    with Host.spawn() as host:
        data = ipc(table(1_000_000 if quick else 10_000_000))
        for session in ("t", "u"):
            host.load(arrow=data, session=session)
        host.tables.rows("t", 0, 1, sort=[], search="x")  # has the imports paid for
        return [line for what, (method, params) in WORK.items() for line in _cancelled(host, what, method, params)]


def _cancelled(host: Host, what: str, method: str, params: dict[str, Any]) -> Iterator[Line]:
    before = _held_bytes(host)
    call = host.request(method, params)
    time.sleep(HEAD_START_S)
    started = time.perf_counter()
    call.cancel()
    try:
        call.result()
    except SidecarError:
        answered_s = time.perf_counter() - started
        while _held_bytes(host) > before:
            time.sleep(0.002)
        held_s = time.perf_counter() - started
        row = f"{what}, cancelled"
        yield Line(row, f"≤ {shown(REACH_S)}", shown(answered_s), answered_s / REACH_S, "≤ 1 x", answered_s <= REACH_S)
        yield Line(f"{what}, memory held on for", "", shown(held_s), 0.0, "", None)


def _held_bytes(host: Host) -> int:
    """What sessions and work take, without what could be made again."""
    listed = host.sessions.list()
    return listed.bytes - sum(session.cached_bytes for session in listed.sessions)
