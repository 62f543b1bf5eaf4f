"""`arrow-sidecar doctor --startup`: how long a sidecar takes from its spawn to each phase and to first answers."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import pyarrow as pa

from .. import phases
from ..client import Host, HostFault
from .text_table import TextTable

PING = "ping"
ARROW_LOAD = "arrow_load"
POLARS = "polars"

WARMED_TIMEOUT_S = 60.0


class Step(NamedTuple):
    """What is shown, and the step before it: what is between them is its own time."""

    text: str
    since: str | None


STEPS = {
    phases.STARTED: Step("first line of the sidecar's own code", None),
    phases.WIRE: Step("the wire is claimed", phases.STARTED),
    phases.HELLO: Step("hello", phases.WIRE),
    phases.LIBRARIES: Step("libraries are imported", phases.HELLO),
    phases.SERVING: Step("requests are read", phases.LIBRARIES),
    PING: Step("first ping is answered", phases.SERVING),
    ARROW_LOAD: Step("first Arrow load is answered", PING),
    POLARS: Step("first Polars query is answered", ARROW_LOAD),
    phases.WARMED: Step("all is imported, in the background", phases.SERVING),
}
"""In the order in which they are shown."""

TABLE = pa.table({"n": pa.array(range(10_000)), "name": pa.array([f"name {n}" for n in range(10_000)])})


def startup(rounds: int, as_json: bool) -> None:
    """Start `rounds` sidecars, one after another, and print the median of each step. Raises `HostFault`."""
    rows = medians([_started() for _ in range(rounds)])
    if as_json:
        print(json.dumps({"rounds": rounds, "phases": rows}))
    else:
        _print(rounds, rows)


def medians(found: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """A row a step: when it was passed, and what of that is its own, the time since the step before it. Steps that are
    in order in each start are so in their medians."""
    at_ms = {phase: round(median(each[phase] for each in found), 3) for phase in STEPS}
    before = {phase: at_ms[step.since] if step.since else 0.0 for phase, step in STEPS.items()}
    return [
        {"phase": phase, "at_ms": at_ms[phase], "own_ms": round(at_ms[phase] - before[phase], 3)} for phase in STEPS
    ]


def since_spawn(passed: Mapping[str, float], hello_ms: float, answered: Mapping[str, float]) -> dict[str, float]:
    """All steps by the host's clock: the phases that the sidecar noted by its own are `passed`. It began to count
    before the host saw its hello, and before it answered a first ping, which a busy machine may delay: so the earlier
    of the two tells when. A phase is noted after it, so that the host may even have seen hello before."""
    began_ms = max(0.0, min(hello_ms - passed[phases.HELLO], answered[PING] - passed[phases.SERVING]))
    return {phase: began_ms + at_ms for phase, at_ms in passed.items()} | dict(answered)


def _started() -> dict[str, float]:
    """When one sidecar passed each step, in milliseconds since its spawn."""
    began = time.perf_counter()
    with Host.spawn() as host:
        answered = {}
        host.ping()
        answered[PING] = _ms(began)
        session = host.load(arrow=TABLE, session="first").session
        answered[ARROW_LOAD] = _ms(began)
        host.tables.sql(f"SELECT max(n) FROM {session}")
        answered[POLARS] = _ms(began)
        return since_spawn(_passed(host), 1000 * host.hello_s, answered)


def _passed(host: Host) -> dict[str, float]:
    """The phases that a sidecar noted, once it has passed the last."""
    ends_at = time.monotonic() + WARMED_TIMEOUT_S
    while time.monotonic() < ends_at:
        passed = {phase.phase: phase.at_ms for phase in host.stats().startup}
        if phases.WARMED in passed:
            return passed
        time.sleep(0.005)
    raise HostFault(f"the sidecar did not import all within {WARMED_TIMEOUT_S:.0f} s", host.stderr_tail())


def _ms(began: float) -> float:
    return 1000 * (time.perf_counter() - began)


def _print(rounds: int, rows: list[dict[str, Any]]) -> None:
    table = TextTable(["phase", "from spawn, ms", "of these its own, ms"])
    cells = [(STEPS[row["phase"]].text, round(row["at_ms"], 1), round(row["own_ms"], 1)) for row in rows]
    for line in table.lines(cells):
        print(line)
    print(f"medians of {rounds}" if rounds > 1 else "of 1 start; --rounds N takes the medians of N")
