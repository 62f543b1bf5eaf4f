"""The conversation: the table of a call's steps whole, and one answer to every request under any interleaving."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from sidecar.protocol.conversation import (
    CANCEL,
    TRANSITIONS,
    Answer,
    Call,
    Conversation,
    Event,
    Execute,
    State,
    Step,
)
from sidecar.protocol.errors import Cancelled, ErrorObject, SidecarError
from sidecar.protocol.messages import Failure, Id, Notification, Request, Result

EXPECTED: dict[State, dict[Step, State | None]] = {
    State.QUEUED: {
        Step.START: State.RUNNING,
        Step.COMMIT: None,
        Step.CANCEL: State.ANSWERED,
        Step.FINISH: State.ANSWERED,
    },
    State.RUNNING: {
        Step.START: None,
        Step.COMMIT: State.COMMITTED,
        Step.CANCEL: State.ANSWERED,
        Step.FINISH: State.ANSWERED,
    },
    State.COMMITTED: {
        Step.START: None,
        Step.COMMIT: State.COMMITTED,
        Step.CANCEL: None,
        Step.FINISH: State.ANSWERED,
    },
    State.ANSWERED: {
        Step.START: None,
        Step.COMMIT: None,
        Step.CANCEL: None,
        Step.FINISH: None,
    },
}


def execute(event: Event | None) -> Call:
    assert isinstance(event, Execute)
    return event.call


def failure(event: Event | None) -> Failure:
    assert isinstance(event, Answer)
    assert isinstance(event.response, Failure)
    return event.response


def kind(event: Event | None) -> str:
    return str(failure(event).error.data["kind"])


def cancel(id: Any) -> Notification:
    return Notification(CANCEL, {"id": id})


# -- the table ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", Step, ids=lambda step: step.value)
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_every_step_from_every_state(state: State, step: Step) -> None:
    call = Call(Request(1, "m"))
    call.state = state
    after = EXPECTED[state][step]
    assert call.step(step) is (after is not None)
    assert call.state is (after or state)


def test_the_table_has_nothing_else() -> None:
    steps = {(state, step): after for state, row in EXPECTED.items() for step, after in row.items() if after}
    assert steps == TRANSITIONS


def test_a_call_shows_itself() -> None:
    assert repr(Call(Request("a", "load"))) == "Call('a', 'load', queued)"


# -- one by one --------------------------------------------------------------------------------------------------


def test_a_request_is_run_and_answered() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "load", {"path": "x"})))
    assert (call.id, call.method, call.params) == (1, "load", {"path": "x"})
    assert talk.start(call)
    assert talk.finish(call, {"rows": 1}) == Answer(Result(1, {"rows": 1}))
    assert talk.open == {}


def test_a_handlers_error_is_the_answer() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request("a", "load")))
    talk.start(call)
    answer = talk.finish(call, SidecarError("file_not_found", "there is no x", path="x"))
    assert answer == Answer(Failure("a", ErrorObject(-32803, "there is no x", {"kind": "file_not_found", "path": "x"})))


def test_a_call_that_cannot_be_run_is_answered_without_a_start() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "nope")))
    assert kind(talk.finish(call, SidecarError("method_not_found", "no"))) == "method_not_found"
    assert talk.open == {}


def test_a_cancelled_call_is_answered_at_once_and_what_its_handler_brings_is_dropped() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "load")))
    talk.start(call)
    answer = failure(talk.receive(cancel(1)))
    assert (answer.id, answer.error.code, answer.error.data) == (1, -32800, {"kind": "cancelled"})
    with pytest.raises(Cancelled):
        talk.commit(call)
    assert talk.finish(call, "late") is None
    assert talk.receive(cancel(1)) is None


def test_a_call_that_was_cancelled_while_it_waited_is_not_started() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "load")))
    assert kind(talk.receive(cancel(1))) == "cancelled"
    assert not talk.start(call)


def test_a_committed_call_cannot_be_cancelled() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "load")))
    talk.start(call)
    talk.commit(call)
    assert talk.receive(cancel(1)) is None
    talk.commit(call)  # more than one effect
    assert talk.finish(call, "done") == Answer(Result(1, "done"))


CANCELS_OF_NOTHING = {
    "unknown": {"id": 2},
    "the id as text": {"id": "1"},
    "the id as a float": {"id": 1.0},
    "true is not 1": {"id": True},
    "null": {"id": None},
    "a list": {"id": [1]},
    "an object": {"id": {"id": 1}},
    "absent": {},
}


@pytest.mark.parametrize("params", CANCELS_OF_NOTHING.values(), ids=CANCELS_OF_NOTHING)
def test_a_cancel_of_nothing_is_ignored(params: dict[str, Any]) -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "load")))
    assert talk.receive(Notification(CANCEL, params)) is None
    assert talk.start(call)


def test_an_id_names_one_open_request_at_a_time() -> None:
    talk = Conversation()
    first = execute(talk.receive(Request(1, "load")))
    refusal = failure(talk.receive(Request(1, "ping")))
    assert refusal.id is None, "an answer under the id would be the first request's"
    assert refusal.error.data == {"kind": "duplicate_id", "id": 1}
    assert talk.finish(first, "done") == Answer(Result(1, "done"))
    assert execute(talk.receive(Request(1, "ping"))) is not first


def test_an_id_is_its_value_and_its_type() -> None:
    talk = Conversation()
    assert execute(talk.receive(Request(1, "load"))) is not execute(talk.receive(Request("1", "load")))
    assert kind(talk.receive(cancel("1"))) == "cancelled"
    assert list(talk.open) == [1]


def test_a_late_handler_does_not_answer_for_the_next_request_of_its_id() -> None:
    talk = Conversation()
    first = execute(talk.receive(Request(1, "load")))
    talk.start(first)
    talk.receive(cancel(1))
    second = execute(talk.receive(Request(1, "load")))
    assert talk.finish(first, "late") is None
    assert talk.finish(second, "done") == Answer(Result(1, "done"))


def test_initialize_is_the_first_request() -> None:
    talk = Conversation()
    assert execute(talk.receive(Request(1, "initialize"))).method == "initialize"
    assert kind(talk.receive(Request(2, "initialize"))) == "already_initialized"
    assert list(talk.open) == [1]


def test_initialize_comes_too_late_after_another_request() -> None:
    talk = Conversation()
    talk.finish(execute(talk.receive(Request(1, "ping"))), None)
    assert kind(talk.receive(Request(2, "initialize"))) == "already_initialized"


def test_notifications_do_not_count_as_the_first_request() -> None:
    talk = Conversation()
    assert talk.receive(Notification("whatever")) is None
    assert talk.receive(cancel(1)) is None
    execute(talk.receive(Request(1, "initialize")))


def test_while_stopping_requests_are_refused_and_open_ones_end() -> None:
    talk = Conversation()
    call = execute(talk.receive(Request(1, "load")))
    talk.stop()
    refusal = failure(talk.receive(Request(2, "ping")))
    assert (refusal.id, refusal.error.data) == (2, {"kind": "shutting_down"})
    assert talk.finish(call, "done") == Answer(Result(1, "done"))


def test_cancel_all_spares_what_is_committed() -> None:
    talk = Conversation()
    queued, running, committed = (execute(talk.receive(Request(id, "load"))) for id in (1, 2, 3))
    for call in (running, committed):
        talk.start(call)
    talk.commit(committed)
    assert [(answer.response.id, kind(answer)) for answer in talk.cancel_all()] == [(1, "cancelled"), (2, "cancelled")]
    assert talk.cancel_all() == []
    assert not talk.start(queued)
    assert talk.finish(committed, "done") == Answer(Result(3, "done"))


def test_a_response_to_nothing_is_refused_without_an_id() -> None:
    refusal = failure(Conversation().receive(Result(7, "x")))
    assert (refusal.id, refusal.error.data) == (None, {"kind": "invalid_request", "id": 7})
    error = ErrorObject(-32603, "no", {})
    assert failure(Conversation().receive(Failure("7", error))).error.data["id"] == "7"


def test_an_error_about_an_answer_is_not_answered() -> None:
    assert Conversation().receive(Failure(None, ErrorObject(-32600, "what?", {}))) is None


# -- any interleaving --------------------------------------------------------------------------------------------

IDS: list[Id] = [1, 2, "1", "a"]
OUTCOMES = st.sampled_from([None, {"rows": 1}, "text", SidecarError("invalid_file", "bad")])


class ExactlyOneAnswer(RuleBasedStateMachine):
    """Whatever the host, the handlers and the end of the process do, in whatever order: each request is answered
    once, an effect that was committed is answered by its outcome, and no answer is under another request's id."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.talk = Conversation()
        self.answers: dict[Call, list[Result | Failure]] = {}
        self.committed: set[Call] = set()

    def _took(self, answers: list[Answer]) -> None:
        """Note answers that name no call: each must be under the id of a call that was open."""
        for answer in answers:
            (call,) = [call for call, given in self.answers.items() if call.id == answer.response.id and not given]
            self.answers[call].append(answer.response)

    @rule(target=calls, id=st.sampled_from(IDS), method=st.sampled_from(["load", "initialize"]))
    def request(self, id: Id, method: str) -> Any:
        was_open = id in self.talk.open
        event = self.talk.receive(Request(id, method))
        if isinstance(event, Execute):
            assert not was_open
            self.answers[event.call] = []
            return event.call
        assert failure(event).id == (None if was_open else id)
        return multiple()

    @rule(call=calls)
    def start(self, call: Call) -> None:
        started = self.talk.start(call)
        assert not (started and self.answers[call])

    @rule(call=calls)
    def commit(self, call: Call) -> None:
        if call.state is State.QUEUED:
            return  # only a handler commits, and none runs yet
        try:
            self.talk.commit(call)
            assert not self.answers[call]
            self.committed.add(call)
        except Cancelled:
            assert self.answers[call]

    @rule(call=calls, outcome=OUTCOMES)
    def finish(self, call: Call, outcome: Any) -> None:
        self._finish(call, outcome)

    @rule(call=consumes(calls), outcome=OUTCOMES)
    def finish_for_good(self, call: Call, outcome: Any) -> None:
        self._finish(call, outcome)

    def _finish(self, call: Call, outcome: Any) -> None:
        answer = self.talk.finish(call, outcome)
        assert (answer is None) is bool(self.answers[call])
        if answer is not None:
            assert answer.response.id == call.id
            assert isinstance(answer.response, Failure) is isinstance(outcome, SidecarError)
            self.answers[call].append(answer.response)

    @rule(id=st.sampled_from([*IDS, True, 1.0, None]))
    def cancel(self, id: Any) -> None:
        event = self.talk.receive(cancel(id))
        if event is not None:
            assert kind(event) == "cancelled"
            assert isinstance(event, Answer)
            self._took([event])

    @rule()
    def cancel_all(self) -> None:
        self._took(self.talk.cancel_all())

    @rule()
    def stop(self) -> None:
        self.talk.stop()

    @rule(id=st.sampled_from(IDS))
    def stray_response(self, id: Id) -> None:
        assert failure(self.talk.receive(Result(id, None))).id is None

    @invariant()
    def what_is_open_is_what_has_no_answer(self) -> None:
        assert all(len(given) <= 1 for given in self.answers.values())
        unanswered = {call.id: call for call, given in self.answers.items() if not given}
        assert unanswered == self.talk.open

    def teardown(self) -> None:
        self._took(self.talk.cancel_all())
        assert set(self.talk.open.values()) <= self.committed
        for call in list(self.talk.open.values()):
            self._finish(call, "done")
        assert [len(given) for given in self.answers.values()] == [1] * len(self.answers)
        for call in self.committed:
            (answer,) = self.answers[call]
            assert isinstance(answer, Result) or answer.error.data["kind"] != "cancelled"


ExactlyOneAnswer.TestCase.settings = settings(deadline=None, max_examples=200, stateful_step_count=40)
TestExactlyOneAnswer = ExactlyOneAnswer.TestCase


def test_an_initialize_that_failed_may_be_sent_again() -> None:
    talk = Conversation()
    first = talk.receive(Request(1, "initialize"))
    assert isinstance(first, Execute)
    talk.finish(first.call, SidecarError("unsupported_protocol", "too old"))
    assert isinstance(talk.receive(Request(2, "initialize")), Execute)


def test_a_bad_frame_with_an_open_id_does_not_take_its_answer() -> None:
    talk = Conversation()
    talk.receive(Request(1, "load"))
    fault = Failure(1, SidecarError("invalid_payload", "bad").to_object())
    answer = talk.refuse(fault)
    assert answer.response.id is None
    assert answer.response.error.data == {"kind": "invalid_payload", "id": 1}
    assert list(talk.open) == [1]
