"""The Python host against the real process: typed results, cancel, timeouts, progress, clean stops."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.client import CallTimeout, Filter, Host, Progress, Search, SidecarError, SidecarGone, Sort
from sidecar.testing import SpawnHost
from sidecar.wire.payload import Payload
from tests.peers import odd_handlers

WAIT_S = 30
"""No wait ends by this in a run that passes."""

PEOPLE = pa.table({"n": [3, 1, 2, None], "s": ["c", "a", "b", "d"]})


def parquet_bytes(table: pa.Table, **options: object) -> bytes:
    """The table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


@pytest.fixture
def odd_host(spawn_with_services: SpawnHost) -> Host:
    """A host of a sidecar whose handlers wait until they are told to go on."""
    return spawn_with_services(*odd_handlers.SERVICE)


def test_the_main_job(host: Host) -> None:
    """Load a table, read a sorted page of it, close the session."""
    loaded = host.load(arrow=PEOPLE)
    page = host.tables.rows(loaded.session, 0, 2, sort=[Sort("n")])
    assert page.table.to_pydict() == {"n": [1, 2], "s": ["a", "b"]}
    assert (page.total, page.matched, page.stop) == (4, 4, 2)
    order_bytes = 4 * loaded.rows  # of the sorted page
    assert host.sessions.close(loaded.session).bytes == loaded.bytes + order_bytes
    with pytest.raises(SidecarError, match="no session") as refused:
        host.tables.rows(loaded.session)
    assert refused.value.kind == "unknown_session"


@pytest.mark.parametrize("form", ["table", "record batch", "bytes", "buffer", "memoryview", "parquet", "path"])
def test_every_form_of_a_table_loads_the_same(host: Host, form: str, tmp_path) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, PEOPLE.schema) as writer:
        writer.write_table(PEOPLE)
    ipc = sink.getvalue()
    path = tmp_path / "people.parquet"
    path.write_bytes(parquet_bytes(PEOPLE))
    sources = {
        "table": {"arrow": PEOPLE},
        "record batch": {"arrow": PEOPLE.to_batches()[0]},
        "bytes": {"arrow": ipc.to_pybytes()},
        "buffer": {"arrow": ipc},
        "memoryview": {"arrow": memoryview(ipc)},
        "parquet": {"parquet": path.read_bytes()},
        "path": {"path": path},
    }
    loaded = host.load(**sources[form], session="people")
    assert host.tables.rows("people").table.equals(PEOPLE)
    assert (loaded.rows, [column.name for column in loaded.columns]) == (4, ["n", "s"])


@pytest.mark.parametrize("format", ["arrow", "parquet", "json"])
def test_a_page_in_every_format(host: Host, format: str) -> None:
    session = host.load(arrow=PEOPLE).session
    page = host.tables.rows(session, columns=["s", "n"], filter=[Filter("n", "ge", 2)], sort=[Sort("n")], format=format)
    rows = page.rows if format == "json" else page.table.to_pylist()
    assert rows == [{"s": "b", "n": 2}, {"s": "c", "n": 3}]
    assert (page.matched, page.total) == (2, 4)


@pytest.mark.parametrize(
    "search", ["B", Search("b", ["s"]), Search("B", ignore_case=True), Search("B", ["n"])], ids=str
)
def test_a_search_is_a_text_or_says_more(host: Host, search: Search | str) -> None:
    session = host.load(arrow=PEOPLE).session
    found = host.tables.rows(session, search=search).table["s"].to_pylist()
    assert found == ([] if search == "B" or search.columns == ["n"] else ["b"])


def test_groups_of_filters(host: Host) -> None:
    session = host.load(arrow=PEOPLE).session
    group = Filter(any=[Filter("n", "eq", 1), Filter(not_=Filter("s", "starts_with", "C", ignore_case=True))])
    assert host.tables.rows(session, filter=[group], sort=[Sort("n")]).table["n"].to_pylist()[:2] == [1, 2]


def test_a_page_in_json_is_no_table(host: Host) -> None:
    page = host.tables.rows(host.load(arrow=PEOPLE).session, format="json")
    with pytest.raises(TypeError, match="JSON"):
        _ = page.table


