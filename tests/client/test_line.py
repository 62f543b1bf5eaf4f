"""The host's end of the wire, against a peer in the same process: who reads, who waits, and what callbacks may do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest

from sidecar.client import CallTimeout, Progress, SidecarError, SidecarGone
from sidecar.client.line import Line
from sidecar.protocol.errors import ErrorObject
from sidecar.protocol.messages import Failure, Notification, Result
from sidecar.wire.framing import FrameReader, encode
from sidecar.wire.limits import Limits
from tests.peers.raw import wait_readable

WAIT_S = 30
"""No wait ends by this in a run that passes."""

CANCELLED = ErrorObject(-32800, "the request was cancelled", {"kind": "cancelled"})


class Peer:
    """A line whose other end is in the hands of the test."""

    def __init__(self) -> None:
        input_fd, self._send_fd = os.pipe()
        self._receive_fd, self.output_fd = os.pipe()
        self._fds = [input_fd, self.output_fd, self._receive_fd]
        self._frames = FrameReader(Limits())
        self._headers: list[dict[str, Any]] = []
        self.notified: SimpleQueue[tuple[str, dict[str, Any]]] = SimpleQueue()
        self.on_notification: Callable[[str], None] = lambda _method: None
        self.line = Line(input_fd, self.output_fd, self._take)
        self.line.start(lambda fault: fault)

    def _take(self, method: str, params: dict[str, Any]) -> None:
        self.on_notification(method)
        self.notified.put((method, params))

    def send(self, *messages: Any) -> None:
        """Write frames, all at once."""
        os.write(self._send_fd, b"".join(bytes(part) for message in messages for part in encode(message)))

    def receive(self) -> dict[str, Any]:
        """The next message of the host's."""
        while not self._headers:
            assert wait_readable(self._receive_fd, WAIT_S), "the host sent nothing"
            count = os.readv(self._receive_fd, [self._frames.get_buffer()])
            assert count, "the host closed the line"
            self._headers += [frame.header for frame in self._frames.buffer_updated(count)]
        return self._headers.pop(0)

    def hang_up(self) -> None:
        """End what the host reads."""
        if self._send_fd >= 0:
            os.close(self._send_fd)
            self._send_fd = -1

    def close(self) -> None:
        self.hang_up()
        self.line.join(WAIT_S)
        for fd in self._fds:
            os.close(fd)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def works(peer: Peer) -> bool:
    """Whether a call made now gets its answer, and was the next that the host sent."""
    call = peer.line.request("check", {})
    assert peer.receive() == {"jsonrpc": "2.0", "id": call.id, "method": "check", "params": {}}
    peer.send(Result(call.id, "fine"))
    return call.result(WAIT_S) == "fine"


# -- several threads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("impatient", [0, 1, 2], ids=["the first", "the second", "the last"])
def test_one_of_several_waiting_threads_gives_up(peer: Peer, threads: ThreadPoolExecutor, impatient: int) -> None:
    """Whichever of them reads the wire at that moment: the others must go on being read for."""
    calls = [peer.line.request("wait", {"n": n}) for n in range(3)]
    assert [peer.receive()["params"]["n"] for _ in calls] == [0, 1, 2]
    limits = [0.05 if n == impatient else WAIT_S for n in range(3)]
    waits = [threads.submit(call.result, limit) for call, limit in zip(calls, limits, strict=True)]
    assert peer.receive()["params"] == {"id": calls[impatient].id}  # the cancel of the one that gave up
    with pytest.raises(CallTimeout):
        waits[impatient].result(WAIT_S)
    others = [n for n in range(3) if n != impatient]
    for n in reversed(others):
        peer.send(Result(calls[n].id, n))
    assert [waits[n].result(WAIT_S) for n in others] == others
    peer.send(Failure(calls[impatient].id, CANCELLED))
    assert works(peer)
    assert calls[impatient].done


