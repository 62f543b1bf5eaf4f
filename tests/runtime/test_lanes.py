"""Tasks of one lane run in order, those of others side by side, on no more threads than allowed."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator
from threading import Event, Semaphore, current_thread
from threading import enumerate as all_threads
from typing import Any

import pytest

from sidecar.runtime import lanes as module
from sidecar.runtime.lanes import Lanes

DEADLINE_S = 20.0


class Gate:
    """A task that starts, says so, and waits until it is let through."""

    def __init__(self) -> None:
        self.started = Event()
        self.opened = Event()
        self.thread = ""

    def __call__(self) -> None:
        self.thread = current_thread().name
        self.started.set()
        assert self.opened.wait(DEADLINE_S)


class Tally:
    """Notes what ran, in order; waits for a number of them."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self._count = Semaphore(0)

    def noting(self, name: Any) -> Callable[[], None]:
        """A task that notes a name."""

        def task() -> None:
            self.ran.append(name)
            self._count.release()

        return task

    def wait(self, count: int) -> None:
        """Wait until so many more tasks ran."""
        for _ in range(count):
            assert self._count.acquire(timeout=DEADLINE_S), self.ran


def wait_for_idle(lanes: Lanes, lane: str) -> None:
    """The last task has ended, and its thread is about to say so."""
    ends_at = time.monotonic() + DEADLINE_S
    while not lanes.is_idle(lane):
        assert time.monotonic() < ends_at


@pytest.fixture
def gates() -> Iterator[Callable[[], Gate]]:
    """Makes gates; all are open after the test."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate())
        return made[-1]

    yield make
    for gate in made:
        gate.opened.set()


Gates = Callable[[], Gate]


def test_one_lane_keeps_the_order(gates: Gates) -> None:
    lanes, tally, gate = Lanes(), Tally(), gates()
    lanes.submit("a", gate)
    for number in range(100):
        lanes.submit("a", tally.noting(number))
    assert gate.started.wait(DEADLINE_S)
    assert tally.ran == []
    gate.opened.set()
    tally.wait(100)
    assert tally.ran == list(range(100))


@pytest.mark.parametrize("lane", ["b", None], ids=["another lane", "no lane"])
def test_others_do_not_wait(gates: Gates, lane: str | None) -> None:
    lanes, tally = Lanes(), Tally()
    lanes.submit("a", gates())
    for number in range(10):
        lanes.submit(lane, tally.noting(number))
    tally.wait(10)


def test_no_lane_is_no_lane(gates: Gates) -> None:
    """Tasks without one run side by side."""
    lanes, all_gates = Lanes(), [gates() for _ in range(5)]
    for gate in all_gates:
        lanes.submit(None, gate)
    assert all(gate.started.wait(DEADLINE_S) for gate in all_gates)


def test_idle(gates: Gates) -> None:
    lanes, tally, gate = Lanes(), Tally(), gates()
    assert lanes.is_idle("a")
    assert lanes.is_idle(None)
    lanes.submit("a", gate)
    assert not lanes.is_idle("a")
    assert lanes.is_idle("b")
    assert lanes.is_idle(None)
    lanes.submit("a", tally.noting(1))
    gate.opened.set()
    tally.wait(1)
    wait_for_idle(lanes, "a")


def test_never_more_threads_than_allowed(gates: Gates) -> None:
    lanes, tally = Lanes(max_threads=2), Tally()
    first, second, third = gates(), gates(), gates()
    for gate in (first, second, third):
        lanes.submit(None, gate)
    lanes.submit("a", tally.noting("behind"))
    assert first.started.wait(DEADLINE_S)
    assert second.started.wait(DEADLINE_S)
    assert not third.started.is_set()
    first.opened.set()
    assert third.started.wait(DEADLINE_S)
    assert third.thread == first.thread
    second.opened.set()
    tally.wait(1)


def test_threads_are_used_again() -> None:
    """One after the other, tasks need one thread; the second may come before the first thread is free again."""
    lanes, threads = Lanes(), set()
    for _ in range(200):
        done = Event()

        def task(done: Event = done) -> None:
            threads.add(current_thread().name)
            done.set()

        lanes.submit("a", task)
        assert done.wait(DEADLINE_S)
        wait_for_idle(lanes, "a")
    assert threads == {"lane-1"}


def test_a_system_without_another_thread(gates: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that there are do the work."""
    lanes, tally, gate = Lanes(), Tally(), gates()
    lanes.submit(None, gate)
    assert gate.started.wait(DEADLINE_S)

    def refuse(**_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "Thread", refuse)
    for number in range(3):
        lanes.submit(f"lane of {number}", tally.noting(number))
    gate.opened.set()
    tally.wait(3)
    assert tally.ran == [0, 1, 2]
    with pytest.raises(RuntimeError):
        Lanes().submit(None, tally.noting(4))


def test_a_task_that_ran_is_forgotten() -> None:
    """It holds a request, and that its payload."""

    class Task:
        def __call__(self) -> None:
            pass

    lanes, tally, task = Lanes(max_threads=1), Tally(), Task()
    forgotten = weakref.ref(task)
    lanes.submit(None, task)
    del task
    lanes.submit(None, tally.noting("next"))
    tally.wait(1)
    gc.collect()
    assert forgotten() is None


def test_close_ends_the_threads(gates: Gates) -> None:
    """Each when its task has ended; the system gets its threads back."""
    before = set(all_threads())
    lanes, tally, gate = Lanes(max_threads=4, name="mine"), Tally(), gates()
    for number in range(3):
        lanes.submit(None, tally.noting(number))
    tally.wait(3)
    lanes.submit(None, gate)
    assert gate.started.wait(DEADLINE_S)
    assert gate.thread.startswith("mine-")
    lanes.close()
    gate.opened.set()
    for thread in set(all_threads()) - before:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


