"""Sessions: sending ahead, waiting and giving up, and what becomes of them when the sidecar goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

import pyarrow as pa
import pytest

from sidecar import (
    AnnotatedBatch,
    CallContext,
    ExchangeState,
    OutputCollector,
    SidecarError,
    Stream,
    serve_pipe,
)
from sidecar.client import CallTimeout, Host, SidecarGone
from sidecar.client.inbox import StreamEnded
from sidecar.protocol.streams import INPUT_CREDIT_BYTES
from sidecar.testing import SpawnHost
from sidecar.wire.limits import MIB, Limits
from tests.peers import endless
from tests.peers.endless import Endless
from tests.streams.lab import WAIT_S, Lab, Turn, batch, served, values

BLOBS = pa.schema([("blob", pa.binary())])


class Mirrors(Protocol):
    """Exchanges that give back what they get."""

    def mirror(self, any_schema: bool = False) -> Stream[ExchangeState]: ...


class Mirror(ExchangeState):
    def exchange(self, input: AnnotatedBatch, out: OutputCollector, ctx: CallContext) -> None:
        out.emit(input.batch.select(["blob"]), input.custom_metadata)


class MirrorsImplementation:
    def mirror(self, any_schema: bool = False) -> Stream[ExchangeState]:
        return Stream(BLOBS, Mirror(), None if any_schema else BLOBS)


@pytest.fixture
def mirrors() -> Iterator[Mirrors]:
    with serve_pipe(Mirrors, MirrorsImplementation()) as proxy:
        yield proxy


def blob(size: int, first: int = 0) -> AnnotatedBatch:
    """One row, of so many bytes."""
    return AnnotatedBatch.from_pydict({"blob": [bytes([first]) * size]}, BLOBS)


def first_byte(got: AnnotatedBatch) -> int:
    found: int = got.batch.column(0)[0].as_py()[0]
    return found


# -- what a session says of itself -------------------------------------------------------------------------------


def test_what_is_known_of_a_session(mirrors: Mirrors) -> None:
    with mirrors.mirror() as session:
        assert repr(session) == f"StreamSession({session.id!r}, exchange, 0 received, 0 sent)"
        for _ in range(3):
            session.send(blob(1))
        session.receive()
        assert repr(session) == f"StreamSession({session.id!r}, exchange, 1 received, 3 sent)"
        assert (session.kind, session.header) == ("exchange", None)
        assert session.output_schema.equals(BLOBS)
        assert session.input_schema.equals(BLOBS)


def test_an_exchange_that_takes_any_schema_takes_that_of_the_first_batch(mirrors: Mirrors) -> None:
    with mirrors.mirror(any_schema=True) as session:
        assert session.input_schema is None
        more = AnnotatedBatch.from_pydict({"number": [1], "blob": [b"a"]})
        assert first_byte(session.exchange(more)) == ord("a")
        with pytest.raises(SidecarError) as caught:
            session.send(blob(1))
        assert caught.value.kind == "invalid_input"
        assert first_byte(session.exchange(more)) == ord("a")


@pytest.mark.parametrize("metadata", [None, {}, {"größe": "€", "": ""}], ids=repr)
def test_metadata_goes_both_ways(mirrors: Mirrors, metadata: dict[str, str] | None) -> None:
    with mirrors.mirror() as session:
        sent = AnnotatedBatch(blob(1).batch, metadata)
        assert session.exchange(sent).custom_metadata == (metadata or None)
        assert session.exchange(blob(1)).custom_metadata is None


# -- sending ahead -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MIB, 3 * MIB, INPUT_CREDIT_BYTES + 1], ids=["1 MiB", "3 MiB", "more than all credit"])
def test_more_than_the_credit_from_one_thread(mirrors: Mirrors, size: int) -> None:
    """Neither side has room for all of it; answers that nobody takes meanwhile do not hold up the input."""
    count = max(4, 4 * INPUT_CREDIT_BYTES // size)
    with mirrors.mirror() as session:
        for number in range(count):
            session.send(blob(size, number % 256), WAIT_S)
        assert [first_byte(session.receive(WAIT_S)) for _ in range(count)] == [n % 256 for n in range(count)]


def test_a_sender_and_a_receiver_on_two_lines_of_thought(mirrors: Mirrors) -> None:
    """Always ten batches ahead."""
    with mirrors.mirror() as session:
        got: list[int] = []
        for number in range(500):
            session.send(blob(1000, number % 256))
            if number >= 10:
                got.append(first_byte(session.receive(WAIT_S)))
        got += [first_byte(session.receive(WAIT_S)) for _ in range(10)]
    assert got == [number % 256 for number in range(500)]


def wait_for_go(turn: Turn) -> None:
    turn.lab.wait_for_go()
    turn.emit(turn.number)


def send_until_it_waits(session: Any, big: AnnotatedBatch) -> int:
    """How many batches there was credit for."""
    try:
        while True:
            session.send(big, timeout_s=0.05)
    except CallTimeout:
        return int(session.inputs)


def test_input_is_bounded() -> None:
    """A turn that does not come to an end holds up who sends, within the time that he gives; then all goes on."""
    big = batch(*[0.0] * 100_000)
    lab = Lab(wait_for_go)
    with served(lab, "exchange") as bench:
        session: Any = bench.open()
        sent = send_until_it_waits(session, big)
        assert INPUT_CREDIT_BYTES // 2 < sent * big.batch.nbytes < 2 * INPUT_CREDIT_BYTES
        lab.go.set()
        for number in range(sent):
            assert values(session.receive(WAIT_S)) == [number]
        session.send(big, WAIT_S)
        assert values(session.receive(WAIT_S)) == [sent]
        session.close()


def too_large(session: Any) -> None:
    with pytest.raises(SidecarError) as caught:
        session.send(blob(5000))
    assert caught.value.kind == "too_large"
    assert caught.value.data["max_payload_bytes"] == 4000


def test_a_batch_that_is_too_large_is_not_sent(mirrors: Mirrors) -> None:
    with mirrors.mirror() as session:
        session._line.limits = Limits(max_payload_bytes=4000)
        too_large(session)
        assert session.inputs == 0
        assert first_byte(session.exchange(blob(3000, 7))) == 7
        too_large(session)
        assert first_byte(session.exchange(blob(3000, 8))) == 8


# -- waiting -----------------------------------------------------------------------------------------------------


def test_a_receive_that_times_out_may_be_tried_again() -> None:
    lab = Lab(wait_for_go)
    with served(lab, "exchange") as bench:
        session: Any = bench.open()
        for timeout_s in (0, 0.01):
            with pytest.raises(CallTimeout, match="nothing came"):
                session.receive(timeout_s)
        session.send(batch(1.0))
        with pytest.raises(CallTimeout):
            session.receive(0.01)
        lab.go.set()
        assert values(session.receive(WAIT_S)) == [0]
        assert values(session.exchange(batch(1.0), WAIT_S)) == [1]
        session.close()


def test_an_exchange_that_times_out_ends() -> None:
    """The late answer would be taken for that to the next batch."""
    lab = Lab(wait_for_go)
    with served(lab, "exchange") as bench:
        session: Any = bench.open()
        with pytest.raises(CallTimeout):
            session.exchange(batch(1.0), 0.01)
        lab.go.set()
        with pytest.raises(StreamEnded):
            session.exchange(batch(2.0), WAIT_S)


def test_a_cancel_on_another_thread_wakes_who_waits() -> None:
    lab = Lab(wait_for_go)
    with served(lab, "exchange") as bench, ThreadPoolExecutor(2) as threads:
        session: Any = bench.open()
        waiting = threads.submit(session.exchange, batch(1.0))
        assert lab.entered.wait(WAIT_S)
        threads.submit(session.cancel).result(WAIT_S)
        with pytest.raises(StreamEnded, match="cancel") as ended:
            waiting.result(WAIT_S)
        assert ended.value.reason == "cancel"
        lab.go.set()
        assert lab.closes.get(timeout=WAIT_S) == "cancel"


def test_a_cancel_on_another_thread_wakes_who_waits_for_credit() -> None:
    big = batch(*[0.0] * 100_000)
    lab = Lab(wait_for_go)
    with served(lab, "exchange") as bench, ThreadPoolExecutor(2) as threads:
        session: Any = bench.open()

        def send_without_end() -> None:
            while True:
                session.send(big)

        sending = threads.submit(send_without_end)
        assert lab.entered.wait(WAIT_S)
        threads.submit(session.cancel).result(WAIT_S)
        with pytest.raises(StreamEnded):
            sending.result(WAIT_S)
        lab.go.set()
        assert lab.closes.get(timeout=WAIT_S) == "cancel"


def test_sessions_of_several_threads() -> None:
    """Each thread has its own; they share the line."""
    lab = Lab(lambda turn: turn.out.emit_pydict({"value": [int(v) for v in values(turn.input)]}))
    with served(lab, "exchange") as bench, ThreadPoolExecutor(8) as threads:

        def exchange(first: int) -> list[int]:
            with bench.open() as session:
                return [values(session.exchange(batch(float(n)), WAIT_S))[0] for n in range(first, first + 100)]

        futures = [threads.submit(exchange, first) for first in range(0, 800, 100)]
        assert [n for future in futures for n in future.result(WAIT_S)] == list(range(800))


# -- leaving -----------------------------------------------------------------------------------------------------


def count_up(turn: Turn) -> None:
    turn.emit(turn.number)


def test_an_iterator_is_dropped_where_the_lock_of_the_line_is_held() -> None:
    """As the collector of garbage may do it at any moment: nobody waits for the lock, and the stream is cancelled."""
    lab = Lab(count_up)
    with served(lab) as bench:
        session: Any = bench.open()
        iterators = [iter(session)]
        assert values(next(iterators[0])) == [0]

        def drop() -> None:
            with session._line._output:
                iterators.clear()

        dropping = Thread(target=drop, daemon=True)
        dropping.start()
        dropping.join(WAIT_S)
        is_stuck = dropping.is_alive()
        if is_stuck:
            session._line._output.release()  # or nothing else could end either
        assert not is_stuck
        assert lab.closes.get(timeout=WAIT_S) == "cancel"
        assert bench.open_streams() == []


def test_a_second_loop_after_one_that_was_left() -> None:
    """It would go on somewhere, or end as if all had come."""
    with served(Lab(count_up)) as bench:
        session: Any = bench.open()
        for got in session:
            assert values(got) == [0]
            break
        for _ in range(2):
            with pytest.raises(StreamEnded):
                list(session)


def left_by_a_loop(session: Any) -> None:
    for _ in session:
        break


def read_to_the_end(session: Any) -> None:
    assert [values(got) for got in session] == [[0], [1], [2]]


LEAVE: dict[str, Callable[[Any], None]] = {
    "left": left_by_a_loop,
    "read to the end": read_to_the_end,
    "closed": lambda session: session.close(),
    "cancelled": lambda session: session.cancel(),
}


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_no_checkpoint_after_the_end(leave: Callable[[Any], None]) -> None:
    def count_to_three(turn: Turn) -> None:
        turn.emit(turn.number)
        if turn.number == 2:
            turn.out.finish()

    with served(Lab(count_to_three)) as bench:
        session: Any = bench.open()
        leave(session)
        with pytest.raises(StreamEnded):
            session.checkpoint(timeout_s=WAIT_S)


# -- a process that goes -----------------------------------------------------------------------------------------


@pytest.fixture
def host(spawn_with_services: SpawnHost) -> Host:
    return spawn_with_services(*endless.SERVICE)


def drain(session: Any) -> Exception:
    """Receive until it raises."""
    while True:
        try:
            session.receive(WAIT_S)
        except Exception as fault:
            return fault


def test_every_session_is_told_that_the_sidecar_was_killed(host: Host) -> None:
    service = host.service(Endless)
    sessions: list[Any] = [service.count(), service.echo(), service.count()]
    numbers = AnnotatedBatch.from_pydict({"value": [7]})
    assert values(sessions[1].exchange(numbers)) == [7]
    host.process.kill()
    for session in sessions:
        assert isinstance(drain(session), SidecarGone)
        assert isinstance(drain(session), SidecarGone)
        session.cancel()
    with pytest.raises(SidecarGone):
        sessions[1].send(numbers)
    with pytest.raises(SidecarGone):
        service.count()


def test_a_host_that_stops_ends_its_streams(host: Host) -> None:
    """They are told, in the process that then ends as if nothing had been open."""
    service = host.service(Endless)
    sessions: list[Any] = [service.count(), service.echo()]
    sessions[0].receive(WAIT_S)
    assert host.close() == 0
    assert sorted(host.stderr_tail().splitlines()) == ["count: shutdown", "echo: shutdown"]
    for session in sessions:
        ended = drain(session)
        assert isinstance(ended, StreamEnded)
        assert ended.reason == "shutdown"


def test_a_host_that_only_closes_its_end(spawn_with_services: SpawnHost) -> None:
    said: SimpleQueue[str] = SimpleQueue()
    with spawn_with_services(*endless.SERVICE, on_stderr=said.put) as host:
        service = host.service(Endless)
        sessions: list[Any] = [service.echo(), service.echo()]
        assert host.process.stdin is not None
        host.process.stdin.close()
        assert [str(drain(session)) for session in sessions] == ["the stream has ended: host_gone"] * 2
        assert host.process.wait(WAIT_S) == 0
        assert [said.get(timeout=WAIT_S) for _ in sessions] == ["echo: host_gone"] * 2
    assert said.empty()


def test_leaving_a_stream_leaves_the_process_alone(spawn_with_services: SpawnHost) -> None:
    said: SimpleQueue[str] = SimpleQueue()
    with spawn_with_services(*endless.SERVICE, on_stderr=said.put) as host:
        service = host.service(Endless)
        for got in service.count():
            if values(got)[0] == 1000:
                break
        assert said.get(timeout=WAIT_S) == "count: cancel"
        dropped: Any = service.count()
        dropped.receive(WAIT_S)
        del dropped
        assert service.ping(3) == 3
        assert said.get(timeout=WAIT_S) == "count: cancel"
        with service.count() as closed:
            assert next(iter(closed)).batch.to_pydict() == {"value": [0]}
        assert said.get(timeout=WAIT_S) == "count: cancel"  # the iterator was left
        with service.count():
            assert len(host.call("streams/list", {}, WAIT_S)["streams"]) == 1
        assert said.get(timeout=WAIT_S) == "count: close"
        assert host.call("streams/list", {}, WAIT_S)["streams"] == []
        assert host.close() == 0
    assert said.empty()
