"""load/stream over the real wire: one swap or none, nothing kept after any end, and all of it may be said at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.client import Host
from sidecar.protocol.errors import SidecarError
from sidecar.streams.batch import AnnotatedBatch
from sidecar.streams.pieces import PieceWriter
from sidecar.wire.payload import Payload
from tests.peers.raw import cancel, memory_peak_bytes
from tests.peers.stream_host import Record, StreamHost
from tests.process.conftest import SpawnStreams

MIB = 1024 * 1024
SCHEMA = pa.schema([("n", pa.int64())])


def batch(*values: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, pa.int64())], schema=SCHEMA)


def piece(*batches: pa.RecordBatch, is_first: bool = False) -> Payload:
    """Batches as the host's next piece of a stream."""
    schema = batches[0].schema.serialize().to_pybytes() if is_first else b""
    return Payload("arrow", schema + b"".join(each.serialize().to_pybytes() for each in batches))


class Upload:
    """A raw host's stream of `load/stream`."""

    def __init__(self, host: StreamHost, stream: str = "up", credit_bytes: int = MIB) -> None:
        self.host, self.stream = host, stream
        params = {"stream": stream, "method": "load/stream", "credit_bytes": credit_bytes}
        answer = host.response(host.ask("streams/open", params))
        assert "result" in answer, answer
        self._is_first = True

    @property
    def record(self) -> Record:
        return self.host.streams[self.stream]

    def send(self, *batches: pa.RecordBatch) -> None:
        """One piece."""
        self.host.notify("data", self.stream, batches=piece(*batches, is_first=self._is_first))
        self._is_first = False

    def load(self, **params: Any) -> int:
        """Ask for it; returns the id of the request."""
        return self.host.ask("load", {"stream": self.stream, "session": "s", **params})

    def end(self) -> str | None:
        """The kind of the error that it ends with, or the reason."""
        (reason,) = self.host.ended(self.stream)
        return self.record.error or reason


def rows(host: StreamHost, session: str = "s") -> list[Any]:
    """The first column of a session."""
    answer = host.get("tables/rows", {"session": session})
    assert "result" in answer, answer
    return pa.ipc.open_stream(pa.py_buffer(answer["result"]["rows"].data)).read_all().column(0).to_pylist()


def taken_bytes(host: StreamHost) -> int:
    """What sessions and staged batches take."""
    return host.get("sessions/list")["result"]["bytes"]


def is_freed(host: StreamHost, size: int = 0) -> bool:
    """Whether no more is taken, soon: what a stream holds goes right after its end."""
    return any(taken_bytes(host) == size for _ in range(2000))


def kind(answer: Any) -> str | None:
    return answer["error"]["data"]["kind"] if "error" in answer else None


@pytest.fixture
def host(streaming: StreamHost) -> StreamHost:
    return streaming


@pytest.fixture
def old(host: StreamHost) -> int:
    """A session that is there already; the bytes that it takes."""
    before = Upload(host, "before")
    before.send(batch(-1))
    host.response(before.load())
    host.notify("close", "before")
    assert before.end() == "close"
    return taken_bytes(host)


# -- the whole conversation --------------------------------------------------------------------------------------


def test_all_of_it_is_said_before_anything_is_read(host: StreamHost) -> None:
    """With no credit for the answers either: nothing is missing, and the stream ends after the load."""
    up = Upload(host, credit_bytes=1)
    for at in range(300):
        up.send(batch(at), batch(at))
    load = up.load()
    host.notify("close", "up")
    up.record.credit_bytes = 10**9  # what comes on debt while a load waits is allowed
    answer = host.response(load)["result"]
    assert (answer["rows"], answer["source"], answer["format"]) == (600, "stream", "arrow_stream")
    assert rows(host) == [at for at in range(300) for _ in range(2)]
    assert up.end() == "close"
    assert (up.record.end or {})["inputs"] == 600


def test_the_answers_are_the_progress(host: StreamHost) -> None:
    up = Upload(host)
    up.send(batch(1, 2))
    up.send(batch(3))
    host.response(up.load())
    assert [each.to_pylist()[0]["rows"] for each in up.record.batches()] == [2, 3]


def test_the_old_table_stays_until_the_new_one_is_whole(host: StreamHost, old: int) -> None:
    up = Upload(host)
    up.send(batch(1))
    assert rows(host) == [-1]
    host.settled()
    host.response(up.load())
    assert rows(host) == [1]
    assert is_freed(host, old)


def test_two_uploads_side_by_side(host: StreamHost) -> None:
    first, second = Upload(host, "a"), Upload(host, "b")
    for at in range(100):
        first.send(batch(at))
        second.send(batch(-at))
    ids = first.load(session="a"), second.load(session="b")
    for id in ids:
        assert host.response(id)["result"]["rows"] == 100
    assert sum(rows(host, "a")) == -sum(rows(host, "b")) == 4950


