"""Runs the commands for people as a person does: in a directory of its own, without a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import environment

SERVICE = ("--service", "tests.peers.service:make_counter")
TIMEOUT_S = 60

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(sidecar_command: list[str], services_command: list[str], tmp_path: Path) -> Shell:
    """A command and its arguments, `--service` of the tests' service added unless `target` says otherwise."""

    def run(*arguments: object, target: tuple[str, ...] = SERVICE, **options: Any) -> subprocess.CompletedProcess[str]:
        program = services_command if "--service" in target else sidecar_command
        command = [*program, *map(str, arguments), *target]
        settings = {"capture_output": True, "text": True, "cwd": tmp_path, "timeout": TIMEOUT_S, "env": environment()}
        if "input" not in options:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run(command, check=False, **{**settings, **options})

    return run


@pytest.fixture
def start(services_command: list[str], tmp_path: Path) -> Any:
    """The same, not waited for, with pipes; killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*services_command, *map(str, arguments), *SERVICE],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            bufsize=1,
            cwd=tmp_path,
            env=environment(),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait(TIMEOUT_S)
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):  # what was not yet written
                stream.close()


class Shown(NamedTuple):
    """What a command left on a terminal, its exit code, and what it wrote to standard error, which is a pipe."""

    text: str
    exit_code: int
    errors: str

    @property
    def lines(self) -> list[str]:
        """Those of the terminal."""
        return self.text.replace("\r\n", "\n").splitlines()


@pytest.fixture
def on_terminal(sidecar_command: list[str], tmp_path: Path) -> Callable[..., Shown]:
    """Runs a command whose standard output is a terminal of some width."""
    return runner_on_terminal(sidecar_command, tmp_path)


def runner_on_terminal(command: list[str], folder: Path) -> Callable[..., Shown]:
    """The same, of a sidecar that `command` starts in `folder`."""

    def run(*arguments: object, columns: int = 80, **variables: str) -> Shown:
        controller, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, columns))
        env = {name: value for name, value in environment().items() if name not in ("COLUMNS", "LC_ALL", "LC_CTYPE")}
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**env, "LANG": "C.UTF-8", **variables},
        )
        os.close(terminal)
        with process, open(controller, "rb", buffering=0) as screen:
            text = everything(screen)
            assert process.stderr is not None
            errors = process.stderr.read().decode()
            return Shown(text.decode(), process.wait(TIMEOUT_S), errors)

    return run


def everything(screen: Any) -> bytes:
    """All that is written to a terminal."""
    parts = []
    with suppress(OSError):  # EIO: how Linux says that nobody has the terminal open any more
        while part := screen.read(65536):
            parts.append(part)
    return b"".join(parts)
