"""`doctor --startup`: every phase, in order, with its own time; as a table and as JSON; and what was typed wrongly."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sidecar.commands.startup import STEPS, medians, since_spawn
from sidecar.phases import HELLO, LIBRARIES, PHASES, SERVING, STARTED, WARMED, WIRE

from .conftest import Shell

PASSED = {STARTED: 0.0, WIRE: 1.0, HELLO: 2.0, LIBRARIES: 20.0, SERVING: 21.0, WARMED: 150.0}
ANSWERED = {"ping": 40.0, "arrow_load": 60.0, "polars": 140.0}
HELLO_SEEN = {
    "at once": (12.0, 10.0),
    "late, after it was written": (400.0, 19.0),
    "before it was noted": (1.0, 0.0),
}
"""When the host saw hello, and when the sidecar then began to count, in milliseconds since its spawn."""

NO_TARGET: dict[str, Any] = {"target": ()}


@pytest.mark.parametrize(("hello_ms", "began_ms"), HELLO_SEEN.values(), ids=HELLO_SEEN)
def test_steps_are_in_order_however_late_the_host_is(hello_ms: float, began_ms: float) -> None:
    at_ms = since_spawn(PASSED, hello_ms, ANSWERED)
    assert {phase: at_ms[phase] for phase in PASSED} == {phase: began_ms + each for phase, each in PASSED.items()}
    assert {step: at_ms[step] for step in ANSWERED} == ANSWERED
    assert all(row["own_ms"] >= 0 for row in medians([at_ms]))


def test_own_times_are_between_the_medians_that_are_shown() -> None:
    """Not medians of their own: the columns of one table would contradict each other."""
    starts = [{step: scale * number for number, step in enumerate(STEPS, 1)} for scale in (1.0, 10.0, 2.0)]
    starts[0][HELLO], starts[1][WIRE] = 1.0, 30.0
    rows = {row["phase"]: row for row in medians(starts)}
    assert rows[STARTED] == {"phase": STARTED, "at_ms": 2.0, "own_ms": 2.0}
    assert rows[HELLO] == {"phase": HELLO, "at_ms": 6.0, "own_ms": 2.0}


def test_every_phase_is_measured(shell: Shell) -> None:
    result = shell("doctor", "--startup", "--rounds", 1, "--json", **NO_TARGET)
    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    rows = {row["phase"]: row for row in document["phases"]}
    assert document["rounds"] == 1
    assert list(rows) == list(STEPS)
    assert set(PHASES) <= set(STEPS)
    for phase, row in rows.items():
        since = STEPS[phase].since
        assert row["own_ms"] >= 0
        assert row["own_ms"] == pytest.approx(row["at_ms"] - (rows[since]["at_ms"] if since else 0), abs=0.01)
    in_time = [
        rows[phase]["at_ms"] for phase in (STARTED, WIRE, HELLO, LIBRARIES, SERVING, "ping", "arrow_load", "polars")
    ]
    assert in_time == sorted(in_time)
    assert rows[WARMED]["at_ms"] >= rows[SERVING]["at_ms"]


def test_people_get_a_table(shell: Shell) -> None:
    result = shell("doctor", "--startup", "--rounds", 2, **NO_TARGET)
    assert (result.returncode, result.stderr) == (0, "")
    head, _line, *rows, last = result.stdout.splitlines()
    assert head.split("  ")[0] == "phase"
    assert [row.split("  ")[0] for row in rows] == [step.text for step in STEPS.values()]
    assert all(re.search(r"\d+\.\d+ +\d+\.\d+$", row) for row in rows)
    assert last == "medians of 2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--startup", "--rounds", "0"], "'0' is no number from 1 to 1000"),
        (["--startup", "--rounds", "many"], "'many' is no number from 1 to 1000"),
        (["--startup", "--rounds"], "expected one argument"),
        (["--rounds", "3"], "add --startup"),
        (["--json"], "add --startup"),
        (["--startup", "now"], "unrecognized arguments: now"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_was_typed_wrongly(shell: Shell, arguments: list[str], words: str) -> None:
    result = shell("doctor", *arguments, **NO_TARGET)
    assert (result.returncode, result.stdout) == (64, "")
    assert words in result.stderr
