"""The Python host against sidecars that misbehave: each fault is typed and says why; nothing hangs."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from sidecar.client import Host, HostFault
from sidecar.client.faults import HandshakeFailed, ProtocolViolation, SidecarGone, SpawnFailed
from tests.client.test_host import PEOPLE

FAKE = Path(__file__).parents[1] / "peers" / "fake_sidecar.py"


def spawn(behaviour: str, hello_timeout_s: float = 30) -> Host:
    """A host of a sidecar that behaves so."""
    return Host.spawn([sys.executable, str(FAKE), behaviour], hello_timeout_s=hello_timeout_s, stop_grace_s=0.2)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("polluted", "something wrote to its standard output before the hello"),
        ("old_protocol", r"the sidecar speaks protocol 0\.9\.0, the host .*: upgrade the sidecar"),
        ("refuses_initialize", "upgrade the host"),
    ],
)
def test_a_bad_greeting(behaviour: str, words: str) -> None:
    with pytest.raises(HandshakeFailed, match=words):
        spawn(behaviour)


def test_no_greeting_within_the_time() -> None:
    with pytest.raises(HandshakeFailed, match=r"no hello within 0\.2 s"):
        spawn("no_hello", hello_timeout_s=0.2)


def test_a_process_that_ends_at_once() -> None:
    with pytest.raises(HandshakeFailed, match="exit code 5") as failed:
        Host.spawn([sys.executable, "-c", "import sys; sys.stderr.write('no such library\\n'); sys.exit(5)"])
    assert failed.value.stderr_tail == "no such library"
    assert failed.value.exit_code == 5


@pytest.mark.parametrize(
    ("behaviour", "fault", "words"),
    [
        ("dies_with_words", SidecarGone, "exit code 3"),
        ("dies_inside_a_frame", ProtocolViolation, "inside a frame's payload|inside a frame's header"),
        ("answers_a_stranger", ProtocolViolation, "999999"),
    ],
)
def test_a_fault_in_the_middle_of_a_call(behaviour: str, fault: type[HostFault], words: str) -> None:
    with spawn(behaviour) as host:
        call = host.request("ping", {})
        with pytest.raises(fault, match=words):
            call.result(30)
        with pytest.raises(fault):
            host.ping()


def test_the_reason_on_standard_error_is_part_of_the_fault() -> None:
    with spawn("dies_with_words") as host, pytest.raises(SidecarGone, match="the disk is on fire"):
        host.ping()


def test_a_flood_on_standard_error_is_drained_and_its_end_kept() -> None:
    with spawn("floods_stderr") as host:
        assert host.ping() == "after the flood"
        assert len(host.stderr_tail().splitlines()) == 256


def test_a_sidecar_that_will_not_go_is_killed() -> None:
    host = spawn("never_answers")
    assert host.close() == -9


@pytest.mark.parametrize("what", ["missing", "a directory", "not executable", "no program"])
def test_what_cannot_be_started(what: str, tmp_path: Path) -> None:
    path = tmp_path / "arrow-sidecar"
    if what == "a directory":
        path.mkdir()
    elif what != "missing":
        path.write_bytes(b"\x00\x01\x02 no program")
        if what == "no program":
            os.chmod(path, stat.S_IRWXU)
    with pytest.raises(SpawnFailed, match="cannot be started"):
        Host.spawn([str(path)])


def test_a_table_is_not_sent_to_a_line_that_is_gone() -> None:
    with spawn("dies_with_words") as host:
        for _ in range(2):
            with pytest.raises(SidecarGone):
                host.load(arrow=PEOPLE)