def test_two_loads_of_one_stream(host: StreamHost) -> None:
    """One gets the table, whichever it is."""
    up = Upload(host)
    up.send(batch(1))
    answers = [host.response(id) for id in (up.load(session="a"), up.load(session="b"))]
    assert sorted(map(str, map(kind, answers))) == ["None", "unknown_stream"]


def test_what_comes_after_the_load_ends_the_stream(host: StreamHost) -> None:
    up = Upload(host)
    up.send(batch(1))
    load = up.load()
    up.send(batch(2))
    assert host.response(load)["result"]["rows"] == 1
    assert up.end() == "invalid_input"
    assert rows(host) == [1]


def test_a_load_that_fails_may_be_tried_again(host: StreamHost, old: int) -> None:
    up = Upload(host)
    assert kind(host.response(up.load())) == "empty_file"
    up.send(batch(1))
    assert kind(host.response(up.load(mode="lazy"))) == "lazy_unsupported"
    up.send(batch(2))
    host.response(up.load())
    assert rows(host) == [1, 2]


# -- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_ends_that_leave_nothing(host: StreamHost, old: int, how: str) -> None:
    up = Upload(host)
    up.send(batch(*range(100_000)))
    host.until(lambda: up.record.pieces)
    assert taken_bytes(host) > old
    host.notify(how, "up")
    assert up.end() == how
    assert is_freed(host, old)
    assert rows(host) == [-1]


Break = Callable[[Upload], None]


def another_schema(up: Upload) -> None:
    up.host.notify("data", up.stream, batches=piece(pa.record_batch({"m": ["x"]}), is_first=True))


def another_layout(up: Upload) -> None:
    up.send(batch(1).select([]))


def an_index_beyond_its_dictionary(up: Upload) -> None:
    """Arrow reads it, and would crash later."""
    up.stream = "words"
    up.host.response(up.host.ask("streams/open", {"stream": "words", "method": "load/stream"}))
    column = pa.DictionaryArray.from_arrays(pa.array([7], pa.int8()), ["a"], safe=False)
    words = pa.RecordBatch.from_arrays([column], names=["w"])
    payload = Payload("arrow", b"".join(map(bytes, PieceWriter(words.schema, with_schema=True).write(words, None))))
    up.host.notify("data", "words", batches=payload)


def an_end_marker(up: Upload) -> None:
    up.host.notify("data", up.stream, batches=Payload("arrow", b"\xff\xff\xff\xff\0\0\0\0"))


@pytest.mark.parametrize("breaks", [another_schema, another_layout, an_index_beyond_its_dictionary, an_end_marker])
def test_input_that_is_wrong_ends_the_stream_and_leaves_nothing(host: StreamHost, old: int, breaks: Break) -> None:
    up = Upload(host)
    up.send(batch(1))
    breaks(up)
    load = up.load()
    assert up.end() == "invalid_input"
    assert kind(host.response(load)) == "unknown_stream"
    host.notify("cancel", "up")
    assert is_freed(host, old)
    assert rows(host) == [-1]


def test_the_memory_limit_in_the_middle(spawn_streams: SpawnStreams) -> None:
    host = spawn_streams("--memory-limit", "1000000")
    up = Upload(host)
    for _ in range(3):
        up.send(batch(*range(50_000)))
    assert up.end() == "memory_limit"
    assert is_freed(host)
    again = Upload(host, "again")
    again.send(batch(1))
    assert host.response(again.load())["result"]["rows"] == 1


def test_the_host_is_gone_in_the_middle(host: StreamHost) -> None:
    up = Upload(host)
    up.send(batch(*range(1000)))
    host.finish()
    assert up.record.reason == "host_gone"


def test_a_cancelled_load_lets_the_stream_go_on(host: StreamHost, old: int, large_csv: Path) -> None:
    """It waits for another load of its session; the old table stays."""
    up = Upload(host)
    up.send(batch(1))
    ahead = host.ask("load", {"path": str(large_csv), "session": "s"})
    load = up.load()
    for id in (load, ahead):
        host.send(cancel(id))
        assert kind(host.response(id)) == "cancelled"
    assert rows(host) == [-1]
    up.send(batch(2))
    assert host.response(up.load())["result"]["rows"] == 2
    assert rows(host) == [1, 2]


# -- streams that are none -----------------------------------------------------------------------------------------


def test_streams_that_cannot_be_loaded(host: StreamHost) -> None:
    host.open("other", "scale")
    assert kind(host.get("load", {"stream": "nobody"})) == "unknown_stream"
    answer = host.get("load", {"stream": "other"})
    assert kind(answer) == "wrong_stream"
    assert answer["error"]["data"]["method"] == "Streaming.scale"
    up = Upload(host)
    host.notify("close", "up")
    assert up.end() == "close"
    assert kind(host.get("load", {"stream": "up"})) == "unknown_stream"
    host.values("other", 2)
    host.until(lambda: host.streams["other"].pieces)


