"""Streams with turns and a clock that the test holds: idle ones, deadlines, pauses, winding down, limits, and that each
has one end and one `on_close` whatever comes together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import pytest

from sidecar.protocol.errors import Cancelled, SidecarError
from sidecar.protocol.messages import Notification
from sidecar.protocol.streams import INPUT_CREDIT_BYTES, Kind, Output, Reason
from sidecar.runtime.pending import Pending
from sidecar.runtime.stream import RunningStream
from sidecar.runtime.streams import RUNNING_THREADS, STALL_S, Streams
from sidecar.runtime.terms import Terms
from sidecar.runtime.timers import Timers
from sidecar.runtime.writer import Source
from sidecar.wire.limits import MIB
from sidecar.wire.payload import Payload

DEADLINE_S = 30.0
IDLE_S = 100.0
PIECE = b"x" * 64
Turn = Callable[[Any, Output], bool]
Message = dict[str, Any]


class Wire:
    """A writer of which the test reads frame by frame."""

    def __init__(self) -> None:
        self._offered: SimpleQueue[Source] = SimpleQueue()

    def offer(self, source: Source, at_once: bool) -> None:
        self._offered.put(source)

    def read(self) -> Message:
        """The next message; it is written then."""
        while True:
            source = self._offered.get(timeout=DEADLINE_S)
            parts, has_more = source.take()
            if has_more:
                self._offered.put(source)
            source.sent()
            if parts:
                data = b"".join(bytes(part) for part in parts)
                return json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read."""
        return self._offered.empty()


class Turns:
    """What an author might write; `turn` is the test's."""

    method = "Service.method"

    def __init__(self, turn: Turn, kind: Kind = "producer") -> None:
        self.kind: Kind = kind
        self.turn = turn
        self.closings: list[Reason] = []
        self.closed = Event()

    def read(self, piece: Payload) -> Iterator[Any]:
        """Each byte of the piece is a batch."""
        yield from bytes(piece.data)

    def close(self, reason: Reason) -> None:
        self.closings.append(reason)
        self.closed.set()


class Bench:
    """The streams of a process that has nothing else."""

    def __init__(self, max_streams: int = 1024, max_pending_bytes: int = 64 * MIB) -> None:
        self.now = 1000.0
        self.wire = Wire()
        self.pending = Pending(max_pending_bytes)
        self.timers = Timers(lambda: self.now)
        writer: Any = self.wire
        self.streams = Streams(
            writer, self.pending, self.timers, Terms(), lambda: self.now, max_streams=max_streams, idle_s=IDLE_S
        )

    def open(
        self,
        turns: Turns,
        credit_bytes: int = 10**6,
        deadline: float | None = None,
        id: str = "s",
        is_started: bool = True,
    ) -> RunningStream:
        """A stream whose opening was answered."""
        stream = self.streams.open(id, turns, credit_bytes, deadline, 0, 0)
        if is_started:
            stream.start()
        return stream

    def end(self) -> Message:
        """The next end; what comes before it is data."""
        message = self.wire.read()
        while message["method"] == "streams/data":
            message = self.wire.read()
        assert message["method"] == "streams/end"
        return message["params"]

    def data_bytes(self) -> int:
        """The size of the next message, which must be data."""
        message = self.wire.read()
        assert message["method"] == "streams/data"
        return message["payload"][0]["size"]

    def pass_time(self, seconds: float) -> None:
        """What is due then happens, on this thread or on the timers'."""
        self.now += seconds
        self.timers.run_due()

    def close(self) -> None:
        self.streams.close()
        self.timers.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def emit_one(_input: Any, output: Output) -> bool:
    """Never the last."""
    output.emit([PIECE])
    return False


def finish(_input: Any, _output: Output) -> bool:
    return True


class Held:
    """A turn that waits until it is let go, and then does another one."""

    def __init__(self, then: Turn = finish) -> None:
        self.begun = Event()
        self.go = Event()
        self._then = then

    def __call__(self, input: Any, output: Output) -> bool:
        self.begun.set()
        assert self.go.wait(DEADLINE_S)
        return self._then(input, output)


