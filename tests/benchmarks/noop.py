"""A round trip that does nothing: `ping` against raw pipes that carry the same bytes."""

from __future__ import annotations

import os

from sidecar.client import Host
from sidecar.protocol.messages import Request, Result
from sidecar.wire.framing import encode

from .harness import Line, RawPeer, at_most, in_turns, placed

REACH = 3.0


def lines(quick: bool) -> list[Line]:
    """Both sides on one core, which counts the work alone, and each on its own, which adds what waking a core takes.

    Left to the system, either can happen to either side of the comparison, and decides it.
    """
    core, *others = sorted(os.sched_getaffinity(0))
    found = [_line("noop on one core, p50", core, core, quick)]
    if others:
        found.append(_line("noop across two cores, p50", core, others[0], quick))
    return found


def _line(row: str, host_core: int, sidecar_core: int, quick: bool) -> Line:
    request = b"".join(encode(Request(1000, "ping", {"data": None})))
    answer = b"".join(encode(Result(1000, {"data": None})))
    with Host.spawn() as host, RawPeer(len(request), len(answer)) as raw:
        view = memoryview(request)
        with placed(os.getpid(), host_core), placed(host.process.pid, sidecar_core), placed(raw.pid, sidecar_core):
            pair = in_turns(lambda: raw.exchange(view), host.ping, rounds=10 if quick else 40, block=200)
    return at_most(row, pair, REACH)