def test_an_upload_has_no_checkpoint(host: StreamHost) -> None:
    up = Upload(host)
    assert kind(host.get("streams/checkpoint", {"stream": "up"})) == "not_serializable"
    up.send(batch(1))
    assert host.response(up.load())["result"]["rows"] == 1


# -- the Python host ---------------------------------------------------------------------------------------------


@pytest.fixture
def client(sidecar_command: list[str]) -> Iterator[Host]:
    with Host.spawn(sidecar_command) as host:
        yield host


def table(rows: int) -> pa.Table:
    return pa.table({"n": pa.array(range(rows), pa.int64()), "t": [f"value {at % 977}" for at in range(rows)]})


Source = Callable[[pa.Table], Any]


@pytest.mark.parametrize(
    "source",
    [
        lambda table: table,
        lambda table: table.combine_chunks().to_batches()[0],
        lambda table: table.to_reader(1000),
        lambda table: iter(table.to_batches(1000)),
    ],
    ids=["table", "batch", "reader", "generator"],
)
def test_what_a_host_may_load(client: Host, source: Source) -> None:
    data = table(20_000)
    told: list[int] = []
    result = client.load_stream(source(data), label="x", session="s", on_progress=lambda p: told.append(p.done))
    assert (result.rows, result.path, result.source) == (20_000, "x", "stream")
    assert client.tables.rows("s").table.equals(data)
    assert told[-1] == 20_000
    assert client.call("streams/list", {})["streams"] == []


@pytest.mark.parametrize("empty", [table(0), table(0).to_reader()], ids=["table", "reader"])
def test_a_table_without_rows_has_its_columns(client: Host, empty: Any) -> None:
    result = client.load_stream(empty)
    assert (result.rows, [column.name for column in result.columns]) == (0, ["n", "t"])


def failing(data: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from data.to_batches()
    raise RuntimeError("of the generator's")


def changing(data: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from data.to_batches()
    yield from data.drop_columns(["t"]).to_batches()


@pytest.mark.parametrize(
    ("batches", "error"),
    [
        (failing, RuntimeError),
        (changing, SidecarError),
        (lambda _data: [], SidecarError),
        (lambda _data: ["no batch"], TypeError),
    ],
    ids=["a generator fails", "the schema changes", "no batch", "no batches at all"],
)
def test_failures_leave_the_old_session(
    client: Host, batches: Callable[[pa.Table], Iterable[Any]], error: type[Exception]
) -> None:
    client.load(arrow=table(3), session="s")
    with pytest.raises(error):
        client.load_stream(batches(table(1000)), session="s")
    assert client.tables.rows("s").total == 3
    while client.call("streams/list", {})["streams"]:
        pass
    assert client.load_stream(table(5), session="s").rows == 5


def test_a_table_beyond_one_frame_is_streamed_by_itself(sidecar_command: list[str]) -> None:
    with Host.spawn(sidecar_command, options=["--max-payload", "100000"]) as host:
        data = table(50_000)
        assert host.load(arrow=data, session="s").source == "stream"
        assert host.load(arrow=data.slice(0, 100)).source == "arrow_ipc"
        assert host.tables.rows("s", 0, 100).table.equals(data.slice(0, 100))


def test_the_memory_limit_is_what_the_host_hears(sidecar_command: list[str]) -> None:
    with Host.spawn(sidecar_command, options=["--memory-limit", "100000"]) as host:
        with pytest.raises(SidecarError) as caught:
            host.load_stream(table(50_000), label="cells")
        assert caught.value.kind == "memory_limit"
        assert "cells" in caught.value.message


def test_pages_are_read_while_an_upload_goes_on(client: Host) -> None:
    client.load(arrow=table(1000), session="s")
    pages = count()

    def reading() -> Iterator[pa.RecordBatch]:
        for each in table(20_000).to_batches(1000):
            assert client.tables.rows("s", 0, 10).total == 1000
            next(pages)
            yield each

    assert client.load_stream(reading(), session="s").rows == 20_000
    assert next(pages) == 20


def test_memory_is_that_of_the_table(client: Host) -> None:
    """512 MiB of numbers: what is staged is the session, with at most 10 % and 64 MiB beside it."""
    piece = pa.record_batch([pa.array(range(MIB), pa.int64())], schema=SCHEMA)
    data = pa.Table.from_batches([piece] * 64)
    client.load_stream(data.slice(0, 10))
    before = memory_peak_bytes(client.process.pid)
    result = client.load_stream(data, session="s")
    assert abs(result.bytes - data.nbytes) < data.nbytes / 100
    assert memory_peak_bytes(client.process.pid) - before < data.nbytes * 1.1 + 64 * MIB


def test_sent_ahead_and_loaded_by_hand(client: Host) -> None:
    """Any host of the stream's may do what `load_stream` does."""
    with client.caller().begin("load/stream", {}) as stream:
        for each in table(10_000).to_batches(10):
            stream.send(AnnotatedBatch(each))
        assert client.call("load", {"stream": stream.id, "session": "s"})["rows"] == 10_000
    assert client.tables.rows("s").total == 10_000
