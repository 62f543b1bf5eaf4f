"""The life of a stream, event by event: what the host sees, what `on_close` is told, and that the line goes on.

One table. Each row is one event, on the sidecar's side (what a method or a turn does) or on the host's. After each the
next call on the same line is answered, no stream is left, and `on_close` was called once, or never where no stream was
made.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pytest

from sidecar import (
    AnnotatedBatch,
    CallContext,
    Cancelled,
    OutputCollector,
    ProducerState,
    ServiceError,
    SidecarError,
    Stream,
    StreamSession,
    serve_pipe,
)
from sidecar.client import CallTimeout
from sidecar.client.inbox import StreamEnded
from sidecar.streams.pieces import PieceWriter
from sidecar.wire.payload import Payload
from tests.streams.lab import (
    FLOATS,
    INTS,
    WAIT_S,
    Bench,
    Header,
    Lab,
    Made,
    Producer,
    Script,
    Turn,
    batch,
    exchange,
    producer,
    served,
    values,
)


class Fails(NamedTuple):
    """The host gets an error of this kind; `words` stand in its message."""

    kind: str
    words: str = ""


# -- what the author's code does ---------------------------------------------------------------------------------


def count_to_three(turn: Turn) -> None:
    if turn.number < 3:
        turn.emit(turn.number)
    else:
        turn.out.finish()


def count_for_ever(turn: Turn) -> None:
    turn.emit(turn.number)


def double(turn: Turn) -> None:
    turn.emit(*[int(2 * value) for value in values(turn.input)])


def raises(error: BaseException, after: int = 0) -> Script:
    """Emit so many batches, one a turn, and fail; what is raised may be made by the author or by Python."""

    def script(turn: Turn) -> None:
        if turn.number == after:
            raise error
        turn.emit(turn.number)

    return script


def makes_error(error: BaseException) -> Made:
    def make(_lab: Lab) -> Any:
        raise error

    return make


def steps(*actions: Callable[[Turn], object]) -> Script:
    """All of this in every turn."""

    def script(turn: Turn) -> None:
        for action in actions:
            action(turn)

    return script


def finish(turn: Turn) -> None:
    turn.out.finish()


def nothing(_turn: Turn) -> None:
    """No emit, no finish."""


def log(turn: Turn) -> None:
    turn.out.client_log("warning", "about to fail", turn=turn.number)


def emit(**columns: Any) -> Callable[[Turn], None]:
    return lambda turn: turn.out.emit(pa.RecordBatch.from_pydict(columns))


def emit_pydict(**columns: Any) -> Callable[[Turn], None]:
    return lambda turn: turn.out.emit_pydict(columns)


def once(action: Callable[[Turn], object]) -> Script:
    """In the first turn; the second finishes."""
    return lambda turn: action(turn) if turn.number == 0 else turn.out.finish()


def emit_and_swallow(turn: Turn) -> None:
    """An author who does not want to hear of it."""
    turn.emit(1)
    try:
        turn.out.emit_pydict({"other": [1]})
    except SidecarError:
        turn.out.finish()


def wait(turn: Turn) -> None:
    turn.lab.wait_for_go()
    turn.emit(turn.number)


def wait_until_cancelled(turn: Turn) -> None:
    turn.lab.entered.set()
    while not turn.ctx.cancelled:
        turn.lab.go.wait(0.001)
    turn.ctx.check()


def check_until_cancelled(turn: Turn) -> None:
    turn.lab.entered.set()
    while True:
        turn.ctx.check()


def emit_until_cancelled(turn: Turn) -> None:
    """Waits for credit in the middle of a turn, for the host takes none."""
    while True:
        turn.out.emit_arrays([pa.array(range(100_000))])
        turn.lab.entered.set()


def swallow_cancelled(turn: Turn) -> None:
    """Goes on as if nothing had been raised."""
    for _ in range(5):
        try:
            while True:
                turn.out.emit_arrays([pa.array(range(100_000))])
                turn.lab.entered.set()
        except Cancelled:
            pass


# -- what the host does ------------------------------------------------------------------------------------------


def opens(bench: Bench) -> None:
    bench.open()


def iterates(bench: Bench) -> list[Any]:
    return [values(got) for got in bench.open()]


def until_the_end(session: StreamSession) -> tuple[list[Any], str]:
    """The batches, and what ended them: the kind of an error, or the reason."""
    got: list[Any] = []
    while True:
        try:
            got.append(values(session.receive(WAIT_S)))
        except SidecarError as error:
            return got, error.kind
        except StreamEnded as ended:
            return got, ended.reason


def receives(bench: Bench) -> Any:
    return until_the_end(bench.open())


def receives_with_logs(bench: Bench) -> Any:
    """The logs that are there when the error is."""
    session = bench.open()
    if session.kind == "exchange":
        session.send(batch(1.0))
    return [*until_the_end(session), [(sent.level, sent.message, sent.extra) for sent in bench.lab.logs]]


def exchanges(*inputs: AnnotatedBatch) -> Callable[[Bench], list[Any]]:
    """One answer for each; in its place the kind of an error, or the reason of the end."""

    def host(bench: Bench) -> list[Any]:
        with bench.open() as session:
            return [answer(session, one) for one in inputs]

    return host


def answer(session: StreamSession, one: AnnotatedBatch) -> Any:
    try:
        return values(session.exchange(one, WAIT_S))
    except SidecarError as error:
        return error.kind
    except StreamEnded as ended:
        return ended.reason


def sends_raw(*inputs: Any) -> Callable[[Bench], Any]:
    """A host without manners, which checks nothing: batches, each with its own schema, or bytes. The first is right,
    and answered."""

    def host(bench: Bench) -> Any:
        session: Any = bench.open()
        for one in (batch(1.0), *inputs):
            data: Any = one
            if isinstance(one, AnnotatedBatch):
                data = PieceWriter(one.batch.schema, with_schema=True).write(one.batch, None)
            session._line.notify("streams/data", {"stream": session.id, "batches": Payload("arrow", data)})
        return until_the_end(session)

    return host


def right_batch(*numbers: float) -> AnnotatedBatch:
    """As the schema of the stream has it, so that nothing is converted."""
    return AnnotatedBatch(pa.RecordBatch.from_pydict({"value": list(numbers), "label": ["x"] * len(numbers)}, FLOATS))


def header_of(bench: Bench) -> Any:
    session = bench.open()
    session.cancel()
    return session.header


def exchanges_with_a_producer(bench: Bench) -> Any:
    session = bench.open()
    with pytest.raises(TypeError, match="takes no input"):
        session.exchange(batch(1.0))
    return until_the_end(session)


def exchanges_something_else(bench: Bench) -> Any:
    with bench.open() as session:
        with pytest.raises(TypeError, match="RecordBatch"):
            session.exchange(batch(1.0).batch)  # type: ignore[arg-type]
        return answer(session, batch(1.0))


def iterates_over_an_exchange(bench: Bench) -> Any:
    """It would wait for ever where nothing was sent."""
    with bench.open() as session:
        with pytest.raises(TypeError, match="an exchange answers what is sent"):
            iter(session)
        return values(session.exchange(batch(1.0)))


def calls_meanwhile(bench: Bench) -> Any:
    numbers = iter(bench.open())
    got = [values(next(numbers)), bench.proxy.ping(7), values(next(numbers)), bench.proxy.ping(8)]
    return got + [values(one) for one in numbers]


def opens_another_meanwhile(bench: Bench) -> Any:
    """Also of one whose opening fails."""
    session, got = bench.open(), []
    for one in session:
        got.append(values(one))
        assert list(bench.proxy.probe()) == []
        bench.lab.makes = makes_error(ValueError())
        assert failure(bench.proxy.exchange) == "service_error"
    return got


def failure(call: Callable[[], object]) -> str:
    with pytest.raises(SidecarError) as caught:
        call()
    return caught.value.kind


def breaks_out(bench: Bench) -> Any:
    for one in bench.open():
        return values(one)
    raise AssertionError("nothing came")


def leaves_by_an_error(bench: Bench) -> None:
    with suppress(ZeroDivisionError), bench.open() as session:
        raise ZeroDivisionError(session.receive(WAIT_S))


def drops(bench: Bench) -> None:
    session = bench.open()
    session.receive(WAIT_S)
    del session
    gc.collect()


def drops_unread(bench: Bench) -> None:
    bench.open()
    gc.collect()


def drops_in_a_loop(bench: Bench) -> None:
    """A session and its iterator in a ring of references, as closures make them."""
    ring: list[Any] = [bench.open()]
    ring.append(iter(ring[0]))
    next(ring[1])
    ring.append(ring)
    del ring
    gc.collect()


def closes_twice(bench: Bench) -> Any:
    session = bench.open()
    session.close()
    session.close()
    session.cancel()
    return ending(session)


def ending(session: StreamSession) -> Any:
    with pytest.raises(StreamEnded) as ended:
        session.receive(WAIT_S)
    return ended.value.reason


def cancels_twice(bench: Bench) -> Any:
    session = bench.open()
    session.cancel()
    session.cancel()
    session.close()
    return ending(session)


def cancels_in_a_turn(bench: Bench) -> Any:
    session = bench.open()
    assert bench.lab.entered.wait(WAIT_S)
    session.cancel()
    return ending(session)


def cancels_a_turn_that_does_not_look(bench: Bench) -> Any:
    """The end is there while the turn is still under way, and with it the line and other streams."""
    session: Any = bench.open()
    assert bench.lab.entered.wait(WAIT_S)
    session.cancel()
    assert bench.open_streams() == []
    assert bench.lab.closes.empty()
    bench.lab.go.set()
    return ending(session)


def cancels_on_another_thread(bench: Bench) -> Any:
    session = bench.open()
    assert bench.lab.entered.wait(WAIT_S)
    Thread(target=session.cancel, daemon=True).start()
    return until_the_end(session)


def closes_in_a_turn(bench: Bench) -> Any:
    session = bench.open()
    assert bench.lab.entered.wait(WAIT_S)
    session.close(WAIT_S)
    return ending(session)


def closes_a_turn_that_never_returns(bench: Bench) -> Any:
    """`close` gives up and cancels."""
    session = bench.open()
    assert bench.lab.entered.wait(WAIT_S)
    session.close(timeout_s=0.05)
    assert bench.open_streams() == []
    bench.lab.go.set()
    return ending(session)


def closes_with_queued_input(bench: Bench) -> Any:
    """What was sent is served first."""
    session = bench.open()
    for number in range(3):
        session.send(batch(float(number)))
    assert bench.lab.entered.wait(WAIT_S)
    bench.lab.go.set()
    session.close(WAIT_S)
    return bench.lab.turns, ending(session)


def cancels_with_queued_input(bench: Bench) -> Any:
    """What was sent is not served."""
    session = bench.open()
    for number in range(3):
        session.send(batch(float(number)))
    assert bench.lab.entered.wait(WAIT_S)
    session.cancel()
    assert bench.open_streams() == []
    bench.lab.go.set()
    assert bench.lab.closes.get(timeout=WAIT_S) == "cancel"
    bench.lab.closes.put("cancel")
    return bench.lab.turns


def exchanges_after_close(bench: Bench) -> Any:
    session = bench.open()
    session.close()
    return answer(session, batch(1.0))


def closes_into_an_error(bench: Bench) -> None:
    """An error that nobody has seen yet is raised by `close`."""
    with bench.open() as session:
        session.send(batch(1.0))
        assert bench.lab.entered.wait(WAIT_S)
        bench.lab.go.set()


def closes_after_an_unseen_error(bench: Bench) -> None:
    """The same, where the end has come already."""
    with bench.open() as session:
        session.send(batch(1.0))
        reason = bench.lab.closes.get(timeout=WAIT_S)
        bench.lab.closes.put(reason)
        assert bench.open_streams() == []


def closes_with_output_unread(bench: Bench) -> Any:
    """What came is dropped: a closed session has ended, for whoever asks."""
    session = bench.open()
    reason = bench.lab.closes.get(timeout=WAIT_S)
    bench.lab.closes.put(reason)
    assert bench.open_streams() == []
    session.close()
    return ending(session)


def receives_too_early(bench: Bench) -> Any:
    """The time runs out, and the stream goes on."""
    session = bench.open()
    assert bench.lab.entered.wait(WAIT_S)
    with pytest.raises(CallTimeout):
        session.receive(timeout_s=0.01)
    bench.lab.go.set()
    got = values(session.receive(WAIT_S))
    session.cancel()
    return got


def waits_for_the_deadline(bench: Bench) -> Any:
    with pytest.raises(SidecarError) as caught:
        bench.open().receive(WAIT_S)
    return caught.value.kind


def receives_after_the_end(bench: Bench) -> Any:
    session = bench.open()
    return [until_the_end(session), ending(session), ending(session), list(session)]


def receives_after_an_error(bench: Bench) -> Any:
    """It is raised again by whatever is called next, but not by leaving the block."""
    with bench.open() as session:
        session.send(batch(1.0))
        kinds = [until_the_end(session)[1] for _ in range(3)]
        return [*kinds, failure(lambda: session.send(batch(1.0)))]


# -- the table ---------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One event. `method` is opened, `script` runs in each turn or `makes` in the method itself, `host` is what the
    host does; it `sees` a value or `Fails`; `on_close` is told `reason`, or is not called."""

    method: str
    script: Script
    host: Callable[[Bench], Any]
    sees: Any
    reason: str | None
    makes: Made | None = None
    timeout_s: float | None = None


