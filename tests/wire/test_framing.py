"""Framing: one literal proves both directions, however the bytes are cut, and whatever is no frame is named and fatal.

Nothing is read or written: `hear` puts bytes where the reader asks for them.
"""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.wire.framing import (
    DIRECT_BYTES,
    QUOTED_BYTES,
    STAGING_BYTES,
    Frame,
    FrameError,
    FrameReader,
    Refused,
    encode,
    padded,
)
from sidecar.wire.limits import MIB, Limits
from sidecar.wire.payload import Payload

LARGE = bytes(range(256)) * 600 + b"end"  # 153 603 bytes: filled in place, over more than two staging buffers
SMALLEST_DIRECT = b"d" * DIRECT_BYTES
LONG_NAME = "n" * (DIRECT_BYTES + 1)


class Case(NamedTuple):
    """A message, the bytes that it is on the wire, and what a reader makes of those."""

    message: Any
    wire: bytes
    header: dict[str, Any]
    buffers: list[bytes]


def plain(message: dict[str, Any], wire: bytes) -> Case:
    return Case(message, wire, message, [])


CASES = {
    "padded header": plain(
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        b"\x3c\x00\x00\x00" + b'{"jsonrpc":"2.0","id":1,"method":"ping"}                    ',
    ),
    "header that needs no padding": plain(
        {"jsonrpc": "2.0", "id": 1, "method": "ping_23456789_123456789_"},
        b"\x3c\x00\x00\x00" + b'{"jsonrpc":"2.0","id":1,"method":"ping_23456789_123456789_"}',
    ),
    "header one byte over": plain(
        {"jsonrpc": "2.0", "id": 1, "method": "ping_23456789_123456789_1"},
        b"\x7c\x00\x00\x00" + b'{"jsonrpc":"2.0","id":1,"method":"ping_23456789_123456789_1"}' + b" " * 63,
    ),
    "header of more than one size byte": plain(
        {"method": "m" * 256},
        b"\x3c\x01\x00\x00" + b'{"method":"' + b"m" * 256 + b'"}' + b" " * 47,
    ),
    "header beyond ASCII": plain(
        {"method": "größe €", "id": "𝄞"},
        b"\x3c\x00\x00\x00" + b'{"method":"gr\xc3\xb6\xc3\x9fe \xe2\x82\xac","id":"\xf0\x9d\x84\x9e"}'.ljust(60),
    ),
    "integers beyond 64 bits": plain(
        {"id": 36893488147419103232, "method": "m"},
        b"\x3c\x00\x00\x00" + b'{"id":36893488147419103232,"method":"m"}                    ',
    ),
    "header filled in place": plain(
        {"m": LONG_NAME},
        b"\x3c\x40\x00\x00" + b'{"m":"' + b"n" * 16385 + b'"}' + b" " * 51,
    ),
    "one byte": Case(
        {"params": Payload("bytes", b"x")},
        b"\x7c\x00\x00\x00"
        + b'{"params":null,"payload":[{"path":["params"],"type":"bytes","size":1}]}'.ljust(124)
        + b"x"
        + bytes(63),
        {"params": None, "payload": [{"path": ["params"], "type": "bytes", "size": 1}]},
        [b"x"],
    ),
    "no byte": Case(
        {"params": Payload("bytes", b"")},
        b"\x7c\x00\x00\x00" + b'{"params":null,"payload":[{"path":["params"],"type":"bytes","size":0}]}'.ljust(124),
        {"params": None, "payload": [{"path": ["params"], "type": "bytes", "size": 0}]},
        [b""],
    ),
    "whole and broken blocks": Case(
        {"params": [Payload("bytes", b"a" * 64), {"b": Payload("int8", b"b" * 65, [5, 13])}]},
        b"\xbc\x00\x00\x00"
        + (
            b'{"params":[null,{"b":null}],"payload":[{"path":["params",0],"type":"bytes","size":64},'
            b'{"path":["params",1,"b"],"type":"int8","size":65,"shape":[5,13]}]}'
        ).ljust(188)
        + b"a" * 64
        + b"b" * 65
        + bytes(63),
        {
            "params": [None, {"b": None}],
            "payload": [
                {"path": ["params", 0], "type": "bytes", "size": 64},
                {"path": ["params", 1, "b"], "type": "int8", "size": 65, "shape": [5, 13]},
            ],
        },
        [b"a" * 64, b"b" * 65],
    ),
    "exactly large enough to be filled in place": Case(
        {"result": Payload("arrow", SMALLEST_DIRECT)},
        b"\x7c\x00\x00\x00"
        + b'{"result":null,"payload":[{"path":["result"],"type":"arrow","size":16384}]}'.ljust(124)
        + SMALLEST_DIRECT,
        {"result": None, "payload": [{"path": ["result"], "type": "arrow", "size": 16384}]},
        [SMALLEST_DIRECT],
    ),
    "small, large, small": Case(
        {"params": {"a": Payload("bytes", b"s"), "b": Payload("parquet", LARGE), "c": Payload("bytes", b"t")}},
        b"\xfc\x00\x00\x00"
        + (
            b'{"params":{"a":null,"b":null,"c":null},"payload":[{"path":["params","a"],"type":"bytes","size":1},'
            b'{"path":["params","b"],"type":"parquet","size":153603},{"path":["params","c"],"type":"bytes","size":1}]}'
        ).ljust(252)
        + b"s"
        + bytes(63)
        + LARGE
        + bytes(61)
        + b"t"
        + bytes(63),
        {
            "params": {"a": None, "b": None, "c": None},
            "payload": [
                {"path": ["params", "a"], "type": "bytes", "size": 1},
                {"path": ["params", "b"], "type": "parquet", "size": 153603},
                {"path": ["params", "c"], "type": "bytes", "size": 1},
            ],
        },
        [b"s", LARGE, b"t"],
    ),
}

