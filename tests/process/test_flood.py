"""Both sides flood a gibibyte each: nobody waits for ever, every request is answered once, and memory is bounded."""

from __future__ import annotations

from threading import Thread

from tests.peers.raw import RawHost, blob, kind, memory_peak_bytes, request

from .conftest import SpawnRaw

MIB = 1024**2
COUNT = 1024
PAYLOAD = MIB

CAP_BYTES = 400 * MIB
"""Far below the two gibibytes that pass: 64 MiB of pending requests, 64 MiB of queued answers, one more in the hands
of each of 64 threads, and Python with Arrow."""


def write_all(host: RawHost) -> None:
    """Write every request, as fast as the sidecar takes them."""
    data = {"data": blob(PAYLOAD)}
    for id in range(COUNT):
        host.request(id, "ping", data)


def read_all(host: RawHost) -> dict[int, str | None]:
    """Every answer: the kind of its error, or None, by id."""
    answers: dict[int, str | None] = {}
    while len(answers) < COUNT:
        frame = host.next_frame()
        assert frame is not None
        answer = frame.header
        assert answer["id"] not in answers
        answers[answer["id"]] = kind(answer)
        assert "error" in answer or len(frame.buffers[0]) == PAYLOAD
    return answers


def check_calm(host: RawHost) -> None:
    """The line is free again, memory stayed below the cap, nothing more comes."""
    assert host.call("after", "ping")["result"] == {"data": None}
    assert memory_peak_bytes(host.process.pid) < CAP_BYTES
    host.close_input()
    assert host.rest() == []
    assert host.exit_code() == 0


def test_a_host_that_writes_and_reads_at_once(spawn_raw: SpawnRaw) -> None:
    host = spawn_raw("--max-pending", "64M")
    host.hello()
    writer = Thread(target=write_all, args=(host,), daemon=True)
    writer.start()
    answers = read_all(host)
    writer.join()
    assert set(answers) == set(range(COUNT))
    assert set(answers.values()) <= {None, "overloaded"}
    check_calm(host)


def test_a_host_that_writes_all_before_it_reads(spawn_raw: SpawnRaw) -> None:
    """What cannot be held is refused, so that the host gets to its reading; both gibibytes have to move for that."""
    host = spawn_raw("--max-pending", "64M")
    host.hello()
    write_all(host)
    answers = read_all(host)
    assert set(answers) == set(range(COUNT))
    assert set(answers.values()) == {None, "overloaded"}
    check_calm(host)


def test_a_flood_of_small_requests(spawn_raw: SpawnRaw) -> None:
    host = spawn_raw()
    host.hello()
    count, batch = 100_000, 1000

    def write() -> None:
        for first in range(0, count, batch):
            host.send(b"".join(request(id, "ping") for id in range(first, first + batch)))

    writer = Thread(target=write, daemon=True)
    writer.start()
    seen = {host.answer()["id"] for _ in range(count)}
    writer.join()
    assert len(seen) == count
    check_calm(host)