# -- the beginning and the end -----------------------------------------------------------------------------------


def test_the_turns_begin_with_the_start(bench: Bench) -> None:
    turns = Turns(finish)
    stream = bench.open(turns, is_started=False)
    stream.credit(100)
    assert bench.wire.is_quiet()
    assert not turns.closed.is_set()
    stream.start()
    assert bench.end() == {"stream": "s", "reason": "finish", "outputs": 0, "inputs": 0, "error": None}
    assert turns.closed.wait(DEADLINE_S)
    assert turns.closings == ["finish"]


def test_an_end_before_the_start_is_told_after_it(bench: Bench) -> None:
    """The answer that opens the stream is not written yet."""
    turns = Turns(emit_one)
    stream = bench.open(turns, is_started=False)
    stream.end("cancel")
    assert bench.wire.is_quiet()
    stream.start()
    assert bench.end()["reason"] == "cancel"
    assert turns.closed.wait(DEADLINE_S)
    assert bench.wire.is_quiet()


def end_of(stream: RunningStream, reason: Reason) -> Callable[[], Any]:
    return lambda: stream.end(reason)


@pytest.mark.parametrize("kind", ["producer", "exchange"])
def test_one_end_whatever_comes_together(bench: Bench, kind: Kind) -> None:
    """The last turn, a cancel, a close, an error, the end of the process and of the time, on threads of their own."""
    for number in range(60):
        held = Held()
        turns = Turns(held, kind)
        stream = bench.open(turns, deadline=bench.now + 1, id=str(number))
        if kind == "exchange":
            stream.data(Payload("arrow", b"123"))
        assert held.begun.wait(DEADLINE_S)
        acts: list[Callable[[], Any]] = [
            held.go.set,
            end_of(stream, "cancel"),
            stream.close,
            lambda stream=stream: stream.fail(SidecarError("invalid_input", "culprit")),
            lambda stream=stream: stream.wind_down("shutdown"),
            lambda: bench.pass_time(2),
            lambda stream=stream: stream.credit(1),
        ]
        acts = acts[number % len(acts) :] + acts[: number % len(acts)]
        threads = [Thread(target=act) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert bench.end()["stream"] == str(number)
        assert turns.closed.wait(DEADLINE_S)
        bench.streams.wait(DEADLINE_S)
        assert len(turns.closings) == 1
        assert bench.wire.is_quiet()
        bench.pending.check(10**9)  # nothing waits, or this would be refused


def test_on_close_comes_after_the_turn_under_way(bench: Bench) -> None:
    held = Held(emit_one)
    turns = Turns(held)
    stream = bench.open(turns)
    assert held.begun.wait(DEADLINE_S)
    assert stream.end("cancel")
    assert not stream.end("close")
    assert bench.end()["reason"] == "cancel"
    assert turns.closings == []
    held.go.set()
    assert turns.closed.wait(DEADLINE_S)
    assert turns.closings == ["cancel"]
    assert bench.wire.is_quiet()


@pytest.mark.parametrize("fault", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, Cancelled])
@pytest.mark.parametrize("place", ["turn", "close"])
def test_what_an_author_raises_leaves_the_thread_to_others(
    bench: Bench, fault: type[BaseException], place: str
) -> None:
    def fail(*_: Any) -> Any:
        raise fault

    for number in range(70):  # more than there are threads
        turns = Turns(fail if place == "turn" else finish)
        if place == "close":
            turns.close = fail  # type: ignore[method-assign]
        bench.open(turns, id=str(number))
        assert bench.end()["reason"] == ("error" if place == "turn" else "finish")
    bench.streams.wait(DEADLINE_S)
    bench.open(Turns(finish), id="last")
    assert bench.end()["stream"] == "last"


ENDS: dict[str, tuple[Reason, int]] = {
    "cancel": ("cancel", 1),
    "idle": ("idle", 1),
    "close": ("close", 1),
    "finish": ("finish", 3),
    "error": ("error", 3),
}


