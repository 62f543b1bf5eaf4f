"""Streams on the wire, message by message: what opens one, what it may send, and that it ends exactly once."""

from __future__ import annotations

import subprocess
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.messages import Notification
from sidecar.wire.payload import Payload
from tests.peers.raw import blob, cancel, frame, kind, read_until
from tests.peers.stream_host import StreamHost
from tests.peers.streaming import RAISED, TEXTS, VALUES

from .conftest import SpawnStreams

MIB = 1024**2


def shape(message: dict[str, Any]) -> dict[str, Any]:
    """A message with its payloads as the bytes of Arrow messages are told: their schemas or `...`."""

    def told(value: Any) -> Any:
        if isinstance(value, Payload):
            return "<arrow>" if value.type == "arrow" else "<bytes>"
        return {key: told(item) for key, item in value.items()} if isinstance(value, dict) else value

    return told({key: value for key, value in message.items() if key != "payload"})


# -- one stream from its opening to its end ----------------------------------------------------------------------


def test_every_message_of_a_producer(streaming: StreamHost) -> None:
    streaming.ask_open("s", "act", actions=["emit", "log hello"])
    messages = []
    while not messages or messages[-1].get("method") != "streams/end":
        message = streaming.read_attached()
        if message.get("method") != "log":
            messages.append(shape(message))
    opened, *rest = messages
    assert opened["result"] == {
        "stream": "s",
        "method": "Streaming.act",
        "kind": "producer",
        "header": {"name": "s", "turns": 2},
        "output_schema": "<arrow>",
        "input_schema": None,
        "input_credit_bytes": 0,
        "outputs": 0,
        "inputs": 0,
    }
    assert [message["method"] for message in rest if message["method"] != "streams/data"] == [
        "streams/log",
        "streams/end",
    ]
    assert all(set(message) == {"jsonrpc", "method", "params"} for message in rest)
    log = next(message for message in rest if message["method"] == "streams/log")
    assert log["params"] == {"stream": "s", "level": "info", "message": "hello", "extra": {"name": "s"}}
    assert rest[0]["params"] == {"stream": "s", "batches": "<arrow>"}
    assert rest[-1]["params"] == {"stream": "s", "reason": "finish", "outputs": 2, "inputs": 0, "error": None}


def test_the_answer_of_an_exchange(streaming: StreamHost) -> None:
    opened = streaming.open("s", "obey").opened
    assert (opened["kind"], opened["header"]) == ("exchange", None)
    assert opened["input_credit_bytes"] == 16 * MIB
    assert pa.ipc.read_schema(pa.py_buffer(opened["input_schema"].data)) == TEXTS
    streaming.finish()
    assert streaming.streams["s"].reason == "host_gone"


def test_the_schema_message_and_all_pieces_are_one_arrow_stream(streaming: StreamHost) -> None:
    record = streaming.open("s", "count", total=100, rows=10)
    assert streaming.ended("s") == ["finish"]
    assert record.schema == VALUES
    assert [batch.column(0).to_pylist() for batch in record.batches()] == [[value] * 10 for value in range(100)]
    assert record.end == {"stream": "s", "reason": "finish", "outputs": 100, "inputs": 0, "error": None}
    streaming.finish()


def test_an_exchange_answers_each_batch_in_order_with_its_metadata(streaming: StreamHost) -> None:
    record = streaming.open("s", "scale", factor=3)
    streaming.values("s", *range(200))
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert record.column() == [value * 3 for value in range(200)]
    assert (record.end["outputs"], record.end["inputs"]) == (200, 200)
    streaming.finish()


def test_several_batches_in_one_piece_of_input(streaming: StreamHost) -> None:
    record = streaming.open("s", "scale")
    pieces = [bytes(streaming.piece("s", VALUES, [{"value": value}]).data) for value in range(5)]
    streaming.notify("data", "s", batches=Payload("arrow", b"".join(pieces)))
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert record.column() == [0, 2, 4, 6, 8]
    assert record.end["inputs"] == 5
    streaming.finish()


