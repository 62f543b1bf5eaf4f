"""What every row is made of: a reference and ours, measured in turns, and the line that compares them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple, Self

from sidecar.runtime import platform

from . import raw_peer

Work = Callable[[], Any]


class Line(NamedTuple):
    """One line of the table. `ok` is None where the figure is for information only."""

    row: str
    reference: str
    ours: str
    ratio: float
    reach: str
    ok: bool | None


class Pair(NamedTuple):
    """Medians of the reference and of ours, in seconds a call."""

    reference_s: float
    ours_s: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the reference."""
        return self.ours_s / self.reference_s


def seconds(work: Work) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(reference: Work, ours: Work, rounds: int, block: int = 1) -> Pair:
    """Medians of `rounds` turns of `block` calls each, A B A B …, so that a noisy moment hits both.

    A turn's first calls find the other's traces in the caches, so of a block of many a few are not counted.
    """
    uncounted = block // 10
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for work, into in zip((reference, ours), times, strict=True):
            into.extend([seconds(work) for _ in range(block)][uncounted:])
    return Pair(median(times[0]), median(times[1]))


class RawPeer:
    """A process of `raw_peer.py`, spawned as the Python host spawns the sidecar, with the same pipes."""

    def __init__(self, request_bytes: int, answer_bytes: int) -> None:
        command = [sys.executable, "-P", raw_peer.__file__, str(request_bytes), str(answer_bytes)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        for fd in (self._to, self._from):
            platform.grow_buffer(fd)
        self.pid = self._process.pid
        self._answer = memoryview(bytearray(answer_bytes))

    def exchange(self, request: memoryview) -> None:
        """Write the request, read the answer."""
        raw_peer.write_all(self._to, request)
        if not raw_peer.read_all(self._from, self._answer):
            raise RuntimeError("the raw peer ended")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@contextmanager
def placed(pid: int, core: int) -> Iterator[None]:
    """Keep every thread of a process on one core."""
    before = os.sched_getaffinity(pid)
    _place(pid, {core})
    try:
        yield
    finally:
        _place(pid, before)


def _place(pid: int, cores: set[int]) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), cores)


def memory_of(pid: int, field: str) -> int:
    """A field of `/proc/PID/status` in bytes: `VmRSS` is the resident memory, `VmHWM` its peak."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(field)


def bytes_of(data: Any) -> memoryview:
    """The bytes behind a buffer."""
    return memoryview(data).cast("B")


def shown(time_s: float) -> str:
    """A time, in the unit that suits it."""
    if time_s >= 1:
        return f"{time_s:.2f} s"
    return f"{time_s * 1e3:.1f} ms" if time_s >= 0.001 else f"{time_s * 1e6:.0f} µs"


def speed(size: int, time_s: float) -> str:
    """A throughput."""
    return f"{size / time_s / 1e9:.2f} GB/s"


def at_most(row: str, pair: Pair, reach: float | None, what: str = "") -> Line:
    """A line whose ratio of times must not be above `reach`."""
    ok = None if reach is None else pair.ratio <= reach
    return Line(row, f"{what}{shown(pair.reference_s)}", shown(pair.ours_s), pair.ratio, _reach("≤", reach), ok)


def throughput(row: str, pair: Pair, size: int, reach: float) -> Line:
    """A line whose ratio of throughputs must not be below `reach`."""
    ratio = 1 / pair.ratio
    return Line(row, speed(size, pair.reference_s), speed(size, pair.ours_s), ratio, _reach("≥", reach), ratio >= reach)


def _reach(sign: str, reach: float | None) -> str:
    return "" if reach is None else f"{sign} {reach:g} x"


def print_table(lines: list[Line]) -> None:
    """The lines under a heading, in columns."""
    cells = [("row", "reference", "ours", "ratio", "reach", "")]
    cells += [(x.row, x.reference, x.ours, f"{x.ratio:.2f}", x.reach, _verdict(x.ok)) for x in lines]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _verdict(ok: bool | None) -> str:
    return "" if ok is None else "ok" if ok else "short"


def cpu_count() -> int:
    """The cores that this run may use."""
    return len(os.sched_getaffinity(0))