@pytest.mark.parametrize(("reason", "outputs"), ENDS.values(), ids=ENDS)
def test_the_end_counts_what_was_sent(bench: Bench, reason: Reason, outputs: int) -> None:
    """Three batches were put out and one of them is written: what nobody wants any more is dropped, uncounted."""
    second, emitted = Held(emit_one), Event()

    def emit_three(input: Any, output: Output) -> bool:
        output.emit([PIECE])
        second(input, output)
        output.emit([PIECE])
        emitted.set()
        return False

    stream = bench.open(Turns(emit_three), credit_bytes=2 * len(PIECE) + 1)
    assert bench.data_bytes() == len(PIECE)
    second.go.set()
    assert emitted.wait(DEADLINE_S)
    stream.end(reason)
    left_bytes = (outputs - 1) * len(PIECE)
    if left_bytes:
        assert bench.data_bytes() == left_bytes
    message = bench.wire.read()
    assert (message["method"], message["params"]["outputs"]) == ("streams/end", outputs)


class TasksByHand:
    """Lanes whose tasks the test runs; in the place of the threads."""

    def __init__(self) -> None:
        self.tasks: list[Callable[[], None]] = []

    def submit(self, _lane: str | None, task: Callable[[], None]) -> None:
        self.tasks.append(task)

    def is_waiting(self) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.mark.parametrize("is_started", [True, False], ids=["open", "while its opening is answered"])
@pytest.mark.parametrize("reason", ["cancel", "close", "error", "idle", "shutdown"])
def test_on_close_comes_after_the_end_was_offered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_started: bool, reason: Reason
) -> None:
    """Or the process could end between the two, with the end unwritten."""
    lanes: Any = TasksByHand()
    bench.streams._lanes.close()
    bench.streams._lanes = lanes
    tasks_at_offer: list[int] = []
    offer = bench.wire.offer

    def note(source: Source, at_once: bool) -> None:
        tasks_at_offer.append(len(lanes.tasks))
        offer(source, at_once)

    bench.streams._runtime = bench.streams._runtime._replace(offer=note)
    turns = Turns(emit_one)
    stream = bench.open(turns, credit_bytes=0, is_started=is_started)
    stream.end(reason)
    if not is_started:
        assert (tasks_at_offer, lanes.tasks) == ([], [])
        stream.start()
    assert tasks_at_offer == [0]
    (close,) = lanes.tasks
    assert turns.closings == []
    close()
    assert turns.closings == [reason]


# -- credit ------------------------------------------------------------------------------------------------------


def test_a_turn_that_emits_again_and_again_waits_for_credit_in_the_middle(bench: Bench) -> None:
    emitted: list[int] = []

    def emit_three(_input: Any, output: Output) -> bool:
        for number in range(3):
            output.emit([PIECE])
            emitted.append(number)
        return True

    stream = bench.open(Turns(emit_three), credit_bytes=1)
    assert bench.data_bytes() == len(PIECE)
    assert emitted == [0]
    stream.credit(len(PIECE))  # the debt is 63: this pays it, and leaves 1
    assert bench.data_bytes() == len(PIECE)
    stream.credit(10**6)
    assert bench.end() == {"stream": "s", "reason": "finish", "outputs": 3, "inputs": 0, "error": None}


def test_input_that_waits_is_forgotten_at_the_end(bench: Bench) -> None:
    """It counts among the requests that wait, until then."""
    held = Held(emit_one)
    stream = bench.open(Turns(held, "exchange"))
    for _ in range(3):
        stream.data(Payload("arrow", b"1"))
    assert held.begun.wait(DEADLINE_S)
    stream.end("cancel")
    held.go.set()
    bench.streams.wait(DEADLINE_S)
    bench.pending.check(10**9)


def test_credit_for_input_is_bounded(bench: Bench) -> None:
    held = Held(emit_one)
    stream = bench.open(Turns(held, "exchange"))
    stream.data(Payload("arrow", b"1"))
    assert held.begun.wait(DEADLINE_S)
    stream.data(Payload("arrow", bytes(INPUT_CREDIT_BYTES)))
    assert not stream.flow.ended
    stream.data(Payload("arrow", b"1"))
    end = bench.end()
    assert (end["reason"], end["error"]["data"]["kind"]) == ("error", "credit_exceeded")
    held.go.set()


