"""A table that comes as a stream of record batches, against a raw pipe that carries the same bytes and a load of one
frame; and what it takes at its peak."""

from __future__ import annotations

import pyarrow as pa

from sidecar.client import Host

from .data import ipc_of_size, table
from .harness import Line, RawPeer, bytes_of, in_turns, memory_of, throughput

PIPE_REACH = 0.7
FRAME_REACH = 0.7
PEAK_REACH = 1.1
SMALL_ROWS = 10
MIB = 1024 * 1024


def lines(quick: bool) -> list[Line]:
    """1 GiB in pieces of 8 MiB; the same in one frame; many batches of ten rows."""
    size = (64 if quick else 1024) * MIB
    payload = ipc_of_size(size)
    data = bytes_of(payload)
    batches = pa.ipc.open_stream(payload).read_all().combine_chunks()
    rounds = 3 if quick else 5
    name = f"Arrow stream, {size // MIB} MiB"
    with Host.spawn() as host, RawPeer(len(data), 64) as raw:
        raw.exchange(data)
        host.load_stream(batches, session="a")
        against_pipe = in_turns(lambda: raw.exchange(data), lambda: host.load_stream(batches, session="a"), rounds)
        against_frame = in_turns(
            lambda: host.load(arrow=payload, session="a"), lambda: host.load_stream(batches, session="a"), rounds
        )
    return [
        throughput(f"{name}, pipe", against_pipe, len(data), PIPE_REACH),
        throughput(f"{name}, one frame", against_frame, len(data), FRAME_REACH),
        _peak(batches),
        _small(quick),
    ]


def _peak(data: pa.Table) -> Line:
    with Host.spawn() as host:
        host.load_stream(table(1000), session="a")
        before = memory_of(host.process.pid, "VmRSS")
        host.load_stream(data, session="a")
        peak = memory_of(host.process.pid, "VmHWM") - before
    ratio = peak / data.nbytes
    shown = f"{data.nbytes / MIB:.0f} MiB", f"{peak / MIB:.0f} MiB"
    return Line("Arrow stream, peak", *shown, ratio, f"≤ {PEAK_REACH:g} x", ratio <= PEAK_REACH)


def _small(quick: bool) -> Line:
    """How long a batch of ten rows takes, for information."""
    data = table((1000 if quick else 100_000) * SMALL_ROWS)
    with Host.spawn() as host:
        pair = in_turns(
            lambda: host.load(arrow=data, session="a"),
            lambda: host.load_stream(data.to_reader(SMALL_ROWS), session="a"),
            1,
        )
    batches = data.num_rows // SMALL_ROWS
    shown = f"{pair.reference_s / batches * 1e6:.1f} µs", f"{pair.ours_s / batches * 1e6:.1f} µs"
    return Line(f"{batches} batches of {SMALL_ROWS} rows, each", *shown, pair.ratio, "", None)