# -- credit of output --------------------------------------------------------------------------------------------


def test_without_credit_nothing_comes(streaming: StreamHost) -> None:
    """Others were served meanwhile from beginning to end, so it is not that it had no time."""
    record = streaming.open("s", "count", credit_bytes=0)
    streaming.open("other", "count", total=50)
    streaming.ended("other")
    assert record.pieces == []
    streaming.notify("credit", "s", bytes=1)
    streaming.until(lambda: record.pieces)
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    streaming.finish()


def test_one_byte_of_credit_is_one_batch(streaming: StreamHost) -> None:
    record = streaming.open("s", "count", credit_bytes=1, rows=1000)
    streaming.until(lambda: record.pieces)
    size = len(record.pieces[0])
    assert size > 8000
    for grant, batches in ((size - 2, 1), (1, 1), (1, 2), (size - 1, 2), (2 * size, 4)):
        streaming.notify("credit", "s", bytes=grant)
        streaming.until(lambda batches=batches: len(record.batches()) >= batches)
        streaming.open(f"other {grant} {batches}", "count", total=50)
        streaming.ended(f"other {grant} {batches}")
        assert len(record.batches()) == batches, grant
    streaming.notify("cancel", "s")
    streaming.ended("s")
    streaming.finish()


@pytest.mark.parametrize("per_turn", [1, 7])
@pytest.mark.parametrize(("rows", "credit_bytes"), [(1, 100_000), (100_000, 3 * MIB)], ids=["small", "large"])
def test_never_more_than_the_credit_and_one_batch(
    streaming: StreamHost, per_turn: int, rows: int, credit_bytes: int
) -> None:
    """The account is kept by the record: data without credit fails there. All that was granted is used."""
    record = streaming.open("s", "count", credit_bytes=credit_bytes, rows=rows, per_turn=per_turn)
    for _ in range(3):
        streaming.until(lambda: record.credit_bytes <= 0)
        streaming.notify("credit", "s", bytes=credit_bytes)
    streaming.until(lambda: record.credit_bytes <= 0)
    sizes = {batch.num_rows for batch in record.batches()}
    assert sizes == {rows}
    one_batch = sum(map(len, record.pieces)) / len(record.batches())
    assert 4 * credit_bytes <= sum(map(len, record.pieces)) <= 4 * credit_bytes + 1.01 * one_batch
    assert record.column() == list(range(len(record.batches())))
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    streaming.finish()


def test_an_exchange_without_credit_waits_with_its_turns(streaming: StreamHost) -> None:
    record = streaming.open("s", "scale", credit_bytes=1)
    streaming.values("s", 1, 2, 3)
    streaming.until(lambda: record.pieces)
    streaming.open("other", "count", total=50)
    streaming.ended("other")
    assert record.column() == [2]
    streaming.notify("credit", "s", bytes=MIB)
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert record.column() == [2, 4, 6]
    streaming.finish()


# -- credit of input ---------------------------------------------------------------------------------------------


def large(streaming: StreamHost, stream: str, size: int) -> Payload:
    """A piece of input of about `size` bytes."""
    return streaming.piece(stream, TEXTS, [{"do": "echo"}, {"do": "x" * size}])


def test_input_beyond_the_credit_ends_the_stream(streaming: StreamHost) -> None:
    """16 MiB and one piece; the turn that waits keeps them all from being served."""
    streaming.open("s", "obey")
    streaming.do("s", "wait a")
    streaming.serve("started", name="a")
    for _ in range(6):
        streaming.notify("data", "s", batches=large(streaming, "s", 4 * MIB))
    assert streaming.ended("s") == ["error"]
    assert streaming.streams["s"].error == "credit_exceeded"
    streaming.serve("tell", name="a")
    assert streaming.closings(1) == ["s error"]
    streaming.finish()


