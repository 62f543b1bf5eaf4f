"""An Arrow IPC stream loaded from bytes, against raw pipes that carry the same bytes."""

from __future__ import annotations

from sidecar.client import Host

from .data import ipc_of_size
from .harness import Line, RawPeer, bytes_of, in_turns, throughput

REACH = 0.85
MIB = 1024 * 1024


def lines(quick: bool) -> list[Line]:
    """One line."""
    size = (64 if quick else 256) * MIB
    payload = ipc_of_size(size)
    data = bytes_of(payload)
    with Host.spawn() as host, RawPeer(len(data), 64) as raw:
        raw.exchange(data)
        host.load(arrow=payload, session="a")
        pair = in_turns(
            lambda: raw.exchange(data),
            lambda: host.load(arrow=payload, session="a"),
            rounds=5 if quick else 15,
        )
    return [throughput(f"Arrow load, {size // MIB} MiB", pair, len(data), REACH)]
