"""From the spawn to the hello, and to the first answers, against a Python that does nothing. From source."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pyarrow as pa

from sidecar.client import Host, Sort

from .harness import Line, Pair, at_most, seconds

SMALL = pa.table({"n": [3, 1, 2]})

STEPS: dict[str, Callable[[Host], Any]] = {
    "spawn to hello": lambda host: host.hello,
    "spawn to first Arrow load": lambda host: host.load(arrow=SMALL),
    "spawn to first sorted page": lambda host: host.tables.rows(host.load(arrow=SMALL).session, sort=[Sort("n")]),
}


def lines(quick: bool) -> list[Line]:
    """For information: DESIGN's figures are for the frozen executable."""
    rounds = 3 if quick else 9
    times: dict[str, list[float]] = {name: [] for name in ("python", *STEPS)}
    for _ in range(rounds):
        times["python"].append(seconds(_python))
        for name, step in STEPS.items():
            times[name].append(_spawned(step))
    python_s = median(times.pop("python"))
    return [at_most(name, Pair(python_s, median(found)), None, "bare Python ") for name, found in times.items()]


def _python() -> None:
    subprocess.run([sys.executable, "-P", "-c", "pass"], check=True)


def _spawned(step: Callable[[Host], Any]) -> float:
    started = time.perf_counter()
    with Host.spawn() as host:
        step(host)
        return time.perf_counter() - started