PING = CASES["padded header"]
NEXT = CASES["one byte"]
CHUNKINGS = {
    "whole": None,
    "byte by byte": 1,
    "threes": 3,
    "blocks": 64,
    "just under direct": DIRECT_BYTES - 1,
    "as much as is staged": STAGING_BYTES,
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_chunking = pytest.mark.parametrize("chunk_bytes", CHUNKINGS.values(), ids=CHUNKINGS)


class Heard(NamedTuple):
    """What came of some input: its frames, and the fault that ended it or None for a clean end."""

    frames: list[Frame]
    fault: FrameError | None


def hear(
    data: bytes,
    chunk_bytes: int | Iterable[int] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    allocate: Callable[[int], Any] = bytearray,
) -> Heard:
    """Read `data` to its end, by reads of at most `chunk_bytes` (when they run out, of as much as fits)."""
    reader, frames, rest = FrameReader(limits, allocate), [], memoryview(data)
    sizes = repeat(chunk_bytes or len(data)) if not isinstance(chunk_bytes, Iterable) else iter(chunk_bytes)
    sizes = chain(sizes, repeat(len(data)))
    try:
        while rest:
            buffer = reader.get_buffer()
            count = min(len(buffer), len(rest), next(sizes))
            assert count > 0, "get_buffer() is empty"
            buffer[:count] = rest[:count]
            frames += reader.buffer_updated(count)
            rest = rest[count:]
        reader.eof()
    except FrameError as fault:
        return Heard(frames, fault)
    return Heard(frames, None)


def plainly(frames: list[Frame]) -> list[tuple[dict[str, Any], list[bytes]]]:
    return [(frame.header, [bytes(buffer) for buffer in frame.buffers]) for frame in frames]


def meant(*cases: Case) -> list[tuple[dict[str, Any], list[bytes]]]:
    return [(case.header, case.buffers) for case in cases]


def frame_of(header: bytes) -> bytes:
    """A frame around any header, good or bad; without payload."""
    size = padded(4 + len(header)) - 4
    return size.to_bytes(4, "little") + header.ljust(size)


def no_allocation(size: int) -> Any:
    raise AssertionError(f"{size} bytes were asked for")


# -- both directions ---------------------------------------------------------------------------------------------


@each_case
def test_a_message_becomes_these_bytes(case: Case) -> None:
    assert b"".join(encode(case.message)) == case.wire


@each_chunking
@each_case
def test_these_bytes_become_the_frame(case: Case, chunk_bytes: int | None) -> None:
    heard = hear(case.wire, chunk_bytes)
    assert plainly(heard.frames) == meant(case)
    assert heard.fault is None


@each_chunking
@each_case
def test_what_follows_a_frame_is_the_next_one(case: Case, chunk_bytes: int | None) -> None:
    heard = hear(case.wire + NEXT.wire + case.wire, chunk_bytes)
    assert plainly(heard.frames) == meant(case, NEXT, case)
    assert heard.fault is None


@each_case
def test_a_frame_is_given_before_the_next_is_whole(case: Case) -> None:
    heard = hear(case.wire + NEXT.wire[:-1])
    assert plainly(heard.frames) == meant(case)
    assert heard.fault is not None
    assert heard.fault.culprit == "truncated"


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(CASES.values())), max_size=6), st.lists(st.integers(1, 100_000), max_size=30))
def test_any_cut_of_any_frames_gives_the_same_frames(cases: list[Case], chunk_bytes: list[int]) -> None:
    heard = hear(b"".join(case.wire for case in cases), chunk_bytes)
    assert plainly(heard.frames) == meant(*cases)
    assert heard.fault is None