def test_answers_in_any_order_to_many_threads(peer: Peer, threads: ThreadPoolExecutor) -> None:
    for turn in range(20):
        calls = [peer.line.request("wait", {}) for _ in range(8)]
        waits: list[Future[Any]] = [threads.submit(call.result, WAIT_S) for call in calls]
        for _ in calls:
            peer.receive()
        order = calls[turn % 8 :] + calls[: turn % 8]
        peer.send(*[Result(call.id, call.id) for call in order])
        assert [wait.result(WAIT_S) for wait in waits] == [call.id for call in calls]


def test_several_threads_may_wait_for_one_call(peer: Peer, threads: ThreadPoolExecutor) -> None:
    call = peer.line.request("wait", {})
    waits = [threads.submit(call.result, WAIT_S) for _ in range(8)]
    peer.send(Result(call.id, "all"))
    assert [wait.result(WAIT_S) for wait in waits] == ["all"] * 8
    assert call.result(0) == "all"


def test_a_cancel_from_another_thread(peer: Peer, threads: ThreadPoolExecutor) -> None:
    call = peer.line.request("wait", {})
    wait = threads.submit(call.result, WAIT_S)
    assert peer.receive()["id"] == call.id
    threads.submit(call.cancel).result(WAIT_S)
    assert peer.receive() == {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": call.id}}
    peer.send(Failure(call.id, CANCELLED))
    with pytest.raises(SidecarError) as cancelled:
        wait.result(WAIT_S)
    assert cancelled.value.kind == "cancelled"
    call.cancel()  # too late: nothing is sent
    assert works(peer)


def test_every_waiting_thread_is_told_of_the_end(peer: Peer, threads: ThreadPoolExecutor) -> None:
    calls = [peer.line.request("wait", {}) for _ in range(4)]
    waits = [threads.submit(call.result, WAIT_S) for call in calls]
    peer.hang_up()
    for wait in waits:
        with pytest.raises(SidecarGone):
            wait.result(WAIT_S)
    with pytest.raises(SidecarGone):
        peer.line.request("more", {})


# -- callbacks ---------------------------------------------------------------------------------------------------


def progress(id: int, done: int) -> Notification:
    return Notification("$/progress", {"id": id, "done": done, "total": None, "unit": "rows", "message": ""})


def test_a_progress_callback_that_raises(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the answer comes all the same, and the line goes on."""

    def fail(_progress: Progress) -> None:
        raise ZeroDivisionError

    call = peer.line.request("work", {}, fail)
    peer.send(progress(call.id, 1), Result(peer.receive()["id"], "done"))
    assert call.result(WAIT_S) == "done"
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]
    assert works(peer)


def test_a_progress_callback_that_calls_back(peer: Peer) -> None:
    """It may send requests and cancels. It runs on the thread that reads, so it cannot wait for an answer, and learns
    so at once."""
    seen: list[int] = []
    sent: list[Any] = []

    def call_back(progress: Progress) -> None:
        seen.append(progress.done)
        sent.append(peer.line.request("from the callback", {}))
        with pytest.raises(RuntimeError, match="a callback cannot wait"):
            sent[-1].result()
        call.cancel()

    call = peer.line.request("work", {}, call_back)
    work = peer.receive()["id"]
    peer.send(progress(work, 1), progress(work, 2), Result(work, "done"))
    assert call.result(WAIT_S) == "done"
    assert seen == [1, 2]
    expected = ["from the callback", "$/cancelRequest"] * 2
    assert [peer.receive()["method"] for _ in expected] == expected
    peer.send(*[Result(late.id, "late") for late in sent])
    assert [late.result(WAIT_S) for late in sent] == ["late", "late"]
    assert works(peer)


def test_progress_of_a_call_that_is_answered_or_was_never_made(peer: Peer) -> None:
    seen: list[Progress] = []
    call = peer.line.request("work", {}, seen.append)
    peer.send(Result(peer.receive()["id"], 1), progress(call.id, 9), progress(999, 9))
    assert call.result(WAIT_S) == 1
    assert works(peer)
    assert seen == []


def test_notifications_of_an_idle_line(peer: Peer) -> None:
    """Nobody waits for anything: before the first call, right after one, and later."""
    for turn in range(3):
        peer.send(Notification("log", {"level": "info", "message": str(turn)}))
        assert peer.notified.get(timeout=WAIT_S) == ("log", {"level": "info", "message": str(turn)})
        assert works(peer)


def test_a_notification_may_be_answered_with_a_request(peer: Peer) -> None:
    sent = Event()

    def ask(_method: str) -> None:
        peer.line.request("from the callback", {})
        sent.set()

    peer.on_notification = ask
    peer.send(Notification("log", {}))
    assert sent.wait(WAIT_S)
    request = peer.receive()
    assert request["method"] == "from the callback"
    peer.send(Result(request["id"], None))
    assert works(peer)


STRANGE: dict[str, Notification] = {
    "a method of tomorrow": Notification("streams/of_tomorrow", {}),
    "a method of tomorrow for nobody": Notification("streams/of_tomorrow", {"stream": "nobody"}),
    "a number for a stream": Notification("streams/of_tomorrow", {"stream": 3}),
    "data for nobody": Notification("streams/data", {"stream": "nobody"}),
    "an end for nobody": Notification("streams/end", {}),
    "progress of nothing": Notification("$/progress", {}),
}


@pytest.mark.parametrize("notification", STRANGE.values(), ids=STRANGE)
def test_notifications_of_what_is_not_known_are_ignored(peer: Peer, notification: Notification) -> None:
    peer.send(notification)
    assert works(peer)
    assert peer.notified.empty()
    assert peer.line.fault is None


def test_nothing_is_written_after_hanging_up(peer: Peer, tmp_path: Path) -> None:
    """The number of the descriptor may be any file's by then."""
    file = tmp_path / "of somebody else"
    assert works(peer)
    with file.open("wb") as other:
        peer.line.hang_up(lambda: os.dup2(other.fileno(), peer.output_fd), WAIT_S)  # type: ignore[arg-type, return-value]
        peer.line.notify("streams/cancel", {"stream": "s"})
        call = peer.line.request("check", {})
        call.cancel()
    assert file.read_bytes() == b""
    peer.hang_up()
    with pytest.raises(SidecarGone):
        call.result(WAIT_S)


# -- what is sent and what comes back ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params", [{"x": object()}, {"x": "\ud800"}, {("a", "b"): 1}], ids=["an object", "no Unicode", "a key"]
)
def test_parameters_that_cannot_be_sent(peer: Peer, params: dict[Any, Any]) -> None:
    """The caller is told, nothing is sent, and no call stays open that nobody could answer."""
    with pytest.raises((TypeError, ValueError)):
        peer.line.request("bad", params)
    assert not peer.line._calls
    assert works(peer)


ERRORS: dict[str, tuple[ErrorObject, str, int, dict[str, Any]]] = {
    "a known kind": (ErrorObject(-32803, "m", {"kind": "too_large", "bytes": 1}), "too_large", -32803, {"bytes": 1}),
    "an unknown kind": (ErrorObject(-32001, "m", {"kind": "of_tomorrow", "x": 1}), "of_tomorrow", -32001, {"x": 1}),
    "a known kind with another code": (ErrorObject(-32001, "m", {"kind": "too_large"}), "too_large", -32001, {}),
    "a message in the data": (
        ErrorObject(-32803, "m", {"kind": "too_large", "message": "inner", "code": 1, "self": 2}),
        "too_large",
        -32803,
        {"message": "inner", "code": 1, "self": 2},
    ),
    "no kind": (ErrorObject(-32603, "m", {"x": 1}), "internal_error", -32603, {"x": 1}),
}


@pytest.mark.parametrize(("sent", "kind", "code", "data"), ERRORS.values(), ids=ERRORS)
def test_an_error_comes_back_whole(peer: Peer, sent: ErrorObject, kind: str, code: int, data: dict[str, Any]) -> None:
    """The set of kinds is open; what the host does not know it can still show, and act on by the code."""
    call = peer.line.request("fail", {})
    peer.send(Failure(call.id, sent))
    with pytest.raises(SidecarError) as raised:
        call.result(WAIT_S)
    error = raised.value
    assert (error.kind, error.code, error.message, error.data) == (kind, code, "m", data)
    assert str(error) == "m"
    assert peer.receive()["method"] == "fail"
    assert works(peer)
