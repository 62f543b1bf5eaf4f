"""pytest fixtures that start the real process, from source or from an executable.

In a `conftest.py`: `pytest_plugins = ["sidecar.testing"]`. Then `pytest --sidecar-cmd=dist/…/arrow-sidecar` runs
the same tests against a frozen executable.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .client import Host
from .client.spawn import default_command

SpawnHost = Callable[..., Host]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--sidecar-cmd`."""
    parser.addoption(
        "--sidecar-cmd",
        metavar="COMMAND",
        help="the executable to test, with arguments before `serve` if it has any; from source by default",
    )


@pytest.fixture(scope="session")
def sidecar_command(pytestconfig: pytest.Config) -> list[str]:
    """The command that starts a sidecar, without `serve`."""
    given: str | None = pytestconfig.getoption("--sidecar-cmd")
    return command_words(given) if given else default_command()


def command_words(given: str) -> list[str]:
    """The words of a command that is given as one option: a path as it is, whatever is in it, or words as for a shell.
    A path is made absolute, since a test may run in a folder of its own."""
    return [os.path.abspath(given)] if os.path.exists(given) else shlex.split(given)


@pytest.fixture
def spawn_host(sidecar_command: list[str]) -> Iterator[SpawnHost]:
    """A function with the arguments of `Host.spawn`; what it starts is stopped after the test."""
    with ExitStack() as stack:

        def spawn(*options: str, **arguments: Any) -> Host:
            return stack.enter_context(Host.spawn(sidecar_command, options=options, **arguments))

        yield spawn


@pytest.fixture
def host(spawn_host: SpawnHost) -> Host:
    """A host with a sidecar of its own."""
    return spawn_host()
