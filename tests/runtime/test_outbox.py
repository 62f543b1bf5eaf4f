"""The outbox of a stream: all in order, small batches together, and what nobody wants any more not at all."""

from __future__ import annotations

from threading import Condition
from typing import Any

import pytest

from sidecar.protocol.messages import Notification, parse
from sidecar.runtime.outbox import FRAME_BYTES, MAX_OUTBOX_BYTES, Outbox
from sidecar.runtime.terms import Terms
from sidecar.wire.framing import FrameReader
from sidecar.wire.limits import Limits


class Bench:
    """An outbox and what its stream is told."""

    def __init__(self) -> None:
        self.rooms = 0
        self.changed = Condition()
        self.terms = Terms()
        self.outbox = Outbox("s", self.changed, self._on_room, self.terms)

    def _on_room(self) -> None:
        assert self.changed._is_owned()  # type: ignore[attr-defined]
        self.rooms += 1

    def batch(self, *parts: bytes) -> bool:
        with self.changed:
            return self.outbox.add_batch(list(parts), sum(map(len, parts)))

    def message(self, text: bytes) -> bool:
        """A frame, here without form."""
        with self.changed:
            return self.outbox.add_message([text])

    def drop(self) -> int:
        with self.changed:
            return self.outbox.drop_batches()

    def take(self) -> Any:
        """The next frame: the bytes of a `streams/data`, or a message; and whether there are more."""
        parts, has_more = self.outbox.take()
        if not parts:
            return None, has_more
        data = b"".join(parts)
        return (data_of(data) if len(data) > 60 else data), has_more

    def take_all(self) -> list[Any]:
        """All frames, each written before the next is taken."""
        frames, has_more = [], True
        while has_more:
            frame, has_more = self.take()
            self.outbox.sent()
            frames.append(frame)
        return frames


def data_of(frame: bytes) -> bytes:
    """What is in a `streams/data`; a writer's frame must be one, whole."""
    reader, frames = FrameReader(Limits()), []
    for at in range(0, len(frame), 1024):
        rest = frame[at : at + 1024]
        while rest:
            buffer = reader.get_buffer()
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            frames += reader.buffer_updated(count)
            rest = rest[count:]
    (only,) = frames
    message = parse(only)
    assert isinstance(message, Notification)
    assert (message.method, message.params["stream"]) == ("streams/data", "s")
    return bytes(message.params["batches"].data)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_batches_go_out_together(bench: Bench) -> None:
    for number in range(10):
        bench.batch(bytes([number]) * 10)
    assert bench.take_all() == [b"".join(bytes([number]) * 10 for number in range(10))]


def test_the_order_is_kept(bench: Bench) -> None:
    """A message stands between the batches that were before it and those after."""
    for item in (b"1", b"2"):
        bench.batch(item)
    bench.message(b"log")
    bench.message(b"progress")
    bench.batch(b"3")
    bench.message(b"end")
    assert bench.take_all() == [b"12", b"log", b"progress", b"3", b"end"]


