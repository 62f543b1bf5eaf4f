"""For all tests: which of them drive an executable that is given, what has the tests' services, and where everything
must be there, a test that is skipped has failed."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import Host
from sidecar.testing import SpawnHost, command_words

ROOT = Path(__file__).parents[1]
LEFT_OUT = pytest.StashKey[int]()


def environment() -> dict[str, str]:
    """One in which a sidecar from source finds the tests' services. To a frozen one it means nothing."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


# -- which tests -------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--services-cmd`."""
    parser.addoption(
        "--services-cmd",
        metavar="COMMAND",
        help="with --sidecar-cmd: the executable in which the tests' services are frozen (make test-frozen builds it)",
    )


def is_frozen(command: list[str]) -> bool:
    """Whether a command is an executable that `packaging/build.py` made, in the folder that it made."""
    folder = Path(command[0]).resolve().parent
    return (folder / "_internal").is_dir() and (folder / "manifest.json").is_file()


def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """Given an executable, run the tests that drive it and no others: those whose fixtures lead to `sidecar_command`.
    Those that want a frozen one (`bundle`) run with such a one alone."""
    given: str | None = config.getoption("--sidecar-cmd")
    frozen = given is not None and is_frozen(command_words(given))

    def belongs(item: Any) -> bool:
        names = getattr(item, "fixturenames", ())
        return frozen if "bundle" in names else given is None or "sidecar_command" in names

    left_out = [item for item in items if not belongs(item)]
    config.stash[LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if belongs(item)]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was run against what, and how much was not."""
    given: str | None = config.getoption("--sidecar-cmd")
    if given:
        terminalreporter.write_line(f"against {given}; left out: {config.stash[LEFT_OUT]} tests that start none")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """`NO_SKIPS=1` says so, as CI does."""
    report = yield
    if report.skipped and os.environ.get("NO_SKIPS"):
        report.outcome = "failed"
        reason: Any = report.longrepr
        report.longrepr = f"skipped, where nothing may be: {reason}"
    return report


# -- the tests' services -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def services_command(pytestconfig: pytest.Config, sidecar_command: list[str]) -> list[str]:
    """The command that starts a sidecar which can mount the tests' services, without `serve`."""
    given: str | None = pytestconfig.getoption("--services-cmd")
    if given:
        return command_words(given)
    if is_frozen(sidecar_command):
        raise pytest.UsageError("a frozen sidecar lacks the tests' services: give --services-cmd, or make test-frozen")
    return sidecar_command


@pytest.fixture
def spawn_with_services(services_command: list[str]) -> Iterator[SpawnHost]:
    """`spawn_host` of a sidecar that can mount the tests' services, wherever the test is."""
    with ExitStack() as stack:

        def spawn(*options: str, **arguments: Any) -> Host:
            return stack.enter_context(Host.spawn(services_command, options=options, env=environment(), **arguments))

        yield spawn
