"""What is imported after hello: that it is, that it is not with `--no-warm`, and that it is in nobody's way."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from sidecar.client import Host
from sidecar.phases import PHASES, SERVING, WARMED
from sidecar.testing import SpawnHost
from tests.peers.raw import DEADLINE_S, RawHost

from .conftest import SpawnRaw

TABLE = pa.table({"n": [3, 1, 2]})


def passed(host: Host) -> list[str]:
    return [phase.phase for phase in host.stats().startup]


def wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < ends_at


def wait_until_warm(host: Host) -> None:
    wait_until(lambda: WARMED in passed(host))


def maps(host: Host) -> str:
    """The files that the process has mapped: its native libraries among them."""
    with open(f"/proc/{host.process.pid}/maps", encoding="utf-8") as file:
        return file.read()


def test_libraries_are_imported_without_a_request_that_needs_them(host: Host) -> None:
    wait_until_warm(host)
    assert passed(host) == list(PHASES)
    assert "_polars_runtime" in maps(host)
    assert "libparquet" in maps(host)


def test_a_host_that_never_uses_them_can_do_without(spawn_host: SpawnHost) -> None:
    host = spawn_host("--no-warm")
    host.load(arrow=TABLE)
    assert passed(host) == list(PHASES[: PHASES.index(SERVING) + 1])
    assert "_polars_runtime" not in maps(host)
    host.tables.sql("SELECT 1 AS one")
    assert "_polars_runtime" in maps(host)


def test_requests_that_need_the_same_import_wait_for_it(host: Host) -> None:
    """Several at once, while it is on its way: every one is answered."""
    session = host.load(arrow=TABLE).session
    calls = [host.request("tables/sql", {"query": f'SELECT sum(n) + {k} AS s FROM "{session}"'}) for k in range(8)]
    sorts: Any = [{"column": "n"}]
    calls += [host.request("tables/rows", {"session": session, "start": 0, "stop": 3, "sort": sorts})]
    assert host.ping("meanwhile") == "meanwhile"
    for call in calls:
        call.result(DEADLINE_S)


def test_memory_that_warming_takes_is_no_sessions(spawn_host: SpawnHost) -> None:
    """A limit below what the libraries take refuses no table that fits it."""
    host = spawn_host("--memory-limit", "1M")
    wait_until_warm(host)
    assert host.load(arrow=TABLE).rows == 3
    assert host.stats().session_bytes < 1024**2


ENDS = {
    "end of input": RawHost.close_input,
    "terminate": lambda host: host.process.send_signal(signal.SIGTERM),
    "shutdown": lambda host: host.request(1, "shutdown"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("round", range(3))
def test_the_process_ends_at_once_while_it_warms(spawn_raw: SpawnRaw, end: Any, round: int) -> None:
    host = spawn_raw()
    host.hello()
    host.call(0, "ping", {})
    end(host)
    host.rest()
    assert host.exit_code() == 0


BROKEN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "polars":
            raise ImportError("a library of Polars is damaged")
sys.meta_path.insert(0, Refuse())
from sidecar.start import main
main()
"""


def test_what_cannot_be_imported_is_told_to_the_request_that_needs_it() -> None:
    """The sidecar serves all else."""
    with RawHost.spawn([sys.executable, "-P", "-c", BROKEN]) as host:
        host.hello()
        answer = host.call(1, "tables/sql", {"query": "SELECT 1 AS one"})
        assert answer["error"]["data"]["kind"] == "internal_error"
        assert "a library of Polars is damaged" in answer["error"]["message"]
        assert host.call(2, "ping", {"data": 1})["result"] == {"data": 1}
        wait_until(lambda: WARMED in str(host.call(3, "stats")))
        host.close_input()
        assert host.exit_code() == 0
        assert "Polars could not be imported ahead of its use" in host.stderr()