def test_no_input_is_a_clean_end() -> None:
    assert hear(b"") == ([], None)


# -- memory ------------------------------------------------------------------------------------------------------


def test_each_buffer_is_allocated_once_at_its_padded_size() -> None:
    asked: list[int] = []

    def allocate(size: int) -> bytearray:
        asked.append(size)
        return bytearray(size)

    hear(CASES["small, large, small"].wire + NEXT.wire, 64, allocate=allocate)
    assert asked == [64, padded(len(LARGE)), 64, 64]


def test_a_large_buffer_is_filled_in_place() -> None:
    case = CASES["exactly large enough to be filled in place"]
    memory = bytearray(DIRECT_BYTES)
    reader = FrameReader(Limits(), lambda size: memory)
    head = case.wire[:-DIRECT_BYTES]
    reader.get_buffer()[: len(head)] = head
    assert reader.buffer_updated(len(head)) == []
    place = reader.get_buffer()
    assert place.obj is memory
    assert len(place) == DIRECT_BYTES
    place[:] = SMALLEST_DIRECT
    (frame,) = reader.buffer_updated(len(place))
    assert frame.buffers[0].obj is memory
    assert memory == SMALLEST_DIRECT


def test_what_is_missing_of_a_nearly_full_buffer_is_staged() -> None:
    case = CASES["exactly large enough to be filled in place"]
    reader = FrameReader(Limits())
    head = case.wire[: -DIRECT_BYTES + 1]
    reader.get_buffer()[: len(head)] = head
    reader.buffer_updated(len(head))
    assert len(reader.get_buffer()) == STAGING_BYTES


def test_buffers_of_arrow_are_filled_through_every_chunking() -> None:
    for chunk_bytes in CHUNKINGS.values():
        heard = hear(CASES["small, large, small"].wire, chunk_bytes, allocate=pa.allocate_buffer)
        assert plainly(heard.frames) == meant(CASES["small, large, small"])


def test_get_buffer_may_be_asked_twice() -> None:
    reader = FrameReader(Limits())
    wire = PING.wire + NEXT.wire[:2]
    reader.get_buffer()[: len(wire)] = wire
    assert plainly(reader.buffer_updated(len(wire))) == meant(PING)
    reader.get_buffer()
    rest = NEXT.wire[2:]
    reader.get_buffer()[: len(rest)] = rest
    assert plainly(reader.buffer_updated(len(rest))) == meant(NEXT)


