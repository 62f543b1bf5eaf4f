"""Resident memory of the sidecar: what a load adds to it at its peak, and what a close gives back."""

from __future__ import annotations

import time

import pyarrow as pa

from sidecar.app import GIVE_BACK_S
from sidecar.client import Host, Sort

from .data import ipc_of_size, parquet_of_size, table
from .harness import Line, memory_of

PEAK_REACH = 1.15
KEPT_REACH = 0.05
MIB = 1024 * 1024


def lines(quick: bool) -> list[Line]:
    """Arrow against its payload; Parquet and sorting, for information, against the bytes of the loaded table."""
    payload = ipc_of_size((64 if quick else 256) * MIB)
    peak, kept = _load_and_close(payload.size, "Arrow load", {"arrow": payload})
    found = [_judged(peak, PEAK_REACH), _judged(kept, KEPT_REACH)]
    found += _load_and_close(None, "Arrow load and sort", {"arrow": payload}, Sort("name"))
    found += _load_and_close(None, "Parquet load", {"parquet": parquet_of_size((16 if quick else 64) * MIB)})
    return found


def _judged(line: Line, reach: float) -> Line:
    return line._replace(reach=f"≤ {reach:g} x", ok=line.ratio <= reach)


def _load_and_close(size: int | None, what: str, source: dict[str, pa.Buffer], *sort: Sort) -> list[Line]:
    with Host.spawn() as host:
        _warm_up(host, *sort)
        before = memory_of(host.process.pid, "VmRSS")
        loaded = host.load(**source)
        if sort:
            host.tables.rows(loaded.session, 0, 100, sort=sort)
        peak = memory_of(host.process.pid, "VmHWM")
        host.sessions.close(loaded.session)
        time.sleep(2 * GIVE_BACK_S)
        after = memory_of(host.process.pid, "VmRSS")
    held = size or loaded.bytes
    return [_line(f"{what}, peak", held, peak - before), _line(f"{what}, kept after close", held, after - before)]


def _warm_up(host: Host, *sort: Sort) -> None:
    """Have the imports and the threads paid for."""
    session = host.load(arrow=table(1000)).session
    host.tables.rows(session, 0, 10, sort=sort)
    host.sessions.close(session)


def _line(row: str, reference: int, ours: int) -> Line:
    return Line(row, f"{reference / MIB:.0f} MiB", f"{ours / MIB:.0f} MiB", ours / reference, "", None)
