"""Bytes that are no frame end the line with one notification that names the culprit; a bad request does not."""

from __future__ import annotations

import fcntl
import sys
import termios
import time
from typing import Any

import pytest

from sidecar.wire.payload import Payload
from tests.peers.raw import DEADLINE_S, RawHost, blob, cancel, frame, kind, memory_peak_bytes, request

from .conftest import SpawnRaw


def prefix(size: int) -> bytes:
    """A header's size."""
    return size.to_bytes(4, "little", signed=True)


def header(text: str | bytes, size: int = 60) -> bytes:
    """A frame whose header is any text."""
    data = text if isinstance(text, bytes) else text.encode()
    return prefix(size) + data.ljust(size)


def payload(*sizes: Any) -> bytes:
    """A request that announces payloads of these sizes, in JSON as they are given."""
    listed = ",".join(f'{{"path":["params","data"],"type":"bytes","size":{size}}}' for size in sizes)
    return header(f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{}},"payload":[{listed}]}}', 316)


VIOLATIONS = {
    "text": (b"hello, is anybody there?\n" * 3, "header_size"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "header_size"),
    "JSON without a size": (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', "header_size"),
    "LSP": (b"Content-Length: 40\r\n\r\n", "header_size"),
    "ones": (b"\xff" * 64, "header_size"),
    "zeros": (bytes(64), "header_size"),
    "negative size": (prefix(-4) + b"{}".ljust(60), "header_size"),
    "size over the limit": (prefix(16 * 1024**2 + 60) + b"{}", "header_size"),
    "largest size": (prefix(2**31 - 1), "header_size"),
    "misaligned size": (prefix(61) + b"{}".ljust(61), "header_size"),
    "big-endian size": ((60).to_bytes(4, "big") + b"{}".ljust(60), "header_size"),
    "header of spaces": (header(""), "header"),
    "header of text": (header("hello"), "header"),
    "header cut": (header('{"jsonrpc":"2.0"'), "header"),
    "header in Latin-1": (header(b'{"jsonrpc":"\xe9"}'), "header"),
    "header too deep": (header("[" * 50_000, 50_044), "header"),
    "batch": (header('[{"jsonrpc":"2.0","id":1,"method":"ping"}]'), "header"),
    "number": (header("5"), "header"),
    "payload over the limit": (payload(2 * 1024**3 + 1), "payload"),
    "payloads over the limit together": (payload(2 * 1024**3, 1), "payload"),
    "negative payload": (payload(-1), "payload"),
    "payload of no size": (payload("null"), "payload"),
    "payload of half a byte": (payload(1.5), "payload"),
    "payload of true": (payload("true"), "payload"),
    "payload no list": (header('{"payload":{}}'), "payload"),
}


def violation(host: RawHost, culprit: str, sent: bytes) -> None:
    """The line must end with one notification about `sent`."""
    *_, last = messages = host.rest()
    assert [message.get("method") for message in messages].count("protocol_error") == 1
    assert last["params"]["culprit"] == culprit
    quoted = sent[:64].decode("ascii", "backslashreplace")
    assert quoted.startswith(last["params"]["quoted"]) if culprit == "truncated" else last["params"]["quoted"] == quoted
    assert last["params"]["message"]
    assert host.exit_code() == 76
    assert "protocol error" in host.stderr()


@pytest.mark.parametrize(("sent", "culprit"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_what_is_no_frame(spawn_raw: SpawnRaw, sent: bytes, culprit: str) -> None:
    host = spawn_raw()
    host.send(sent)
    violation(host, culprit, sent)


def test_what_came_before_is_answered_first(raw: RawHost) -> None:
    raw.send(request(1, "ping") + b"garbage" * 10)
    assert raw.answer(1)["result"] == {"data": None}
    violation(raw, "header_size", b"garbage" * 10)


WHOLE = request(1, "ping", {"data": blob(1000)})
CUTS = (
    1,
    3,
    4,
    5,
    63,
    64,
    65,
    len(WHOLE) - 1025,
    len(WHOLE) - 1024,
    len(WHOLE) - 1023,
    len(WHOLE) - 25,
    len(WHOLE) - 1,
)


@pytest.mark.parametrize("cut", CUTS)
def test_input_that_ends_inside_a_frame(spawn_raw: SpawnRaw, cut: int) -> None:
    host = spawn_raw()
    host.send(request(0, "ping") + WHOLE[:cut])
    host.close_input()
    violation(host, "truncated", WHOLE[:cut])


def test_the_limits_are_options(spawn_raw: SpawnRaw) -> None:
    host = spawn_raw("--max-header", "4k", "--max-payload", "2k")
    limits = host.hello()["limits"]
    assert (limits["max_header_bytes"], limits["max_payload_bytes"]) == (4096, 2048)
    assert "result" in host.call(1, "ping", {"data": blob(2048)})
    sent = request(2, "ping", {"data": blob(2049)})
    host.send(sent)
    violation(host, "payload", sent)


# -- bombs -------------------------------------------------------------------------------------------------------


def wait_until_read(fd: int) -> None:
    """Wait until the reader has taken all that was written to a pipe."""
    ends_at = time.monotonic() + DEADLINE_S
    while int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder):
        assert time.monotonic() < ends_at


MIB = 1024**2
BOMBS = {
    "header": (prefix(16 * MIB - 4), 20 * MIB),  # a header is small enough to be set aside whole
    "payload": (payload(2048 * MIB), 4 * MIB),
    "payloads": (payload(*[0] * 2, 1024 * MIB, 1024 * MIB), 4 * MIB),
}


@pytest.mark.parametrize(("bomb", "growth_bytes"), BOMBS.values(), ids=BOMBS)
def test_a_size_alone_takes_no_memory(spawn_raw: SpawnRaw, bomb: bytes, growth_bytes: int) -> None:
    """Of a sidecar that imports nothing meanwhile."""
    raw = spawn_raw("--no-warm")
    raw.hello()
    raw.call(1, "ping", {"data": blob(100)})
    before = memory_peak_bytes(raw.process.pid)
    raw.send(bomb)
    wait_until_read(raw.input_fd)
    raw.send(b"x")
    wait_until_read(raw.input_fd)
    assert memory_peak_bytes(raw.process.pid) - before < growth_bytes
    raw.close_input()
    violation(raw, "truncated", bomb + b"x")


# -- bad requests ------------------------------------------------------------------------------------------------


def descriptors(*listed: dict[str, Any], params: dict[str, Any] | None = None) -> bytes:
    """A ping with any payload list, and the buffers that it announces."""
    message = {"jsonrpc": "2.0", "id": 7, "method": "ping", "params": params or {}, "payload": list(listed)}
    return frame(message) + bytes(sum(-(-item["size"] // 64) * 64 for item in listed))


DATA = ["params", "data"]
BAD = {
    "no jsonrpc": ({"id": 7, "method": "ping"}, 7, "invalid_request"),
    "wrong jsonrpc": ({"jsonrpc": "1.0", "id": 7, "method": "ping"}, 7, "invalid_request"),
    "no method": ({"jsonrpc": "2.0", "id": 7}, 7, "invalid_request"),
    "method no string": ({"jsonrpc": "2.0", "id": 7, "method": 5}, 7, "invalid_request"),
    "id null": ({"jsonrpc": "2.0", "id": None, "method": "ping"}, None, "invalid_request"),
    "id true": ({"jsonrpc": "2.0", "id": True, "method": "ping"}, None, "invalid_request"),
    "id fraction": ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, None, "invalid_request"),
    "id list": ({"jsonrpc": "2.0", "id": [7], "method": "ping"}, None, "invalid_request"),
    "params list": ({"jsonrpc": "2.0", "id": 7, "method": "ping", "params": [1]}, 7, "invalid_request"),
    "params null": ({"jsonrpc": "2.0", "id": 7, "method": "ping", "params": None}, 7, "invalid_request"),
    "unknown method": ({"jsonrpc": "2.0", "id": 7, "method": "tables/drop"}, 7, "method_not_found"),
    "empty method": ({"jsonrpc": "2.0", "id": 7, "method": ""}, 7, "method_not_found"),
    "unknown parameter": ({"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"date": 1}}, 7, "invalid_params"),
    "wrong parameter": (
        {"jsonrpc": "2.0", "id": 7, "method": "tables/rows", "params": {"session": 5}},
        7,
        "invalid_params",
    ),
    "missing parameter": ({"jsonrpc": "2.0", "id": 7, "method": "sessions/close"}, 7, "invalid_params"),
    "result of nothing": ({"jsonrpc": "2.0", "id": 7, "result": 5}, None, "invalid_request"),
    "payload of no type": (descriptors({"path": DATA, "size": 8}), 7, "invalid_payload"),
    "payload of a strange type": (descriptors({"path": DATA, "type": "float128", "size": 16}), 7, "invalid_payload"),
    "payload without a path": (descriptors({"type": "bytes", "size": 8}), 7, "invalid_payload"),
    "payload at an empty path": (descriptors({"path": [], "type": "bytes", "size": 8}), 7, "invalid_payload"),
    "payload for the id": (descriptors({"path": ["id"], "type": "bytes", "size": 8}), 7, "invalid_payload"),
    "payload without a parent": (
        descriptors({"path": ["params", "a", "b"], "type": "bytes", "size": 8}),
        7,
        "invalid_payload",
    ),
    "payload twice": (descriptors(*[{"path": DATA, "type": "bytes", "size": 8}] * 2), 7, "invalid_payload"),
    "payload in a value's place": (
        descriptors({"path": DATA, "type": "bytes", "size": 8}, params={"data": 5}),
        7,
        "invalid_payload",
    ),
    "payload of another shape": (
        descriptors({"path": DATA, "type": "int32", "size": 8, "shape": [3]}),
        7,
        "invalid_payload",
    ),
    "payload of half an item": (descriptors({"path": DATA, "type": "int32", "size": 6}), 7, "invalid_payload"),
    "bytes with a shape": (
        descriptors({"path": DATA, "type": "bytes", "size": 8, "shape": [8]}),
        7,
        "invalid_payload",
    ),
}


@pytest.fixture(scope="module")
def patient(sidecar_command: list[str]) -> Any:
    """One sidecar that gets every bad request."""
    with RawHost.spawn(sidecar_command) as host:
        host.hello()
        yield host


@pytest.mark.parametrize(("sent", "id", "expected"), BAD.values(), ids=BAD)
def test_a_bad_request_is_answered(patient: RawHost, sent: Any, id: Any, expected: str) -> None:
    patient.send(sent if isinstance(sent, bytes) else frame(sent))
    answer = patient.answer()
    assert (answer["id"], kind(answer)) == (id, expected)
    assert answer["error"]["message"]
    assert "traceback" not in answer["error"]["data"]
    assert patient.call("next", "ping", {"data": Payload("int8", b"abc")})["payload"][0]["size"] == 3


def test_an_id_that_is_open(odd: RawHost) -> None:
    """The second request of that id is refused, without an id, the first one served; then the id is free again."""
    odd.request("twice", "odd/wait", {"name": "a"})
    odd.call("started", "odd/started", {"name": "a"})
    odd.request("twice", "ping")
    refusal = odd.answer()
    assert (refusal["id"], kind(refusal), refusal["error"]["data"]["id"]) == (None, "duplicate_id", "twice")
    odd.request("tell", "odd/tell", {"name": "a"})
    assert odd.answers("tell", "twice")["twice"]["result"] == "a"
    assert odd.call("twice", "ping")["result"] == {"data": None}


SILENT = {
    "unknown notification": frame({"jsonrpc": "2.0", "method": "$/whatever", "params": {}}),
    "cancel of nothing": cancel(12345),
    "cancel without an id": frame({"jsonrpc": "2.0", "method": "$/cancelRequest"}),
    "cancel of null": cancel(None),
    "cancel of a list": cancel([7]),
    "request as a notification": frame({"jsonrpc": "2.0", "method": "shutdown"}),
    "error of nothing": frame({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "m", "data": {}}}),
}


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
def test_what_is_not_answered(patient: RawHost, sent: bytes) -> None:
    patient.send(sent)
    assert patient.call("next", "ping")["result"] == {"data": None}


@pytest.mark.parametrize(
    "id", ["", "ü", "x" * 10_000, 0, -1, 2**53 + 1, 2**63, 2**70], ids=lambda value: str(value)[:20]
)
def test_any_id_comes_back_as_it_was(patient: RawHost, id: int | str) -> None:
    assert "result" in patient.call(id, "ping")
    assert kind(patient.call(id, "nope")) == "method_not_found"


@pytest.mark.parametrize("depth", [100, 500, 900])
def test_deep_parameters(patient: RawHost, depth: int) -> None:
    """What the decoder takes is served or refused; it does not end the line."""
    sent = b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"data":' + b"[" * depth + b"]" * depth + b"}}"
    patient.send(header(sent, -(-(len(sent) + 4) // 64) * 64 - 4))
    assert patient.answer()["id"] == 7
    assert patient.call("next", "ping")["result"] == {"data": None}
