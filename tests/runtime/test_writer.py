"""The writer against real pipes: every byte in order, a bound that holds, a reserve, and the end of the reader."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator
from threading import Event, Semaphore, Thread, current_thread
from typing import Any

import pytest

from sidecar.runtime import platform
from sidecar.runtime.writer import NO_BOUND, Writer

DEADLINE_S = 20.0
PIPE_BYTES = 4096


class Bench:
    """A pipe that takes 4 KiB, a writer on it, and how often the writer said that it broke."""

    def __init__(self, max_queued_bytes: int = 100_000) -> None:
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.broke = Semaphore(0)
        self.writer = Writer(self.write_fd, max_queued_bytes, self.broke.release)

    def read(self, size: int) -> bytes:
        """So many bytes, as they come."""
        data = b""
        while len(data) < size:
            more = os.read(self.read_fd, size - len(data))
            assert more
            data += more
        return data

    def hang_up(self) -> None:
        """Close the reading end."""
        os.close(self.read_fd)
        self.read_fd = -1

    def put_aside(self, *arguments: Any) -> tuple[Event, Event]:
        """`put` on a thread; events say that it is about to, and that it has returned."""
        begun, done = Event(), Event()

        def run() -> None:
            begun.set()
            self.writer.put(*arguments)
            done.set()

        Thread(target=run, daemon=True).start()
        assert begun.wait(DEADLINE_S)
        return begun, done


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """Makes benches; their writers see the end of their pipes after the test."""
    made: list[Bench] = []

    def make(*arguments: int) -> Bench:
        made.append(Bench(*arguments))
        return made[-1]

    yield make
    for one in made:
        if one.read_fd >= 0:
            one.hang_up()


Make = Callable[..., Bench]


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes that differ from their neighbours."""
    return bytes((seed + i * 7 + i // 256) % 256 for i in range(size))


FRAMES = {
    "small": [[b"x" * 64]],
    "as large as the pipe": [[pattern(PIPE_BYTES)]],
    "one byte more": [[pattern(PIPE_BYTES + 1)]],
    "larger than the pipe": [[pattern(50_000)]],
    "in parts": [[pattern(64), pattern(10_000, 1), pattern(3, 2), pattern(61, 3)]],
    "2000 parts": [[pattern(100, seed) for seed in range(2000)]],
    "2000 small parts, once all at once": [[b"a"] * 2000],
    "many": [[pattern(size, size)] for size in range(1, 2000, 7)],
    "views": [[memoryview(pattern(20_000))[100:200], bytearray(b"tail")]],
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
def test_every_byte_in_order(bench: Make, frames: list[list[Any]]) -> None:
    one = bench(10_000_000)
    for parts in frames:
        one.writer.put(parts)
    expected = b"".join(bytes(part) for parts in frames for part in parts)
    assert one.read(len(expected)) == expected
    assert one.writer.flush(DEADLINE_S)


def test_frames_of_many_threads_are_not_mixed(bench: Make) -> None:
    one = bench(20_000)
    events = [one.put_aside([bytes([number]) * 3000, bytes([number]) * 333])[1] for number in range(40)]
    data = one.read(40 * 3333)
    frames = [data[at : at + 3333] for at in range(0, len(data), 3333)]
    assert sorted(frames) == [bytes([number]) * 3333 for number in range(40)]
    assert all(event.wait(DEADLINE_S) for event in events)


def test_put_waits_for_room(bench: Make) -> None:
    one = bench(20_000)
    one.writer.put([pattern(20_000)])
    assert not one.writer.has_room()
    _, done = one.put_aside([b"late"])
    assert not one.writer.flush(0)
    assert not done.is_set()
    assert one.read(20_000) == pattern(20_000)
    assert done.wait(DEADLINE_S)
    assert one.read(4) == b"late"
    assert one.writer.flush(DEADLINE_S)
    assert one.writer.has_room()


def test_a_frame_beyond_the_bound_goes_when_nothing_is_queued(bench: Make) -> None:
    one = bench(1000)
    one.writer.put([pattern(30_000)])
    assert one.read(30_000) == pattern(30_000)


@pytest.mark.parametrize(("reserve_bytes", "size"), [(1000, 1000), (NO_BOUND, 50_000)])
def test_the_reserve(bench: Make, reserve_bytes: int, size: int) -> None:
    """A frame that may use it does not wait; after it one that may not still does."""
    one = bench(20_000)
    one.writer.put([pattern(20_000)])
    one.writer.put([pattern(size)], reserve_bytes)
    _, done = one.put_aside([b"x"])
    _, beyond = one.put_aside([b"y"], 1000)
    assert one.read(5000) == pattern(20_000)[:5000]
    assert not done.is_set()
    assert not beyond.is_set()
    one.read(15_000 + size + 2)
    assert done.wait(DEADLINE_S)
    assert beyond.wait(DEADLINE_S)


def test_lifting_the_reserve_lets_go_who_waits_for_it(bench: Make) -> None:
    one = bench(20_000)
    one.writer.put([pattern(20_000)])
    one.writer.put([pattern(1000)], 1000)
    _, reader = one.put_aside([b"r"], 1000)
    _, handler = one.put_aside([b"h"])
    one.writer.lift_reserve()
    assert reader.wait(DEADLINE_S)
    assert not handler.is_set()
    one.read(21_002)
    assert handler.wait(DEADLINE_S)


@pytest.mark.parametrize("size", [10, 50_000], ids=["written at once", "written by the thread"])
def test_a_reader_that_hung_up(bench: Make, size: int) -> None:
    one = bench()
    one.hang_up()
    one.writer.put([bytes(size)])
    assert one.broke.acquire(timeout=DEADLINE_S)
    assert not one.writer.put([b"x" * 50_000])
    assert not one.writer.flush(DEADLINE_S)


def test_a_reader_that_hangs_up_frees_who_waits(bench: Make) -> None:
    one = bench(20_000)
    one.writer.put([pattern(20_000)])
    waiting = [one.put_aside([b"x"])[1] for _ in range(3)]
    one.hang_up()
    assert all(event.wait(DEADLINE_S) for event in waiting)
    assert one.broke.acquire(timeout=DEADLINE_S)


def test_the_kernel_takes_what_it_likes(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write may be short anywhere: inside a part, at its end, after several."""
    takes = iter([1, 63, 64, 65, 1, 1000, 7] * 100)

    def write_a_little(fd: int, buffers: Any) -> int:
        data = b"".join(bytes(buffer) for buffer in buffers)
        return os.write(fd, data[: next(takes)])

    one = bench()
    monkeypatch.setattr(platform, "write_some", write_a_little)
    parts = [pattern(64), pattern(5000, 1), pattern(64, 2), pattern(1, 3)]
    for _ in range(2):
        one.writer.put(parts)
    assert one.read(2 * 5129) == b"".join(parts) * 2


def test_what_was_written_is_forgotten(bench: Make) -> None:
    """The buffers of an answer are a table's; the writer must not keep them until the next one."""
    one = bench()
    data = bytearray(50_000)
    one.writer.put([data])
    one.read(50_000)
    assert one.writer.flush(DEADLINE_S)
    data.append(0)  # raises BufferError while a view of it is held


# -- sources -----------------------------------------------------------------------------------------------------


class Frames:
    """A source with these frames; notes on which threads it is asked, and how many of its frames are written."""

    def __init__(self, *frames: bytes) -> None:
        self.left = deque(frames)
        self.asked: list[str] = []
        self.written = Semaphore(0)

    def take(self) -> tuple[list[Any], bool]:
        self.asked.append(current_thread().name)
        return [self.left.popleft()] if self.left else [], bool(self.left)

    def sent(self) -> None:
        self.written.release()

    def wait(self, count: int) -> None:
        """Wait until so many more are written."""
        for _ in range(count):
            assert self.written.acquire(timeout=DEADLINE_S)

    def is_written(self) -> bool:
        """Whether one more is, by now."""
        return self.written.acquire(blocking=False)


def test_a_source_is_asked_until_it_has_no_more(bench: Make) -> None:
    one, source = bench(), Frames(*[pattern(size, size) for size in range(1, 3000, 300)])
    expected = b"".join(source.left)
    one.writer.offer(source, False)
    assert one.read(len(expected)) == expected
    source.wait(10)
    assert set(source.asked) == {"writer"}
    assert one.writer.flush(DEADLINE_S)


def test_sources_and_what_is_put_take_turns(bench: Make) -> None:
    """Frame by frame, in order of arrival; a source that has more goes behind what came meanwhile."""
    one, many, few = bench(), Frames(*[b"M%d" % number for number in range(5)]), Frames(b"F0", b"F1")
    one.writer.put([pattern(20_000)])
    one.writer.offer(many, False)
    one.writer.put([b"P0"])
    one.writer.offer(few, True)
    one.writer.put([b"P1"])
    assert one.read(20_000) == pattern(20_000)
    assert one.read(18) == b"M0P0F0P1M1F1M2M3M4"
    assert one.writer.flush(DEADLINE_S)


def test_none_of_many_sources_is_held_up(bench: Make) -> None:
    one = bench()
    sources = [Frames(*[bytes([number]) * 100 for _ in range(100)]) for number in range(64)]
    one.writer.put([pattern(20_000)])
    for source in sources:
        one.writer.offer(source, False)
    assert one.read(20_000) == pattern(20_000)
    data = one.read(64 * 100 * 100)
    turns = [data[at : at + 6400 : 100] for at in range(0, len(data), 6400)]
    assert turns == [bytes(range(64))] * 100


def test_at_once_is_on_the_thread_of_the_caller(bench: Make) -> None:
    one, source = bench(), Frames(b"now")
    one.writer.offer(source, True)
    assert source.is_written()
    assert source.asked == [current_thread().name]
    assert one.read(3) == b"now"


def test_at_once_is_the_first_frame_alone(bench: Make) -> None:
    one, source = bench(), Frames(b"now", b"later")
    one.writer.offer(source, True)
    assert one.read(8) == b"nowlater"
    source.wait(2)
    assert source.asked == [current_thread().name, "writer"]


@pytest.mark.parametrize("before", ["put", "offered"])
def test_not_at_once_where_something_waits(bench: Make, before: str) -> None:
    """What was there before comes before, and the caller does not wait for it."""
    one, source = bench(), Frames(b"now")
    if before == "put":
        one.writer.put([pattern(20_000)])
    else:
        one.writer.offer(Frames(pattern(20_000)), False)
    one.writer.offer(source, True)
    assert not source.asked
    assert one.read(20_003) == pattern(20_000) + b"now"
    source.wait(1)


def test_not_at_once_where_the_pipe_has_no_room(bench: Make) -> None:
    """The caller does not wait; it is written when it is read."""
    one, source = bench(), Frames(pattern(20_000))
    one.writer.offer(source, True)
    assert one.read(1000) == pattern(20_000)[:1000]
    assert not source.is_written()
    assert one.read(19_000) == pattern(20_000)[1000:]
    source.wait(1)


def test_a_source_that_has_nothing_after_all(bench: Make) -> None:
    one, source = bench(), Frames()
    one.writer.offer(source, True)
    one.writer.offer(source, False)
    one.writer.put([b"next"])
    assert one.read(4) == b"next"
    source.wait(2)
    assert len(source.asked) == 2
    assert one.writer.flush(DEADLINE_S)


def test_flush_waits_for_sources(bench: Make) -> None:
    one, source = bench(), Frames(pattern(20_000), b"last")
    one.writer.offer(source, False)
    assert not one.writer.flush(0)
    one.read(20_004)
    assert one.writer.flush(DEADLINE_S)


def test_sources_of_a_reader_that_hangs_up(bench: Make) -> None:
    """They are forgotten, and those that come later are not asked."""
    one, waiting, late = bench(), Frames(b"x"), Frames(b"x")
    one.writer.put([pattern(20_000)])
    one.writer.offer(waiting, False)
    one.hang_up()
    assert one.broke.acquire(timeout=DEADLINE_S)
    for at_once in (False, True):
        one.writer.offer(late, at_once)
    assert not waiting.asked
    assert not late.asked
    assert not one.writer.flush(DEADLINE_S)


def test_nothing_is_written_after_close(bench: Make) -> None:
    one, source = bench(), Frames(b"x")
    one.writer.put([b"before"])
    one.writer.close()
    one.writer.offer(source, True)
    assert not one.writer.put([b"after"])
    assert not source.asked
    os.close(one.write_fd)
    assert one.read(6) == b"before"
    assert os.read(one.read_fd, 1) == b""
    assert not one.broke.acquire(blocking=False)