def read_whole(piece: Payload) -> Iterator[Any]:
    """`read` of turns for which a piece is one batch."""
    yield piece


@pytest.mark.parametrize("closes", ["before the answer", "after the answer"])
def test_an_exchange_that_is_closed_without_credit_left_ends(bench: Bench, closes: str) -> None:
    """The last answer took all of it, and there is nothing more to answer."""
    held = Held(emit_one)
    stream = bench.open(Turns(held, "exchange"), credit_bytes=1)
    stream.data(Payload("arrow", b"1"))
    assert held.begun.wait(DEADLINE_S)
    if closes == "before the answer":
        bench.streams.take(Notification("streams/close", {"stream": "s"}))
    held.go.set()
    assert bench.data_bytes() == len(PIECE)
    if closes == "after the answer":
        bench.streams.take(Notification("streams/close", {"stream": "s"}))
    assert bench.end() == {"stream": "s", "reason": "close", "outputs": 1, "inputs": 1, "error": None}
    bench.streams.wait(DEADLINE_S)
    bench.pending.check(10**9)


def test_input_that_is_answered_is_given_back_without_credit_left(bench: Bench) -> None:
    """The host may wait for credit before it gives any."""
    turns = Turns(emit_one, "exchange")
    turns.read = read_whole  # type: ignore[method-assign]
    stream = bench.open(turns, credit_bytes=1)
    stream.data(Payload("arrow", bytes(INPUT_CREDIT_BYTES)))
    assert bench.data_bytes() == len(PIECE)
    message = bench.wire.read()
    assert (message["method"], message["params"]["bytes"]) == ("streams/credit", INPUT_CREDIT_BYTES)
    bench.pending.check(10**9)
    assert not stream.flow.ended


def test_input_beyond_what_may_wait_ends_its_stream() -> None:
    """The bound is that of all requests together; other streams go on."""
    bench = Bench(max_pending_bytes=1)  # one piece is always taken
    held = Held(emit_one)
    stream = bench.open(Turns(held, "exchange"))
    other = bench.open(Turns(emit_one, "exchange"), id="other")
    stream.data(Payload("arrow", b"1"))
    assert held.begun.wait(DEADLINE_S)
    stream.data(Payload("arrow", b"23"))
    end = bench.end()
    assert (end["stream"], end["reason"]) == ("s", "error")
    assert (end["error"]["data"]["kind"], end["error"]["data"]["bytes"]) == ("overloaded", 2)
    held.go.set()
    assert bench.streams.list() == [other]
    bench.pending.check(10**9)
    bench.close()


# -- time --------------------------------------------------------------------------------------------------------


def waits_for_credit(bench: Bench) -> RunningStream:
    """Between two turns."""
    return bench.open(Turns(emit_one), credit_bytes=0)


def waits_for_credit_in_a_turn(bench: Bench) -> RunningStream:
    def emit_two(_input: Any, output: Output) -> bool:
        output.emit([PIECE])
        output.emit([PIECE])
        return False

    stream = bench.open(Turns(emit_two), credit_bytes=1)
    assert bench.data_bytes() == len(PIECE)
    return stream


def waits_for_input(bench: Bench) -> RunningStream:
    return bench.open(Turns(emit_one, "exchange"))


WAITING = [waits_for_credit, waits_for_credit_in_a_turn, waits_for_input]


@pytest.mark.parametrize("make", WAITING)
def test_an_idle_stream_ends(bench: Bench, make: Callable[[Bench], RunningStream]) -> None:
    stream = make(bench)
    bench.now += IDLE_S - 1
    bench.streams.end_idle()
    assert not stream.flow.ended
    bench.now += 2
    bench.streams.end_idle()
    end = bench.end()
    assert (end["reason"], end["error"]["data"]["kind"]) == ("idle", "idle_timeout")
    assert end["error"]["data"]["idle_s"] == IDLE_S
    bench.streams.wait(DEADLINE_S)


