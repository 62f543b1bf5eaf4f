"""Bad input, one after another into one real process: each kind of it is an error that says what and where, and
leaves the process and its sessions as they were."""

from __future__ import annotations

import base64
import ctypes
import io
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.client import Host, SidecarError
from sidecar.testing import SpawnHost
from sidecar.wire.limits import MIB
from sidecar.wire.payload import Payload
from tests.peers.raw import DEADLINE_S, Message, RawHost, blob, kind

from .conftest import SpawnRaw

TABLE = pa.table({"n": [3, 1, 2], "nested": [[1], None, [2, 3]]})
ROWS = [{"n": 3, "nested": [1]}, {"n": 1, "nested": None}, {"n": 2, "nested": [2, 3]}]


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink)
    return sink.getvalue()


def arrow(new: Callable[..., Any]) -> bytes:
    sink = io.BytesIO()
    with new(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


PARQUET, STREAM, FILE = parquet(), arrow(pa.ipc.new_stream), arrow(pa.ipc.new_file)

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def read_as_others_do() -> None:
    """What root may read, whatever its mode, becomes unreadable in the process that is started; others have no such
    right to lose."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture(scope="module")
def patient(sidecar_command: list[str]) -> Any:
    """One sidecar that gets all of it; it has the session `kept`."""
    with RawHost.spawn(sidecar_command, preexec_fn=read_as_others_do) as host:
        host.hello()
        loaded = host.call("load", "load", {"arrow_ipc": Payload("arrow", STREAM), "session": "kept"})
        assert loaded["result"]["rows"] == 3
        yield host


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are no good, by name; `good.parquet` is."""
    folder = tmp_path_factory.mktemp("bad")
    contents = {
        "good.parquet": PARQUET,
        "closed.parquet": PARQUET,
        "empty.csv": b"",
        "cut.parquet": PARQUET[:-5],
        "half.parquet": PARQUET[: len(PARQUET) // 2],
        "magic.parquet": b"PAR1",
        "cut.arrow": FILE[:-5],
        "cut.arrows": STREAM[:-20],
        "text.parquet": b"n\n1\n2\n",
        "text.arrow": b"n\n1\n2\n",
        "parquet.csv": PARQUET,
        "text.xyz": b"n\n1\n2\n",
        "bad.json": b'[{"n": 1}, {"n": ',
        "bad.ndjson": b'{"n": 1}\n{"n": \n',
        "ragged.csv": b"a,b\n1,2\n3,4,5,6\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "closed.parquet").chmod(0)
    (folder / "folder.parquet").mkdir()
    return folder


def answer(host: RawHost, method: str, params: Message) -> Message:
    """The answer to a request; then the next one must be served, and the earlier session be whole."""
    answer = host.call("bad", method, params)
    assert host.call("next", "ping", {"data": 1})["result"] == {"data": 1}
    assert [info["session"] for info in host.call("list", "sessions/list")["result"]["sessions"]] == ["kept"]
    assert host.call("rows", "tables/rows", {"session": "kept", "format": "json"})["result"]["rows"] == ROWS
    return answer


def check(answer: Message, expected: str, culprit: Any, **data: Any) -> None:
    """The kind, the culprit in the message, and what a program needs in the data."""
    assert kind(answer) == expected, answer
    error = answer["error"]
    assert str(culprit) in error["message"]
    assert {name: error["data"].get(name) for name in data} == data
    assert "traceback" not in error["data"]


# -- files -------------------------------------------------------------------------------------------------------

FILES = {
    "missing": ("no such file.csv", "file_not_found"),
    "below a file": ("good.parquet/below.csv", "file_not_found"),
    "a directory": ("folder.parquet", "not_a_file"),
    "unreadable": ("closed.parquet", "permission_denied"),
    "empty": ("empty.csv", "empty_file"),
    "Parquet without its end": ("cut.parquet", "invalid_file"),
    "half a Parquet": ("half.parquet", "invalid_file"),
    "a Parquet of its magic alone": ("magic.parquet", "invalid_file"),
    "an Arrow file without its end": ("cut.arrow", "invalid_file"),
    "an Arrow stream without its end": ("cut.arrows", "invalid_file"),
    "text called Parquet": ("text.parquet", "invalid_file"),
    "text called Arrow": ("text.arrow", "invalid_file"),
    "text called by no known name": ("text.xyz", "unknown_format"),
    "JSON without its end": ("bad.json", "invalid_file"),
    "NDJSON with a bad line": ("bad.ndjson", "invalid_file"),
    "CSV with a line too long": ("ragged.csv", "invalid_file"),
}


@pytest.mark.parametrize("session", [{}, {"session": "kept"}], ids=["into a new session", "into the earlier one"])
@pytest.mark.parametrize(("name", "expected"), FILES.values(), ids=FILES)
def test_a_bad_file(patient: RawHost, folder: Path, name: str, expected: str, session: Message) -> None:
    path = str(folder / name)
    check(answer(patient, "load", {"path": path, **session}), expected, path, path=path)


def test_a_file_that_the_system_does_not_give(patient: RawHost, folder: Path) -> None:
    """It is there and may be read, but the process is out of descriptors; with some again, it is read."""
    path = str(folder / "good.parquet")
    pid = patient.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))  # 0, 1 and 2 are taken
    refusal = patient.call("bad", "load", {"path": path})
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    check(refusal, "read_failed", path, path=path)
    assert "result" in patient.call("load", "load", {"path": path, "session": "other"})
    assert "result" in patient.call("close", "sessions/close", {"session": "other"})


def test_a_file_of_no_size(patient: RawHost) -> None:
    """Like everything in /proc; its bytes are not even asked for."""
    check(answer(patient, "load", {"path": "/proc/self/mem", "format": "csv"}), "empty_file", "/mem")


def test_a_name_that_says_another_format(patient: RawHost, folder: Path) -> None:
    """Is no error: the content decides, and the answer says so."""
    loaded = patient.call("load", "load", {"path": str(folder / "parquet.csv"), "session": "other"})["result"]
    assert (loaded["format"], loaded["rows"]) == ("parquet", 3)
    assert loaded["warnings"] == ["the extension says csv, the content is parquet"]
    assert "result" in patient.call("close", "sessions/close", {"session": "other"})


# -- bytes -------------------------------------------------------------------------------------------------------

FORMS = {"stream": ("arrow_ipc", "arrow", STREAM), "file": ("arrow_ipc", "arrow", FILE)}
FORMS["parquet"] = ("parquet", "parquet", PARQUET)


@pytest.mark.parametrize(("field", "type", "data"), FORMS.values(), ids=FORMS)
def test_bytes_cut_anywhere(patient: RawHost, field: str, type: str, data: bytes) -> None:
    """Every length but 0 and all. So short a piece as to be of no format is said to be that."""
    for size in range(1, len(data)):
        cut = patient.call(size, "load", {field: Payload(type, data[:size]), "session": "kept"})
        assert kind(cut) in (("unknown_format", "invalid_file") if size < 8 else ("invalid_file",)), size
        assert field in cut["error"]["message"]
        assert cut["error"]["data"]["source"] == field
    check(answer(patient, "load", {field: Payload(type, b"")}), "empty_file", field, source=field)


@pytest.mark.parametrize("field", ["arrow_ipc_b64", "parquet_b64"])
@pytest.mark.parametrize("text", ["no base64!", "QUJ", "QUJD\n", "ä"])
def test_base64_that_is_not(patient: RawHost, field: str, text: str) -> None:
    check(answer(patient, "load", {field: text}), "invalid_base64", field, field=field)


def test_base64_of_something_else(patient: RawHost) -> None:
    text = base64.b64encode(PARQUET).decode()
    check(answer(patient, "load", {"arrow_ipc_b64": text}), "invalid_file", "arrow_ipc_b64", source="arrow_ipc_b64")


# -- requests for rows -------------------------------------------------------------------------------------------

HUGE = 2**70
REQUESTS: dict[str, tuple[Message, str, Any, Message]] = {
    "negative start": ({"start": -1}, "invalid_range", -1, {"start": -1, "stop": None, "matched": 3}),
    "negative stop": ({"stop": -5}, "invalid_range", -5, {"start": 0, "stop": -5}),
    "start beyond the end": ({"start": 4}, "invalid_range", "rows 4", {"start": 4, "matched": 3}),
    "absurd start": ({"start": HUGE}, "invalid_range", HUGE, {"start": HUGE}),
    "absurdly negative": ({"start": -HUGE, "stop": HUGE}, "invalid_range", -HUGE, {"start": -HUGE}),
    "backwards": ({"start": 2, "stop": 1}, "invalid_range", "rows 2 to 1", {"start": 2, "stop": 1}),
    "start no number": ({"start": "0"}, "invalid_params", "params.start", {}),
    "half a row": ({"stop": 1.5}, "invalid_params", "params.stop", {}),
    "unknown column": ({"columns": ["n", "x"]}, "unknown_column", "'x'", {"column": "x", "columns": ["n", "nested"]}),
    "sort by an unknown column": ({"sort": [{"column": "x"}]}, "unknown_column", "'x'", {"column": "x"}),
    "filter of an unknown column": (
        {"filter": [{"column": "x", "op": "is_null"}]},
        "unknown_column",
        "'x'",
        {"column": "x"},
    ),
    "sort by a nested column": (
        {"sort": [{"column": "n"}, {"column": "nested"}]},
        "unsortable_column",
        "'nested'",
        {"column": "nested"},
    ),
    "unknown session": ({"session": "x"}, "unknown_session", "'x'", {"session": "x", "sessions": ["kept"]}),
}


@pytest.mark.parametrize(("params", "expected", "culprit", "data"), REQUESTS.values(), ids=REQUESTS)
def test_a_bad_request_for_rows(patient: RawHost, params: Message, expected: str, culprit: Any, data: Message) -> None:
    check(answer(patient, "tables/rows", {"session": "kept", **params}), expected, culprit, **data)


def test_a_stop_beyond_the_end_is_the_end(patient: RawHost) -> None:
    """As grids ask; the one absurd range that makes sense."""
    page = answer(patient, "tables/rows", {"session": "kept", "start": 3, "stop": HUGE, "format": "json"})["result"]
    assert (page["start"], page["stop"], page["rows"]) == (3, 3, [])


# -- a frame over the limit --------------------------------------------------------------------------------------

LIMIT = 1024**2
OVER = {
    "payload": (["--max-payload", "1M"], {"data": blob(LIMIT)}, {"data": blob(LIMIT + 1)}, "payload"),
    "header": (["--max-header", "1M"], {"data": "x" * (LIMIT - 4096)}, {"data": "x" * LIMIT}, "header_size"),
}


@pytest.mark.parametrize(("options", "within", "over", "culprit"), OVER.values(), ids=OVER)
def test_a_frame_over_the_limit(
    spawn_raw: SpawnRaw, options: list[str], within: Message, over: Message, culprit: str
) -> None:
    """It cannot be skipped, for nobody knows that its sizes are meant, so that it ends the line, with its reason. The
    request before it is answered."""
    host = spawn_raw(*options)
    host.hello()
    assert "result" in host.call(1, "ping", within)
    host.request(2, "ping", over)
    (last,) = host.rest()
    assert (last["method"], last["params"]["culprit"]) == ("protocol_error", culprit)
    assert str(LIMIT) in last["params"]["message"]
    assert host.exit_code() == 76


def test_a_failed_load_gives_its_payload_back(spawn_host: SpawnHost) -> None:
    """And the last frame is not kept until the next one comes."""
    host = spawn_host("--no-warm")  # what is imported in the background would count
    before = host.stats().rss_bytes
    assert before is not None
    for _ in range(8):
        with pytest.raises(SidecarError):
            host.load(parquet=b"PAR1" + bytes(64 * MIB))
    ends_at = time.monotonic() + DEADLINE_S
    while kept_bytes(host, before) >= 64 * MIB:  # the last one's thread lets go of it after the answer
        assert time.monotonic() < ends_at


def kept_bytes(host: Host, before: int) -> int:
    """How much more memory the process has now."""
    after = host.stats().rss_bytes
    assert after is not None
    return after - before