SIZES: dict[str, tuple[list[int], list[int]]] = {
    "one small": ([1], [1]),
    "up to the bound": ([FRAME_BYTES // 2] * 2, [FRAME_BYTES]),
    "one byte more": ([FRAME_BYTES // 2, FRAME_BYTES // 2 + 1], [FRAME_BYTES // 2, FRAME_BYTES // 2 + 1]),
    "a large one": ([3 * FRAME_BYTES], [3 * FRAME_BYTES]),
    "small after large": ([2 * FRAME_BYTES, 1, 1], [2 * FRAME_BYTES, 2]),
    "large after small": ([1, 1, 2 * FRAME_BYTES], [2, 2 * FRAME_BYTES]),
    "many": ([1000] * 600, [262_000, 262_000, 76_000]),
    "without bytes": ([0, 0, 5], [5]),
}


@pytest.mark.parametrize(("sizes", "frames"), SIZES.values(), ids=SIZES)
def test_how_much_goes_into_one_frame(bench: Bench, sizes: list[int], frames: list[int]) -> None:
    for number, size in enumerate(sizes):
        bench.batch(bytes([number % 256]) * size)
    got = bench.take_all()
    assert [len(frame) for frame in got] == frames
    assert b"".join(got) == b"".join(bytes([number % 256]) * size for number, size in enumerate(sizes))
    assert bench.outbox.bytes == 0


HOSTS: dict[str, tuple[list[int], list[int]]] = {
    "up to the bound": ([500, 500], [1000]),
    "one byte more": ([500, 501], [500, 501]),
    "several": ([600, 600, 300, 100, 1], [600, 1000, 1]),
}


@pytest.mark.parametrize(("sizes", "frames"), HOSTS.values(), ids=HOSTS)
def test_a_frame_is_no_larger_than_the_host_takes(sizes: list[int], frames: list[int]) -> None:
    bench = Bench()
    bench.terms.limits = Limits(max_payload_bytes=1000)
    for size in sizes:
        bench.batch(bytes(size))
    assert [len(frame) for frame in bench.take_all()] == frames


def test_large_batches_are_not_copied(bench: Bench) -> None:
    large = bytearray(FRAME_BYTES)
    bench.batch(b"head", large)  # type: ignore[arg-type]
    parts, _ = bench.outbox.take()
    assert any(part is large or getattr(part, "obj", None) is large for part in parts)


def test_small_batches_are_one_part(bench: Bench) -> None:
    """A system call takes no more than 1024 of them."""
    for _ in range(5000):
        bench.batch(b"a", b"b")
    parts, _ = bench.outbox.take()
    assert len(parts) < 10


def test_the_writer_is_told_once(bench: Bench) -> None:
    """Until it was told that there is no more."""
    assert bench.batch(b"1")
    assert not bench.batch(b"2")
    assert not bench.message(b"log")
    assert bench.take() == (b"12", True)
    assert not bench.batch(b"3")
    assert bench.take() == (b"log", True)
    assert bench.take() == (b"3", False)
    assert bench.batch(b"4")


def test_nothing_to_take(bench: Bench) -> None:
    """What was offered was dropped meanwhile."""
    bench.batch(b"1")
    assert bench.drop() == 1
    assert bench.take() == (None, False)
    bench.outbox.sent()
    assert bench.batch(b"2")


def test_dropping(bench: Bench) -> None:
    """Messages stay, and what is on its way is on its way."""
    bench.batch(b"a" * 10)
    assert bench.take() == (b"a" * 10, False)
    bench.batch(b"b" * 10)
    bench.message(b"log")
    bench.batch(b"c" * 10)
    assert bench.outbox.bytes == 33
    assert bench.drop() == 2
    assert bench.outbox.bytes == 13
    bench.message(b"end")
    bench.outbox.sent()
    assert bench.take_all() == [b"log", b"end"]
    assert bench.outbox.bytes == 0


# -- room --------------------------------------------------------------------------------------------------------


def test_it_counts_what_is_written_only_when_it_is(bench: Bench) -> None:
    bench.batch(b"a" * 10)
    bench.batch(b"b" * 10)
    bench.take()
    assert bench.outbox.bytes == 20
    bench.outbox.sent()
    assert bench.outbox.bytes == 0


def test_room_comes_back_when_half_is_written(bench: Bench) -> None:
    """So that a turn is not begun for every frame that leaves."""
    size = MAX_OUTBOX_BYTES // 4
    for number in range(4):
        assert bench.outbox.has_room, number
        bench.batch(bytes(size))
    assert not bench.outbox.has_room
    bench.rooms = 0
    seen = []
    for _ in range(4):
        bench.take()
        bench.outbox.sent()
        seen.append((bench.outbox.has_room, bench.rooms > 0))
    assert seen == [(False, False), (True, True), (True, True), (True, True)]


def test_dropping_gives_room(bench: Bench) -> None:
    bench.batch(bytes(MAX_OUTBOX_BYTES))
    assert not bench.outbox.has_room
    bench.drop()
    assert bench.outbox.has_room
    assert bench.rooms > 0


def test_the_stream_hears_when_all_is_written(bench: Bench) -> None:
    """A checkpoint waits for it."""
    bench.batch(b"1")
    bench.message(b"2")
    bench.take_all()
    assert bench.rooms > 0


def test_a_frame_is_taken_before_the_one_ahead_is_reported(bench: Bench) -> None:
    """Another thread wrote meanwhile: all is counted, once."""
    bench.batch(b"a" * 100)
    bench.take()
    bench.batch(b"b" * 10)
    bench.batch(b"c" * 20)
    bench.take()
    assert bench.outbox.bytes == 130
    bench.rooms = 0
    bench.outbox.sent()
    bench.outbox.sent()
    assert bench.outbox.bytes == 0
    assert bench.rooms > 0
