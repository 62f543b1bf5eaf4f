"""What a process asks of the kernel, as strace writes it down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

CALLS = (
    "%network,%process,open,openat,openat2,creat,mkdir,mkdirat,memfd_create,rename,renameat,renameat2,unlink,unlinkat"
)
"""Whatever could leave something outside the process."""

_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|O_TRUNC|O_APPEND")
_NO_THREAD = re.compile(r"\b(fork|vfork|execve|execveat)\(|\bclone3?\((?!.*CLONE_THREAD)")


def strace(trace: Path, calls: str = CALLS) -> list[str]:
    """The command that starts another command and writes its calls to `trace`."""
    return ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", "-e", "signal=none"]


def system_calls(trace: Path) -> Iterator[str]:
    """Each call of a trace as `name(arguments) = result`, without the process's id."""
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        call = re.sub(r"^\[?\S*?\]?\s*(?=\w+\()", "", line)
        if re.match(r"\w+\(", call):
            yield call


def is_trace(call: str) -> bool:
    """Whether a call leaves something outside the process. A socket is one even if it fails."""
    name = call.partition("(")[0]
    if name in ("open", "openat", "openat2"):
        return bool(_WRITES.search(call)) and '"/dev/null"' not in call
    if name in ("exit", "exit_group", "wait4", "waitid", "kill", "tgkill", "tkill", "pidfd_open", "pidfd_send_signal"):
        return False
    return name not in ("clone", "clone3", "fork", "vfork", "execve") or bool(_NO_THREAD.search(call))


def without_its_start(traces: list[str]) -> list[str]:
    """What is left once a process has begun. PyInstaller's bootloader begins by starting its own executable over, in
    the same process, so that the libraries of the bundle are found."""
    first, *rest = traces
    program = _started(first)
    assert program, first
    return rest[1:] if rest and _started(rest[0]) == program else rest


def _started(call: str) -> str | None:
    """The program of an `execve`, links followed."""
    call_of_program = re.match(r'execve\("([^"]*)"', call)
    return call_of_program and os.path.realpath(call_of_program[1])
