"""From the spawn to the hello, and to the first answers: of a frozen executable against its reach, of the source for
information. The reference is a Python that does nothing."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pyarrow as pa

from sidecar.client import Host

from .harness import Line, Pair, at_most, seconds

SMALL = pa.table({"n": [3, 1, 2]})


class Step:
    """What is measured, on a sidecar that has just been spawned, and how long it may take of a frozen one."""

    def __init__(self, reach_ms: float, ask: Callable[[Host], Any]) -> None:
        self.reach_ms = reach_ms
        self.ask = ask


STEPS = {
    "spawn to hello": Step(15, lambda host: None),
    "spawn to first Arrow load": Step(60, lambda host: host.load(arrow=SMALL)),
    "spawn to first Polars answer": Step(170, lambda host: host.tables.sql("SELECT 1 AS one")),
}


def lines(quick: bool, sidecar_cmd: str | None = None) -> list[Line]:
    """`sidecar_cmd` starts the frozen executable; without it the source is measured, which has no reach."""
    command = None if sidecar_cmd is None else _words(sidecar_cmd)
    rounds = 3 if quick else 15
    times: dict[str, list[float]] = {name: [] for name in ("python", *STEPS)}
    for _ in range(rounds):
        times["python"].append(seconds(_python))
        for name, step in STEPS.items():
            times[name].append(_spawned(command, step))
    python_s = median(times.pop("python"))
    found = [at_most(name, Pair(python_s, median(spent)), None, "bare Python ") for name, spent in times.items()]
    return found if command is None else [_judged(line, median(times[line.row])) for line in found]


def _judged(line: Line, spent_s: float) -> Line:
    reach_ms = STEPS[line.row].reach_ms
    return line._replace(row=f"frozen: {line.row}", reach=f"≤ {reach_ms:g} ms", ok=1000 * spent_s <= reach_ms)


def _words(sidecar_cmd: str) -> list[str]:
    return [os.path.abspath(sidecar_cmd)] if os.path.exists(sidecar_cmd) else shlex.split(sidecar_cmd)


def _python() -> None:
    subprocess.run([sys.executable, "-P", "-c", "pass"], check=True)


def _spawned(command: list[str] | None, step: Step) -> float:
    """From the spawn to the answer. The host's own greeting is in it, but for the hello alone."""
    began = time.perf_counter()
    with Host.spawn(command) as host:
        if step is STEPS["spawn to hello"]:
            return host.hello_s
        step.ask(host)
        return time.perf_counter() - began
