"""Streams of a service against raw pipes that carry the same bytes: batches pushed, and batches exchanged."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sidecar import AnnotatedBatch
from sidecar.client import Host
from sidecar.protocol.messages import Notification
from sidecar.wire.framing import encode
from sidecar.wire.payload import Payload

from .harness import Line, RawPeer, at_most, in_turns, placed, seconds, throughput
from .streaming import Streaming, batch_of

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]
SERVICE = ["--service", "tests.benchmarks.streaming:make"]

PRODUCER_REACH = 0.8
ROWS_REACH = 100_000
EXCHANGE_REACH = 4.0
LARGE_REACH = 0.8


def lines(quick: bool) -> list[Line]:
    """One line each for what DESIGN's table of speeds has of streams."""
    command = [sys.executable, "-B", "-P", "-m", "sidecar"]
    with Host.spawn(command, options=SERVICE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as host:
        service = host.service(Streaming)
        found = [_rows(service, quick), _mebibytes(service, quick)]
        core, *others = sorted(os.sched_getaffinity(0))
        found.append(_exchange("exchange of 1 row on one core, p50", host, service, core, core, quick))
        if others:
            found.append(_exchange("exchange of 1 row across two cores, p50", host, service, core, others[0], quick))
        found.append(_large(service, quick))
        found.append(_unary(host, service, quick))
    return found


def _rows(service: Streaming, quick: bool) -> Line:
    count = 20_000 if quick else 200_000
    took_s = min(seconds(lambda: _drain(service, count, 1)) for _ in range(2 if quick else 5))
    rate = count / took_s
    ok = rate >= ROWS_REACH
    return Line("producer, batches of 1 row", "", f"{rate:,.0f}/s", rate / ROWS_REACH, f"≥ {ROWS_REACH:,}/s", ok)


def _mebibytes(service: Streaming, quick: bool) -> Line:
    count = 64 if quick else 256
    with RawPeer(64, count * MIB) as raw:
        request = memoryview(bytes(64))
        raw.exchange(request)
        pair = in_turns(
            lambda: raw.exchange(request),
            lambda: _drain(service, count, MIB // 8),
            rounds=5 if quick else 15,
        )
    return throughput("producer, batches of 1 MiB", pair, count * MIB, PRODUCER_REACH)


def _drain(service: Streaming, batches: int, rows: int) -> None:
    for _batch in service.produce(batches, rows):
        pass


def _exchange(row: str, host: Host, service: Streaming, host_core: int, sidecar_core: int, quick: bool) -> Line:
    batch = AnnotatedBatch(batch_of(1))
    piece = Payload("arrow", batch.batch.serialize())
    frame = b"".join(encode(Notification("streams/data", {"stream": "0" * 32, "batches": piece})))
    with service.echo() as session, RawPeer(len(frame), len(frame)) as raw:
        session.exchange(batch)
        view = memoryview(frame)
        with placed(os.getpid(), host_core), placed(host.process.pid, sidecar_core), placed(raw.pid, sidecar_core):
            pair = in_turns(
                lambda: raw.exchange(view), lambda: session.exchange(batch), rounds=10 if quick else 40, block=200
            )
    return at_most(row, pair, EXCHANGE_REACH)


def _large(service: Streaming, quick: bool) -> Line:
    size = (16 if quick else 64) * MIB
    batch = AnnotatedBatch(batch_of(size // 8))
    with service.echo() as session, RawPeer(size, size) as raw:
        data = memoryview(bytes(size))
        raw.exchange(data)
        session.exchange(batch)
        pair = in_turns(lambda: raw.exchange(data), lambda: session.exchange(batch), rounds=5 if quick else 15)
    return throughput(f"exchange of {size // MIB} MiB", pair, 2 * size, LARGE_REACH)


def _unary(host: Host, service: Streaming, quick: bool) -> Line:
    """For information: what a typed call costs beside a ping."""
    pair = in_turns(host.ping, service.nothing, rounds=5 if quick else 20, block=200)
    return at_most("call of a service's method, p50", pair, None, "ping: ")