@pytest.mark.parametrize("make", WAITING)
def test_a_word_of_the_host_keeps_a_stream(bench: Bench, make: Callable[[Bench], RunningStream]) -> None:
    stream = make(bench)
    for _ in range(5):
        bench.now += IDLE_S - 1
        stream.credit(0)
        bench.streams.end_idle()
    assert not stream.flow.ended


def test_a_turn_that_takes_long_is_not_idle(bench: Bench) -> None:
    held = Held()
    stream = bench.open(Turns(held))
    assert held.begun.wait(DEADLINE_S)
    bench.now += 10 * IDLE_S
    bench.streams.end_idle()
    assert not stream.flow.ended
    held.go.set()
    assert bench.end()["reason"] == "finish"


def test_idle_streams_are_looked_for_without_being_asked(bench: Bench) -> None:
    waits_for_credit(bench)
    for _ in range(6):
        bench.pass_time(IDLE_S / 4)
    assert bench.end()["reason"] == "idle"


@pytest.mark.parametrize("make", [waits_for_credit, waits_for_input])
def test_a_deadline(bench: Bench, make: Any) -> None:
    turns = Turns(emit_one, "producer" if make is waits_for_credit else "exchange")
    bench.open(turns, credit_bytes=0, deadline=bench.now + 5)
    bench.pass_time(4.5)
    assert bench.wire.is_quiet()
    bench.pass_time(1)
    end = bench.end()
    assert (end["reason"], end["error"]["data"]["kind"]) == ("error", "deadline_exceeded")
    assert turns.closed.wait(DEADLINE_S)
    assert turns.closings == ["error"]


def test_a_deadline_in_the_middle_of_a_turn(bench: Bench) -> None:
    """The turn sees it, and what it still brings is dropped."""
    seen: list[bool] = []

    def look(_input: Any, output: Output) -> bool:
        seen.append(output.cancelled)
        output.emit([PIECE])
        raise AssertionError("an emit after the end returned")

    held = Held(look)
    turns = Turns(held)
    bench.open(turns, deadline=bench.now + 5)
    assert held.begun.wait(DEADLINE_S)
    bench.pass_time(6)
    assert bench.end()["error"]["data"]["kind"] == "deadline_exceeded"
    held.go.set()
    assert turns.closed.wait(DEADLINE_S)
    assert seen == [True]
    assert bench.wire.is_quiet()


def test_a_deadline_after_the_end_is_nobodys(bench: Bench) -> None:
    bench.open(Turns(finish), deadline=bench.now + 5)
    assert bench.end()["reason"] == "finish"
    again = bench.open(Turns(emit_one), credit_bytes=0)
    bench.pass_time(6)
    assert not again.flow.ended
    assert bench.wire.is_quiet()


# -- pauses ------------------------------------------------------------------------------------------------------


def never_mind() -> None:
    """A wait that nobody cancels."""


def test_a_pause_is_between_two_turns(bench: Bench) -> None:
    """Nothing is done while it lasts, whatever the host gives, and all of it afterwards."""
    stream = waits_for_credit(bench)
    with bench.streams.paused("s", never_mind) as paused:
        assert (paused.outputs, paused.inputs) == (0, 0)
        stream.credit(1)
        stream.close()
        assert bench.wire.is_quiet()
    assert bench.end()["reason"] == "close"


def test_a_pause_lets_a_turn_that_waits_for_credit_end_on_debt(bench: Bench) -> None:
    """The host may wait for the checkpoint before it gives any."""
    stream = waits_for_credit_in_a_turn(bench)
    paused: list[int] = []
    done = Event()

    def pause() -> None:
        with bench.streams.paused("s", never_mind) as found:
            paused.append(found.outputs)
            done.set()

    thread = Thread(target=pause)
    thread.start()
    assert bench.data_bytes() == len(PIECE)
    assert done.wait(DEADLINE_S)
    thread.join(DEADLINE_S)
    assert paused == [2]
    assert stream.flow.credit_bytes == 1 - 2 * len(PIECE)
    assert bench.wire.is_quiet()
    stream.credit(2 * len(PIECE))
    assert bench.data_bytes() == len(PIECE)