# -- leaving a lane ----------------------------------------------------------------------------------------------


def leaving(lanes: Lanes, gate: Gate, times: int = 1) -> Callable[[], None]:
    """A task that leaves its lane, and then waits."""

    def task() -> None:
        for _ in range(times):
            lanes.leave()
        gate()

    return task


def test_who_leaves_lets_the_next_begin(gates: Gates) -> None:
    """One at a time: those behind the next one wait for it."""
    lanes, tally, left, second = Lanes(), Tally(), gates(), gates()
    lanes.submit("a", leaving(lanes, left))
    lanes.submit("a", second)
    lanes.submit("a", tally.noting("third"))
    assert left.started.wait(DEADLINE_S)
    assert second.started.wait(DEADLINE_S)
    assert tally.ran == []
    second.opened.set()
    tally.wait(1)
    assert not left.opened.is_set()


def test_who_leaves_twice_leaves_once(gates: Gates) -> None:
    lanes, tally, left, second = Lanes(), Tally(), gates(), gates()
    lanes.submit("a", leaving(lanes, left, times=3))
    lanes.submit("a", second)
    lanes.submit("a", tally.noting("third"))
    assert left.started.wait(DEADLINE_S)
    assert second.started.wait(DEADLINE_S)
    assert tally.ran == []
    second.opened.set()
    tally.wait(1)


def test_the_end_of_a_task_that_left_leaves_nothing(gates: Gates) -> None:
    """The lane is by then another's."""
    lanes, tally, left, second = Lanes(max_threads=2), Tally(), gates(), gates()
    lanes.submit("a", leaving(lanes, left))
    lanes.submit("a", second)
    lanes.submit("a", tally.noting("third"))
    assert second.started.wait(DEADLINE_S)
    left.opened.set()
    lanes.submit("b", tally.noting("on the thread of the first"))
    tally.wait(1)
    assert tally.ran == ["on the thread of the first"]
    assert not lanes.is_idle("a")
    second.opened.set()
    tally.wait(1)


def test_a_lane_that_was_left_and_is_empty_is_idle(gates: Gates) -> None:
    lanes, tally, left = Lanes(), Tally(), gates()
    lanes.submit("a", leaving(lanes, left))
    assert left.started.wait(DEADLINE_S)
    assert lanes.is_idle("a")
    lanes.submit("a", tally.noting("at once"))
    tally.wait(1)


def test_a_foreign_thread_leaves_nothing(gates: Gates) -> None:
    lanes, tally, gate = Lanes(), Tally(), gates()
    lanes.leave()
    lanes.submit("a", gate)
    lanes.submit("a", tally.noting("behind"))
    assert gate.started.wait(DEADLINE_S)
    lanes.leave()
    other = Lanes()
    other.submit("a", other.leave)
    other.submit("a", tally.noting("of other lanes"))
    tally.wait(1)
    assert tally.ran == ["of other lanes"]
    assert not lanes.is_idle("a")


def test_without_a_lane_there_is_none_to_leave(gates: Gates) -> None:
    """Nor is it the lane of the thread's task before."""
    lanes, tally, gate, second = Lanes(max_threads=1), Tally(), gates(), gates()
    lanes.submit("a", tally.noting("first"))
    tally.wait(1)
    lanes.submit(None, leaving(lanes, gate))
    assert gate.started.wait(DEADLINE_S)
    lanes.submit("a", second)
    lanes.submit("a", tally.noting("behind"))
    gate.opened.set()
    assert second.started.wait(DEADLINE_S)
    assert tally.ran == ["first"]


# -- threads that stand still ------------------------------------------------------------------------------------


def test_more_threads_where_all_are_blocked(gates: Gates) -> None:
    lanes, tally, blocked = Lanes(max_threads=2), Tally(), [gates() for _ in range(2)]
    for gate in blocked:
        lanes.submit(None, gate)
        assert gate.started.wait(DEADLINE_S)
    assert not lanes.is_waiting()
    assert not lanes.is_stalled()
    late = [gates() for _ in range(3)]
    for gate in late:
        lanes.submit(None, gate)
    assert lanes.is_waiting()
    assert lanes.is_stalled()
    lanes.grow(2)
    assert late[0].started.wait(DEADLINE_S)
    assert late[1].started.wait(DEADLINE_S)
    assert not late[2].started.is_set()
    assert lanes.is_stalled()
    lanes.grow(2)
    assert late[2].started.wait(DEADLINE_S)
    assert not lanes.is_waiting()
    assert not lanes.is_stalled()
    lanes.submit(None, tally.noting("on the last of the threads"))
    tally.wait(1)


def test_threads_whose_tasks_end_do_not_stand_still(gates: Gates) -> None:
    """However many wait; asked again, only what ended since then counts."""
    lanes, (first, second, third, fourth) = Lanes(max_threads=2), [gates() for _ in range(4)]
    for gate in (first, second, third, fourth):
        lanes.submit(None, gate)
    assert first.started.wait(DEADLINE_S)
    assert second.started.wait(DEADLINE_S)
    assert lanes.is_stalled()
    first.opened.set()
    assert third.started.wait(DEADLINE_S)
    assert lanes.is_waiting()
    assert not lanes.is_stalled()
    assert lanes.is_stalled()
    second.opened.set()
    assert fourth.started.wait(DEADLINE_S)
    assert not lanes.is_waiting()
