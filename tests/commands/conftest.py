"""Runs the commands for people as a person does: in a directory of its own, without a terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ("--service", "tests.peers.service:make_counter")
TIMEOUT_S = 60

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    """One in which the tests' services can be imported."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def shell(sidecar_command: list[str], tmp_path: Path) -> Shell:
    """A command and its arguments, `--service` of the tests' service added unless `target` says otherwise."""

    def run(*arguments: object, target: tuple[str, ...] = SERVICE, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [*sidecar_command, *map(str, arguments), *target]
        settings = {"capture_output": True, "text": True, "cwd": tmp_path, "timeout": TIMEOUT_S, "env": environment()}
        if "input" not in options:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run(command, check=False, **{**settings, **options})

    return run


@pytest.fixture
def start(sidecar_command: list[str], tmp_path: Path) -> Any:
    """The same, not waited for, with pipes; killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*sidecar_command, *map(str, arguments), *SERVICE],
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