def test_a_pause_waits_for_what_was_put_out(bench: Bench) -> None:
    emitted, begun = Event(), Event()
    ends: list[int] = []

    def emit(_input: Any, output: Output) -> bool:
        output.emit([PIECE])
        emitted.set()
        return False

    stream = bench.open(Turns(emit), credit_bytes=1)
    assert emitted.wait(DEADLINE_S)  # a pause that came before the turn would find nothing put out

    def pause() -> None:
        begun.set()
        with bench.streams.paused("s", begun.set) as found:
            ends.append(found.outputs)

    thread = Thread(target=pause)
    thread.start()
    assert begun.wait(DEADLINE_S)
    assert bench.data_bytes() == len(PIECE)
    thread.join(DEADLINE_S)
    assert ends == [1]
    assert stream.info().outputs == 1


def test_a_pause_that_is_given_up(bench: Bench) -> None:
    """The request for it was cancelled; the stream goes on."""
    held = Held(emit_one)
    bench.open(Turns(held), credit_bytes=1)
    assert held.begun.wait(DEADLINE_S)

    def give_up() -> None:
        raise Cancelled

    with pytest.raises(Cancelled), bench.streams.paused("s", give_up):
        pass
    held.go.set()
    assert bench.data_bytes() == len(PIECE)


def test_a_pause_of_a_stream_that_ends_meanwhile(bench: Bench) -> None:
    held = Held()
    stream = bench.open(Turns(held))
    assert held.begun.wait(DEADLINE_S)

    def end() -> None:
        held.go.set()

    with pytest.raises(SidecarError) as caught, bench.streams.paused("s", end):
        pass
    assert caught.value.kind == "unknown_stream"
    assert stream.flow.ended


def test_on_close_waits_for_the_pause(bench: Bench) -> None:
    """The state is being written."""
    turns = Turns(emit_one)
    stream = bench.open(turns, credit_bytes=0)
    with bench.streams.paused("s", never_mind):
        stream.end("cancel")
        assert bench.end()["reason"] == "cancel"
        assert not turns.closed.is_set()
    assert turns.closed.wait(DEADLINE_S)


def test_no_stream_to_pause(bench: Bench) -> None:
    with pytest.raises(SidecarError) as caught, bench.streams.paused("nobody", never_mind):
        pass
    assert caught.value.kind == "unknown_stream"


# -- drains ------------------------------------------------------------------------------------------------------


def sends(stream: RunningStream, *pieces: bytes) -> None:
    """The host sends input; each byte is a batch."""
    for piece in pieces:
        stream.data(Payload("arrow", piece))


def test_a_drain_serves_what_came_before_it_on_debt_and_nothing_after_it(bench: Bench) -> None:
    """The host gives no credit, has closed the stream already, and sends more than it may."""
    served: list[int] = []

    def answer(input: Any, output: Output) -> bool:
        served.append(input)
        return emit_one(input, output)

    stream = bench.open(Turns(answer, "exchange"), credit_bytes=1)
    sends(stream, b"\1\2", b"\3")
    hold = stream.hold(drained=True)
    sends(stream, b"\4")
    stream.close()
    size = 0
    while size < 3 * len(PIECE):  # several may come in one message
        size += bench.data_bytes()
    paused = stream.rest(hold, never_mind)
    assert (served, size, paused.inputs) == ([1, 2, 3], 3 * len(PIECE), 3)
    assert bench.wire.is_quiet()
    stream.release(hold)
    stream.credit(10**6)
    assert bench.end() == {"stream": "s", "reason": "close", "outputs": 4, "inputs": 4, "error": None}
    assert served == [1, 2, 3, 4]


