"""Warming: every step once and in order, on a thread of its own; a step that fails is logged, and the rest go on."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

import pytest

from sidecar.runtime.warming import SWITCH_S, Warming

WAIT_S = 30


def warmed(steps: dict[str, Callable[[], None]]) -> None:
    done = threading.Event()
    Warming(steps, done.set).start()
    assert done.wait(WAIT_S)


def test_steps_are_taken_in_order_beside_the_caller() -> None:
    taken: list[tuple[str, int]] = []
    warmed({name: lambda name=name: taken.append((name, threading.get_ident())) for name in "abc"})  # type: ignore[misc]
    assert [name for name, _ in taken] == ["a", "b", "c"]
    assert {thread for _, thread in taken} & {threading.get_ident()} == set()


def test_start_does_not_wait_for_a_step() -> None:
    go_on, done = threading.Event(), threading.Event()
    waited: list[bool] = []
    Warming({"slow": lambda: waited.append(go_on.wait(WAIT_S))}, done.set).start()
    assert not done.is_set()
    go_on.set()
    assert done.wait(WAIT_S)
    assert waited == [True]


@pytest.mark.parametrize("fault", [ImportError("no such module"), OSError("cannot be mapped"), SystemExit(3)], ids=repr)
def test_a_step_that_fails_is_logged_and_ends_nothing(fault: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise fault

    taken: list[str] = []
    with caplog.at_level(logging.WARNING, "sidecar"):
        warmed({"Polars": fail, "next": lambda: taken.append("next")})
    assert taken == ["next"]
    (record,) = caplog.records
    assert record.getMessage() == "Polars could not be imported ahead of its use"
    assert record.exc_info is not None
    assert record.exc_info[1] is fault


def test_python_switches_threads_sooner_while_it_warms_and_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    seen: list[float] = []
    warmed({"look": lambda: seen.append(sys.getswitchinterval())})
    assert seen == [pytest.approx(SWITCH_S)]
    assert sys.getswitchinterval() == before