def test_credit_comes_back_as_input_is_served(streaming: StreamHost) -> None:
    """100 MiB pass, never more than 16 MiB and a piece ahead."""
    record = streaming.open("s", "obey")
    account = record.opened["input_credit_bytes"]
    pieces = 25
    for _ in range(pieces):
        piece = large(streaming, "s", 4 * MIB)
        streaming.until(lambda account=account: account + sum(record.credits) > 0)
        streaming.notify("data", "s", batches=piece)
        account -= piece.size
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert record.column() == ["echo"] * pieces
    assert sum(record.credits) >= 80 * MIB
    streaming.finish()


def test_input_that_the_process_has_no_room_for(spawn_streams: SpawnStreams) -> None:
    """The stream has lost input, so it ends; no other does, and requests are taken again."""
    streaming = spawn_streams("--max-pending", "3M")
    streaming.open("s", "obey")
    streaming.do("s", "wait a")
    streaming.serve("started", name="a")
    streaming.open("other", "obey")
    streaming.notify("data", "s", batches=large(streaming, "s", 2 * MIB))
    streaming.notify("data", "other", batches=large(streaming, "other", 2 * MIB))
    assert streaming.ended("other") == ["error"]
    assert streaming.streams["other"].error == "overloaded"
    assert streaming.refusals == []
    streaming.serve("tell", name="a")
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert streaming.streams["s"].column() == ["wait a", "echo"]
    assert "result" in streaming.get("ping", {"data": blob(2 * MIB)})
    assert streaming.closings(2) == ["other error", "s close"]
    streaming.finish()


# -- what the host must not do -----------------------------------------------------------------------------------

VALUE = pa.RecordBatch.from_pydict({"value": [1]}).serialize().to_pybytes()
SCHEMA = VALUES.serialize().to_pybytes()
OTHER = pa.schema([("other", pa.int64())])
NO_INPUT = {
    "no Arrow at all": (blob(8), "invalid_params"),
    "no batch at all": (Payload("arrow", b""), "invalid_input"),
    "no schema first": (Payload("arrow", VALUE), "invalid_input"),
    "garbage": (Payload("arrow", b"garbage" * 100), "invalid_input"),
    "a batch that is cut off": (Payload("arrow", SCHEMA + VALUE[:-8]), "invalid_input"),
    "garbage behind a batch": (Payload("arrow", SCHEMA + VALUE + b"garbage!" * 8), "invalid_input"),
    "another schema": (
        Payload(
            "arrow",
            OTHER.serialize().to_pybytes() + pa.RecordBatch.from_pydict({"other": [1]}).serialize().to_pybytes(),
        ),
        "invalid_input",
    ),
    "another type": (
        Payload(
            "arrow",
            pa.schema([("value", pa.string())]).serialize().to_pybytes()
            + pa.RecordBatch.from_pydict({"value": ["x"]}).serialize().to_pybytes(),
        ),
        "invalid_input",
    ),
}


@pytest.mark.parametrize("case", NO_INPUT)
def test_bad_input_ends_its_stream_and_no_other(streaming: StreamHost, case: str) -> None:
    piece, error = NO_INPUT[case]
    streaming.open("s", "scale")
    streaming.open("other", "scale")
    streaming.notify("data", "s", batches=piece)
    assert streaming.ended("s") == ["error"]
    assert streaming.streams["s"].error == error
    streaming.values("other", 4)
    streaming.notify("close", "other")
    assert streaming.ended("other") == ["close"]
    assert streaming.streams["other"].column() == [8]
    assert streaming.closings(2) == ["other close", "s error"]
    assert streaming.refusals == []
    streaming.finish()


def test_a_schema_in_the_middle_of_the_input(streaming: StreamHost) -> None:
    """An Arrow stream has one."""
    streaming.open("s", "scale")
    streaming.values("s", 1)
    streaming.notify("data", "s", batches=Payload("arrow", SCHEMA + VALUE))
    assert streaming.ended("s") == ["error"]
    assert streaming.streams["s"].error == "invalid_input"
    streaming.finish()


