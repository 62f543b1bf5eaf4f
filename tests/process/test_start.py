"""What a start leaves: garbage of services is collected, memory goes back, the host that started it is watched."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pytest

from tests.peers.raw import DEADLINE_S, RawHost, wait_readable

# -- a program with services of its own --------------------------------------------------------------------------

PROGRAM = """
import gc, os, sys, weakref
from typing import Protocol

import pyarrow as pa

from sidecar import Sidecar


class Cycle:
    def __init__(self):
        self.itself = self


def leave_garbage():
    # In the oldest generation, which is not looked through until much more has come to it.
    global reference
    cycle = Cycle()
    reference = weakref.ref(cycle)
    gc.collect()


class Looks(Protocol):
    def keeps_garbage(self) -> bool: ...
    def pool(self) -> str: ...
    def spilling(self) -> str: ...


class Eyes:
    def keeps_garbage(self) -> bool:
        gc.collect()
        return reference() is not None

    def pool(self) -> str:
        return pa.default_memory_pool().backend_name

    def spilling(self) -> str:
        return spilling


def make():
    global spilling
    leave_garbage()
    spilling = os.environ.get("POLARS_OOC_DISK_BUDGET_MB", "as Polars likes")
    return Sidecar().mount(Looks, Eyes())


if sys.argv[1] == "mounted":
    make().run(["serve"])
else:
    Sidecar().run(["serve", "--service", "__main__:make"])
"""

WAYS = pytest.mark.parametrize("way", ["mounted", "service"])


def told(way: str, method: str, **variables: str) -> object:
    """What the service tells, in an environment with these variables."""
    left_out = ("ARROW_", "POLARS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    with RawHost.spawn([sys.executable, "-P", "-c", PROGRAM, way], env={**inherited, **variables}) as host:
        host.hello()
        return host.call(1, "services/call", {"method": f"Looks.{method}"})["result"]["value"]


@WAYS
def test_garbage_of_a_service_is_not_kept(way: str) -> None:
    assert told(way, "keeps_garbage") is False


@WAYS
def test_arrows_memory_goes_back_where_a_service_has_imported_it_first(way: str) -> None:
    assert told(way, "pool") == ("system" if sys.platform == "linux" else pa.default_memory_pool().backend_name)


@WAYS
def test_the_pool_that_the_host_wants_stays(way: str) -> None:
    assert told(way, "pool", ARROW_DEFAULT_MEMORY_POOL="mimalloc") == "mimalloc"


def test_polars_is_told_not_to_spill_before_a_service_is_imported() -> None:
    assert told("service", "spilling") == "0"


# -- the host dies during the start ------------------------------------------------------------------------------

LOSES_ITS_HOST = """
import os, signal
from sidecar import serving, start

greet = serving._greet

def greet_and_lose(*given):
    greet(*given)
    host = os.getppid()
    os.kill(host, signal.SIGKILL)
    while os.getppid() == host:
        pass

serving._greet = greet_and_lose
start.main(["serve"])
"""

HOST = "import subprocess, sys; subprocess.call([sys.executable, '-P', '-c', sys.argv[1]])"


def test_a_host_that_dies_right_after_the_hello_is_missed() -> None:
    """The input does not end, as a third process holds the pipe: this one."""
    command = [sys.executable, "-P", "-c", HOST, LOSES_ITS_HOST]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        assert b'"method":"hello"' in os.read(host.stdout.fileno(), 65536)
        assert wait_readable(host.stdout.fileno(), DEADLINE_S)
        assert os.read(host.stdout.fileno(), 1) == b"", "the sidecar is there"
