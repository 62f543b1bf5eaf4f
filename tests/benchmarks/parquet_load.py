"""A Parquet file loaded from bytes, against raw pipes that carry the same bytes and decoding them right here."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from sidecar.client import Host

from .data import parquet_of_size
from .harness import Line, RawPeer, at_most, bytes_of, in_turns

REACH = 1.15
MIB = 1024 * 1024


def lines(quick: bool) -> list[Line]:
    """One line."""
    size = (16 if quick else 64) * MIB
    payload = parquet_of_size(size)
    data = bytes_of(payload)
    with Host.spawn() as host, RawPeer(len(data), 64) as raw:

        def reference() -> None:
            raw.exchange(data)
            pq.read_table(pa.BufferReader(payload))

        def ours() -> None:
            host.load(parquet=payload, session="p")

        reference()
        ours()
        pair = in_turns(reference, ours, rounds=5 if quick else 11)
    return [at_most(f"Parquet load, {size // MIB} MiB", pair, REACH)]
