"""Properties of the wire: any message with any payloads comes back from its bytes, however they are cut; and no
input whatever gives anything but frames, messages, refusals of a message, or one fault."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.protocol.errors import ErrorObject
from sidecar.protocol.messages import BadMessage, Failure, Message, Notification, Request, Result, parse
from sidecar.wire.framing import DIRECT_BYTES, Frame, FrameError, FrameReader, encode, padded
from sidecar.wire.limits import Limits
from sidecar.wire.payload import ITEM_BYTES, OPAQUE_TYPES, ROOTS, TYPES, Payload, find

LIMITS = Limits(max_header_bytes=1024 * 1024, max_payload_bytes=1024 * 1024)

# -- what there is to send ---------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
integers = st.integers() | st.integers(-(2**200), 2**200)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | text
sizes = st.integers(0, 200) | st.sampled_from([63, 64, 65, DIRECT_BYTES - 1, DIRECT_BYTES, DIRECT_BYTES + 1, 70_000])


@st.composite
def typed_payloads(draw: st.DrawFn) -> Payload:
    kind = draw(st.sampled_from(sorted(ITEM_BYTES)))
    shape: list[int | None] = list(draw(st.lists(st.integers(0, 5), max_size=4)))
    size = ITEM_BYTES[kind]
    for dimension in shape:
        size *= dimension or 0
    missing = draw(st.integers(0, 2))
    return Payload(kind, draw(st.binary(min_size=size, max_size=size)), shape + [None] * missing)


@st.composite
def opaque_payloads(draw: st.DrawFn) -> Payload:
    kind, size, seed = draw(st.sampled_from(sorted(OPAQUE_TYPES))), draw(sizes), draw(st.binary(min_size=1, max_size=7))
    return Payload(kind, (seed * (size // len(seed) + 1))[:size])


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)


values = st.recursive(scalars | typed_payloads() | opaque_payloads(), containers, max_leaves=12)
objects = st.dictionaries(text, values, max_size=4)
ids = integers | text
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Request, ids, text, objects),
    st.builds(Notification, text, objects),
    st.builds(Result, ids, values),
    st.builds(Failure, ids | st.none(), st.builds(ErrorObject, st.integers(-(2**31), 2**31), text, objects)),
)
chunkings = st.lists(st.integers(1, 80_000) | st.integers(1, 70), max_size=60)


def hear(data: bytes, chunk_bytes: list[int], allocate: Any = bytearray) -> tuple[list[Frame], FrameError | None]:
    """Read `data` to its end in reads of those sizes, then of as much as fits: frames, and the fault or None."""
    reader, frames, rest, cuts = FrameReader(LIMITS, allocate), [], memoryview(data), iter(chunk_bytes)
    try:
        while rest:
            buffer = reader.get_buffer()
            count = min(len(buffer), len(rest), next(cuts, len(rest)))
            assert count > 0, "get_buffer() is empty"
            buffer[:count] = rest[:count]
            frames += reader.buffer_updated(count)
            rest = rest[count:]
        reader.eof()
    except FrameError as fault:
        return frames, fault
    return frames, None


def as_said(frames: list[Frame]) -> list[tuple[Any, list[bytes]]]:
    return [(frame.header, [bytes(buffer) for buffer in frame.buffers]) for frame in frames]


def parsed(frame: Frame) -> Message | Failure:
    try:
        return parse(frame)
    except BadMessage as bad:
        return bad.failure


# -- round trip --------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(st.lists(messages, min_size=1, max_size=4), chunkings)
def test_any_messages_come_back_from_any_cut_of_their_bytes(sent: list[Message], chunk_bytes: list[int]) -> None:
    wire = b"".join(part for message in sent for part in encode(message))
    frames, fault = hear(wire, chunk_bytes)
    assert fault is None
    assert [parse(frame) for frame in frames] == sent


@settings(deadline=None)
@given(messages)
def test_a_frame_is_aligned_and_holds_each_payload_as_it_is(message: Message) -> None:
    parts = encode(message)
    assert len(parts[0]) % 64 == 0
    assert int.from_bytes(parts[0][:4], "little") == len(parts[0]) - 4
    payloads = [payload for _, payload in find(message)]
    body = b"".join(parts[1:])
    assert len(body) == sum(padded(payload.size) for payload in payloads)
    for payload in payloads:
        block, body = body[: padded(payload.size)], body[padded(payload.size) :]
        assert block == bytes(payload.data) + bytes(len(block) - payload.size)


@settings(deadline=None)
@given(messages, st.data())
def test_any_message_cut_short_is_truncated(message: Message, data: st.DataObject) -> None:
    wire = b"".join(encode(message))
    cut = data.draw(st.integers(1, len(wire) - 1))
    frames, fault = hear(wire[:cut], data.draw(chunkings))
    assert frames == []
    assert fault is not None
    assert fault.culprit == "truncated"
    assert wire.startswith(fault.quoted)


# -- anything at all ---------------------------------------------------------------------------------------------

json_values = st.recursive(scalars, containers, max_leaves=15)
paths = st.lists(st.sampled_from([*sorted(ROOTS), "a", "b", 0, 1]) | json_values, max_size=4) | json_values
descriptors = st.fixed_dictionaries(
    {"size": st.integers(0, 40)},
    optional={
        "path": paths,
        "type": st.sampled_from(sorted(TYPES)) | json_values,
        "shape": st.lists(st.none() | integers | st.integers(0, 4) | json_values, max_size=4) | json_values,
    },
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | json_values,
        "id": ids | json_values,
        "method": text | json_values,
        "params": st.dictionaries(st.sampled_from("ab"), json_values) | json_values,
        "result": json_values,
        "error": st.fixed_dictionaries({"code": integers, "message": text, "data": json_values}) | json_values,
        "payload": st.lists(descriptors, max_size=3) | json_values,
    },
)


def check_anything(wire: bytes, chunk_bytes: list[int]) -> None:
    """However it is cut: the same frames and the same fault, a message or its refusal from each frame, and an answer
    that can be sent."""
    whole, whole_fault = hear(wire, [])
    cut, cut_fault = hear(wire, chunk_bytes)
    assert as_said(cut) == as_said(whole)
    assert (cut_fault and cut_fault.culprit) == (whole_fault and whole_fault.culprit)
    for frame in whole:
        again, fault = hear(b"".join(encode(parsed(frame))), [])
        assert fault is None
        assert len(again) == 1


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300), chunkings)
@example(b"\0\0\0\0", [])
def test_random_bytes(wire: bytes, chunk_bytes: list[int]) -> None:
    check_anything(wire, chunk_bytes)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.binary(max_size=130), max_size=3), chunkings)
def test_random_headers(texts: list[bytes], chunk_bytes: list[int]) -> None:
    framed = ((text, padded(4 + len(text)) - 4) for text in texts)
    check_anything(b"".join(size.to_bytes(4, "little") + text.ljust(size) for text, size in framed), chunk_bytes)


@settings(deadline=None, max_examples=500)
@given(st.lists(headers, min_size=1, max_size=3), st.binary(max_size=300), chunkings)
def test_random_json(sent: list[dict[str, Any]], tail: bytes, chunk_bytes: list[int]) -> None:
    wire = b"".join(b"".join(encode(header)) + bytes(body_bytes(header)) for header in sent)
    check_anything(wire + tail, chunk_bytes)


def body_bytes(header: dict[str, Any]) -> int:
    """The bytes that a reader takes for the payload of `header`, where it takes any."""
    listed = header.get("payload")
    items = listed if isinstance(listed, list) else []
    found = [item.get("size") if isinstance(item, dict) else None for item in items]
    return sum(padded(size) for size in found if isinstance(size, int) and 0 <= size <= LIMITS.max_payload_bytes)


@settings(deadline=None, max_examples=200)
@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_damaged_frames(sent: list[Message], data: st.DataObject) -> None:
    wire = bytearray(b"".join(part for message in sent for part in encode(message)))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    check_anything(bytes(wire), data.draw(chunkings))
