"""The rules of one stream: phases, credit in both directions, and exactly one end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.protocol.errors import SidecarError
from sidecar.protocol.streams import (
    INPUT_CREDIT_BYTES,
    MAX_STREAM_ID,
    TRANSITIONS,
    CreditParams,
    Flow,
    Kind,
    Phase,
    Reason,
    Step,
)

KINDS: tuple[Kind, ...] = get_args(Kind)
REASONS: tuple[Reason, ...] = get_args(Reason)
STEPS: dict[Step, Callable[[Flow], object]] = {Step.CLOSE: Flow.close, Step.END: lambda flow: flow.end("cancel")}
PATHS: dict[Phase, list[Step]] = {Phase.OPEN: [], Phase.CLOSING: [Step.CLOSE], Phase.ENDED: [Step.END]}


def flow_in(phase: Phase, kind: Kind = "exchange", credit_bytes: int = 100) -> Flow:
    flow = Flow(kind, credit_bytes)
    for step in PATHS[phase]:
        STEPS[step](flow)
    assert flow.phase is phase
    return flow


def kind_of(call: Callable[[], object]) -> str:
    with pytest.raises(SidecarError) as caught:
        call()
    return caught.value.kind


# -- phases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "step"), [*product(Phase, Step)], ids=lambda value: value.value)
def test_each_step_in_each_phase(phase: Phase, step: Step) -> None:
    """What is not in the table changes nothing."""
    flow = flow_in(phase)
    STEPS[step](flow)
    assert flow.phase is TRANSITIONS.get((phase, step), phase)
    assert flow.ended is (flow.phase is Phase.ENDED)


def test_nothing_leads_out_of_the_end() -> None:
    assert all(phase is not Phase.ENDED for phase, _ in TRANSITIONS)
    assert set(TRANSITIONS.values()) == {Phase.CLOSING, Phase.ENDED}


@pytest.mark.parametrize(("first", "second"), [*product(REASONS, REASONS)])
def test_the_first_end_counts(first: Reason, second: Reason) -> None:
    flow = Flow("producer", 1)
    assert flow.reason is None
    assert flow.end(first)
    assert not flow.end(second)
    assert flow.reason == first


# -- credit ------------------------------------------------------------------------------------------------------


def test_output_credit() -> None:
    """A batch may go while there is any, however large; the debt has to be paid first."""
    flow = Flow("producer", 10)
    for size, may_emit in [(9, True), (1, False)]:
        flow.emitted(size)
        assert flow.may_emit() is may_emit
    flow.granted(1)
    flow.emitted(1000)
    assert flow.credit_bytes == -999
    flow.granted(999)
    assert not flow.may_emit()
    flow.granted(1)
    assert flow.may_emit()
    assert flow.outputs == 3


@pytest.mark.parametrize("credit_bytes", [0, -1])
def test_without_credit_from_the_start(credit_bytes: int) -> None:
    assert not Flow("producer", credit_bytes).may_emit()


def test_it_counts_on_from_a_checkpoint() -> None:
    flow = Flow("exchange", 10, outputs=5, inputs=7)
    flow.emitted(1)
    assert (flow.outputs, flow.inputs) == (6, 8)  # an answer counts what it answers
    assert repr(flow) == "Flow(exchange, open, credit 9, 8 in, 6 out)"


REFUSED_INPUT = {
    "a producer": (lambda: Flow("producer", 10), "invalid_input"),
    "closed": (lambda: flow_in(Phase.CLOSING), "invalid_input"),
    "without credit": (lambda: spent(Flow("exchange", 10)), "credit_exceeded"),
}


def spent(flow: Flow) -> Flow:
    flow.received(INPUT_CREDIT_BYTES)
    return flow


@pytest.mark.parametrize(("make", "kind"), REFUSED_INPUT.values(), ids=REFUSED_INPUT)
@pytest.mark.parametrize("size", [0, 1, 2**40])
def test_input_that_is_refused(make: Callable[[], Flow], kind: str, size: int) -> None:
    flow = make()
    before = flow.input_credit_bytes
    assert kind_of(lambda: flow.received(size)) == kind
    assert flow.input_credit_bytes == before


def test_input_may_go_beyond_the_credit_by_one_piece() -> None:
    flow = Flow("exchange", 10)
    flow.received(INPUT_CREDIT_BYTES - 1)
    flow.received(1000)
    assert flow.input_credit_bytes == -999
    assert kind_of(lambda: flow.received(1)) == "credit_exceeded"


def test_credit_comes_back_in_large_portions() -> None:
    """One message for many small pieces."""
    flow, half = Flow("exchange", 10), INPUT_CREDIT_BYTES // 2
    flow.received(INPUT_CREDIT_BYTES)
    assert flow.served(half - 1) == 0
    assert flow.input_credit_bytes == 0
    assert flow.served(1) == half
    assert flow.input_credit_bytes == half
    assert flow.served(half) == half
    assert flow.input_credit_bytes == INPUT_CREDIT_BYTES


# -- any sequence ------------------------------------------------------------------------------------------------

SIZES = st.one_of(st.integers(0, 100), st.integers(0, 2 * INPUT_CREDIT_BYTES))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["emitted", "granted", "received", "served"]), SIZES),
        st.tuples(st.sampled_from(["close", "end"]), st.sampled_from(REASONS)),
    ),
    max_size=60,
)


class Sums:
    """What must be so after any sequence of events, kept in plain sums."""

    def __init__(self, kind: Kind, credit_bytes: int) -> None:
        self.flow = Flow(kind, credit_bytes)
        self.given = credit_bytes
        self.emitted: list[int] = []
        self.received: list[int] = []
        self.waiting: list[int] = []
        self.told = INPUT_CREDIT_BYTES if kind == "exchange" else 0
        self.closed = False
        self.ends: list[Any] = []

    def emit(self, size: int) -> None:
        """A turn emits where it may."""
        if self.flow.may_emit():
            self.flow.emitted(size)
            self.emitted.append(size)

    def grant(self, size: int) -> None:
        self.flow.granted(size)
        self.given += size

    def receive(self, size: int) -> None:
        """The host sends whatever it likes; what is taken was allowed, and what was allowed is taken."""
        allowed = (
            self.flow.kind == "exchange" and self.flow.phase is not Phase.CLOSING and self.told > sum(self.received)
        )
        try:
            self.flow.received(size)
        except SidecarError:
            assert not allowed
        else:
            assert allowed
            self.received.append(size)
            self.waiting.append(size)

    def serve(self, _size: int) -> None:
        if self.waiting:
            self.told += self.flow.served(self.waiting.pop(0))

    def close(self, _reason: Reason) -> None:
        self.flow.close()
        self.closed = True

    def end(self, reason: Reason) -> None:
        if self.flow.end(reason):
            self.ends.append(reason)

    def check(self) -> None:
        flow = self.flow
        assert flow.credit_bytes == self.given - sum(self.emitted)
        assert flow.outputs == len(self.emitted)
        assert sum(self.emitted[:-1]) < max(1, self.given), "a batch went without credit"
        assert flow.input_credit_bytes == self.told - sum(self.received)
        assert len(self.ends) == (1 if flow.ended else 0)
        assert flow.reason == (self.ends[0] if self.ends else None)
        if not flow.ended:
            assert flow.phase is (Phase.CLOSING if self.closed else Phase.OPEN)


@given(kind=st.sampled_from(KINDS), credit_bytes=st.integers(0, 1000), events=EVENTS)
def test_any_sequence_of_events(kind: Kind, credit_bytes: int, events: list[tuple[str, Any]]) -> None:
    """Credit is kept to the byte in both directions, nothing goes without it, and there is one end."""
    sums = Sums(kind, credit_bytes)
    steps = {"emitted": sums.emit, "granted": sums.grant, "received": sums.receive, "served": sums.serve}
    for name, value in events:
        {**steps, "close": sums.close, "end": sums.end}[name](value)
        sums.check()


@given(sizes=st.lists(SIZES, max_size=50))
def test_a_host_that_waits_for_credit_never_waits_for_ever(sizes: list[int]) -> None:
    """Once all that was sent is served, there is credit again."""
    flow, credit = Flow("exchange", 1), INPUT_CREDIT_BYTES
    for size in sizes:
        assert credit > 0
        flow.received(size)
        credit += flow.served(size) - size
        assert credit == flow.input_credit_bytes


# -- messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bytes", [0, 1, 2**53 - 1])
def test_credit_that_is_taken(bytes: int) -> None:
    assert msgspec.convert({"stream": "s", "bytes": bytes}, CreditParams) == CreditParams("s", bytes)


@pytest.mark.parametrize(
    "params",
    [{"stream": "s", "bytes": -1}, {"stream": "s", "bytes": 2**53}, {"stream": "s", "bytes": 1.5}, {"stream": "s"}],
    ids=str,
)
def test_credit_that_is_not(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(params, CreditParams)


@pytest.mark.parametrize("id", ["", "x" * (MAX_STREAM_ID + 1), 1, None], ids=["empty", "too long", "number", "null"])
def test_an_id_that_is_none(id: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"stream": id, "bytes": 1}, CreditParams)