def test_stats(host: Host) -> None:
    n, s = host.tables.stats(host.load(arrow=PEOPLE).session)
    assert (n.null_count, n.distinct_count, n.min, n.max, n.mean, n.median) == (1, 3, 1, 3, 2.0, 2.0)
    assert (s.null_count, s.distinct_count, s.empty_count, s.min, s.max, s.mean) == (0, 4, 0, "a", "d", None)


def test_sessions_are_listed_with_their_sizes(host: Host) -> None:
    first = host.load(arrow=PEOPLE, label="people.arrow", session="a")
    second = host.load(parquet=parquet_bytes(PEOPLE), session="b", mode="lazy")
    listed = host.sessions.list()
    assert [(info.session, info.path, info.mode) for info in listed.sessions] == [
        ("a", "people.arrow", "eager"),
        ("b", "<inline>", "lazy"),
    ]
    assert listed.bytes == first.bytes + second.bytes


def test_ping_brings_back_what_it_got(host: Host) -> None:
    data = {"text": "æ \u2028 \0", "list": [1, None, 2**53 + 1], "array": Payload("float32", bytes(24), [2, 3])}
    assert host.ping(data) == data


def test_progress_reaches_the_caller(odd_host: Host) -> None:
    """The callback runs on the thread that reads, so that it may send but not wait."""
    seen: list[Progress] = []

    def take(progress: Progress) -> None:
        seen.append(progress)
        odd_host.request("odd/tell", {"name": "a"})

    done = odd_host.request("odd/progress_until_told", {"name": "a"}, take).result(WAIT_S)
    assert [p.done for p in seen] == sorted({p.done for p in seen})
    assert 1 <= seen[0].done <= seen[-1].done <= done
    assert {(p.total, p.unit, p.message) for p in seen} == {(None, "steps", "")}


def test_a_cancelled_call_raises_cancelled_and_leaves_the_line(odd_host: Host, tmp_path: Path) -> None:
    """In the middle of a load."""
    path = tmp_path / "people.parquet"
    path.write_bytes(parquet_bytes(PEOPLE))
    call = odd_host.request("odd/load", {"path": str(path), "session": "x"})
    assert odd_host.call("odd/started", {"name": "load"}, WAIT_S)
    call.cancel()
    with pytest.raises(SidecarError) as cancelled:
        call.result(WAIT_S)
    assert cancelled.value.kind == "cancelled"
    assert odd_host.sessions.list(WAIT_S).sessions == []
    call.cancel()  # too late: nothing happens
    assert odd_host.ping("still here", WAIT_S) == "still here"


def test_a_timeout_cancels_the_call(odd_host: Host) -> None:
    """Each waits for the session that another call works on. That one is cancelled too, or nothing else would come."""
    with pytest.raises(CallTimeout, match=r"odd/wait_and_check was not answered within 0\.1 s"):
        odd_host.call("odd/wait_and_check", {"name": "a", "session": "x"}, timeout_s=0.1)
    assert odd_host.call("odd/note", {"text": "free", "session": "x"}, WAIT_S) == ["free"]
    held = odd_host.request("odd/wait", {"name": "b", "session": "x"})
    with pytest.raises(CallTimeout, match="load was not answered within 0 s"):
        odd_host.load(arrow=PEOPLE, session="x", timeout_s=0)
    odd_host.call("odd/tell", {"name": "b"}, WAIT_S)
    assert held.result(WAIT_S) == "b"
    assert odd_host.call("odd/note", {"text": "behind", "session": "x"}, WAIT_S) == ["free", "behind"]
    assert odd_host.sessions.list(WAIT_S).sessions == []


