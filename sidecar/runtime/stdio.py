"""The claim of standard input and output, at descriptor level and before anything could print.

Afterwards the wire is on two private descriptors. Descriptor 0 is the null device and descriptor 1 is standard
error: a `print`, a C library's banner or a child process can neither read the wire nor write to it.
"""

from __future__ import annotations

import os
import sys

from . import platform


class Wire:
    """The two private descriptors that frames travel on."""

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self.input_fd = input_fd
        self.output_fd = output_fd


class NoWire(Exception):
    """Standard input or output is closed or is a terminal; the message says what to do."""


def claim() -> Wire:
    """Take the wire. Raises `NoWire`, having changed nothing."""
    for fd, name in ((0, "standard input"), (1, "standard output")):
        if not _is_open(fd):
            raise NoWire(f"{name} is closed: start the sidecar with pipes for both")
        if os.isatty(fd):
            raise NoWire(f"{name} is a terminal")
    _ensure_stderr()
    fds = platform.duplicate(0), platform.duplicate(1)
    null = os.open(os.devnull, os.O_RDONLY)
    platform.redirect(null, 0)
    os.close(null)
    platform.redirect(2, 1)
    sys.stdout = sys.stderr
    for fd in fds:
        platform.make_blocking(fd)
        platform.grow_buffer(fd)
    platform.give_up_in_forks(fds)
    return Wire(*fds)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _ensure_stderr() -> None:
    """With descriptor 2 closed, the copy of the output would become 2, and standard error would be the wire."""
    if not _is_open(2):
        os.open(os.devnull, os.O_WRONLY)  # becomes 2: the lowest that is free, as 0 and 1 are open
        os.set_inheritable(2, True)  # or a child's first file would be its standard error
    if sys.stderr is None:
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