REFUSALS = {"refused": Refused("enough waits already"), "no memory": MemoryError("9 bytes")}


@each_chunking
@pytest.mark.parametrize("allowed", [0, 1, 2], ids=["at the first", "at the second", "at the third"])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_payload_is_read_past(refusal: Exception, allowed: int, chunk_bytes: int | None) -> None:
    case = CASES["small, large, small"]
    asked = 0

    def allocate(size: int) -> bytearray:
        nonlocal asked
        asked += 1
        if asked == allowed + 1:
            raise refusal
        return bytearray(size)

    heard = hear(case.wire + NEXT.wire, chunk_bytes, allocate=allocate)
    assert plainly(heard.frames) == [(case.header, []), *meant(NEXT)]
    assert [frame.refused for frame in heard.frames] == [refusal, None]
    assert heard.fault is None


def test_another_failure_of_allocate_is_not_taken_for_a_refusal() -> None:
    def allocate(size: int) -> Any:
        raise KeyError(size)

    with pytest.raises(KeyError):
        hear(NEXT.wire, allocate=allocate)


# -- limits ------------------------------------------------------------------------------------------------------

HEADER_LIMITS = {  # size prefix, limit, and what is said: None where the size is taken
    "0": (0, 124, "within 1 … 124"),
    "-1": (-1, 124, "within 1 … 124"),
    "the lowest": (-(2**31), 124, "within 1 … 124"),
    "the highest": (2**31 - 1, 124, "within 1 … 124"),
    "below the limit": (60, 124, None),
    "at the limit": (124, 124, None),
    "limit + 1": (124, 123, "within 1 … 123"),
    "a block over the limit": (188, 124, "within 1 … 124"),
    "misaligned by 1": (61, 124, "no multiple of 64"),
    "misaligned by -1": (59, 124, "no multiple of 64"),
    "aligned without its prefix": (64, 124, "no multiple of 64"),
    "1": (1, 124, "no multiple of 64"),
}


