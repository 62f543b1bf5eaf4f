"""The first reason to stop counts; the deadline is set before anything is wound down; the process ends in any case."""

from __future__ import annotations

import subprocess
import sys
from threading import Event

import pytest

from sidecar.runtime.exit_codes import EXIT_DEADLINE, EXIT_OK, EXIT_PROTOCOL
from sidecar.runtime.stopping import Stop, Stopper

DEADLINE_S = 20.0


class Bench:
    """A stopper, and what it did in order."""

    def __init__(self, fails: bool = False) -> None:
        self.done: list[object] = []
        self.go = Event()
        self._fails = fails
        self.stopper = Stopper(self._wind_down, self.done.append, lambda: self.done.append("deadline"))

    def _wind_down(self, stop: Stop) -> None:
        assert self.go.wait(DEADLINE_S)
        self.done.append(stop.reason)
        if self._fails:
            raise ValueError("culprit")


def test_the_first_stop_counts() -> None:
    bench = Bench()
    bench.stopper.stop(Stop("first", EXIT_PROTOCOL))
    bench.stopper.stop(Stop("second", EXIT_OK))
    bench.go.set()
    assert bench.stopper.ended.wait(DEADLINE_S)
    bench.stopper.stop(Stop("third", EXIT_OK))
    assert bench.done == ["deadline", "first", EXIT_PROTOCOL]


def test_nothing_happens_before() -> None:
    bench = Bench()
    bench.go.set()
    assert not bench.stopper.ended.is_set()
    assert bench.done == []
    bench.stopper.stop(Stop("now", EXIT_OK))
    assert bench.stopper.ended.wait(DEADLINE_S)


def test_a_stop_inside_a_stop() -> None:
    """As a signal handler does it, which runs in the middle of whatever the main thread does."""
    done: list[object] = []

    def interrupted() -> None:
        stopper.stop(Stop("by signal", EXIT_OK))
        done.append("deadline")

    stopper = Stopper(lambda stop: done.append(stop.reason), done.append, interrupted)
    stopper.stop(Stop("first", EXIT_PROTOCOL))
    assert stopper.ended.wait(DEADLINE_S)
    assert done == ["deadline", "first", EXIT_PROTOCOL]


def test_the_process_ends_even_if_winding_down_fails(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(fails=True)
    bench.go.set()
    bench.stopper.stop(Stop("reason", EXIT_PROTOCOL))
    assert bench.stopper.ended.wait(DEADLINE_S)
    assert bench.done == ["deadline", "reason", EXIT_PROTOCOL]
    assert "culprit" in caplog.text


SCRIPT = """
import ctypes, sys, threading
from sidecar.runtime import stopping
stopping.DEADLINE_S = 0.05
stopper = stopping.Stopper(lambda stop: {wind_down})
stopper.stop(stopping.Stop("test", 42))
{main}
"""
STUCK = {
    "winding down": ("threading.Event().wait()", "threading.Event().wait()"),
    "with the lock": ("ctypes.PyDLL(None).sleep(3600)", "threading.Event().wait()"),
}


@pytest.mark.parametrize(("wind_down", "main"), STUCK.values(), ids=STUCK)
def test_the_deadline_needs_no_python(wind_down: str, main: str) -> None:
    script = SCRIPT.format(wind_down=wind_down, main=main)
    ended = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)
    assert ended.returncode == EXIT_DEADLINE
    assert b"Timeout" in ended.stderr


def test_the_exit_code_is_that_of_the_stop() -> None:
    """Not of the main thread, which may get to its end at the same time."""
    script = SCRIPT.format(wind_down="None", main="stopper.ended.wait()")
    assert subprocess.run([sys.executable, "-c", script], timeout=DEADLINE_S, check=False).returncode == 42


def test_a_stop_goes_on_where_the_deadline_cannot_be_armed() -> None:
    """The system may have no thread or descriptor left."""

    def fail() -> None:
        raise RuntimeError("unable to start watchdog thread")

    codes: list[int] = []
    stopper = Stopper(lambda stop: None, codes.append, fail)
    stopper.stop(Stop("test", 42))
    assert stopper.ended.wait(DEADLINE_S)
    assert codes == [42]
