"""`ctx`: what the author's code can ask and say, in a call, in a turn, and while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event
from typing import Any, Protocol

import pytest

from sidecar import CallContext, Cancelled, Level, OutputCollector, ProducerState, SidecarError, Stream, serve_pipe
from sidecar.streams import context as module
from tests.streams.lab import INTS, WAIT_S, Lab, Turn, batch, served, values

# -- alone -------------------------------------------------------------------------------------------------------


class FakeHost:
    """The way to the host."""

    def __init__(self) -> None:
        self.cancelled = False
        self.deadline: float | None = None
        self.said: list[Any] = []

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        self.said.append((level, message, extra))

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        self.said.append((done, total, unit, message))


def made() -> tuple[CallContext, FakeHost]:
    host = FakeHost()
    return CallContext(host, "Service.method", 7, "implementation"), host


def test_whose_it_is() -> None:
    context, _ = made()
    assert (context.method, context.request_id, context.implementation) == ("Service.method", 7, "implementation")


def test_cancelled() -> None:
    context, host = made()
    context.check()
    assert not context.cancelled
    host.cancelled = True
    assert context.cancelled
    with pytest.raises(Cancelled):
        context.check()


@pytest.mark.parametrize(
    ("deadline", "remaining_s"),
    [(None, None), (112.5, 12.5), (100.0, 0.0), (1.0, 0.0)],
    ids=["none", "later", "now", "over"],
)
def test_remaining_s(monkeypatch: pytest.MonkeyPatch, deadline: float | None, remaining_s: float | None) -> None:
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)
    context, host = made()
    host.deadline = deadline
    assert context.remaining_s == remaining_s


@pytest.mark.parametrize("level", ["warning", "WARNING", Level.WARNING], ids=repr)
def test_levels_are_told_in_any_case(level: str) -> None:
    context, host = made()
    context.client_log(level, "text", a=1)
    assert host.said == [("warning", "text", {"a": 1})]


def test_a_level_that_is_none() -> None:
    context, host = made()
    with pytest.raises(ValueError, match="loud"):
        context.client_log("loud", "text")
    assert host.said == []


def test_progress_has_defaults() -> None:
    context, host = made()
    context.progress(3)
    context.progress(4, 10, "files", "reading")
    assert host.said == [(3, None, "rows", ""), (4, 10, "files", "reading")]


def test_the_logger_says_whose_it_is(caplog: pytest.LogCaptureFixture) -> None:
    context, _ = made()
    with caplog.at_level(logging.INFO, "sidecar.service.Service"):
        context.logger.info("done %d", 3)
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("sidecar.service.Service", "done 3")
    assert (record.method, record.request_id) == ("Service.method", 7)  # type: ignore[attr-defined]


# -- in a call ---------------------------------------------------------------------------------------------------


class Work(Protocol):
    def work(self) -> str: ...

    def open(self) -> Stream[ProducerState]: ...

    def left(self) -> float | None: ...


class Worker:
    """Works as the test says; waits until the host has heard of it."""

    def __init__(self, work: Callable[[CallContext], Any]) -> None:
        self._work = work

    def work(self, ctx: CallContext) -> str:
        self._work(ctx)
        return "done"

    def open(self, ctx: CallContext) -> Stream[ProducerState]:
        self._work(ctx)
        return Stream(INTS, Finished())

    def left(self, ctx: CallContext) -> float | None:
        return ctx.remaining_s


class Finished(ProducerState):
    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.finish()


def quiet(_context: CallContext) -> None:
    pass


@pytest.mark.parametrize("method", ["work", "open"], ids=["a unary method", "an opening"])
def test_logs_are_live(method: str) -> None:
    """The method returns only after the host has what it said before."""
    heard, logs = Event(), []

    def work(ctx: CallContext) -> None:
        ctx.client_log("info", "begun", rows=1)
        assert heard.wait(WAIT_S)
        ctx.client_log("debug", "over")

    def on_log(log: Any) -> None:
        logs.append(tuple(log))
        heard.set()

    with serve_pipe(Work, Worker(work), on_log=on_log) as proxy:
        getattr(proxy, method)()
    assert logs == [("info", "begun", {"rows": 1}), ("debug", "over", {})]


def test_logs_before_an_error_are_not_lost() -> None:
    logs: list[str] = []

    def work(ctx: CallContext) -> None:
        ctx.client_log("error", "about to fail")
        raise ValueError("oops")

    with serve_pipe(Work, Worker(work), on_log=lambda log: logs.append(log.message)) as proxy:
        with pytest.raises(SidecarError, match=r"Work\.work raised ValueError: oops"):
            proxy.work()
        assert logs == ["about to fail"]


def test_progress_is_live() -> None:
    heard: SimpleQueue[Any] = SimpleQueue()
    go = Event()

    def work(ctx: CallContext) -> None:
        while not go.is_set():  # the first is sent once the call has lasted a while
            ctx.progress(3, 10, "files", "reading")

    def on_progress(progress: Any) -> None:
        heard.put(tuple(progress))
        go.set()

    with serve_pipe(Work, Worker(work), on_progress=on_progress) as proxy:
        assert proxy.work() == "done"
        assert heard.get(timeout=WAIT_S) == (3, 10, "files", "reading")


def test_a_deadline_ends_a_call_that_looks() -> None:
    seen: SimpleQueue[Any] = SimpleQueue()

    def work(ctx: CallContext) -> None:
        seen.put(ctx.remaining_s)
        while not ctx.cancelled:
            pass
        seen.put(ctx.remaining_s)
        ctx.check()

    with serve_pipe(Work, Worker(work), timeout_s=0.2) as proxy:
        with pytest.raises(SidecarError) as caught:
            proxy.work()
        assert caught.value.kind == "deadline_exceeded"
        assert 0 < seen.get(timeout=WAIT_S) <= 0.2
        assert seen.get(timeout=WAIT_S) == 0


def test_without_a_deadline_there_is_no_end() -> None:
    with serve_pipe(Work, Worker(quiet)) as proxy:
        assert proxy.left() is None
    with serve_pipe(Work, Worker(quiet), timeout_s=3600) as proxy:
        left = proxy.left()
        assert left is not None
        assert 3000 < left <= 3600


@pytest.mark.parametrize("extra", [object(), "\udcff"], ids=["an object", "a surrogate"])
def test_a_log_without_a_json_form_fails_where_it_is_written(extra: Any) -> None:
    faults: list[Exception] = []

    def work(ctx: CallContext) -> None:
        try:
            ctx.client_log("info", "text", what=extra)
        except Exception as fault:
            faults.append(fault)

    with serve_pipe(Work, Worker(work)) as proxy:
        assert proxy.work() == "done"
    (fault,) = faults
    assert isinstance(fault, TypeError | ValueError)


def test_a_text_that_is_no_unicode_is_sent_as_text() -> None:
    logs: list[str] = []
    worker = Worker(lambda ctx: ctx.client_log("info", "no file \udcff"))
    with serve_pipe(Work, worker, on_log=lambda log: logs.append(log.message)) as proxy:
        assert proxy.work() == "done"
    assert logs == ["no file \\udcff"]


# -- in a turn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["producer", "exchange"])
@pytest.mark.parametrize("say", ["ctx", "out"])
def test_logs_of_a_turn_are_live(method: str, say: str) -> None:
    """The turn goes on only after the host has heard."""

    def script(turn: Turn) -> None:
        (turn.ctx if say == "ctx" else turn.out).client_log("info", "begun", turn=turn.number)
        assert turn.lab.logged.wait(WAIT_S)
        turn.emit(len(turn.lab.logs))

    lab = Lab(script)
    with served(lab, method) as bench:
        session = bench.open()
        if method == "exchange":
            session.send(batch(1.0))
        assert values(session.receive(WAIT_S)) == [1]
        session.cancel()
        assert [tuple(log) for log in lab.logs[:1]] == [("info", "begun", {"turn": 0})]


def test_logs_and_batches_come_in_order() -> None:
    said: list[Any] = []

    def script(turn: Turn) -> None:
        turn.out.client_log("info", str(turn.number))
        turn.emit(turn.number)
        if turn.number == 20:
            turn.out.finish()

    lab = Lab(script)
    with served(lab) as bench:
        for got in bench.open():
            said.append(values(got)[0])
            assert len(lab.logs) > said[-1]
    assert said == list(range(21))
    assert [log.message for log in lab.logs] == [str(number) for number in said]


def test_progress_of_a_turn() -> None:
    """The first is sent at once, and those that follow too soon are not."""
    heard: SimpleQueue[Any] = SimpleQueue()

    def script(turn: Turn) -> None:
        for done in range(1000):
            turn.ctx.progress(done, 1000, "files")
        turn.out.finish()

    with served(Lab(script), on_progress=heard.put) as bench:
        assert list(bench.open()) == []
        assert tuple(heard.get(timeout=WAIT_S)) == (0, 1000, "files", "")
        assert heard.qsize() < 500


def test_progress_of_a_cancelled_turn_raises() -> None:
    raised = Event()

    def script(turn: Turn) -> None:
        turn.lab.entered.set()
        try:
            while True:
                turn.ctx.progress(0)
        except Cancelled:
            raised.set()
            raise

    lab = Lab(script)
    with served(lab) as bench:
        session = bench.open()
        assert lab.entered.wait(WAIT_S)
        session.cancel()
        assert raised.wait(WAIT_S)
        assert lab.closes.get(timeout=WAIT_S) == "cancel"


def test_the_context_of_a_turn() -> None:
    """Names its stream, and is the same one in every turn."""
    seen: list[Any] = []

    def script(turn: Turn) -> None:
        seen.append((turn.ctx, turn.ctx.method, turn.ctx.request_id, turn.ctx.implementation, turn.ctx.remaining_s))
        turn.emit(1)
        if turn.number == 1:
            turn.out.finish()

    lab = Lab(script)
    with served(lab) as bench:
        session = bench.open()
        assert len(list(session)) == 2
    assert seen == [(seen[0][0], "Service.producer", session.id, lab, None)] * 2