def test_two_drains_rest_at_their_own_marks(bench: Bench) -> None:
    """And on_close waits for both."""
    turns = Turns(emit_one, "exchange")
    stream = bench.open(turns)
    sends(stream, b"\1")
    first = stream.hold(drained=True)
    sends(stream, b"\2")
    second = stream.hold(drained=True)
    bench.data_bytes()
    assert stream.rest(first, never_mind).inputs == 1
    stream.release(first)
    bench.data_bytes()
    assert stream.rest(second, never_mind).inputs == 2
    stream.end("cancel")
    assert not turns.closed.is_set()
    stream.release(second)
    assert turns.closed.wait(DEADLINE_S)


def test_a_drain_that_is_given_up_while_its_input_is_served(bench: Bench) -> None:
    held = Held(emit_one)
    stream = bench.open(Turns(held, "exchange"))
    sends(stream, b"\1")
    assert held.begun.wait(DEADLINE_S)
    hold = stream.hold(drained=True)

    def give_up() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        stream.rest(hold, give_up)
    stream.release(hold)
    held.go.set()
    assert bench.data_bytes() == len(PIECE)


def test_a_drain_of_a_stream_that_fails(bench: Bench) -> None:
    """Its input is never served, and nobody waits for it."""

    def fail(_input: Any, _output: Output) -> bool:
        raise SidecarError("invalid_input", "no")

    stream = bench.open(Turns(fail, "exchange"))
    sends(stream, b"\1", b"\2")
    hold = stream.hold(drained=True)
    assert bench.end()["reason"] == "error"
    with pytest.raises(SidecarError) as caught:
        stream.rest(hold, never_mind)
    assert caught.value.kind == "unknown_stream"
    stream.release(hold)


# -- winding down ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [waits_for_credit, waits_for_input])
@pytest.mark.parametrize("reason", ["host_gone", "shutdown"])
def test_a_stream_that_waits_for_its_host_ends_at_once(bench: Bench, make: Any, reason: Reason) -> None:
    make(bench)
    bench.streams.stop(reason)
    assert bench.end()["reason"] == reason
    bench.streams.wait(DEADLINE_S)


def test_a_turn_that_waits_for_its_host_ends_at_once(bench: Bench) -> None:
    stream = waits_for_credit_in_a_turn(bench)
    bench.streams.stop("host_gone")
    bench.streams.wait(DEADLINE_S)
    assert stream.flow.reason == "host_gone"


def test_a_stream_goes_on_with_what_it_has(bench: Bench) -> None:
    """Three inputs are there; all are answered, and the answers are sent."""
    held = Held(emit_one)
    stream = bench.open(Turns(held, "exchange"))
    stream.data(Payload("arrow", b"123"))
    assert held.begun.wait(DEADLINE_S)
    bench.streams.stop("host_gone")
    assert bench.wire.is_quiet()
    held.go.set()
    bench.streams.wait(DEADLINE_S)
    sent_bytes, message = 0, bench.wire.read()
    while message["method"] == "streams/data":
        sent_bytes += message["payload"][0]["size"]
        message = bench.wire.read()
    assert message["params"] == {"stream": "s", "reason": "host_gone", "outputs": 3, "inputs": 3, "error": None}
    assert sent_bytes == 3 * len(PIECE)


def test_a_producer_goes_on_while_it_has_credit(bench: Bench) -> None:
    held = Held(emit_one)
    bench.open(Turns(held), credit_bytes=5 * len(PIECE))
    assert held.begun.wait(DEADLINE_S)
    bench.streams.stop("shutdown")
    held.go.set()
    assert bench.end()["outputs"] == 5


def test_a_stream_that_is_paused_goes_on_with_what_it_has(bench: Bench) -> None:
    """Its checkpoint is being made when the process is told to stop."""
    stream = bench.open(Turns(emit_one, "exchange"))
    with bench.streams.paused("s", never_mind):
        stream.data(Payload("arrow", b"12"))
        bench.streams.stop("host_gone")
    bench.streams.wait(DEADLINE_S)
    assert bench.end() == {"stream": "s", "reason": "host_gone", "outputs": 2, "inputs": 2, "error": None}


