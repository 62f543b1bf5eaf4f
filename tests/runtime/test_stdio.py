"""The claim: where each descriptor leads afterwards, and what is left alone when there is no wire to claim."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import json, os, sys
from sidecar.runtime import stdio
link = lambda fd: os.readlink(f"/proc/self/fd/{fd}") if os.path.exists(f"/proc/self/fd/{fd}") else None
before = [link(0), link(1)]
wire = stdio.claim()
fds = wire.input_fd, wire.output_fd
facts = {
    "wire": [link(fd) for fd in fds] == before,
    "private": [fd > 2 and not os.get_inheritable(fd) and os.get_blocking(fd) for fd in fds],
    "input": link(0),
    "output is stderr": link(1) == link(2),
    "python": sys.stdout is sys.stderr,
    "inheritable": [os.get_inheritable(fd) for fd in (0, 1, 2)],
}
os.write(wire.output_fd, json.dumps(facts).encode())
print("stray")
"""


def claim(prefix: str = "", **streams: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the script; `prefix` is for the shell that starts it."""
    command = ["sh", "-c", f'exec "$@" {prefix}', "sh", sys.executable, "-c", SCRIPT]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(command, timeout=30, check=False, **streams)


@pytest.mark.parametrize("prefix", ["", "2>&-"], ids=["with standard error", "without"])
def test_the_claim(prefix: str) -> None:
    ran = claim(prefix)
    facts = json.loads(ran.stdout)
    assert facts == {
        "wire": True,
        "private": [True, True],
        "input": "/dev/null",
        "output is stderr": True,
        "python": True,
        "inheritable": [True, True, True],
    }
    assert ran.stderr == (b"" if prefix else b"stray\n")


@pytest.mark.parametrize(
    ("prefix", "words"),
    [("<&-", b"standard input is closed"), (">&-", b"standard output is closed")],
)
def test_no_wire(prefix: str, words: bytes) -> None:
    ran = claim(prefix)
    assert ran.returncode == 1
    assert words in ran.stderr.splitlines()[-1]


def test_nothing_is_changed_where_there_is_no_wire() -> None:
    script = (
        "import os\nfrom sidecar.runtime import stdio\n"
        "try: stdio.claim()\nexcept stdio.NoWire as fault: print(fault)\n"
        "assert not os.path.exists('/proc/self/fd/0')"
    )
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c", script]
    ran = subprocess.run(command, timeout=30, check=True, stdout=subprocess.PIPE)
    assert ran.stdout.startswith(b"standard input is closed")


def test_a_fork_has_no_wire() -> None:
    script = (
        "import os\nfrom sidecar.runtime import stdio\nwire = stdio.claim()\n"
        "pid = os.fork()\n"
        "os.write(wire.output_fd, b'child' if pid == 0 else b'parent')\n"
        "if pid == 0: os._exit(len(os.read(wire.input_fd, 5)))\n"
        "os.write(wire.output_fd, b'%d' % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    ran = subprocess.run([sys.executable, "-c", script], input=b"bytes", stdout=subprocess.PIPE, timeout=30, check=True)
    assert ran.stdout == b"parent0"
