"""Timers: what is due runs, once, in order of time; the clock is turned by hand."""

from __future__ import annotations

import gc
import logging
import math
import time
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Lock, current_thread
from typing import Any

import pytest

from sidecar.runtime import timers as module
from sidecar.runtime.timers import Coalesced, Timers

DEADLINE_S = 20.0


class Bench:
    """Timers without a thread, a clock, and what ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module.Thread, "start", lambda _thread: None)
        self.now = 100.0
        self.ran: list[Any] = []
        self.timers = Timers(lambda: self.now)

    def at(self, when: float, name: Any) -> Any:
        return self.timers.at(when, lambda: self.ran.append(name))

    def turn_to(self, now: float) -> list[Any]:
        """What runs when the clock shows `now`."""
        self.now, before = now, len(self.ran)
        self.timers.run_due()
        return self.ran[before:]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_what_is_due_runs_once_and_in_order(bench: Bench) -> None:
    for when, name in [(103, "c"), (101, "a"), (102, "b"), (110, "d")]:
        bench.at(when, name)
    assert bench.turn_to(100) == []
    assert bench.turn_to(101) == ["a"]
    assert bench.turn_to(105) == ["b", "c"]
    assert bench.turn_to(105) == []
    assert bench.turn_to(1000) == ["d"]


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set(bench: Bench) -> None:
    for name in range(20):
        bench.at(101, name)
    assert bench.turn_to(101) == list(range(20))


def test_a_time_that_is_over_is_due(bench: Bench) -> None:
    bench.at(1, "late")
    assert bench.turn_to(100) == ["late"]


@pytest.mark.parametrize("cancelled", ["first", "second", "last"])
def test_a_cancelled_timer(bench: Bench, cancelled: str) -> None:
    timers = {name: bench.at(101 + number, name) for number, name in enumerate(["first", "second", "last"])}
    timers[cancelled].cancel()
    timers[cancelled].cancel()
    assert bench.turn_to(200) == [name for name in timers if name != cancelled]


def test_a_timer_may_set_and_cancel_others(bench: Bench) -> None:
    last = bench.at(103, "cancelled")

    def action() -> None:
        bench.ran.append("first")
        bench.at(102, "due already")
        bench.at(120, "later")
        last.cancel()

    bench.timers.at(101, action)
    assert bench.turn_to(105) == ["first", "due already"]
    assert bench.turn_to(120) == ["later"]


def test_a_timer_that_fails_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    bench.timers.at(101, fail)
    bench.at(102, "next")
    with caplog.at_level(logging.ERROR, "sidecar"):
        assert bench.turn_to(110) == ["next"]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


@pytest.mark.parametrize("is_near", [True, False], ids=["behind a near one", "alone"])
def test_cancelled_timers_take_no_room(bench: Bench, is_near: bool) -> None:
    """They are a year ahead, so that nobody would come upon them."""
    if is_near:
        bench.at(101, "near")
    for number in range(10_000):
        bench.at(10**8 + number, "far").cancel()
    assert len(bench.timers._heap) < 500
    last = bench.at(10**8, "last")
    assert bench.turn_to(10**9) == ["near"] * is_near + ["last"]
    last.cancel()


@pytest.mark.parametrize("when", [1e300, math.inf], ids=str)
def test_a_time_beyond_what_can_be_waited_for(bench: Bench, when: float) -> None:
    """The thread, here this one, waits for as long as it can."""
    waits: list[float | None] = []

    def wait(timeout_s: float | None) -> bool:
        waits.append(timeout_s)
        bench.timers._closed = True
        return Lock().acquire(timeout=-1 if timeout_s is None else timeout_s)  # as a condition: raises, or is free

    bench.at(when, "never")
    bench.timers._changed.wait = wait  # type: ignore[assignment]
    bench.timers._run()
    assert len(waits) == 1
    assert bench.ran == []


class Held:
    """What an action holds on to."""

    def act(self) -> None:
        pass


@pytest.mark.parametrize("ends", ["cancelled", "ran"])
def test_what_it_held_is_forgotten(bench: Bench, ends: str) -> None:
    """A stream's deadline holds the stream, and may be a year ahead."""
    held = Held()
    forgotten = weakref.ref(held)
    timer = bench.timers.at(101, held.act)
    if ends == "cancelled":
        timer.cancel()
    else:
        bench.turn_to(101)
    del held, timer
    gc.collect()
    assert forgotten() is None


@pytest.mark.parametrize("calls", [1, 2, 100])
def test_what_many_ask_for_happens_once(bench: Bench, calls: int) -> None:
    """After the first of them, however late the others are."""
    ask = Coalesced(bench.timers, 5, lambda: bench.ran.append("done"))
    for turn in (100, 200):
        bench.now = turn
        ask()
        for _ in range(calls - 1):
            assert bench.turn_to(turn + 4) == []
            ask()
        assert bench.turn_to(turn + 5) == ["done"]
        assert bench.turn_to(turn + 99) == []


@pytest.mark.parametrize("is_failing", [False, True], ids=["done", "failed"])
def test_who_asks_while_it_happens_is_not_forgotten(bench: Bench, is_failing: bool) -> None:
    def action() -> None:
        bench.ran.append(bench.now)
        if len(bench.ran) == 1:
            ask()
            ask()
        if is_failing:
            raise ZeroDivisionError

    ask = Coalesced(bench.timers, 5, action)
    ask()
    assert bench.turn_to(105) == [105]
    assert bench.turn_to(109) == []
    assert bench.turn_to(110) == [110]
    assert bench.turn_to(1000) == []


# -- the thread --------------------------------------------------------------------------------------------------


def running() -> tuple[Timers, SimpleQueue[str], Callable[[], None]]:
    """On the real clock; with what runs on which thread."""
    ran: SimpleQueue[str] = SimpleQueue()
    return Timers(time.monotonic), ran, lambda: ran.put(current_thread().name)


def test_actions_run_on_a_thread_of_their_own() -> None:
    timers, ran, action = running()
    timers.at(time.monotonic() + 0.01, action)
    timers.at(time.monotonic() - 1, action)
    assert [ran.get(timeout=DEADLINE_S) for _ in range(2)] == ["timers"] * 2
    timers.close()


def test_an_earlier_one_is_not_held_up_by_a_later_one() -> None:
    timers, ran, action = running()
    timers.at(time.monotonic() + 3600, action)
    timers.at(time.monotonic(), action)
    assert ran.get(timeout=DEADLINE_S)
    assert ran.empty()
    timers.close()


def test_close_ends_the_thread() -> None:
    timers, ran, action = running()
    ended = Event()
    timers.at(time.monotonic(), action)
    assert ran.get(timeout=DEADLINE_S)
    timers.at(time.monotonic() + 3600, ended.set)
    timers.close()
    assert timers._thread is not None
    timers._thread.join(DEADLINE_S)
    assert not timers._thread.is_alive()
    assert not ended.is_set()


def test_close_without_any_timer() -> None:
    Timers(time.monotonic).close()