def test_calls_from_many_threads(host: Host) -> None:
    session = host.load(arrow=pa.table({"n": pa.array(range(10_000))})).session
    wrong: list[int] = []

    def read(start: int) -> None:
        for offset in range(50):
            page = host.tables.rows(session, start + offset, start + offset + 3).table
            if page.column(0).to_pylist() != [start + offset + i for i in range(3)]:
                wrong.append(start)

    threads = [threading.Thread(target=read, args=(100 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)


def test_close_is_clean_and_may_be_repeated(spawn_host: SpawnHost) -> None:
    host = spawn_host()
    assert host.close() == 0
    assert host.close() == 0
    with pytest.raises(SidecarGone, match="exit code 0"):
        host.ping()


def test_open_calls_get_the_reason_when_the_process_is_killed(odd_host: Host) -> None:
    calls = [odd_host.request("odd/never", {}) for _ in range(3)]
    odd_host.process.kill()
    for call in calls:
        with pytest.raises(SidecarGone, match="exit code -9"):
            call.result(WAIT_S)


def test_allow_paths_restrict_what_may_be_read(spawn_host: SpawnHost, tmp_path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out.parquet"
    inside.mkdir()
    for path in (inside / "a.parquet", outside):
        path.write_bytes(parquet_bytes(PEOPLE))
    host = spawn_host(allow_paths=[inside])
    assert host.load(path=inside / "a.parquet").rows == 4
    with pytest.raises(SidecarError) as refused:
        host.load(path=outside)
    assert refused.value.kind == "path_not_allowed"


def test_log_records_reach_the_host(spawn_host: SpawnHost) -> None:
    """A frame that is none ends the line; the reason is logged before the process goes."""
    lines: list[tuple[str, str]] = []
    host = spawn_host(on_log=lambda level, message: lines.append((level, message)))
    host.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
    assert host.process.wait(30) == 76
    with pytest.raises(SidecarGone, match="header size"):
        host.ping()
    assert [level for level, message in lines if "protocol error" in message] == ["error"]


def test_a_request_that_is_too_large_is_not_sent(spawn_host: SpawnHost) -> None:
    """It would end the sidecar, and every session with it."""
    host = spawn_host("--max-payload", "1M")
    host.load(arrow=PEOPLE, session="kept")
    for send in (lambda: host.ping(Payload("bytes", bytes(2**20 + 1))), lambda: host.ping("x" * 17 * 2**20)):
        with pytest.raises(SidecarError, match="nothing of it was sent") as refused:
            send()
        assert refused.value.kind == "too_large"
    assert host.ping(Payload("bytes", bytes(2**20))).size == 2**20
    assert [info.session for info in host.sessions.list().sessions] == ["kept"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"allow_paths": "/data"}, "allow_paths is a list"),
        ({"options": "--memory-limit"}, "options is a list"),
        ({"command": "arrow-sidecar"}, "command is a list"),
    ],
)
def test_a_string_is_no_list(arguments: dict[str, str], words: str) -> None:
    """Its characters would be taken one by one: `/` among the allowed directories opens the whole disk."""
    with pytest.raises(TypeError, match=words):
        Host.spawn(**arguments)


@pytest.mark.parametrize(
    "arguments", [{"columns": "n"}, {"sort": Sort("n")}, {"filter": Filter("n", "eq", 1)}], ids=str
)
def test_one_value_is_no_list(host: Host, arguments: dict[str, object]) -> None:
    session = host.load(arrow=PEOPLE).session
    with pytest.raises(TypeError, match="is a list"):
        host.tables.rows(session, **arguments)


def test_what_is_no_table_is_said_to_be_none(host: Host) -> None:
    with pytest.raises(TypeError, match=r"arrow= takes a pyarrow Table .*, not a list"):
        host.load(arrow=[1, 2, 3])
    with pytest.raises(TypeError, match=r"parquet= takes Parquet bytes, not a str; a file is loaded with path="):
        host.load(parquet="flights.parquet")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"tables maps names to sessions, .* not \['t'\]"):
        host.tables.sql("SELECT 1", tables=["t"])  # type: ignore[arg-type]
    with pytest.raises(SidecarError, match="is no path"):
        host.load(path="")
    assert host.ping(1) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later, in a process with threads
def test_a_forked_process_does_not_touch_the_line(host: Host) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with host:
                host.ping()
        except RuntimeError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert b"forked off" in os.read(reading, 1000)
    for fd in (reading, writing):
        os.close(fd)
    assert host.ping("fine") == "fine"
