"""What a handler sees: when progress is sent and when it is not, and what a cancelled call may still do."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.protocol.conversation import Call, Conversation
from sidecar.protocol.errors import Cancelled
from sidecar.protocol.messages import Notification, Request
from sidecar.runtime.context import PROGRESS_DELAY_S, PROGRESS_INTERVAL_S, CallRuntime, RequestContext

NO_STREAMS: Any = None
"""Streams are tested with the real ones, in tests/streams."""


class Bench:
    """A running call, a clock that is turned by hand, and what was sent."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sent: list[Any] = []
        self.conversation = Conversation()
        event = self.conversation.receive(Request(7, "load", {}))
        assert event is not None
        self.call: Call = event[0]  # type: ignore[assignment]
        self.conversation.start(self.call)
        around = CallRuntime(self.conversation.commit, lambda: None, self.sent.append, lambda: self.now, NO_STREAMS)
        self.context = RequestContext(self.call, around)

    def progress_at(self, elapsed_s: float) -> int:
        """Report progress at a time since the start; returns how many reports were sent so far."""
        self.now = 1000.0 + elapsed_s
        self.context.progress(round(elapsed_s * 1000), None, "rows")
        return len(self.sent)

    def cancel(self) -> None:
        """As the host does it."""
        self.conversation.receive(Notification("$/cancelRequest", {"id": 7}))


@pytest.fixture
def bench() -> Bench:
    return Bench()


STEP_S = 0.001


def test_a_short_call_sends_no_progress(bench: Bench) -> None:
    assert bench.progress_at(0) == 0
    assert bench.progress_at(PROGRESS_DELAY_S - STEP_S) == 0
    assert bench.progress_at(PROGRESS_DELAY_S) == 1


def test_progress_is_spaced(bench: Bench) -> None:
    assert bench.progress_at(1) == 1
    assert bench.progress_at(1 + PROGRESS_INTERVAL_S - STEP_S) == 1
    assert bench.progress_at(1 + PROGRESS_INTERVAL_S + STEP_S) == 2
    assert bench.progress_at(5) == 3
    assert bench.progress_at(5 + STEP_S) == 3


def test_progress_says_whose_and_how_far(bench: Bench) -> None:
    bench.now += 1
    bench.context.progress(3, 10, "batches", "reading")
    params = {"id": 7, "done": 3, "total": 10, "unit": "batches", "message": "reading"}
    assert bench.sent == [Notification("$/progress", params)]


@pytest.mark.parametrize("elapsed_s", [0, 10], ids=["too early to be sent", "due"])
def test_progress_looks_at_cancellation_first(bench: Bench, elapsed_s: float) -> None:
    bench.cancel()
    with pytest.raises(Cancelled):
        bench.progress_at(elapsed_s)
    assert bench.sent == []


def test_a_cancelled_call(bench: Bench) -> None:
    bench.context.check()
    assert not bench.context.cancelled
    bench.cancel()
    assert bench.context.cancelled
    for refused in (bench.context.check, bench.context.commit):
        with pytest.raises(Cancelled):
            refused()


def test_a_committed_call_is_not_cancelled(bench: Bench) -> None:
    bench.context.commit()
    bench.context.commit()
    bench.cancel()
    bench.context.check()
    assert bench.progress_at(1) == 1


def test_a_log_is_sent_at_once(bench: Bench) -> None:
    bench.context.log("info", "half \udcff done", {"rows": 3})
    params = {"id": 7, "level": "info", "message": "half \\udcff done", "extra": {"rows": 3}}
    assert bench.sent == [Notification("$/log", params)]


def test_what_is_left_after_the_answer(bench: Bench) -> None:
    """Handlers leave what they hold to the server, which lets go of it once the answer is sent."""
    left: list[str] = []
    bench.context.after.callback(left.append, "first")
    bench.context.after.callback(left.append, "second")
    assert left == []
    bench.context.after.close()
    assert left == ["second", "first"]
