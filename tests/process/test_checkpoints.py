"""Checkpoints on the wire: when they are made, what a token is good for, and what becomes of the stream meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.wire.payload import Payload
from tests.peers.raw import cancel, kind
from tests.peers.stream_host import StreamHost

from .conftest import SpawnStreams

MIB = 1024**2
OLD, NEW, OTHER = ({"id": name, "key": Payload("bytes", name.encode() * 16)} for name in ("old", "new", "others"))


def initialize(host: StreamHost, *keys: dict[str, Any]) -> None:
    """Give the sidecar keys."""
    answer = host.get("initialize", {"protocol_version": "1.0", "token_keys": list(keys)})
    assert "result" in answer, answer


def checkpoint(host: StreamHost, stream: str) -> dict[str, Any]:
    """The result of a checkpoint."""
    answer = host.get("streams/checkpoint", {"stream": stream})
    assert "result" in answer, answer
    return answer["result"]


def ask_resume(host: StreamHost, stream: str, token: bytes, **more: Any) -> dict[str, Any]:
    """The answer to a resume."""
    return host.get("streams/resume", {"stream": stream, "token": Payload("bytes", token), **more})


def kept_count(host: StreamHost, stream: str = "s") -> bytes:
    """The token of a producer that has sent 0, and waits for credit."""
    record = host.open(stream, "count", credit_bytes=1, total=5)
    host.until(lambda: record.pieces)
    made = checkpoint(host, stream)
    assert (made["stream"], made["outputs"], made["inputs"]) == (stream, 1, 0)
    return bytes(made["token"].data)


# -- making them -------------------------------------------------------------------------------------------------


def test_a_stream_goes_on_after_its_checkpoint(streaming: StreamHost) -> None:
    kept_count(streaming)
    streaming.notify("credit", "s", bytes=MIB)
    assert streaming.ended("s") == ["finish"]
    assert streaming.streams["s"].column() == [0, 1, 2, 3, 4]
    streaming.finish()


def test_a_resumed_stream_goes_on_beside_the_first(streaming: StreamHost) -> None:
    """Another one of the same state: each has its own from there on."""
    token = kept_count(streaming)
    answer = ask_resume(streaming, "again", token)
    opened = answer["result"]
    assert (opened["kind"], opened["header"], opened["method"]) == ("producer", None, "Streaming.count")
    assert (opened["outputs"], opened["inputs"]) == (1, 0)
    assert streaming.ended("again") == ["finish"]
    assert streaming.streams["again"].column() == [1, 2, 3, 4]
    assert streaming.streams["again"].end["outputs"] == 5
    streaming.notify("credit", "s", bytes=MIB)
    assert streaming.ended("s") == ["finish"]
    assert streaming.streams["s"].column() == [0, 1, 2, 3, 4]
    streaming.finish()


def test_an_exchange_that_is_resumed(streaming: StreamHost) -> None:
    streaming.open("s", "scale", factor=7)
    streaming.values("s", 1, 2, 3)
    streaming.until(lambda: len(streaming.streams["s"].batches()) == 3)
    made = checkpoint(streaming, "s")
    assert (made["outputs"], made["inputs"]) == (3, 3)
    streaming.notify("cancel", "s")
    streaming.ended("s")
    assert "result" in ask_resume(streaming, "s", bytes(made["token"].data))
    streaming.values("s", 4)
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert streaming.streams["s"].column() == [28]
    assert (streaming.streams["s"].end["outputs"], streaming.streams["s"].end["inputs"]) == (4, 4)
    streaming.finish()


def test_a_checkpoint_in_the_middle_of_queued_input(streaming: StreamHost) -> None:
    """It counts the turns that are done, and their answers came before it."""
    record = streaming.open("s", "obey")
    streaming.do("s", "echo", "wait a", *["echo"] * 500)
    streaming.serve("started", name="a")
    asked = streaming.ask("streams/checkpoint", {"stream": "s"})
    streaming.serve("tell", name="a")
    made = streaming.response(asked)["result"]
    assert made["inputs"] == made["outputs"] == len(record.batches())
    assert 2 <= made["inputs"] <= 502
    streaming.notify("close", "s")
    assert streaming.ended("s") == ["close"]
    assert record.end["outputs"] == 502
    streaming.finish()


def test_a_checkpoint_of_a_turn_that_waits_for_credit(streaming: StreamHost) -> None:
    """The turn ends on debt, and what is sent so is paid back before more comes."""
    record = streaming.open("s", "act", credit_bytes=1, actions=["emit 5", "emit"])
    streaming.until(lambda: record.pieces)
    record.credit_bytes = MIB
    made = checkpoint(streaming, "s")
    assert made["outputs"] == 5
    assert record.column() == [0, 1, 2, 3, 4]
    streaming.notify("credit", "s", bytes=sum(map(len, record.pieces)) - 1)
    streaming.settled()
    assert len(record.batches()) == 5
    streaming.notify("credit", "s", bytes=1)
    streaming.until(lambda: len(record.batches()) == 6)
    streaming.notify("credit", "s", bytes=MIB)
    assert streaming.ended("s") == ["finish"]
    assert record.column() == [0, 1, 2, 3, 4, 5]
    streaming.finish()


def test_a_checkpoint_that_waits_can_be_cancelled(streaming: StreamHost) -> None:
    record = streaming.open("s", "act", actions=["wait a", "emit"])
    streaming.serve("started", name="a")
    asked = streaming.ask("streams/checkpoint", {"stream": "s"})
    streaming.settled()
    streaming.send(cancel(asked))
    assert kind(streaming.response(asked)) == "cancelled"
    streaming.serve("tell", name="a")
    assert streaming.ended("s") == ["finish"]
    assert record.column() == [0, 1]
    streaming.finish()


@pytest.mark.parametrize("before", ["never was", "has ended", "ends meanwhile"])
def test_a_checkpoint_of_no_stream(streaming: StreamHost, before: str) -> None:
    if before == "has ended":
        streaming.open("s", "count", total=0)
        streaming.ended("s")
    if before == "ends meanwhile":
        streaming.open("s", "obey")
        streaming.do("s", "wait a")
        streaming.serve("started", name="a")
    asked = streaming.ask("streams/checkpoint", {"stream": "s"})
    if before == "ends meanwhile":
        streaming.notify("cancel", "s")
    assert kind(streaming.response(asked)) == "unknown_stream"
    streaming.serve("tell", name="a")
    streaming.finish()


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [("unkeepable", {}, "not_serializable"), ("bulky", {"size": 2 * MIB}, "too_large")],
    ids=["no Arrow type", "too large"],
)
def test_a_state_that_cannot_be_kept_goes_on(
    streaming: StreamHost, method: str, params: dict[str, Any], error: str
) -> None:
    record = streaming.open("s", method, credit_bytes=1, **params)
    streaming.until(lambda: record.pieces)
    assert kind(streaming.get("streams/checkpoint", {"stream": "s"})) == error
    streaming.notify("credit", "s", bytes=1000)
    streaming.until(lambda: len(record.batches()) > 1)
    streaming.notify("cancel", "s")
    assert streaming.ended("s") == ["cancel"]
    streaming.finish()


# -- using them --------------------------------------------------------------------------------------------------


def test_a_key_of_the_hosts_outlives_the_process(spawn_streams: SpawnStreams) -> None:
    first, second = spawn_streams(), spawn_streams()
    initialize(first, OLD)
    initialize(second, OLD)
    token = kept_count(first)
    first.process.kill()
    assert "result" in ask_resume(second, "s", token)
    assert second.ended("s") == ["finish"]
    assert second.streams["s"].column() == [1, 2, 3, 4]
    second.finish()


def test_a_minted_key_does_not(spawn_streams: SpawnStreams) -> None:
    first, second = spawn_streams(), spawn_streams()
    token = kept_count(first)
    assert kind(ask_resume(second, "s", token)) == "invalid_token"
    assert second.open_streams() == []
    assert "result" in ask_resume(first, "again", token)
    first.finish()
    second.finish()


@pytest.mark.parametrize(
    ("keys", "error"),
    [((NEW, OLD), None), ((OLD, NEW), None), ((NEW,), "invalid_token"), ((OTHER,), "invalid_token")],
    ids=["rotated", "not yet rotated", "taken out", "another"],
)
def test_rotation(spawn_streams: SpawnStreams, keys: tuple[dict[str, Any], ...], error: str | None) -> None:
    first, second = spawn_streams(), spawn_streams()
    initialize(first, OLD)
    initialize(second, *keys)
    assert kind(ask_resume(second, "s", kept_count(first))) == error
    first.finish()
    second.finish()


def test_all_tampering_is_one_error(streaming: StreamHost) -> None:
    """No answer says more than another."""
    token = kept_count(streaming)
    tampered = [bytes([*token[:at], token[at] ^ 1, *token[at + 1 :]]) for at in range(0, len(token), 7)]
    tampered += [b"", token[:-1], token[1:], token + b"\0", token[:40], bytes(100), token * 2, bytes(2 * MIB)]
    answers = [ask_resume(streaming, "again", bad) for bad in tampered]
    assert {kind(answer) for answer in answers} == {"invalid_token"}
    assert len({str(answer["error"]) for answer in answers}) == 1
    assert streaming.open_streams() == ["s"]
    assert "result" in ask_resume(streaming, "again", token)
    streaming.finish()


@pytest.mark.parametrize("token", [None, "text", 1, {}, []], ids=["null", "text", "number", "object", "list"])
def test_what_is_no_token_at_all(streaming: StreamHost, token: Any) -> None:
    assert kind(streaming.get("streams/resume", {"stream": "s", "token": token})) == "invalid_params"
    assert streaming.open_streams() == []
    streaming.finish()


def test_a_resume_under_an_id_in_use(streaming: StreamHost) -> None:
    token = kept_count(streaming)
    assert kind(ask_resume(streaming, "s", token)) == "stream_exists"
    assert streaming.closings(1) == ["s error"]
    streaming.notify("credit", "s", bytes=MIB)
    assert streaming.ended("s") == ["finish"]
    streaming.finish()