@pytest.mark.parametrize("chunk_bytes", [None, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(("size", "limit", "said"), HEADER_LIMITS.values(), ids=HEADER_LIMITS)
def test_header_sizes(size: int, limit: int, said: str | None, chunk_bytes: int | None) -> None:
    wire = size.to_bytes(4, "little", signed=True) + b"{}".ljust(max(0, min(size, 200)))
    heard = hear(wire, chunk_bytes, Limits(max_header_bytes=limit))
    if said is None:
        assert plainly(heard.frames) == [({}, [])]
        assert heard.fault is None
        return
    assert heard.frames == []
    assert heard.fault is not None
    assert heard.fault.culprit == "header_size"
    assert said in str(heard.fault)
    assert wire.startswith(heard.fault.quoted)


def test_a_fault_in_the_size_prefix_needs_no_more_than_the_prefix() -> None:
    heard = hear(b"\xff\xff\xff\xff")
    assert heard.fault is not None
    assert (heard.fault.culprit, heard.fault.quoted) == ("header_size", b"\xff\xff\xff\xff")


PAYLOAD_LIMITS = {
    "at the limit": ([100], True),
    "limit + 1": ([101], False),
    "at the limit together": ([60, 0, 40], True),
    "limit + 1 together": ([60, 0, 41], False),
    "padding does not count": ([1] * 100, True),
    "one too many": ([1] * 101, False),
    "2 GiB": ([2**31], False),
    "64 bits": ([2**63], False),
    "wraps around 64 bits": ([2**63, 2**63], False),
    "30 digits": ([10**30], False),
    "sum with more digits than Python prints": ([9 * 10**290] * 20, False),
}


@each_chunking
@pytest.mark.parametrize(("sizes", "fits"), PAYLOAD_LIMITS.values(), ids=PAYLOAD_LIMITS)
def test_payload_sizes(sizes: list[int], fits: bool, chunk_bytes: int | None) -> None:
    head = frame_of(b'{"payload":[' + b",".join(b'{"size":%d}' % size for size in sizes) + b"]}")
    body = b"".join(bytes(padded(size)) for size in sizes) if fits else b""
    limits = Limits(max_payload_bytes=100)
    heard = hear(head + body, chunk_bytes, limits, bytearray if fits else no_allocation)
    if fits:
        assert heard.fault is None
        assert [len(buffer) for buffer in heard.frames[0].buffers] == sizes
        return
    assert heard.fault is not None
    assert heard.fault.culprit == "payload"
    assert head.startswith(heard.fault.quoted)
    assert len(heard.fault.quoted) == QUOTED_BYTES


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
def test_sizes_of_thousands_of_digits_are_a_fault_like_any_other(digits: int) -> None:
    heard = hear(frame_of(b'{"payload":[' + b",".join([b'{"size":' + b"9" * digits + b"}"] * 3) + b"]}"))
    assert heard.fault is not None
    assert heard.fault.culprit in ("payload", "header")


def test_the_default_limits() -> None:
    assert Limits() == (16 * MIB, 2048 * MIB)
    heard = hear((16 * MIB + 60).to_bytes(4, "little"))
    assert heard.fault is not None
    assert heard.fault.culprit == "header_size"


BOMBS = {
    "header": b"\xff\xff\xff\x7f",
    "header just over": (16 * MIB + 60).to_bytes(4, "little"),
    "payload": frame_of(b'{"payload":[{"size":2147483649}]}'),
    "payloads": frame_of(b'{"payload":[{"size":1},{"size":2147483648}]}'),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_length_bomb_takes_no_memory(bomb: bytes) -> None:
    hear(PING.wire)  # whatever is made once, is made by now
    tracemalloc.start()
    try:
        heard = hear(bomb, allocate=no_allocation)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert heard.fault is not None
    assert peak_bytes < MIB


# -- faults ------------------------------------------------------------------------------------------------------

GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "text": b"Traceback (most recent call last):\n",
    "LSP": b"Content-Length: 119\r\n\r\n{}",
    "JSON line": b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
    "zeros": bytes(200),
    "ones": b"\xff" * 200,
    "big-endian size": b"\x00\x00\x00\x3c" + b"{}".ljust(60),
}


@each_chunking
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_named_and_quoted(garbage: bytes, chunk_bytes: int | None) -> None:
    heard = hear(garbage, chunk_bytes, allocate=no_allocation)
    assert heard.frames == []
    assert heard.fault is not None
    assert heard.fault.culprit == "header_size"
    quoted = heard.fault.quoted
    assert garbage.startswith(quoted)
    assert 4 <= len(quoted) <= QUOTED_BYTES


BAD_HEADERS = {
    "blank": b" ",
    "not JSON": b"hello",
    "half an object": b'{"method":',
    "two objects": b"{}{}",
    "a list": b"[]",
    "a string": b'"{}"',
    "a number": b"1",
    "null": b"null",
    "a bare NaN": b'{"params":{"x":NaN}}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"method":"\xff"}',
    "half a character": b'{"method":"\xe2\x82"}',
    "half a surrogate pair": b'{"method":"\\ud800"}',
    "UTF-16": '{"method":"ping"}'.encode("utf-16-le"),
    "zero-padded": b"{}" + bytes(58),
    "nested deeply": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested deeply and never closed": b"[" * 100_000,
    "a number out of range": b'{"a":1e999}',
}


@each_chunking
@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_header_that_is_no_json_object(header: bytes, chunk_bytes: int | None) -> None:
    wire = frame_of(header)
    heard = hear(wire, chunk_bytes, allocate=no_allocation)
    assert heard.frames == []
    assert heard.fault is not None
    assert heard.fault.culprit == "header"
    assert heard.fault.quoted == wire[:QUOTED_BYTES]


BAD_PAYLOAD_MEMBERS = {
    "an object": b"{}",
    "a string": b'"x"',
    "a number": b"0",
    "false": b"false",
    "of numbers": b"[1]",
    "of null": b"[null]",
    "of lists": b"[[]]",
    "without size": b'[{"path":["params"],"type":"bytes"}]',
    "size null": b'[{"size":null}]',
    "size a string": b'[{"size":"1"}]',
    "size a float": b'[{"size":1.0}]',
    "size true": b'[{"size":true}]',
    "size -1": b'[{"size":-1}]',
    "a bad second": b'[{"size":1},{"size":-1}]',
    "negative sizes that cancel out": b'[{"size":4294967296},{"size":-4294967295}]',
}


@each_chunking
@pytest.mark.parametrize("member", BAD_PAYLOAD_MEMBERS.values(), ids=BAD_PAYLOAD_MEMBERS)
def test_a_payload_member_that_says_no_sizes(member: bytes, chunk_bytes: int | None) -> None:
    wire = frame_of(b'{"payload":' + member + b"}")
    heard = hear(wire, chunk_bytes, allocate=no_allocation)
    assert heard.frames == []
    assert heard.fault is not None
    assert heard.fault.culprit == "payload"
    assert heard.fault.quoted == wire[:QUOTED_BYTES]


@pytest.mark.parametrize("member", [b"null", b"[]"])
def test_a_payload_member_may_be_empty(member: bytes) -> None:
    heard = hear(frame_of(b'{"payload":' + member + b"}"), allocate=no_allocation)
    assert heard.fault is None
    assert heard.frames[0].buffers == []
    assert heard.frames[0].descriptors == []


@each_chunking
@pytest.mark.parametrize("bad", [GARBAGE["HTTP"], frame_of(b"hello")], ids=["garbage", "bad header"])
def test_whole_frames_before_a_fault_come_first(bad: bytes, chunk_bytes: int | None) -> None:
    heard = hear(PING.wire + NEXT.wire + bad, chunk_bytes)
    assert plainly(heard.frames) == meant(PING, NEXT)
    assert heard.fault is not None
    assert bad.startswith(heard.fault.quoted)


def test_a_fault_that_waits_is_raised_by_whatever_comes_next() -> None:
    wire = PING.wire + GARBAGE["HTTP"]
    reader = FrameReader(Limits())
    reader.get_buffer()[: len(wire)] = wire
    assert plainly(reader.buffer_updated(len(wire))) == meant(PING)
    for _ in range(2):
        with pytest.raises(FrameError, match="header size"):
            reader.get_buffer()
        with pytest.raises(FrameError, match="header size"):
            reader.eof()


# -- truncation --------------------------------------------------------------------------------------------------

STREAM = (PING, CASES["whole and broken blocks"], NEXT, CASES["no byte"])
STREAM_WIRE = b"".join(case.wire for case in STREAM)
STREAM_ENDS = [sum(len(case.wire) for case in STREAM[:count]) for count in range(len(STREAM) + 1)]


def check_cut(wire: bytes, ends: list[int], cases: tuple[Case, ...], cut: int, chunk_bytes: int | None) -> None:
    heard = hear(wire[:cut], chunk_bytes)
    whole = sum(end <= cut for end in ends) - 1
    assert plainly(heard.frames) == meant(*cases[:whole])
    if cut in ends:
        assert heard.fault is None
        return
    assert heard.fault is not None
    assert heard.fault.culprit == "truncated"
    assert heard.fault.quoted == wire[ends[whole] : cut][: len(heard.fault.quoted)]
    assert len(heard.fault.quoted) == min(cut - ends[whole], QUOTED_BYTES)


@pytest.mark.parametrize("chunk_bytes", [None, 1, 7], ids=["whole", "byte by byte", "sevens"])
def test_an_end_at_any_other_place_than_between_frames_is_named(chunk_bytes: int | None) -> None:
    for cut in range(len(STREAM_WIRE) + 1):
        check_cut(STREAM_WIRE, STREAM_ENDS, STREAM, cut, chunk_bytes)


@each_chunking
@pytest.mark.parametrize("name", ["small, large, small", "header filled in place"])
def test_the_same_in_what_is_filled_in_place(name: str, chunk_bytes: int | None) -> None:
    case = CASES[name]
    step = 997 if chunk_bytes is None else len(case.wire) // 3
    near_end = {len(case.wire) - count for count in (0, 1, 63, 64, 65, 127, 128, 129)}
    for cut in sorted({*range(0, len(case.wire), step), *near_end}):
        check_cut(case.wire, [0, len(case.wire)], (case,), cut, chunk_bytes)


PLACES = {
    "size prefix": (3, "the size prefix of a frame"),
    "header, none of it": (4, "a frame's header"),
    "header": (60, "a frame's header"),
    "payload, none of it": (128, "a frame's payload"),
    "payload": (129, "a frame's payload"),
    "padding": (191, "a frame's payload"),
}


@pytest.mark.parametrize(("cut", "place"), PLACES.values(), ids=PLACES)
def test_truncation_says_where(cut: int, place: str) -> None:
    heard = hear(NEXT.wire[:cut])
    assert heard.fault is not None
    assert str(heard.fault) == f"the input ended inside {place}"


def test_a_refused_payload_can_be_truncated_too() -> None:
    def allocate(size: int) -> Any:
        raise Refused

    heard = hear(CASES["small, large, small"].wire[:-1], allocate=allocate)
    assert heard.frames == []
    assert heard.fault is not None
    assert heard.fault.culprit == "truncated"


# -- encode ------------------------------------------------------------------------------------------------------

DATA = {
    "bytes": b"\x01\x00\x02\x00",
    "bytearray": bytearray(b"\x01\x00\x02\x00"),
    "items of two bytes": array("H", [1, 2]),
    "two dimensions": memoryview(b"\x01\x00\x02\x00").cast("B", [2, 2]),
    "an Arrow buffer": pa.py_buffer(b"\x01\x00\x02\x00"),
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_any_contiguous_buffer_can_be_sent(data: Any) -> None:
    head, *rest = encode({"params": Payload("uint16", data)})
    assert [memoryview(part).format for part in rest] == ["B", "B"]
    assert b"".join(rest) == b"\x01\x00\x02\x00" + bytes(60)
    assert b'"size":4' in head


def test_an_empty_buffer_is_no_part_of_the_write() -> None:
    empty = memoryview(b"").cast("B")
    assert len(encode({"params": [Payload("bytes", b""), Payload("bytes", empty)]})) == 1


def test_what_is_sent_is_not_copied() -> None:
    data = bytearray(b"x" * 100)
    _, part, padding = encode({"params": Payload("bytes", data)})
    assert part.obj is data
    assert padding == bytes(28)


NO_JSON_FORM = {
    "an object": {"params": object()},
    "an object beside an integer beyond 64 bits": {"params": [2**64, object()]},
    "half a surrogate pair": {"params": "\ud800"},
    "a buffer with gaps": {"params": Payload("bytes", memoryview(b"abcd")[::2])},
}


@pytest.mark.parametrize("message", NO_JSON_FORM.values(), ids=NO_JSON_FORM)
def test_what_has_no_json_form_cannot_be_sent(message: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(message)


def test_nesting_without_end_cannot_be_sent() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        encode({"params": endless})


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 64), (64, 64), (65, 128), (2**40 + 1, 2**40 + 64)])
def test_padded(size: int, expected: int) -> None:
    assert padded(size) == expected


def test_a_frame_shows_itself() -> None:
    assert repr(hear(NEXT.wire).frames[0]) == f"Frame({NEXT.header!r}, 1 buffers)"