def test_data_for_a_producer(streaming: StreamHost) -> None:
    streaming.open("s", "count", credit_bytes=0)
    streaming.notify("data", "s", batches=Payload("arrow", SCHEMA + VALUE))
    assert streaming.ended("s") == ["error"]
    assert streaming.streams["s"].error == "invalid_input"
    assert streaming.closings(1) == ["s error"]
    streaming.finish()


def test_data_after_close(streaming: StreamHost) -> None:
    record = streaming.open("s", "obey")
    streaming.do("s", "wait a")
    streaming.serve("started", name="a")
    streaming.notify("close", "s")
    streaming.do("s", "echo")
    assert streaming.ended("s") == ["error"]
    assert record.error == "invalid_input"
    streaming.serve("tell", name="a")
    assert streaming.closings(1) == ["s error"]
    streaming.finish()


NOTIFICATIONS = {
    "data": {"batches": Payload("arrow", SCHEMA + VALUE)},
    "credit": {"bytes": 1},
    "close": {},
    "cancel": {},
}


@pytest.mark.parametrize("method", NOTIFICATIONS)
def test_an_unknown_stream(streaming: StreamHost, method: str) -> None:
    streaming.notify(method, "nobody", **NOTIFICATIONS[method])
    streaming.settled()
    assert [(answer["id"], kind(answer)) for answer in streaming.refusals] == [(None, "unknown_stream")]
    assert streaming.refusals[0]["error"]["data"]["stream"] == "nobody"
    streaming.finish()


@pytest.mark.parametrize("method", NOTIFICATIONS)
def test_a_stream_that_has_ended_is_no_unknown_one(streaming: StreamHost, method: str) -> None:
    streaming.open("s", "count", total=1)
    streaming.ended("s")
    streaming.notify(method, "s", **NOTIFICATIONS[method])
    streaming.settled()
    assert streaming.refusals == []
    streaming.finish()


