"""Row orders are computed once for all who need them at the same time, and by each in turn where one gives up."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import Cancelled, SidecarError
from sidecar.services.table import EagerTable, Table
from sidecar.services.tables.filters.filters import Filter
from sidecar.services.tables.order import orders as module
from sidecar.services.tables.order.ordering import Sort
from sidecar.services.tables.order.orders import RowOrders
from sidecar.services.tables.view import View

from ...caller import RecordingContext

DEADLINE_S = 20.0
VIEW = View(sort=[Sort("v")])
ORDER = pa.array([1, 0], pa.uint32())


class Waiting(RecordingContext):
    """Someone's work, which says when it looks whether it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = Event()
        self.is_cancelled = False

    @property
    def cancelled(self) -> bool:
        self.looked.set()
        return self.is_cancelled


class Computing:
    """Stands for `row_order`: each call waits until it is told how to end."""

    def __init__(self) -> None:
        self.calls: list[tuple[View, Event, Event]] = []
        self.ends: list[Exception | None] = []
        self.began = [Event() for _ in range(4)]
        self.released = [Event() for _ in range(4)]

    def __call__(self, _table: Table, view: View, work: RecordingContext, *_: Any, **__: Any) -> pa.Array:
        number = len(self.calls)
        self.calls.append((view, self.began[number], self.released[number]))
        self.began[number].set()
        assert self.released[number].wait(DEADLINE_S)
        if self.ends[number] is not None:
            raise self.ends[number]
        work.check()
        return ORDER

    def wait(self, number: int) -> None:
        """Until the call of this number has begun."""
        assert self.began[number].wait(DEADLINE_S)

    def end(self, number: int, fault: Exception | None = None) -> None:
        """Let a call end, with a fault or with an order."""
        assert len(self.ends) == number
        self.ends.append(fault)
        self.released[number].set()


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> Computing:
    computing = Computing()
    monkeypatch.setattr(module, "row_order", computing)
    return computing


Ask = Callable[..., Future[pa.Array]]


class Asking:
    """One table, and threads that ask for orders of it."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.orders = RowOrders()
        self.table = EagerTable(pa.table({"v": [2, 1]}))
        self._pool = pool

    def ask(self, work: RecordingContext, view: View = VIEW) -> Future[pa.Array]:
        return self._pool.submit(self.orders.get, self.table, view, work)

    def wait_behind(self, view: View = VIEW) -> tuple[Waiting, Future[pa.Array]]:
        """One that waits for an order that is being computed."""
        work = Waiting()
        future = self.ask(work, view)
        assert work.looked.wait(DEADLINE_S)
        return work, future


@pytest.fixture
def asking() -> Any:
    with ThreadPoolExecutor(8) as pool:
        yield Asking(pool)


def test_all_who_ask_at_once_share_one_computation(computing: Computing, asking: Asking) -> None:
    first = asking.ask(RecordingContext())
    computing.wait(0)
    others = [asking.wait_behind()[1] for _ in range(5)]
    computing.end(0)
    assert [future.result(DEADLINE_S) for future in (first, *others)] == [ORDER] * 6
    assert asking.ask(RecordingContext()).result(DEADLINE_S) == ORDER
    assert len(computing.calls) == 1


def test_another_view_does_not_wait(computing: Computing, asking: Asking) -> None:
    first = asking.ask(RecordingContext())
    computing.wait(0)
    second = asking.ask(RecordingContext(), View(filter=[Filter("v", "eq", 1)]))
    computing.wait(1)
    assert computing.calls[0][0] != computing.calls[1][0]
    computing.end(0)
    computing.end(1)
    assert first.result(DEADLINE_S) == second.result(DEADLINE_S) == ORDER


def test_the_same_view_of_another_table_does_not_wait(computing: Computing, asking: Asking) -> None:
    first = asking.ask(RecordingContext())
    computing.wait(0)
    asking.table = EagerTable(pa.table({"v": [1, 2]}))
    second = asking.ask(RecordingContext())
    computing.wait(1)
    computing.end(0)
    computing.end(1)
    assert first.result(DEADLINE_S) == second.result(DEADLINE_S) == ORDER


def test_when_the_first_is_cancelled_one_of_the_others_takes_over(computing: Computing, asking: Asking) -> None:
    first = asking.ask(RecordingContext())
    computing.wait(0)
    others = [asking.wait_behind()[1] for _ in range(3)]
    computing.end(0, Cancelled())
    with pytest.raises(Cancelled):
        first.result(DEADLINE_S)
    computing.wait(1)
    computing.end(1)
    assert [future.result(DEADLINE_S) for future in others] == [ORDER] * 3
    assert len(computing.calls) == 2


def test_when_the_first_fails_each_gets_an_error_of_its_own(computing: Computing, asking: Asking) -> None:
    first = asking.ask(RecordingContext())
    computing.wait(0)
    _, second = asking.wait_behind()
    computing.end(0, SidecarError("memory_limit", "first"))
    with pytest.raises(SidecarError, match="first"):
        first.result(DEADLINE_S)
    computing.wait(1)
    computing.end(1, SidecarError("memory_limit", "second"))
    with pytest.raises(SidecarError, match="second"):
        second.result(DEADLINE_S)
    third = asking.ask(RecordingContext())
    computing.wait(2)
    computing.end(2)
    assert third.result(DEADLINE_S) == ORDER


def test_one_who_waits_can_be_cancelled(computing: Computing, asking: Asking) -> None:
    """The computation goes on for the others."""
    first = asking.ask(RecordingContext())
    computing.wait(0)
    work, waiting = asking.wait_behind()
    work.is_cancelled = True
    with pytest.raises(Cancelled):
        waiting.result(DEADLINE_S)
    assert not first.done()
    computing.end(0)
    assert first.result(DEADLINE_S) == ORDER


def test_a_view_that_is_no_json_is_refused(asking: Asking) -> None:
    with pytest.raises(SidecarError) as refused:
        asking.orders.get(asking.table, View(filter=[Filter("v", "eq", object())]), RecordingContext())
    assert refused.value.kind == "invalid_filter"
