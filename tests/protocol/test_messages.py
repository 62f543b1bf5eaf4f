"""Messages: each kind as bytes and back, and what each message that is none gets for an answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.protocol.errors import ErrorObject
from sidecar.protocol.messages import BadMessage, Failure, Message, Notification, Request, Result, is_id, parse
from sidecar.wire.framing import Frame, FrameReader, Refused, encode
from sidecar.wire.limits import Limits
from sidecar.wire.payload import Payload


def header_of(message: Any) -> dict[str, Any]:
    """The JSON that goes over the wire."""
    decoded = msgspec.json.decode(bytes(encode(message)[0][4:]))
    assert isinstance(decoded, dict)
    return decoded


def receive(message: Any) -> Message:
    wire = b"".join(encode(message))
    reader = FrameReader(Limits())
    reader.get_buffer()[: len(wire)] = wire
    (frame,) = reader.buffer_updated(len(wire))
    return parse(frame)


MESSAGES: dict[str, tuple[Message, dict[str, Any]]] = {
    "request": (Request(1, "ping", {"data": 1}), {"id": 1, "method": "ping", "params": {"data": 1}}),
    "request with a text id": (Request("", "ping"), {"id": "", "method": "ping", "params": {}}),
    "request with a negative id": (Request(-1, "ping"), {"id": -1, "method": "ping", "params": {}}),
    "request with an id beyond 64 bits": (Request(2**80, "ping"), {"id": 2**80, "method": "ping", "params": {}}),
    "notification": (Notification("log", {"level": "info"}), {"method": "log", "params": {"level": "info"}}),
    "result": (Result(1, {"rows": 3}), {"id": 1, "result": {"rows": 3}}),
    "result null": (Result(1, None), {"id": 1, "result": None}),
    "failure": (
        Failure("a", ErrorObject(-32600, "no", {"kind": "invalid_request"})),
        {"id": "a", "error": {"code": -32600, "message": "no", "data": {"kind": "invalid_request"}}},
    ),
    "failure of nothing that could be read": (
        Failure(None, ErrorObject(-32600, "no", {"kind": "invalid_request"})),
        {"id": None, "error": {"code": -32600, "message": "no", "data": {"kind": "invalid_request"}}},
    ),
}


@pytest.mark.parametrize(("message", "header"), MESSAGES.values(), ids=MESSAGES)
def test_each_kind_there_and_back(message: Message, header: dict[str, Any]) -> None:
    assert header_of(message) == {"jsonrpc": "2.0", **header}
    assert receive(message) == message


A, B = Payload("bytes", b"abc"), Payload("float32", bytes(24), [2, 3, None])

CARRIERS: dict[str, Message] = {
    "request": Request(1, "ping", {"data": [A, {"b": B}]}),
    "notification": Notification("x", {"a": A}),
    "result": Result(1, A),
    "result with members": Result(1, {"rows": A, "more": [B]}),
    "failure": Failure(1, ErrorObject(-32603, "no", {"kind": "internal_error", "dump": A})),
}


@pytest.mark.parametrize("message", CARRIERS.values(), ids=CARRIERS)
def test_each_kind_carries_payloads(message: Message) -> None:
    assert receive(message) == message


def test_params_are_optional() -> None:
    assert parse(Frame({"jsonrpc": "2.0", "id": 1, "method": "ping"}, [])) == Request(1, "ping", {})
    assert parse(Frame({"jsonrpc": "2.0", "method": "log"}, [])) == Notification("log", {})


def test_unknown_members_are_ignored() -> None:
    assert parse(Frame({"jsonrpc": "2.0", "id": 1, "method": "ping", "trace": [1]}, [])) == Request(1, "ping", {})


DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

BAD: dict[str, tuple[dict[str, Any], Any, str]] = {  # the message, the answer's id, what it says
    "empty": ({}, None, '"jsonrpc": "2.0"'),
    "no version": ({"id": 1, "method": "ping"}, 1, '"jsonrpc": "2.0"'),
    "version 1.0": ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, 1, '"jsonrpc": "2.0"'),
    "version a number": ({"jsonrpc": 2.0, "id": 1, "method": "ping"}, 1, '"jsonrpc": "2.0"'),
    "nothing but a version": ({"jsonrpc": "2.0"}, None, "needs a method"),
    "an id alone": ({"jsonrpc": "2.0", "id": 1}, 1, "needs a method"),
    "a result without id": ({"jsonrpc": "2.0", "result": 1}, None, "needs a method"),
    "a result for null": ({"jsonrpc": "2.0", "id": None, "result": 1}, None, "id must be"),
    "id null": ({"jsonrpc": "2.0", "id": None, "method": "ping"}, None, "id must be an integer or a string, not None"),
    "id true": ({"jsonrpc": "2.0", "id": True, "method": "ping"}, None, "not True"),
    "id 1.0": ({"jsonrpc": "2.0", "id": 1.0, "method": "ping"}, None, "not 1.0"),
    "id a list": ({"jsonrpc": "2.0", "id": [1], "method": "ping"}, None, "not [1]"),
    "id without end": ({"jsonrpc": "2.0", "id": DEEP, "method": "ping"}, None, "id must be"),
    "a bad id, and an error beside the method": (
        {"jsonrpc": "2.0", "id": [1], "method": "ping", "error": None},
        None,
        "id must be",
    ),
    "a null id, and an error beside the method": (
        {"jsonrpc": "2.0", "id": None, "method": "ping", "error": None},
        None,
        "id must be",
    ),
    "a bad id of an error": ({"jsonrpc": "2.0", "id": [1], "error": {}}, None, "id must be"),
    "method null": ({"jsonrpc": "2.0", "id": 1, "method": None}, 1, "method must be a string, not None"),
    "method a list": ({"jsonrpc": "2.0", "id": 1, "method": ["ping"]}, 1, "method must be a string"),
    "method without end": ({"jsonrpc": "2.0", "id": 1, "method": DEEP}, 1, "method must be a string"),
    "params null": ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": None}, 1, "params must be an object"),
    "params a list": ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, 1, "params must be an object"),
    "error a text": ({"jsonrpc": "2.0", "id": 1, "error": "no"}, 1, "error is no JSON-RPC error"),
    "error null": ({"jsonrpc": "2.0", "id": 1, "error": None}, 1, "error is no JSON-RPC error"),
    "error without code": ({"jsonrpc": "2.0", "id": 1, "error": {"message": "", "data": {}}}, 1, "`code`"),
    "error code a text": ({"jsonrpc": "2.0", "id": 1, "error": {"code": "1", "message": "", "data": {}}}, 1, "$.code"),
    "error without end": ({"jsonrpc": "2.0", "id": 1, "error": DEEP}, 1, "error is no JSON-RPC error"),
}


@pytest.mark.parametrize(("header", "id", "said"), BAD.values(), ids=BAD)
def test_what_is_no_message_is_answered(header: dict[str, Any], id: Any, said: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(Frame(header, []))
    failure = caught.value.failure
    assert failure.id == id
    assert failure.error.code == -32600
    assert failure.error.data == {"kind": "invalid_request"}
    assert said in failure.error.message
    assert len(failure.error.message) < 300
    encode(failure)


def test_a_bad_payload_names_its_descriptor() -> None:
    header = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "ping",
        "params": {},
        "payload": [
            {"path": ["params", "a"], "type": "bytes", "size": 1},
            {"path": ["params", "a"], "type": "bytes", "size": 1},
        ],
    }
    with pytest.raises(BadMessage) as caught:
        parse(Frame(header, [b"x", b"y"]))
    failure = caught.value.failure
    assert (failure.id, failure.error.code) == (5, -32600)
    assert failure.error.data == {"kind": "invalid_payload", "index": 1}
    assert failure.error.message.startswith("payload[1]: path ['params', 'a'] is taken")


def test_a_payload_in_place_of_params_is_no_object() -> None:
    header = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "ping",
        "params": None,
        "payload": [{"path": ["params"], "type": "bytes", "size": 1}],
    }
    with pytest.raises(BadMessage, match="params must be an object, not Payload"):
        parse(Frame(header, [b"x"]))


REFUSALS = {
    "overloaded": (Refused("8 bytes wait"), "overloaded", "8 bytes wait; send it again when others are answered"),
    "memory_limit": (MemoryError(), "memory_limit", "no memory for a frame of 192 bytes"),
}


@pytest.mark.parametrize(("reason", "kind", "said"), REFUSALS.values(), ids=REFUSALS)
def test_a_payload_that_was_read_past_is_answered(reason: Exception, kind: str, said: str) -> None:
    header = {
        "jsonrpc": "2.0",
        "id": "a",
        "method": "load",
        "params": {},
        "payload": [
            {"path": ["params", "x"], "type": "bytes", "size": 10},
            {"path": ["params", "y"], "type": "bytes", "size": 20},
        ],
    }
    with pytest.raises(BadMessage) as caught:
        parse(Frame(header, [], 192, reason))
    failure = caught.value.failure
    assert (failure.id, failure.error.message) == ("a", said)
    assert failure.error.data == {"kind": kind, "bytes": 192}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, True), (-1, True), (2**80, True), ("", True), ("a", True), (True, False), (1.0, False), (None, False)],
    ids=repr,
)
def test_ids(value: Any, expected: bool) -> None:
    assert is_id(value) is expected
