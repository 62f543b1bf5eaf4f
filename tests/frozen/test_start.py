"""How a frozen executable starts: hello first, itself alone, and no Python for anybody who asks it for one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.client import Host
from tests.peers.all_work import do_everything
from tests.peers.system_calls import strace, system_calls

from .conftest import Bundle

TIMEOUT_S = 60
HEAVY = re.compile(r"arrow|parquet|polars|msgspec")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@needs_strace
def test_hello_before_anything_heavy_is_opened(bundle: Bundle, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with Host.spawn([*strace(trace, "openat,open,write,writev"), *bundle.command]) as host:
        host.ping()
        assert host.close() == 0
    calls = list(system_calls(trace))
    (hello,) = [number for number, call in enumerate(calls) if re.match(r'writev?\(.*\{\\"jsonrpc', call)][:1]
    within = f'"{bundle.folder}/'
    opened = [call.partition(within)[2].partition('"')[0] for call in calls[:hello] if within in call]
    assert any(name.startswith("_internal/libpython") for name in opened), "the trace is not whole"
    assert [name for name in opened if HEAVY.search(name.removeprefix(bundle.executable.name))] == []
    assert any(HEAVY.search(call) for call in calls[hello:])


@needs_strace
def test_one_process_under_all_work(bundle: Bundle, files: dict[str, Path], tmp_path: Path) -> None:
    """It starts itself over at most once, under the id that it has, and no other program nor a child."""
    trace = tmp_path / "trace"
    with Host.spawn([*strace(trace, "%process"), *bundle.command]) as host:
        do_everything(host, files)
        assert host.close() == 0
    calls = [call for call in system_calls(trace) if re.match(r"execve|execveat|v?fork|clone", call)]
    starts = [call for call in calls if "CLONE_THREAD" not in call]
    assert len(starts) in (1, 2)
    assert all(call.startswith(f'execve("{bundle.executable}"') for call in starts)
    assert len(calls) > len(starts), "it has threads, and the trace is to show them"


ASKED_FOR_PYTHON = {
    "multiprocessing": ["--multiprocessing-fork", "parent_pid=1", "pipe_handle=3"],
    "multiprocessing's tracker": ["-B", "-S", "-I", "-c", "from multiprocessing.resource_tracker import main;main(5)"],
    "code": ["-c", "print(1)"],
    "a module": ["-m", "http.server"],
    "a module and code": ["-m", "pip", "-c", "print(1)"],
    "isolated": ["-E"],
    "no site": ["-S", "-c", "print(1)"],
    "no bytecode": ["-B"],
    "verbose": ["-v"],
    "an option of its own": ["-X", "importtime", "-c", "print(1)"],
    "standard input": ["-"],
    "a program": ["print.py"],
    "the interpreter's version": ["-V"],
}


@pytest.mark.parametrize("arguments", ASKED_FOR_PYTHON.values(), ids=ASKED_FOR_PYTHON)
def test_it_is_no_interpreter(bundle: Bundle, tmp_path: Path, arguments: list[str]) -> None:
    """Libraries that start `sys.executable` to have a child would otherwise start sidecars without end."""
    (tmp_path / "print.py").write_text("print(1)\n", encoding="utf-8")
    done = run(bundle, *arguments, input="print(1)\n", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"usage: {bundle.executable.name} ")


def test_alone_it_prints_help_though_nobody_closes_its_input(bundle: Bundle) -> None:
    with subprocess.Popen(bundle.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.wait(TIMEOUT_S) == 0
        assert process.stdout is not None
        assert process.stdout.read().startswith("usage: ")


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_a_closed_descriptor_is_what_it_is_from_source(bundle: Bundle, closed: str) -> None:
    """Exit code, standard output and standard error are; but for a hello, which goes to an open output alone."""
    frozen, source = [
        subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *command, "serve"],
            input=b"",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        for command in (bundle.command, [sys.executable, "-B", "-P", "-m", "sidecar"])
    ]
    assert (frozen.returncode, frozen.stderr) == (source.returncode, source.stderr)
    assert frozen.returncode == (0 if closed == "2>&-" else 64)
    assert b"jsonrpc" not in frozen.stderr
    assert (b"jsonrpc" in frozen.stdout) is (b"jsonrpc" in source.stdout) is (closed == "2>&-")


def run(bundle: Bundle, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The executable, run to its end."""
    settings = {"capture_output": True, "text": True, "timeout": TIMEOUT_S, "check": False, **options}
    return subprocess.run([*bundle.command, *arguments], **settings)