def test_what_does_not_return_is_ended_from_outside(bench: Bench) -> None:
    held = Held()
    turns = Turns(held)
    bench.open(turns)
    assert held.begun.wait(DEADLINE_S)
    bench.streams.stop("shutdown")
    assert bench.wire.is_quiet()
    bench.streams.end_all("shutdown")
    assert bench.end()["reason"] == "shutdown"
    assert turns.closings == []
    held.go.set()
    bench.streams.wait(DEADLINE_S)
    assert turns.closings == ["shutdown"]


def test_a_stream_that_is_opened_and_not_started_when_all_stops(bench: Bench) -> None:
    turns = Turns(emit_one)
    stream = bench.open(turns, is_started=False)
    bench.streams.stop("shutdown")
    stream.start()
    bench.streams.end_all("shutdown")
    assert bench.end()["reason"] == "shutdown"
    bench.streams.wait(DEADLINE_S)
    assert turns.closings == ["shutdown"]


# -- the registry ------------------------------------------------------------------------------------------------


def refusal(bench: Bench, id: str) -> str:
    """The kind of the error that an opening gets."""
    with pytest.raises(SidecarError) as caught:
        bench.open(Turns(emit_one), id=id)
    return caught.value.kind


def test_limits(bench: Bench) -> None:
    bench = Bench(max_streams=2)
    first = bench.open(Turns(emit_one), credit_bytes=0, id="a")
    assert refusal(bench, "a") == "stream_exists"
    bench.open(Turns(emit_one), credit_bytes=0, id="b")
    assert refusal(bench, "c") == "too_many_streams"
    first.end("cancel")
    bench.open(Turns(emit_one), credit_bytes=0, id="a")
    bench.streams.stop("shutdown")
    assert refusal(bench, "d") == "shutting_down"
    bench.close()


def test_the_list(bench: Bench) -> None:
    for id in "abc":
        bench.open(Turns(emit_one), credit_bytes=0, id=id)
    bench.streams.get("b").end("cancel")
    assert [stream.id for stream in bench.streams.list()] == ["a", "c"]
    with pytest.raises(SidecarError) as caught:
        bench.streams.get("b")
    assert caught.value.data == {"stream": "b"}


def test_late_messages_are_ignored_and_strange_ones_are_not(bench: Bench) -> None:
    bench.open(Turns(finish))
    bench.end()
    for method, more in {"close": {}, "cancel": {}, "credit": {"bytes": 1}}.items():
        bench.streams.take(Notification(f"streams/{method}", {"stream": "s", **more}))
        with pytest.raises(SidecarError) as caught:
            bench.streams.take(Notification(f"streams/{method}", {"stream": "nobody", **more}))
        assert caught.value.kind == "unknown_stream"
    bench.streams.take(Notification("streams/of_a_later_version", {}))


def test_an_id_that_is_used_again_stays_when_the_first_stream_goes(bench: Bench) -> None:
    """Its opening could not be answered, which is known only after its end."""
    first = bench.open(Turns(emit_one), is_started=False)
    first.end("cancel")
    second = bench.open(Turns(emit_one), credit_bytes=0)
    first.discard()
    assert bench.streams.list() == [second]
    assert refusal(bench, "s") == "stream_exists"
    bench.streams.take(Notification("streams/close", {"stream": "s"}))
    assert bench.end()["reason"] == "close"


def test_turns_that_never_return_leave_threads_to_others(bench: Bench) -> None:
    """Once all threads are seen to stand still, there are more."""
    blocked = [Held() for _ in range(RUNNING_THREADS)]
    for number, turn in enumerate(blocked):
        bench.open(Turns(turn), id=str(number))
        assert turn.begun.wait(DEADLINE_S)
    ninth = Held()
    bench.open(Turns(ninth), id="ninth")
    bench.pass_time(STALL_S / 2)
    assert not ninth.begun.is_set()
    bench.pass_time(STALL_S)
    assert ninth.begun.wait(DEADLINE_S)
    assert len(bench.streams.list()) == RUNNING_THREADS + 1  # no blocked turn has given its thread back
    for turn in (*blocked, ninth):
        turn.go.set()
    bench.streams.wait(DEADLINE_S)
    assert bench.streams.list() == []
