"""Every request is answered exactly once; a busy sidecar still answers; one handler's failure is nobody else's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import Host
from sidecar.version import PROTOCOL_VERSION
from tests.peers import odd_handlers
from tests.peers.odd_handlers import RAISED, RESULTS
from tests.peers.raw import DEADLINE_S, RawHost, blob, cancel, kind, memory_peak_bytes, request, wait_readable

from .conftest import ROOT, SpawnRaw

MIB = 1024**2


# -- many --------------------------------------------------------------------------------------------------------


def test_1000_requests_at_once(host: Host) -> None:
    calls = [host.request("ping", {"data": number}) for number in range(1000)]
    assert [call.result(DEADLINE_S)["data"] for call in calls] == list(range(1000))


def test_1000_requests_one_after_the_other(host: Host) -> None:
    assert [host.ping(number, DEADLINE_S) for number in range(1000)] == list(range(1000))


def test_1000_requests_of_every_sort_are_answered_once_each(odd: RawHost) -> None:
    """Cheap ones, slow ones, bad ones, some cancelled, in one go."""
    sorts = [
        ("ping", {}),
        ("odd/note", {"text": "x"}),
        ("odd/note", {"text": "x", "session": "s"}),
        ("odd/fail", {"name": "value"}),
        ("tables/rows", {"session": "none"}),
        ("no such method", {}),
        ("ping", {"data": blob(70_000)}),
        ("ping", {"unknown": 1}),
    ]
    sent = b"".join(request(id, *sorts[id % len(sorts)]) + (cancel(id) if id % 3 == 0 else b"") for id in range(1000))
    odd.send(sent)
    assert sorted(odd.answer()["id"] for _ in range(1000)) == list(range(1000))
    odd.close_input()
    assert odd.rest() == []


def tell(odd: RawHost, *ids: int | str) -> list[Any]:
    """Let the handlers go on that wait for "a"; returns the next answers, of these ids, in the order of `ids`."""
    odd.request("tell", "odd/tell", {"name": "a"})
    answers = odd.answers("tell", *ids)
    return [answers[id] for id in ids]


# -- a busy sidecar answers --------------------------------------------------------------------------------------


def test_ping_and_cancel_in_the_middle_of_a_load(odd: RawHost, small_csv: Path) -> None:
    odd.request("load", "odd/load", {"path": str(small_csv), "session": "s"})
    odd.call("started", "odd/started", {"name": "load"})
    assert odd.call("ping", "ping")["result"] == {"data": None}
    assert odd.call("list", "sessions/list")["result"]["sessions"] == []
    odd.send(cancel("load"))
    assert kind(odd.answer("load")) == "cancelled"
    assert kind(odd.call("rows", "tables/rows", {"session": "s"})) == "unknown_session"


def test_a_cancelled_load_leaves_the_old_session(odd: RawHost, tmp_path: Path, small_csv: Path) -> None:
    old = tmp_path / "old.csv"
    old.write_text("n\n1\n2\n", encoding="utf-8")
    odd.call("old", "load", {"path": str(old), "session": "s"})
    odd.request("load", "odd/load", {"path": str(small_csv), "session": "s"})
    odd.call("started", "odd/started", {"name": "load"})
    odd.send(cancel("load"))
    assert kind(odd.answer("load")) == "cancelled"
    page = odd.call("rows", "tables/rows", {"session": "s", "format": "json"})
    assert page["result"]["rows"] == [{"n": 1}, {"n": 2}]


def test_a_load_that_is_held_and_let_go_is_there(odd: RawHost, small_csv: Path) -> None:
    """What the two tests above cancel would have succeeded."""
    odd.request("load", "odd/load", {"path": str(small_csv), "session": "s"})
    odd.call("started", "odd/started", {"name": "load"})
    odd.request("tell", "odd/tell", {"name": "load"})
    assert odd.answers("tell", "load")["load"]["result"]["rows"] == 3


def test_ping_while_a_file_is_read(raw: RawHost, large_csv: Path) -> None:
    """Native code takes every core that it gets."""
    raw.request("load", "load", {"path": str(large_csv)})
    raw.request("ping", "ping", {"data": 1})
    assert raw.answers("load", "ping")["ping"]["result"] == {"data": 1}


def test_ping_while_handlers_hog_the_interpreter(odd: RawHost) -> None:
    for id in range(4):
        odd.request(id, "odd/spin")
    assert odd.call("ping", "ping")["result"] == {"data": None}


def test_requests_of_one_session_run_in_order(odd: RawHost) -> None:
    odd.request("first", "odd/wait", {"name": "a", "session": "s"})
    for number in range(50):
        handler = "note_on_the_reader" if number % 3 == 0 else "note"
        odd.request(number, f"odd/{handler}", {"text": str(number), "session": "s"})
    odd.request("tell", "odd/tell", {"name": "a"})
    order = [odd.answer()["id"] for _ in range(52)]
    order.remove("tell")
    assert order == ["first", *range(50)]
    assert odd.call("note", "odd/note", {"text": "-"})["result"] == [*map(str, range(50)), "-"]


def filtered(**more: Any) -> dict[str, Any]:
    """A page whose rows must be found first."""
    filter = [{"column": "id", "op": "gt", "value": 1}]
    return {"session": "s", "filter": filter, "format": "json", "columns": ["id"], **more}


def test_a_page_is_served_while_a_filter_of_its_session_works(odd: RawHost, small_csv: Path) -> None:
    odd.call("load", "load", {"path": str(small_csv), "session": "s"})
    odd.request("filtered", "odd/rows", filtered())
    odd.call("started", "odd/started", {"name": "rows"})
    page = odd.call("page", "tables/rows", {"session": "s", "stop": 1, "columns": ["id"], "format": "json"})
    assert page["result"]["rows"] == [{"id": 1}]
    other = odd.call("other", "tables/rows", filtered(search={"text": "b"}))
    assert other["result"]["rows"] == [{"id": 2}]
    odd.request("same", "tables/rows", filtered(start=1))
    odd.request("tell", "odd/tell", {"name": "rows"})
    answers = odd.answers("tell", "filtered", "same")
    assert answers["filtered"]["result"]["rows"] == [{"id": 2}, {"id": 3}]
    assert answers["same"]["result"]["rows"] == [{"id": 3}]


def test_who_waits_for_a_filter_that_is_cancelled_gets_its_rows(odd: RawHost, small_csv: Path) -> None:
    odd.call("load", "load", {"path": str(small_csv), "session": "s"})
    odd.request("filtered", "odd/rows", filtered())
    odd.call("started", "odd/started", {"name": "rows"})
    odd.request("same", "tables/rows", filtered())
    odd.send(cancel("filtered"))
    answers = odd.answers("filtered", "same")
    assert kind(answers["filtered"]) == "cancelled"
    assert answers["same"]["result"]["rows"] == [{"id": 2}, {"id": 3}]


def test_a_load_over_a_session_whose_filter_works_does_not_wait(odd: RawHost, small_csv: Path, tmp_path: Path) -> None:
    """The page is of the table that it began with."""
    other = tmp_path / "other.csv"
    other.write_text("id\n7\n", encoding="utf-8")
    odd.call("load", "load", {"path": str(small_csv), "session": "s"})
    odd.request("filtered", "odd/rows", filtered())
    odd.call("started", "odd/started", {"name": "rows"})
    assert odd.call("again", "load", {"path": str(other), "session": "s"})["result"]["rows"] == 1
    assert odd.call("new", "tables/rows", filtered())["result"]["rows"] == [{"id": 7}]
    odd.request("tell", "odd/tell", {"name": "rows"})
    assert odd.answers("tell", "filtered")["filtered"]["result"]["rows"] == [{"id": 2}, {"id": 3}]


def test_other_sessions_do_not_wait(odd: RawHost) -> None:
    odd.request("first", "odd/wait", {"name": "a", "session": "s"})
    odd.request("behind", "odd/note", {"session": "s"})
    for session in ("t", "u"):
        assert "result" in odd.call(session, "odd/note", {"session": session})
    first, behind = tell(odd, "first", "behind")
    assert first["result"] == "a"
    assert "result" in behind


# -- cancel ------------------------------------------------------------------------------------------------------


def test_cancel_of_a_running_call(odd: RawHost) -> None:
    odd.request(1, "odd/wait_and_check", {"name": "a"})
    odd.call(2, "odd/started", {"name": "a"})
    odd.send(cancel(1))
    assert kind(odd.answer(1)) == "cancelled"


def test_cancel_of_a_call_that_does_not_look(odd: RawHost) -> None:
    """It is answered all the same, at once; what the handler still brings is dropped, and the lane is kept."""
    odd.request(1, "odd/wait", {"name": "a", "session": "s"})
    odd.request(2, "odd/note", {"session": "s"})
    odd.call(3, "odd/started", {"name": "a"})
    odd.send(cancel(1))
    assert kind(odd.answer(1)) == "cancelled"
    (queued,) = tell(odd, 2)
    assert "result" in queued
    odd.close_input()
    assert odd.rest() == []


def test_cancel_of_a_queued_call(odd: RawHost) -> None:
    odd.request(1, "odd/wait", {"name": "a", "session": "s"})
    odd.request(2, "odd/note", {"text": "never", "session": "s"})
    odd.send(cancel(2))
    assert kind(odd.answer(2)) == "cancelled"
    tell(odd, 1)
    assert odd.call(4, "odd/note", {"text": "-", "session": "s"})["result"] == ["-"]


def test_cancel_of_a_committed_call_is_too_late(odd: RawHost) -> None:
    odd.request(1, "odd/commit_and_wait", {"name": "a"})
    odd.call(2, "odd/started", {"name": "a"})
    odd.send(cancel(1))
    (committed,) = tell(odd, 1)
    assert committed["result"] == "a"


def test_cancel_of_an_answered_call_and_its_id_again(odd: RawHost) -> None:
    odd.call(1, "ping")
    odd.send(cancel(1) * 3)
    assert "result" in odd.call(1, "odd/note")


def test_cancel_of_another_id_of_the_same_look(odd: RawHost) -> None:
    """1, "1" and true are three things."""
    odd.request(1, "odd/wait", {"name": "a"})
    odd.request("1", "odd/wait", {"name": "b"})
    odd.call(2, "odd/started", {"name": "a"})
    odd.call(3, "odd/started", {"name": "b"})
    odd.send(cancel(True) + cancel("1"))
    assert kind(odd.answer("1")) == "cancelled"
    (number,) = tell(odd, 1)
    assert number["result"] == "a"


# -- failing handlers --------------------------------------------------------------------------------------------

KINDS = {"memory": "memory_limit", "typed": "file_not_found", "typed_surrogate": "internal_error"}


@pytest.fixture(scope="module")
def spoilt(services_command: list[str]) -> Any:
    """One sidecar in which every handler fails."""
    with RawHost.spawn(services_command, *odd_handlers.SERVICE, cwd=ROOT) as host:
        host.hello()
        yield host


@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("handler", ["fail", "fail_on_the_reader"])
def test_a_handler_that_raises(spoilt: RawHost, handler: str, name: str) -> None:
    answer = spoilt.call(1, f"odd/{handler}", {"name": name, "session": "s"})
    assert kind(answer) == KINDS.get(name, "internal_error")
    assert "traceback" not in answer["error"]["data"]
    assert "result" in spoilt.call(2, "odd/note", {"session": "s"})


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_that_cannot_be_sent(spoilt: RawHost, name: str) -> None:
    assert kind(spoilt.call(1, "odd/result", {"name": name, "session": "s"})) == "internal_error"
    assert "result" in spoilt.call(2, "odd/note", {"session": "s"})


def test_a_method_that_fails_before_its_handler_runs(spoilt: RawHost) -> None:
    assert kind(spoilt.call(1, "odd/fail_to_say_cheap")) == "internal_error"
    assert "result" in spoilt.call(2, "ping")


@pytest.mark.parametrize("debug", [False, True])
def test_a_traceback_only_for_who_asked(odd: RawHost, debug: bool) -> None:
    odd.call(1, "initialize", {"protocol_version": PROTOCOL_VERSION, "debug": debug})
    data = odd.call(2, "odd/fail", {"name": "value"})["error"]["data"]
    assert ("traceback" in data) is debug
    assert not debug or "ValueError: culprit" in data["traceback"]
    assert "ValueError: culprit" in odd.stderr()


def test_handlers_that_never_return_leave_the_others_alone(odd: RawHost) -> None:
    for id in range(20):
        odd.request(id, "odd/never", {"session": f"stuck {id}"})
    for id in range(20, 40):
        assert "result" in odd.call(id, "odd/note", {"session": f"free {id}"})


# -- bounds ------------------------------------------------------------------------------------------------------


def test_overloaded(spawn_odd: SpawnRaw) -> None:
    """Payloads beyond what may wait are read past; small and cheap requests go on; nothing of it is for ever."""
    host = spawn_odd("--max-pending", "1M")
    host.hello()
    large = {"name": "a", "data": blob(700_000)}
    host.request(1, "odd/wait", large)
    host.call(2, "odd/started", {"name": "a"})
    refusal = host.call(3, "odd/wait", large)
    assert kind(refusal) == "overloaded"
    assert refusal["error"]["data"]["bytes"] >= 700_000
    assert host.call(4, "ping")["result"] == {"data": None}
    tell(host, 1)
    assert "result" in host.call(6, "odd/wait", large)


def test_overloaded_by_headers(spawn_odd: SpawnRaw) -> None:
    """What waits is memory, in whatever part of the frame it came."""
    host = spawn_odd("--max-pending", "1M")
    host.hello()
    host.request(1, "odd/wait", {"name": "a", "session": "s"})
    for id in range(2, 12):
        host.request(id, "odd/note", {"name": "x" * 200_000, "session": "s"})
    refused = [host.answer() for _ in range(5)]
    assert {kind(answer) for answer in refused} == {"overloaded"}
    host.request("tell", "odd/tell", {"name": "a"})
    served = [host.answer() for _ in range(7)]
    assert {kind(answer) for answer in served} == {None}


def test_one_request_is_taken_however_large(spawn_odd: SpawnRaw) -> None:
    host = spawn_odd("--max-pending", "1k")
    host.hello()
    assert "result" in host.call(1, "ping", {"data": blob(10 * MIB)})


def count_until_quiet(fd: int, quiet_s: float = 0.5) -> int:
    """How many bytes come before none comes for a while. On a machine that is too slow for that, fewer."""
    count = 0
    while wait_readable(fd, quiet_s):
        count += len(os.read(fd, 1000))
    return count


def test_a_host_that_does_not_read_takes_a_bounded_part_of_memory(
    spawn_odd: SpawnRaw, lifeline: tuple[int, int]
) -> None:
    """64 MiB of answers are queued, and 64 threads hold one more each; once the host reads, it gets every answer."""
    host = spawn_odd("--max-pending", "8M", pass_fds=lifeline[1:])
    host.hello()
    before = memory_peak_bytes(host.process.pid)
    for id in range(500):
        host.request(id, "odd/big", {"size": MIB, "fd": lifeline[1]})
    assert count_until_quiet(lifeline[0]) <= 64 + 64 + 3
    assert memory_peak_bytes(host.process.pid) - before < (64 + 64 + 64 + 64) * MIB  # malloc keeps some a thread
    host.send(request("last", "ping"))
    answers = [host.answer() for _ in range(501)]
    assert sorted(str(answer["id"]) for answer in answers) == sorted([*map(str, range(500)), "last"])
    assert {kind(answer) for answer in answers} == {None}


def test_an_answer_over_the_limit_of_the_host(odd: RawHost) -> None:
    limits = {"max_payload_bytes": 1000, "max_header_bytes": 4096}
    assert "result" in odd.call(1, "initialize", {"protocol_version": PROTOCOL_VERSION, "limits": limits})
    assert "result" in odd.call(2, "odd/big", {"size": 1000})
    refusal = odd.call(3, "odd/big", {"size": 1001})
    assert kind(refusal) == "too_large"
    assert refusal["error"]["data"]["payload_bytes"] >= 1001
    assert "result" in odd.call(4, "ping", {"data": "x" * 3900})
    refusal = odd.call(5, "ping", {"data": "x" * 4096})
    assert kind(refusal) == "too_large"
    assert 4096 < refusal["error"]["data"]["header_bytes"] < 4096 + 128
