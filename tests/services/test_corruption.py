"""Damaged Arrow and Parquet bytes give a typed error or a table that pages: never a crash, nor an untyped error.

The work is done in a child, since such bytes did crash the interpreter; Hypothesis finds the smallest damage that does.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
ANSWER_TIMEOUT_S = 120


class Child:
    """The process of `corruption_child`, started again whenever a case has ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.sizes: dict[str, int] = {}
        self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.corruption_child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "RUST_BACKTRACE": "0"},
        )
        self.sizes = json.loads(self._read_line(self._process))
        return self._process

    def _read_line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(ANSWER_TIMEOUT_S):
                self.stop()
                pytest.fail(f"no answer within {ANSWER_TIMEOUT_S} s")
        return process.stdout.readline()

    def use(self, form: str, writes: list[tuple[int, bytes]]) -> dict[str, Any]:
        """What came of the content of `form` after these writes into it."""
        process = self._process or self._start()
        assert process.stdin is not None
        request = {"form": form, "writes": [[place, data.hex()] for place, data in writes]}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        line = self._read_line(process)
        if not line:
            self._process = None
            with process:
                code = process.wait(ANSWER_TIMEOUT_S)
            return {
                "pages": 0,
                "problem": f"the process was ended by {signal.Signals(-code).name if code < 0 else code}",
            }
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.kill()


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.stop()


FORMS = [
    *(f"{table} {form}" for table in ("plain", "nested", "views", "dictionaries") for form in ("stream", "file")),
    *("plain stream zstd", "plain parquet", "plain parquet bare"),
]

patterns = st.one_of(
    st.binary(min_size=1, max_size=1),
    st.sampled_from([-1, 0, 1, 2, 1000, 2**31 - 1, -(2**31)]).map(lambda n: n.to_bytes(4, "little", signed=True)),
    st.sampled_from([-1, 2**40, 2**63 - 1]).map(lambda n: n.to_bytes(8, "little", signed=True)),
)


@pytest.mark.parametrize("form", FORMS)
def test_every_answer_is_a_result_or_a_typed_error(child: Child, form: str) -> None:
    size = child.sizes[form]
    places = st.one_of(st.integers(0, size - 1), st.integers(0, (size - 1) // 8).map(lambda word: word * 8))
    damage = st.lists(st.tuples(places, patterns), min_size=1, max_size=6)

    @settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(writes=damage)
    def check(writes: list[tuple[int, bytes]]) -> None:
        assert child.use(form, writes)["problem"] == ""

    check()


@pytest.mark.parametrize("form", FORMS)
def test_undamaged_it_is_a_table(child: Child, form: str) -> None:
    answer = child.use(form, [])
    assert answer["problem"] == ""
    assert answer["pages"] > 4


def test_the_end_of_the_child_is_a_problem(child: Child) -> None:
    """So that a broken child is no passing test."""
    assert child.use("no such form", [])["problem"] == "the process was ended by 1"
    assert child.use("plain stream", [])["problem"] == ""
