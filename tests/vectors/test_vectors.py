"""Golden vectors: each one's bytes give its meaning, its meaning gives its bytes, and the committed files are those
that `generate.py` makes. The files are what is tested: every other language reads the same ones."""

from __future__ import annotations

import json
import runpy
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.app import Options, methods
from sidecar.protocol.hello import METHODS
from sidecar.protocol.messages import Failure, Message, Notification, Request, Result, parse
from sidecar.protocol.methods import convert
from sidecar.protocol.streams import CloseParams, CreditParams, DataParams, EndParams, Reason
from sidecar.wire.framing import Frame, FrameError, FrameReader, encode
from sidecar.wire.limits import Limits
from sidecar.wire.payload import TYPES, Payload

HERE = Path(__file__).parent
MEANINGS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*.json"))}
WHOLE = {name: meaning for name, meaning in MEANINGS.items() if "fault" not in meaning}
CHUNKINGS = {"whole": None, "byte by byte": 1, "sevens": 7}

each_vector = pytest.mark.parametrize("name", MEANINGS)
each_whole_vector = pytest.mark.parametrize("name", WHOLE)


def wire_of(name: str) -> bytes:
    return (HERE / f"{name}.bin").read_bytes()


def hear(data: bytes, chunk_bytes: int | None = None) -> tuple[list[Frame], FrameError | None]:
    """Read `data` to its end: the frames, and the fault that ended them or None."""
    reader, frames, rest = FrameReader(Limits()), [], memoryview(data)
    try:
        while rest:
            buffer = reader.get_buffer()
            count = min(len(buffer), len(rest), chunk_bytes or len(rest))
            buffer[:count] = rest[:count]
            frames += reader.buffer_updated(count)
            rest = rest[count:]
        reader.eof()
    except FrameError as fault:
        return frames, fault
    return frames, None


def meaning_of(frame: Frame) -> dict[str, Any]:
    message = {key: value for key, value in frame.header.items() if key != "payload"}
    pairs = zip(frame.descriptors, frame.buffers, strict=True)
    return {"message": message, "payload": [{**item, "hex": bytes(data).hex()} for item, data in pairs]}


def message_of(frame: dict[str, Any]) -> dict[str, Any]:
    """The message that a sender would have in hand: its binary values at their places."""
    message = deepcopy(frame["message"])
    for item in frame["payload"]:
        *parents, last = item["path"]
        place = message
        for key in parents:
            place = place[key]
        place[last] = Payload(item["type"], bytes.fromhex(item["hex"]), item.get("shape"))
    return message


def messages_in(name: str) -> list[Message]:
    frames, _ = hear(wire_of(name))
    return [parse(frame) for frame in frames]


@pytest.mark.parametrize("chunk_bytes", CHUNKINGS.values(), ids=CHUNKINGS)
@each_vector
def test_the_bytes_give_the_meaning(name: str, chunk_bytes: int | None) -> None:
    frames, fault = hear(wire_of(name), chunk_bytes)
    meaning = MEANINGS[name]
    assert [meaning_of(frame) for frame in frames] == meaning["frames"]
    assert (fault and {"culprit": fault.culprit}) == meaning.get("fault")


@each_whole_vector
def test_the_meaning_gives_the_bytes(name: str) -> None:
    parts = [part for frame in WHOLE[name]["frames"] for part in encode(message_of(frame))]
    assert b"".join(parts) == wire_of(name)


@each_whole_vector
def test_every_frame_is_a_message_that_gives_the_bytes_again(name: str) -> None:
    messages = messages_in(name)
    again = [encode(message) for message in messages]
    if name in ("request-no-params", "payload-shape-absent"):  # what was left out is written as what it means
        assert [parse(frame) for frame in hear(b"".join(b"".join(parts) for parts in again))[0]] == messages
    else:
        assert b"".join(b"".join(parts) for parts in again) == wire_of(name)


@each_whole_vector
def test_a_host_sends_what_a_method_takes(name: str) -> None:
    taken = methods(Options())
    for message in messages_in(name):
        if isinstance(message, Request) and message.method != "shutdown":
            convert(message.params, taken[message.method].params)


def test_every_kind_of_message_has_a_vector() -> None:
    messages = [message for name in WHOLE for message in messages_in(name)]
    assert {type(message) for message in messages} == {Request, Notification, Result, Failure}
    called = {message.method for message in messages if isinstance(message, Request | Notification)}
    assert called >= {
        "hello", "initialize", "ping", "shutdown", "load", "tables/rows",
        "$/cancelRequest", "$/progress", "$/log", "log", "protocol_error",
        *(name for name in METHODS if name.startswith(("streams/", "services/"))), "describe",
        *NOTIFICATIONS, "streams/log", "streams/progress",
    }  # fmt: skip


NOTIFICATIONS: dict[str, Any] = {
    "streams/data": DataParams,
    "streams/credit": CreditParams,
    "streams/close": CloseParams,
    "streams/cancel": CloseParams,
    "streams/end": EndParams,
}


