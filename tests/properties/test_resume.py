"""Any interleaving of turns, checkpoints, kills and resumes gives what an unbroken run gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar import AnnotatedBatch, Sidecar, SidecarError, StreamSession
from sidecar.client import Host
from sidecar.client.inbox import StreamEnded
from sidecar.client.session import Checkpoint
from sidecar.protocol.streams import Paused
from sidecar.streams.handlers import CheckpointParams, OpenParams, ResumeParams, Services
from sidecar.streams.tokens import TokenKeys, TokenSeal
from sidecar.wire.payload import Payload
from tests.peers.resumable import NUMBERS, Kept, Resumable
from tests.peers.stream_host import ROOT

KEY = ("k", bytes(range(32)))
WAIT_S = 30.0


class Run(Protocol):
    """A stream in a sidecar that may die."""

    def checkpoint(self) -> Checkpoint | None:
        """A token, after the turns so far; None where all of them are over."""

    def die(self) -> None:
        """The process ends."""

    def resume(self, token: bytes) -> None:
        """A new process goes on."""

    def restart(self) -> None:
        """A new process begins anew."""

    def next(self, number: int | None) -> str | None:
        """One turn, with this input for an exchange: what it told, None at the end."""

    def rest(self, outputs: int) -> list[str]:
        """What came before the process died and was not asked for, up to so many outputs in all."""


# -- the handlers by themselves ----------------------------------------------------------------------------------


class Direct:
    """Implements `Run` and both contexts that a stream sees, without threads: a turn runs when it is asked for."""

    id = 1
    deadline = None
    cancelled = False

    def __init__(self, method: str, params: dict[str, Any], keys: TokenKeys) -> None:
        self._method = method
        self._params = params
        self._keys = keys
        self._told: list[str] = []
        self._is_over = False
        self.restart()

    def restart(self) -> None:
        self._start()
        self._services.open(OpenParams("s", f"Resumable.{self._method}", self._params), self)

    def resume(self, token: bytes) -> None:
        self._start()
        self._services.resume(ResumeParams("s", Payload("bytes", token)), self)

    def _start(self) -> None:
        self._services = Services(Sidecar().mount(Resumable, Kept()).services, TokenSeal(self._keys, lambda: 1000))
        self._told, self._is_over = [], False

    def die(self) -> None:
        del self._services, self._turns

    def checkpoint(self) -> Checkpoint:
        made = self._services.checkpoint(CheckpointParams("s"), self)
        return Checkpoint(bytes(made.token.data), made.outputs, made.inputs, made.expires_at)

    def next(self, number: int | None) -> str | None:
        if not self._told and not self._is_over:
            self._is_over = self._turns.turn(None if number is None else numbers(number), self)
            self._inputs += number is not None
        return self._told.pop(0) if self._told else None

    def rest(self, outputs: int) -> list[str]:
        return self._told

    # what a handler asks of its call

    def check(self) -> None:
        pass

    commit = check

    def open_stream(self, id: str, turns: Any, credit_bytes: int, outputs: int = 0, inputs: int = 0) -> None:
        self._turns, self._outputs, self._inputs = turns, outputs, inputs
        self._schema = turns.output_schema.serialize().to_pybytes()

    def pause(self, stream: str) -> Paused:
        return Paused(self._turns, self._outputs, self._inputs)

    def streams(self) -> list[Any]:
        raise AssertionError

    # what a turn asks of its stream

    def emit(self, piece: list[Any]) -> None:
        whole = b"".join([self._schema, *map(bytes, piece)])
        self._outputs += 1
        self._told += pa.ipc.open_stream(whole).read_next_batch().column(0).to_pylist()

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        raise AssertionError

    progress = log


def numbers(number: int) -> AnnotatedBatch:
    """One input, of two rows."""
    return AnnotatedBatch.from_pydict({"number": [number, number + 1]}, NUMBERS)


# -- real processes ----------------------------------------------------------------------------------------------


class Process:
    """Implements `Run` with a child that is killed. Its output is pushed, so that it is ahead of what is asked for."""

    def __init__(self, method: str, params: dict[str, Any], command: list[str], stack: ExitStack) -> None:
        self._method = method
        self._params = params
        self._command = command
        self._stack = stack
        self._session: StreamSession
        self.restart()

    def _start(self) -> Host:
        options = ["--service", "tests.peers.resumable:make"]
        self._host = Host.spawn(self._command, options=options, token_keys=dict([KEY]))
        return self._stack.enter_context(self._host)

    def restart(self) -> None:
        proxy = self._start().service(Resumable)
        session: Any = getattr(proxy, self._method)(**self._params)
        self._session = session

    def resume(self, token: bytes) -> None:
        self._session = self._start().resume(token)

    def die(self) -> None:
        self._host.process.kill()
        self._host.process.wait(WAIT_S)

    def checkpoint(self) -> Checkpoint | None:
        try:
            return self._session.checkpoint(timeout_s=WAIT_S)
        except StreamEnded:
            return None
        except SidecarError as error:
            if error.kind != "unknown_stream":
                raise
            return None

    def next(self, number: int | None) -> str | None:
        if number is not None:
            return told(self._session.exchange(numbers(number), WAIT_S))
        try:
            return told(self._session.receive(WAIT_S))
        except StreamEnded:
            return None

    def rest(self, outputs: int) -> list[str]:
        return [told(self._session.receive(WAIT_S)) for _ in range(outputs - self._session.outputs)]


def told(batch: AnnotatedBatch) -> str:
    """What a state said of itself."""
    text: str = batch.batch.column("told")[0].as_py()
    return text


# -- the property ------------------------------------------------------------------------------------------------

Acts = list[str]
acts = st.lists(st.sampled_from(["turn", "turn", "turn", "checkpoint", "kill"]), max_size=30)
few_acts = st.lists(st.sampled_from(["turn", "turn", "checkpoint"]), max_size=12).flatmap(
    lambda before: st.tuples(st.integers(1, 6), st.booleans()).map(
        lambda more: [*before, "kill", *["turn"] * more[0], *(["checkpoint", "turn", "kill"] if more[1] else [])]
    )
)


def walked(run: Run, acts: Acts) -> list[str]:
    """All that a producer tells."""
    kept: Checkpoint | None = None
    found: list[str] = []
    for act in acts:
        if act == "turn":
            text = run.next(None)
            found += [] if text is None else [text]
            if text is None:
                break
        elif act == "checkpoint":
            kept = run.checkpoint() or kept
        else:
            if kept is not None:
                found += run.rest(kept.outputs)
            run.die()
            found = _again(run, kept, found)
    while (text := run.next(None)) is not None:
        found.append(text)
    return found


def _again(run: Run, kept: Checkpoint | None, found: list[str]) -> list[str]:
    """Go on in a new process; returns what still counts of what was found."""
    if kept is None:
        run.restart()
        return []
    run.resume(kept.token)
    assert len(found) >= kept.outputs, "the checkpoint counts what never came"
    return found[: kept.outputs]


def folded(run: Run, acts: Acts, inputs: list[int]) -> list[str]:
    """All that an exchange tells of these inputs."""
    kept: Checkpoint | None = None
    found: list[str] = []
    for act in acts:
        if act == "turn" and len(found) < len(inputs):
            found.append(run.next(inputs[len(found)]) or "")
        elif act == "checkpoint":
            kept = run.checkpoint()
            assert kept is not None
            assert kept.inputs == kept.outputs == len(found)
        elif act == "kill":
            run.die()
            found = _again(run, kept, found)
    found += [run.next(number) or "" for number in inputs[len(found) :]]
    return found


@settings(deadline=None, max_examples=150)
@given(acts=acts, total=st.integers(0, 25), per_turn=st.integers(1, 4))
def test_a_producer_goes_on_where_it_was(acts: Acts, total: int, per_turn: int) -> None:
    params = {"total": total, "per_turn": per_turn}
    unbroken = walked(Direct("walk", params, TokenKeys([KEY])), [])
    assert len(unbroken) == total
    assert walked(Direct("walk", params, TokenKeys([KEY])), acts) == unbroken


@settings(deadline=None, max_examples=150)
@given(acts=acts, inputs=st.lists(st.integers(0, 10**6), max_size=20))
def test_an_exchange_goes_on_where_it_was(acts: Acts, inputs: list[int]) -> None:
    unbroken = folded(Direct("fold", {}, TokenKeys([KEY])), [], inputs)
    assert folded(Direct("fold", {}, TokenKeys([KEY])), acts, inputs) == unbroken


@pytest.fixture
def in_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the services are found."""
    monkeypatch.chdir(ROOT)
    yield
    assert os.getcwd() == str(ROOT)


few = settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(acts=few_acts, total=st.integers(0, 300), per_turn=st.integers(1, 4))
def test_a_producer_goes_on_in_another_process(
    in_root: None, services_command: list[str], acts: Acts, total: int, per_turn: int
) -> None:
    params = {"total": total, "per_turn": per_turn}
    unbroken = walked(Direct("walk", params, TokenKeys([KEY])), [])
    with ExitStack() as stack:
        assert walked(Process("walk", params, services_command, stack), acts) == unbroken


@few
@given(acts=few_acts, inputs=st.lists(st.integers(0, 10**6), max_size=20))
def test_an_exchange_goes_on_in_another_process(
    in_root: None, services_command: list[str], acts: Acts, inputs: list[int]
) -> None:
    unbroken = folded(Direct("fold", {}, TokenKeys([KEY])), [], inputs)
    with ExitStack() as stack:
        assert folded(Process("fold", {}, services_command, stack), acts, inputs) == unbroken


@few
@given(ahead=st.integers(1, 30), inputs=st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_input_that_was_sent_ahead_is_sent_again(
    in_root: None, services_command: list[str], ahead: int, inputs: list[int]
) -> None:
    """From `inputs` of the checkpoint on, wherever in the middle of them it was made."""
    unbroken = folded(Direct("fold", {}, TokenKeys([KEY])), [], inputs)
    with ExitStack() as stack:
        run = Process("fold", {}, services_command, stack)
        session = run._session
        for number in inputs[:ahead]:
            session.send(numbers(number), WAIT_S)
        kept = session.checkpoint(timeout_s=WAIT_S)
        found = [told(session.receive(WAIT_S)) for _ in range(kept.outputs)]
        run.die()
        run.resume(kept.token)
        assert (run._session.inputs, run._session.outputs) == (kept.inputs, kept.outputs)
        found += [run.next(number) or "" for number in inputs[kept.inputs :]]
    assert found == unbroken
