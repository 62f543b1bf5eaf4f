"""load/stream without wire or threads: what is staged becomes a session, once, or stays for another try."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import Cancelled, SidecarError
from sidecar.protocol.streams import Paused
from sidecar.services.load.incoming import METHOD, STAGED, Incoming
from sidecar.wire.payload import Payload
from tests.services.caller import Caller, RecordingContext

DEADLINE_S = 20.0


class Stream:
    """An upload that is open, as the runtime holds it: `turns.exchange` is what takes the batches."""

    def __init__(self, caller: Caller, **params: Any) -> None:
        method = caller.methods["streams/open"].handler.__self__.nouns[METHOD]  # type: ignore[attr-defined]
        self.exchange: Incoming = method.open(method.params(**params), RecordingContext())

    def send(self, *batches: pa.RecordBatch) -> list[dict[str, int]]:
        """Serve batches; returns the answers."""
        return [self._take(batch).to_pylist()[0] for batch in batches]

    def _take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        buffer = pa.py_buffer(batch.serialize().to_pybytes())
        answer = self.exchange.take(
            pa.ipc.read_record_batch(buffer, batch.schema), Payload("arrow", buffer), Context(self)
        )
        assert answer.schema == STAGED
        return answer


class Context(RecordingContext):
    """Of a load, whose stream is served already."""

    def __init__(self, stream: Stream, cancel_after: int | None = None) -> None:
        super().__init__(cancel_after)
        self._stream = stream

    def drain(self, stream: str, method: str) -> Paused:
        assert (stream, method) == ("up", METHOD)
        self.check()
        return Paused(self._stream, 0, 0)


def batch(*values: Any, name: str = "n") -> pa.RecordBatch:
    return pa.record_batch({name: pa.array(values, pa.int64())})


def load(caller: Caller, stream: Stream, cancel_after: int | None = None, **params: Any) -> Any:
    return caller.call("load", {"stream": "up", "session": "s", **params}, Context(stream, cancel_after))


def error(caller: Caller, stream: Stream, cancel_after: int | None = None, **params: Any) -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        load(caller, stream, cancel_after, **params)
    return caught.value


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def stream(caller: Caller) -> Iterator[Stream]:
    stream = Stream(caller)
    yield stream
    stream.exchange.close()


def test_the_answers_say_what_is_staged(stream: Stream) -> None:
    answers = stream.send(batch(1, 2), batch(), batch(3))
    assert [answer["rows"] for answer in answers] == [2, 2, 3]
    assert answers[0]["bytes"] == answers[1]["bytes"] > 0


def test_a_load_answers_as_that_of_one_frame(caller: Caller, stream: Stream) -> None:
    stream.send(batch(1, 2), batch(3))
    result = load(caller, stream, label="dir/cells")
    assert (result.session, result.path, result.filename, result.rows) == ("s", "dir/cells", "cells", 3)
    assert (result.source, result.format, result.mode, result.warnings) == ("stream", "arrow_stream", "eager", [])
    assert [(column.name, column.dtype) for column in result.columns] == [("n", "int64")]
    assert caller.rows().column("n").to_pylist() == [1, 2, 3]
    assert caller.taken_bytes() == result.bytes


@pytest.mark.parametrize(
    ("opened", "loaded", "path", "filename"),
    [
        (None, None, "<inline>", "<inline>"),
        ("a/b", None, "a/b", "b"),
        ("a/b", "c", "c", "c"),
        ("a/b", "", "a/b", "b"),
    ],
)
def test_labels(caller: Caller, opened: str | None, loaded: str | None, path: str, filename: str) -> None:
    stream = Stream(caller, label=opened)
    stream.send(batch(1))
    result = load(caller, stream, label=loaded)
    assert (result.path, result.filename) == (path, filename)


def test_a_session_is_minted(caller: Caller, stream: Stream) -> None:
    stream.send(batch(1))
    assert len(load(caller, stream, session=None).session) == 32


def test_equal_names_become_unique(caller: Caller, stream: Stream) -> None:
    stream.send(pa.RecordBatch.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"]))
    result = load(caller, stream)
    assert [column.name for column in result.columns] == ["a", "a_2"]
    assert len(result.warnings) == 1


def test_what_is_staged_counts_and_is_given_back(caller: Caller, stream: Stream) -> None:
    (answer,) = stream.send(batch(*range(1000)))
    assert caller.taken_bytes() == answer["bytes"] == 8000
    stream.exchange.close()
    assert caller.taken_bytes() == 0


@pytest.mark.parametrize("cancel_after", [0, 1], ids=["while it waits", "before it commits"])
def test_a_cancelled_load_leaves_all_of_it_staged(caller: Caller, stream: Stream, cancel_after: int) -> None:
    """The host may load again, and may send more before."""
    caller.load_table(pa.table({"old": [1]}))
    stream.send(batch(1))
    with pytest.raises(Cancelled):
        load(caller, stream, cancel_after)
    assert caller.rows().column_names == ["old"]
    stream.send(batch(2))
    assert load(caller, stream).rows == 2
    assert caller.rows().column("n").to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"mode": "lazy"}, "lazy_unsupported"),
        ({"format": "csv"}, "invalid_file"),
        ({"path": "/x"}, "source_conflict"),
    ],
)
def test_parameters_that_do_not_go_together(caller: Caller, stream: Stream, params: Any, kind: str) -> None:
    stream.send(batch(1))
    assert error(caller, stream, **params).kind == kind
    assert load(caller, stream, format="arrow_stream").rows == 1


def test_a_stream_that_brought_no_batch(caller: Caller, stream: Stream) -> None:
    assert error(caller, stream).kind == "empty_file"
    stream.send(batch())
    result = load(caller, stream)
    assert (result.rows, len(result.columns)) == (0, 1)


def test_a_table_is_loaded_once(caller: Caller, stream: Stream) -> None:
    stream.send(batch(1))
    load(caller, stream)
    assert error(caller, stream, session="t").kind == "unknown_stream"
    with pytest.raises(SidecarError) as caught:
        stream.send(batch(2))
    assert caught.value.kind == "invalid_input"
    assert caller.rows().num_rows == 1


def test_the_memory_limit_names_the_upload() -> None:
    caller = Caller(memory_limit_bytes=100_000)
    stream = Stream(caller, label="cells")
    stream.send(batch(*range(5000)))
    with pytest.raises(SidecarError) as caught:
        stream.send(batch(*range(10_000)))
    assert caught.value.kind == "memory_limit"
    assert caught.value.message.startswith("cells takes")
    stream.exchange.close()
    assert caller.taken_bytes() == 0


def test_what_was_loaded_counts_once_though_the_stream_is_open(caller: Caller, stream: Stream) -> None:
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    stream.send(*(batch(*range(10_000)) for _ in range(20)))
    result = load(caller, stream)
    assert caller.taken_bytes() == caller.sessions()["s"].bytes == result.bytes
    caller.call("sessions/close", {"session": "s"})
    gc.collect()
    assert caller.taken_bytes() == 0
    assert pool.bytes_allocated() - before < 100_000  # of 1.6 MB: nothing stays staged


def test_a_table_is_not_loaded_beyond_the_limit_and_stays_for_another_try(caller: Caller, stream: Stream) -> None:
    """As where the limit is reached after the last batch."""
    (answer,) = stream.send(batch(*range(1000)))
    sessions = stream.exchange._claim._sessions
    sessions.memory_limit_bytes = answer["bytes"] - 1
    assert error(caller, stream).kind == "memory_limit"
    assert (caller.taken_bytes(), [*caller.sessions()]) == (answer["bytes"], [])
    sessions.memory_limit_bytes = answer["bytes"]
    assert load(caller, stream).rows == 1000


class Announced:
    """A lock that tells when somebody waits for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.is_waited_for = Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.is_waited_for.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_of_two_loads_at_once_the_second_finds_it_gone(caller: Caller, stream: Stream) -> None:
    stream.send(batch(1))
    lock = Announced()
    stream.exchange._lock = lock  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as pool:
        with stream.exchange.loading("up", "s"):
            second = pool.submit(error, caller, stream, session="t")
            assert lock.is_waited_for.wait(DEADLINE_S)
        assert second.result(DEADLINE_S).kind == "unknown_stream"
    assert "t" not in caller.sessions()