@each_whole_vector
def test_what_is_told_of_streams_has_the_members_of_its_struct(name: str) -> None:
    for message in messages_in(name):
        if isinstance(message, Notification) and message.method in NOTIFICATIONS:
            struct = NOTIFICATIONS[message.method]
            assert list(message.params) == list(struct.__struct_encode_fields__)
            convert(message.params, struct)


def test_every_reason_of_an_end_has_a_vector() -> None:
    ends = [message.params for message in messages_in("stream-end") if isinstance(message, Notification)]
    assert [end["reason"] for end in ends] == list(get_args(Reason))
    assert [end["reason"] for end in ends if end["error"]] == ["error", "idle"]


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("initialize", "initialize"),
        ("describe", "describe"),
        ("call", "services/call"),
        ("open-producer", "streams/open"),
        ("open-exchange", "streams/open"),
        ("upload", "streams/open"),
        ("checkpoint", "streams/checkpoint"),
        ("resume", "streams/resume"),
        ("streams-list", "streams/list"),
    ],
)
def test_a_result_has_the_members_of_its_struct(name: str, method: str) -> None:
    (asked,), (answer,) = messages_in(f"{name}-request"), messages_in(f"{name}-result")
    assert isinstance(asked, Request)
    assert isinstance(answer, Result)
    assert (asked.method, asked.id) == (method, answer.id)
    struct = get_type_hints(methods(Options())[method].handler)["return"]
    assert list(answer.result) == list(struct.__struct_encode_fields__)
    convert(answer.result, struct)


def test_every_type_of_payload_has_a_vector() -> None:
    frames = [frame for meaning in WHOLE.values() for frame in meaning["frames"]]
    assert {item["type"] for frame in frames for item in frame["payload"]} == TYPES


def test_every_culprit_has_a_vector() -> None:
    faults = [meaning["fault"]["culprit"] for meaning in MEANINGS.values() if "fault" in meaning]
    assert set(faults) == {"header_size", "header", "payload", "truncated"}


TABLE = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "name": pa.array(["a", None, "ß"])})


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("load-arrow-request", lambda data: pa.ipc.open_stream(data).read_all()),
        ("load-parquet-request", lambda data: pq.read_table(pa.BufferReader(data))),
    ],
    ids=["arrow", "parquet"],
)
def test_the_tables_hold_what_they_are_said_to(name: str, read: Any) -> None:
    (message,) = messages_in(name)
    assert isinstance(message, Request)
    (payload,) = (value for value in message.params.values() if isinstance(value, Payload))
    assert read(pa.py_buffer(payload.data)) == TABLE


LEVELS = [
    ([{"level": "low", "value": 0.5}, {"level": "high", "value": 1.5}, {"level": "low", "value": -2.0}], None),
    ([{"level": "high", "value": 1.0}, {"level": None, "value": float("inf")}], {"n": "2", "source": "höher"}),
    ([{"level": "none", "value": 0.0}], None),
]
UPLOADED = [([{"value": 1.0}, {"value": 2.0}], {"row": "1"}), ([], None)]
STAGED = [([{"rows": 2, "bytes": 16}], None)] * 2
VALUES = [
    ([{"value": 1.0}, {"value": 2.0}], {"row": "1"}),
    ([], None),
    ([{"value": 1.0}, {"value": 2.0}], {"row": "1"}),
]


@pytest.mark.parametrize(
    ("opening", "name", "batches"),
    [
        ("open-producer-result", "stream-output", LEVELS),
        (None, "stream-input", VALUES),
        (None, "upload-input", UPLOADED),
        ("upload-result", "upload-output", STAGED),
    ],
    ids=["output", "input", "upload", "staged"],
)
def test_the_pieces_of_a_direction_are_one_arrow_stream(opening: str | None, name: str, batches: Any) -> None:
    told_of = [message for message in messages_in(name) if isinstance(message, Notification)]
    pieces = [message.params["batches"] for message in told_of if message.method == "streams/data"]
    if opening is not None:
        (answer,) = messages_in(opening)
        assert isinstance(answer, Result)
        pieces.insert(0, answer.result["output_schema"])
    stream = pa.ipc.open_stream(b"".join(bytes(piece.data) for piece in pieces))
    assert [told(*stream.read_next_batch_with_custom_metadata()) for _ in batches] == batches
    with pytest.raises(StopIteration):
        stream.read_next_batch()


def told(batch: pa.RecordBatch, metadata: Any) -> tuple[list[Any], dict[str, str] | None]:
    """A batch's rows and what came with it."""
    return batch.to_pylist(), metadata and {key.decode(): text.decode() for key, text in metadata.items()}


def test_the_files_are_those_that_the_script_makes() -> None:
    script = runpy.run_path(str(HERE / "generate.py"))
    made, committed = script["files"](), script["committed"]()
    assert sorted(made) == sorted(committed)
    assert [name for name in made if made[name] != committed[name]] == []