def opening(method: str, makes: Made, kind: str, words: str, reason: str | None = None) -> Row:
    """A row of an opening that fails: at the call, and before any turn."""
    return Row(method, nothing, opens, Fails(kind, words), reason, makes)


OOPS = ZeroDivisionError("oops")
TWICE = steps(lambda turn: turn.emit(0), lambda turn: turn.emit(1))

ROWS = {
    # -- the method itself
    "init raises": opening("producer", makes_error(OOPS), "service_error", "Service.producer raised ZeroDivisionError"),
    "init raises, header": opening("producer_with_header", makes_error(OOPS), "service_error", "oops"),
    "init raises, exchange": opening("exchange", makes_error(OOPS), "service_error", "oops"),
    "init raises, exchange, header": opening("exchange_with_header", makes_error(OOPS), "service_error", "oops"),
    "init exits": opening("producer", makes_error(SystemExit(3)), "service_error", "SystemExit"),
    "init interrupts": opening("producer", makes_error(KeyboardInterrupt()), "service_error", "KeyboardInterrupt"),
    "init raises its own kind": opening(
        "producer", makes_error(ServiceError("no_paper", "tray 2")), "no_paper", "tray 2"
    ),
    "init returns nothing": opening("producer", lambda lab: None, "invalid_output", "must return a Stream"),
    "init returns the class of a state": opening(
        "producer", lambda lab: Stream(INTS, Producer), "invalid_output", "StreamState"
    ),
    "init gives a state alone": opening(
        "producer", lambda lab: Stream(Producer(lab)), "invalid_output", "write Stream(output_schema, state)"
    ),
    "init swaps the two": opening(
        "producer", lambda lab: Stream(Producer(lab), INTS), "invalid_output", "write Stream(output_schema, state)"
    ),
    "init returns the state itself": opening(
        "producer", lambda lab: Producer(lab), "invalid_output", "write Stream(output_schema, state)"
    ),
    "init makes an exchange of a producer": opening(
        "producer",
        exchange,
        "invalid_output",
        "is a producer by its Protocol, and its state Exchange is one of an exch",
        "error",
    ),
    "init makes a producer of an exchange": opening(
        "exchange",
        producer,
        "invalid_output",
        "is an exchange by its Protocol, and its state Producer is one of a prod",
        "error",
    ),
    "init gives no schema": opening(
        "producer", lambda lab: Stream(None, Producer(lab)), "invalid_output", "output_schema", "error"
    ),
    "a producer with an input schema": opening(
        "producer", lambda lab: Stream(INTS, Producer(lab), INTS), "invalid_output", "input_schema", "error"
    ),
    "header None": opening("producer_with_header", producer, "invalid_output", "header", "error"),
    "header of another type": opening(
        "exchange_with_header", lambda lab: exchange(lab, {"rows": 3}), "invalid_output", "header", "error"
    ),
    "header None where there is one": opening(
        "producer", lambda lab: producer(lab, Header(1)), "invalid_output", "no header in its Protocol", "error"
    ),
    "header": Row("producer_with_header", count_for_ever, header_of, Header(3), "cancel"),
    "header of an exchange": Row("exchange_with_header", double, header_of, Header(3), "cancel"),
    "no header": Row("producer", count_for_ever, header_of, None, "cancel"),
    # -- turns of a producer
    "finish": Row("producer", count_to_three, iterates, [[0], [1], [2]], "finish"),
    "finish at once": Row("producer", finish, iterates, [], "finish"),
    "error": Row("producer", raises(OOPS), iterates, Fails("service_error", "raised ZeroDivisionError: oops"), "error"),
    "error after two": Row("producer", raises(OOPS, 2), receives, ([[0], [1]], "service_error"), "error"),
    "error of its own kind": Row("producer", raises(ServiceError("no_paper", "")), receives, ([], "no_paper"), "error"),
    "sys.exit": Row("producer", raises(SystemExit(3), 1), receives, ([[0]], "service_error"), "error"),
    "KeyboardInterrupt": Row("producer", raises(KeyboardInterrupt(), 1), receives, ([[0]], "service_error"), "error"),
    "StopIteration": Row("producer", raises(StopIteration(), 1), receives, ([[0]], "service_error"), "error"),
    "GeneratorExit": Row("producer", raises(GeneratorExit(), 1), receives, ([[0]], "service_error"), "error"),
    "raises Cancelled": Row("producer", raises(Cancelled(), 1), receives, ([[0]], "cancelled"), "error"),
    "logs before an error": Row(
        "producer",
        steps(log, lambda turn: turn.emit(0), raises(OOPS)),
        receives_with_logs,
        [[[0]], "service_error", [("warning", "about to fail", {"turn": 0})]],
        "error",
    ),
    "no emit, no finish": Row("producer", nothing, iterates, Fails("invalid_output", "put out nothing"), "error"),
    "emit twice": Row("producer", once(TWICE), iterates, [[0], [1]], "finish"),
    "emit and finish": Row("producer", steps(count_for_ever, finish), iterates, [[0]], "finish"),
    "finish twice": Row("producer", steps(count_for_ever, finish, finish), iterates, [[0]], "finish"),
    "finish, then emit": Row("producer", steps(finish, TWICE), receives, ([], "invalid_output"), "error"),
    "emit, finish, emit": Row(
        "producer", steps(count_for_ever, finish, TWICE), receives, ([[0]], "invalid_output"), "error"
    ),
    "no rows": Row("producer", once(lambda turn: turn.emit()), iterates, [[]], "finish"),
    "more columns": Row("producer", once(emit(more=["x"], value=[7])), iterates, [[7]], "finish"),
    "more columns in a dict": Row("producer", once(emit_pydict(more=["x"], value=[7])), iterates, [[7]], "finish"),
    "a type that is cast": Row("producer", once(emit(value=[7.0])), iterates, [[7]], "finish"),
    "a type that would lose": Row("producer", emit(value=[7.5]), iterates, Fails("invalid_output", "'value'"), "error"),
    "a dict that would lose": Row(
        "producer", emit_pydict(value=["x"]), iterates, Fails("invalid_output", "'value'"), "error"
    ),
    "a missing column": Row("producer", emit(other=[7]), iterates, Fails("invalid_output", "['other']"), "error"),
    "a missing column in a dict": Row(
        "producer", emit_pydict(other=[7]), iterates, Fails("invalid_output", "['other']"), "error"
    ),
    "no batch": Row(
        "producer", lambda turn: turn.out.emit([1]), iterates, Fails("invalid_output", "not list"), "error"
    ),
    "a swallowed refusal": Row("producer", emit_and_swallow, iterates, [[1]], "finish"),
    # -- turns of an exchange
    "exchange": Row("exchange", double, exchanges(batch(1.0), batch(2.0, 3.0), batch()), [[2], [4, 6], []], "close"),
    "exchange, error": Row(
        "exchange", raises(OOPS, 1), exchanges(batch(1.0), batch(2.0)), [[0], "service_error"], "error"
    ),
    "exchange, emit twice": Row("exchange", TWICE, exchanges(batch(1.0)), ["invalid_output"], "error"),
    "exchange, emit and error": Row(
        "exchange", steps(count_for_ever, raises(OOPS)), exchanges(batch(1.0)), ["service_error"], "error"
    ),
    "exchange, logs before an error": Row(
        "exchange",
        steps(log, raises(OOPS)),
        receives_with_logs,
        [[], "service_error", [("warning", "about to fail", {"turn": 0})]],
        "error",
    ),
    "exchange, no emit": Row("exchange", nothing, exchanges(batch(1.0)), ["invalid_output"], "error"),
    "exchange, finish": Row("exchange", steps(double, finish), exchanges(batch(1.0)), ["invalid_output"], "error"),
    # -- input, checked by the host before it is sent: the stream goes on
    "input in another order": Row("exchange", double, exchanges(batch(label=["x"], value=[2.0])), [[4]], "close"),
    "input that is cast": Row("exchange", double, exchanges(batch(value=[2], label=["x"])), [[4]], "close"),
    "input of no type": Row("exchange", double, exchanges(batch(value=[2.0], label=[None])), [[4]], "close"),
    "input without a column": Row(
        "exchange", double, exchanges(batch(value=[1.0]), batch(2.0)), ["invalid_input", [4]], "close"
    ),
    "input with one more": Row(
        "exchange",
        double,
        exchanges(batch(value=[1.0], label=["x"], more=[1]), batch(2.0)),
        ["invalid_input", [4]],
        "close",
    ),
    "input that would lose": Row(
        "exchange", double, exchanges(batch(value=["x"], label=["x"]), batch(2.0)), ["invalid_input", [4]], "close"
    ),
    "input with nulls": Row(
        "exchange", double, exchanges(batch(1.0, None), batch(2.0)), ["invalid_input", [4]], "close"
    ),
    "input that changes its schema": Row(
        "exchange", double, exchanges(batch(1.0), batch(other=[1]), batch(2.0)), [[2], "invalid_input", [4]], "close"
    ),
    # -- input of a host that checks nothing: the stream ends
    "raw input, empty": Row("exchange", double, sends_raw(b""), ([[2]], "invalid_input"), "error"),
    "raw input, a second schema": Row(
        "exchange", double, sends_raw(right_batch(2.0)), ([[2]], "invalid_input"), "error"
    ),
    "raw input, another schema": Row(
        "exchange", double, sends_raw(batch(other=[1])), ([[2]], "invalid_input"), "error"
    ),
    "raw input, garbage": Row("exchange", double, sends_raw(b"garbage!" * 20), ([[2]], "invalid_input"), "error"),
    "input for a producer": Row("producer", wait_until_cancelled, sends_raw(), ([], "invalid_input"), "error"),
    # -- the host uses it as what it is not
    "exchange on a producer": Row(
        "producer", count_to_three, exchanges_with_a_producer, ([[0], [1], [2]], "finish"), "finish"
    ),
    "exchange of no annotated batch": Row("exchange", double, exchanges_something_else, [2], "close"),
    "iterate an exchange": Row("exchange", double, iterates_over_an_exchange, [2], "close"),
    # -- the host does something else meanwhile
    "a call while it is open": Row("producer", count_to_three, calls_meanwhile, [[0], 7, [1], 8, [2]], "finish"),
    "a stream while it is open": Row("producer", count_to_three, opens_another_meanwhile, [[0], [1], [2]], "finish"),
    # -- the host leaves
    "break": Row("producer", count_for_ever, breaks_out, [0], "cancel"),
    "an error in the block": Row("producer", count_for_ever, leaves_by_an_error, None, "cancel"),
    "dropped": Row("producer", count_for_ever, drops, None, "cancel"),
    "dropped unread": Row("producer", count_for_ever, drops_unread, None, "cancel"),
    "dropped unread, exchange": Row("exchange", double, drops_unread, None, "cancel"),
    "dropped in a ring": Row("producer", count_for_ever, drops_in_a_loop, None, "cancel"),
    "close twice": Row("producer", count_for_ever, closes_twice, "close", "close"),
    "close twice, exchange": Row("exchange", double, closes_twice, "close", "close"),
    "cancel twice": Row("producer", count_for_ever, cancels_twice, "cancel", "cancel"),
    "cancel twice, exchange": Row("exchange", double, cancels_twice, "cancel", "cancel"),
    "cancel in a turn": Row("producer", wait_until_cancelled, cancels_in_a_turn, "cancel", "cancel"),
    "cancel in a turn that checks": Row("producer", check_until_cancelled, cancels_in_a_turn, "cancel", "cancel"),
    "cancel in a turn that does not look": Row("producer", wait, cancels_a_turn_that_does_not_look, "cancel", "cancel"),
    "cancel in an emit that waits": Row("producer", emit_until_cancelled, cancels_in_a_turn, "cancel", "cancel"),
    "cancel that is swallowed": Row("producer", swallow_cancelled, cancels_in_a_turn, "cancel", "cancel"),
    "cancel on another thread": Row(
        "producer", wait_until_cancelled, cancels_on_another_thread, ([], "cancel"), "cancel"
    ),
    "close in a turn": Row("producer", wait_until_cancelled, closes_in_a_turn, "close", "close"),
    "close in an emit that waits": Row("producer", emit_until_cancelled, closes_in_a_turn, "close", "close"),
    "close of what never returns": Row("producer", wait, closes_a_turn_that_never_returns, "cancel", "cancel"),
    "close with queued input": Row("exchange", wait, closes_with_queued_input, (3, "close"), "close"),
    "cancel with queued input": Row("exchange", wait, cancels_with_queued_input, 1, "cancel"),
    "exchange after close": Row("exchange", double, exchanges_after_close, "close", "close"),
    "close into an error": Row(
        "exchange", steps(wait, raises(OOPS)), closes_into_an_error, Fails("service_error", "oops"), "error"
    ),
    "close after an unseen error": Row(
        "exchange", raises(OOPS), closes_after_an_unseen_error, Fails("service_error", "oops"), "error"
    ),
    "close with output unread": Row("producer", count_to_three, closes_with_output_unread, "finish", "finish"),
    # -- times
    "a timeout of the host's": Row("producer", wait, receives_too_early, [0], "cancel"),
    "the deadline": Row("exchange", double, waits_for_the_deadline, "deadline_exceeded", "error", timeout_s=0.2),
    "the deadline in a turn": Row(
        "producer", wait_until_cancelled, waits_for_the_deadline, "deadline_exceeded", "error", timeout_s=0.2
    ),
    # -- after the end
    "receive after the end": Row(
        "producer",
        count_to_three,
        receives_after_the_end,
        [([[0], [1], [2]], "finish"), "finish", "finish", []],
        "finish",
    ),
    "receive after an error": Row("exchange", raises(OOPS), receives_after_an_error, ["service_error"] * 4, "error"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_lifecycle(row: Row) -> None:
    lab = Lab(row.script, row.makes)
    with served(lab, row.method, timeout_s=row.timeout_s) as bench:
        if isinstance(row.sees, Fails):
            with pytest.raises(SidecarError) as caught:
                row.host(bench)
            assert caught.value.kind == row.sees.kind
            assert row.sees.words in caught.value.message
        else:
            assert row.host(bench) == row.sees
        if row.reason is not None:
            assert lab.closes.get(timeout=WAIT_S) == row.reason
        assert bench.proxy.ping(5) == 5
        assert bench.open_streams() == []
    assert lab.closes.empty()


def test_on_close_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; nobody waits for it."""
    lab = Lab(count_to_three, on_close=lambda: [][0])
    with served(lab) as bench:
        assert iterates(bench) == [[0], [1], [2]]
        assert lab.closes.get(timeout=WAIT_S) == "finish"
        assert bench.open_streams() == []
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [IndexError]
    assert lab.closes.empty()


@pytest.mark.parametrize(
    ("method", "script"),
    [("producer", emit_until_cancelled), ("exchange", double)],
    ids=["that waits for credit", "that waits for input"],
)
def test_the_host_goes_with_a_stream_open(method: str, script: Script) -> None:
    lab = Lab(script)
    with served(lab, method) as bench:
        session = bench.open()
        if method == "producer":
            assert lab.entered.wait(WAIT_S)
    assert lab.closes.get(timeout=WAIT_S) == "host_gone"
    assert lab.closes.empty()
    assert until_the_end(session)[1] == "host_gone"


# -- many at once ------------------------------------------------------------------------------------------------


@dataclass
class Numbered(ProducerState):
    """The stream of a number: every third finishes, every third fails, every third goes on for ever."""

    number: int
    turn: int = 0

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        if self.number % 3 == 0 and self.turn == 20:
            out.finish()
        elif self.number % 3 == 1 and self.turn == 10:
            raise ValueError(self.number)
        else:
            out.emit_pydict({"value": [self.number * 1000 + self.turn]})
        self.turn += 1

    def on_close(self, reason: str) -> None:
        CLOSES.put((self.number, reason))


CLOSES: SimpleQueue[tuple[int, str]] = SimpleQueue()


class Numbers(Protocol):
    def numbers(self, number: int) -> Stream[ProducerState]: ...


class NumbersImplementation:
    def numbers(self, number: int) -> Stream[ProducerState]:
        return Stream(INTS, Numbered(number))


def take_one(session: Any, got: list[Any]) -> str | None:
    """Receive a batch, and cancel after the fifth what would never end; how it ended, if it did."""
    try:
        got += values(session.receive(WAIT_S))
    except StreamEnded as ended:
        return ended.reason
    except SidecarError as error:
        return error.kind
    if got[0] // 1000 % 3 == 2 and len(got) == 5:
        session.cancel()
        return "cancel"
    return None


def test_64_streams_at_once_under_cancel_and_error() -> None:
    """On one line, in turns; none touches another."""
    with serve_pipe(Numbers, NumbersImplementation()) as proxy:
        sessions = {number: proxy.numbers(number) for number in range(64)}
        received: dict[int, list[Any]] = {number: [] for number in sessions}
        ends: dict[int, str] = {}
        while sessions:
            for number, session in list(sessions.items()):
                end = take_one(session, received[number])
                if end is not None:
                    ends[number] = end
                    del sessions[number]
        reasons = dict(CLOSES.get(timeout=WAIT_S) for _ in received)
    assert CLOSES.empty()
    for number, got in received.items():
        assert got == [number * 1000 + turn for turn in range((20, 10, 5)[number % 3])]
        assert ends[number] == ("finish", "service_error", "cancel")[number % 3]
        assert reasons[number] == ("finish", "error", "cancel")[number % 3]