MALFORMED = {
    "no stream": ("data", {"batches": blob(1)}, "invalid_params"),
    "stream is no text": ("close", {"stream": 1}, "invalid_params"),
    "stream is empty": ("cancel", {"stream": ""}, "invalid_params"),
    "stream is too long": ("cancel", {"stream": "x" * 257}, "invalid_params"),
    "no bytes": ("credit", {"stream": "s"}, "invalid_params"),
    "bytes is no number": ("credit", {"stream": "s", "bytes": "1"}, "invalid_params"),
    "bytes is negative": ("credit", {"stream": "s", "bytes": -1}, "invalid_params"),
    "bytes is huge": ("credit", {"stream": "s", "bytes": 2**70}, "invalid_params"),
    "bytes is a truth": ("credit", {"stream": "s", "bytes": True}, "invalid_params"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_notifications_change_nothing(streaming: StreamHost, case: str) -> None:
    method, params, error = MALFORMED[case]
    record = streaming.open("s", "count", credit_bytes=0)
    streaming.send(frame(Notification(f"streams/{method}", params)))
    streaming.settled()
    assert [(answer["id"], kind(answer)) for answer in streaming.refusals] == [(None, error)]
    assert (record.pieces, record.end) == ([], None)
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    streaming.finish()


@pytest.mark.parametrize(
    "params",
    [{"stream": "s"}, {"stream": "s", "batches": "text"}, {"stream": "s", "batches": None}],
    ids=["missing", "text", "null"],
)
def test_data_without_a_payload(streaming: StreamHost, params: dict[str, Any]) -> None:
    """The stream has lost input, so it must not go on as if nothing had been."""
    record = streaming.open("s", "scale")
    streaming.send(frame(Notification("streams/data", params)))
    streaming.settled()
    streaming.notify("cancel", "s")
    streaming.ended("s")
    assert record.reason == "error" or [kind(answer) for answer in streaming.refusals] == ["invalid_params"]
    streaming.finish()


def test_a_payload_at_a_place_that_is_taken_ends_its_stream(streaming: StreamHost) -> None:
    record = streaming.open("s", "scale")
    header = b'{"jsonrpc":"2.0","method":"streams/data","params":{"stream":"s","batches":1},'
    header += b'"payload":[{"path":["params","batches"],"type":"arrow","size":8}]}'
    header += b" " * (-(4 + len(header)) % 64)
    streaming.send(len(header).to_bytes(4, "little") + header + bytes(64))
    assert streaming.ended("s") == ["error"]
    assert record.error == "invalid_payload"
    assert streaming.refusals == []
    streaming.finish()


# -- openings ----------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such service": ({"method": "Nobody.count"}, "method_not_found"),
    "no such method": ({"method": "Streaming.nothing"}, "method_not_found"),
    "a unary method": ({"method": "Streaming.closed"}, "method_not_found"),
    "no method": ({}, "invalid_params"),
    "an unknown member": ({"method": "Streaming.count", "credit": 1}, "invalid_params"),
    "an unknown parameter": ({"method": "Streaming.count", "params": {"name": "s", "no": 1}}, "invalid_params"),
    "a missing parameter": ({"method": "Streaming.count"}, "invalid_params"),
    "a parameter of another type": ({"method": "Streaming.count", "params": {"name": 1}}, "invalid_params"),
    "a stream id of no text": ({"method": "Streaming.count", "stream": 1}, "invalid_params"),
    "an empty stream id": ({"method": "Streaming.count", "stream": ""}, "invalid_params"),
    "negative credit": ({"method": "Streaming.count", "credit_bytes": -1}, "invalid_params"),
    "no time": ({"method": "Streaming.count", "timeout_s": 0}, "invalid_params"),
    "an init that raises": (
        {"method": "Streaming.open_and", "params": {"name": "s", "action": "raise value"}},
        "service_error",
    ),
    "an init that exits": (
        {"method": "Streaming.open_and", "params": {"name": "s", "action": "exit"}},
        "service_error",
    ),
    "an init that is interrupted": (
        {"method": "Streaming.open_and", "params": {"name": "s", "action": "raise interrupt"}},
        "service_error",
    ),
    "an init with an error of its own": (
        {"method": "Streaming.open_and", "params": {"name": "s", "action": "raise own"}},
        "out_of_cheese",
    ),
    "an init with a long error": (
        {"method": "Streaming.open_and", "params": {"name": "s", "action": "raise long"}},
        "service_error",
    ),
    "a stream without a schema": ({"method": "Streaming.unopenable", "params": {"name": "s"}}, "invalid_output"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_opening_that_fails_opens_nothing(streaming: StreamHost, case: str) -> None:
    """And ends nothing: an end of a stream that is not open fails in the account."""
    params, error = REFUSED[case]
    assert kind(streaming.get("streams/open", {"stream": "s", **params})) == error
    assert streaming.open_streams() == []
    assert streaming.open("s", "count", total=1)
    assert streaming.ended("s") == ["finish"]
    streaming.finish()


def test_an_opening_whose_answer_is_too_large_for_the_host(streaming: StreamHost) -> None:
    """The stream is there already when that is found out; the host never hears of it."""
    streaming.get("initialize", {"protocol_version": "1.0", "limits": {"max_header_bytes": 4096}})
    name = "x" * 10_000
    params = {"stream": "s", "method": "Streaming.act", "params": {"name": name, "actions": ["emit"]}}
    assert kind(streaming.get("streams/open", params)) == "too_large"
    assert streaming.open_streams() == []
    streaming.open("s", "count", total=1)
    assert streaming.ended("s") == ["finish"]
    streaming.finish()
    assert streaming.stderr().count(f"closed {name} error\n") == 1


def test_two_streams_of_one_id(streaming: StreamHost) -> None:
    """The state that was made for the second one is closed, the first goes on."""
    record = streaming.open("s", "count", credit_bytes=0)
    assert kind(streaming.get("streams/open", open_params("s", name="second"))) == "stream_exists"
    assert streaming.closings(1) == ["second error"]
    streaming.notify("credit", "s", bytes=1)
    streaming.until(lambda: record.pieces)
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    assert streaming.closings(2) == ["s cancel", "second error"]
    streaming.finish()


def open_params(stream: str, name: str) -> dict[str, Any]:
    """An opening of `count`."""
    return {"stream": stream, "method": "Streaming.count", "params": {"name": name}, "credit_bytes": 0}


def test_openings_of_one_id_at_once(streaming: StreamHost) -> None:
    ids = [streaming.ask("streams/open", open_params("s", name=str(number))) for number in range(8)]
    kinds = [kind(streaming.response(id)) for id in ids]
    assert sorted(kinds, key=str) == [None] + ["stream_exists"] * 7
    streaming.finish()


def test_an_id_may_be_used_again_after_the_end(streaming: StreamHost) -> None:
    for number in range(20):
        record = streaming.open("s", "count", total=number)
        assert streaming.ended("s") == ["finish"]
        assert record.column() == list(range(number))
    assert len(streaming.past) == 19
    assert streaming.closings(20) == ["s finish"] * 20
    streaming.finish()


def test_too_many_streams(spawn_streams: SpawnStreams) -> None:
    streaming = spawn_streams("--max-streams", "3")
    for name in "abc":
        streaming.open(name, "count", credit_bytes=0)
    refused = streaming.get("streams/open", open_params("d", name="d"))
    assert kind(refused) == "too_many_streams"
    assert refused["error"]["data"]["max_streams"] == 3
    assert streaming.open_streams() == ["a", "b", "c"]
    streaming.notify("cancel", "b")
    streaming.ended("b")
    streaming.open("d", "count", credit_bytes=0)
    assert streaming.open_streams() == ["a", "c", "d"]
    assert streaming.closings(2) == ["b cancel", "d error"]
    streaming.finish()


@pytest.mark.parametrize("action", ["wait", "wait_and_check"])
def test_an_opening_that_is_cancelled_while_it_runs(streaming: StreamHost, action: str) -> None:
    """The author's init goes on, as nobody can stop it; the stream that it returns is closed and never was."""
    id = streaming.ask_open("s", "open_and", action=f"{action} a")
    streaming.serve("started", name="a")
    streaming.send(cancel(id))
    assert kind(streaming.response(id)) == "cancelled"
    streaming.serve("tell", name="a")
    if action == "wait":
        assert streaming.closings(1) == ["s cancel"]
    assert streaming.open_streams() == []
    streaming.open("s", "count", total=3)
    assert streaming.ended("s") == ["finish"]
    assert streaming.closings(2 if action == "wait" else 1)[-1] == "s finish"
    streaming.finish()


def test_an_opening_whose_time_is_over(streaming: StreamHost) -> None:
    id = streaming.ask_open("s", "open_and", timeout_s=0.05, action="wait a")
    assert kind(streaming.response(id)) == "deadline_exceeded"
    streaming.serve("tell", name="a")
    assert len(streaming.closings(1)) == 1
    assert streaming.open_streams() == []
    streaming.finish()


def test_a_stream_whose_time_is_over(streaming: StreamHost) -> None:
    record = streaming.open("s", "count", credit_bytes=0, timeout_s=1)
    assert streaming.ended("s") == ["error"]
    assert record.error == "deadline_exceeded"
    assert streaming.closings(1) == ["s error"]
    streaming.finish()


# -- ends --------------------------------------------------------------------------------------------------------


def test_close_serves_what_is_queued_and_then_ends(streaming: StreamHost) -> None:
    record = streaming.open("s", "obey")
    streaming.do("s", "wait a", *["echo"] * 20)
    streaming.notify("close", "s")
    streaming.notify("close", "s")
    streaming.settled()
    assert record.end is None
    streaming.serve("tell", name="a")
    assert streaming.ended("s") == ["close"]
    assert record.column() == ["wait a", *["echo"] * 20]
    streaming.finish()


def test_close_of_a_producer_without_credit(streaming: StreamHost) -> None:
    streaming.open("s", "count", credit_bytes=0)
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert streaming.closings(1) == ["s close"]
    streaming.finish()


def test_close_of_a_producer_that_waits_for_credit_in_a_turn(streaming: StreamHost) -> None:
    record = streaming.open("s", "act", credit_bytes=1, actions=["emit 100"])
    streaming.until(lambda: record.pieces)
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert streaming.closings(1) == ["s close"]
    streaming.finish()


def test_the_first_end_counts(streaming: StreamHost) -> None:
    streaming.open("s", "obey")
    streaming.do("s", "wait a")
    streaming.serve("started", name="a")
    for method in ("cancel", "close", "cancel"):
        streaming.notify(method, "s")
    streaming.notify("credit", "s", bytes=1)
    assert streaming.ended("s") == ["cancel"]
    assert streaming.closings(0) == []
    streaming.serve("tell", name="a")
    assert streaming.closings(1) == ["s cancel"]
    assert streaming.refusals == []
    streaming.finish()


TURNS: dict[str, tuple[list[str], str, str | None, list[int]]] = {
    "finish at once": (["finish"], "finish", None, []),
    "emit and finish": (["emit_and_finish 2"], "finish", None, [0, 1]),
    "several a turn": (["emit 3", "emit", "emit 2"], "finish", None, [0, 1, 2, 3, 4, 5]),
    "nothing": (["emit", "nothing"], "error", "invalid_output", [0]),
    "emit after finish": (["emit", "finish_and_emit"], "error", "invalid_output", [0]),
    "another schema": (["emit", "unfit"], "error", "invalid_output", [0]),
    "raise": (["emit", "raise value"], "error", "service_error", [0]),
    "exit": (["emit", "exit"], "error", "service_error", [0]),
    "interrupt": (["emit", "raise interrupt"], "error", "service_error", [0]),
    "raise after an emit": (["emit", "emit_and_raise value"], "error", "service_error", [0, 1]),
    "own error": (["emit", "raise own"], "error", "out_of_cheese", [0]),
    "long error": (["emit", "raise long"], "error", "service_error", [0]),
    "stray output": (["emit", "print a", "emit"], "finish", None, [0, 1, 2]),
    "fork": (["emit", "fork", "emit"], "finish", None, [0, 1, 2]),
    **{
        f"raise {name}": (["emit", f"raise {name}"], "error", None, [0])
        for name in RAISED
        if name not in ("long", "own")
    },
}


@pytest.mark.parametrize("case", TURNS)
def test_the_turns_of_a_producer(streaming: StreamHost, case: str) -> None:
    actions, reason, error, values = TURNS[case]
    record = streaming.open("s", "act", actions=actions)
    assert streaming.ended("s") == [reason]
    assert error is None or record.error == error
    assert record.column() == values
    assert record.end["outputs"] == len(values)
    assert streaming.closings(1) == [f"s {reason}"]
    assert streaming.open("next", "act", actions=["emit"])
    assert streaming.ended("next") == ["finish"]
    streaming.finish()


ANSWERS: dict[str, tuple[str, str | None]] = {
    "finish": ("finish", "invalid_output"),
    "two": ("two x", "invalid_output"),
    "nothing": ("nothing", "invalid_output"),
    "another schema": ("unfit", "invalid_output"),
    "exit": ("exit", "service_error"),
    "long error": ("raise long", "service_error"),
    **{f"raise {name}": (f"raise {name}", None) for name in RAISED},
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_turn_of_an_exchange_that_fails(streaming: StreamHost, case: str) -> None:
    """What was answered before stays answered; what is queued behind it is not served; one end."""
    action, error = ANSWERS[case]
    record = streaming.open("s", "obey")
    streaming.do("s", "echo", action, "echo")
    assert streaming.ended("s") == ["error"]
    assert error is None or record.error == error
    assert record.column() == ["echo"]
    assert (record.end["outputs"], record.end["inputs"]) == (1, 1)
    assert streaming.closings(1) == ["s error"]
    assert streaming.get("ping")["result"] == {"data": None}
    streaming.finish()


def test_a_log_before_a_failure_is_not_lost(streaming: StreamHost) -> None:
    record = streaming.open("s", "act", actions=["emit", "log_and_raise value"])
    assert streaming.ended("s") == ["error"]
    assert [message["params"]["message"] for message in record.messages] == ["last words"]
    assert record.messages[0]["params"]["extra"] == {"name": "s"}
    streaming.finish()


@pytest.mark.parametrize("word", ["log_forever", "progress_forever", "emit_forever"])
def test_a_turn_that_only_talks_is_cancelled(streaming: StreamHost, word: str) -> None:
    """Whatever it says next raises."""
    record = streaming.open("s", "act", credit_bytes=2**40, actions=[word])
    streaming.until(lambda: record.messages or record.pieces)
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    assert streaming.closings(1) == ["s cancel"]
    streaming.finish()


def test_an_on_close_that_fails_is_nobodys_affair(streaming: StreamHost) -> None:
    streaming.open("bad s", "act", actions=["emit"])
    assert streaming.ended("bad s") == ["finish"]
    assert streaming.closings(1) == ["bad s finish"]
    assert streaming.get("ping")["result"] == {"data": None}
    streaming.finish()


# -- the order of answers and streams, where the host reads slowly --------------------------------------------------


def fill_output(streaming: StreamHost) -> None:
    """Ask for more than the pipe takes, and read none of it yet: answers queue up in the sidecar."""
    for _ in range(4):
        streaming.ask("ping", {"data": blob(4 * MIB)})
    streaming.wait_for_output()


def test_the_answer_that_opens_comes_before_the_data(streaming: StreamHost) -> None:
    """A message of a stream that is not open yet fails in the account."""
    fill_output(streaming)
    streaming.ask_open("s", "act", actions=["emit", "wait there", "emit"])
    streaming.serve("started", name="there")
    streaming.serve("tell", name="there")
    assert streaming.ended("s") == ["finish"]
    assert streaming.streams["s"].column() == [0, 1, 2]
    streaming.finish()


def test_the_answer_that_opens_comes_before_the_end(spawn_streams: SpawnStreams) -> None:
    """The host chose the id, so it can cancel before it has read that the stream is open."""
    streaming = spawn_streams(stderr=subprocess.PIPE)
    fill_output(streaming)
    opening = streaming.ask_open("s", "act", actions=["wait there"])
    assert streaming.process.stderr is not None
    read_until(streaming.process.stderr.fileno(), b"waiting there\n")
    streaming.notify("cancel", "s")
    streaming.serve("tell", name="there")
    assert "result" in streaming.response(opening)
    assert streaming.ended("s") == ["cancel"]
    streaming.finish()


def test_a_checkpoint_comes_between_what_it_counts_and_what_it_does_not(streaming: StreamHost) -> None:
    record = streaming.open("s", "count", credit_bytes=1)
    streaming.until(lambda: record.pieces)
    fill_output(streaming)
    checkpoint = streaming.ask("streams/checkpoint", {"stream": "s"})
    streaming.notify("credit", "s", bytes=10_000)
    outputs = streaming.response(checkpoint)["result"]["outputs"]
    assert len(record.batches()) == outputs
    streaming.until(lambda: record.credit_bytes <= 0)
    assert record.column() == list(range(len(record.batches())))
    streaming.notify("cancel", "s")
    streaming.finish()
