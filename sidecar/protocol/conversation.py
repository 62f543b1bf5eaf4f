"""The sidecar's half of the conversation, as a state machine: messages in, events out.

Nothing here reads, writes, waits or runs a handler. The one promise kept here is that every request is answered
exactly once, cancelled or not. The methods are not thread-safe: the runtime calls them under one lock.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from .errors import Cancelled, SidecarError, deadline_exceeded
from .messages import Failure, Id, Message, Notification, Request, Result, is_id

CANCEL = "$/cancelRequest"
INITIALIZE = "initialize"


class State(Enum):
    """Where a call stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMMITTED = "committed"
    ANSWERED = "answered"


class Step(Enum):
    """What can happen to a call."""

    START = "start"
    COMMIT = "commit"
    CANCEL = "cancel"
    FINISH = "finish"


TRANSITIONS = {
    (State.QUEUED, Step.START): State.RUNNING,
    (State.QUEUED, Step.CANCEL): State.ANSWERED,
    (State.QUEUED, Step.FINISH): State.ANSWERED,
    (State.RUNNING, Step.COMMIT): State.COMMITTED,
    (State.RUNNING, Step.CANCEL): State.ANSWERED,
    (State.RUNNING, Step.FINISH): State.ANSWERED,
    (State.COMMITTED, Step.COMMIT): State.COMMITTED,
    (State.COMMITTED, Step.FINISH): State.ANSWERED,
}
"""The only steps that do something. A committed call cannot be cancelled: its effect is visible already, so its
answer must be the result. A call that was answered (by a cancel) takes no further step: what its handler still
brings is dropped."""


class Call:
    """A request on its way to its one answer."""

    __slots__ = ("id", "method", "params", "state")

    def __init__(self, request: Request) -> None:
        self.id = request.id
        self.method = request.method
        self.params = request.params
        self.state = State.QUEUED

    def step(self, step: Step) -> bool:
        """Take `step` if the table has it; False where it does nothing."""
        after = TRANSITIONS.get((self.state, step))
        if after is None:
            return False
        self.state = after
        return True

    def __repr__(self) -> str:
        return f"Call({self.id!r}, {self.method!r}, {self.state.value})"


class Execute(NamedTuple):
    """Event: run the handler of `call`."""

    call: Call


class Answer(NamedTuple):
    """Event: send this response."""

    response: Result | Failure


Event = Execute | Answer


class Conversation:
    """Every request that is open, and whether new ones are taken."""

    def __init__(self) -> None:
        self.open: dict[Id, Call] = {}
        self.stopping = False
        self._fresh = True

    def receive(self, message: Message) -> Event | None:
        """What to do about a message of the host's; None for nothing."""
        if isinstance(message, Request):
            return self._request(message)
        if isinstance(message, Notification):
            return self._cancel(message.params.get("id")) if message.method == CANCEL else None
        if message.id is None:
            return None  # the host could not read an answer; two sides that answer that would never stop
        fault = SidecarError("invalid_request", "a response to a request that was never made", id=message.id)
        return _refuse(None, fault)

    def refuse(self, failure: Failure) -> Answer:
        """Answer a frame that holds no message. An id that is open stays for the answer to its request."""
        if failure.id in self.open:
            failure.error.data["id"] = failure.id
            failure.id = None
        return Answer(failure)

    def start(self, call: Call) -> bool:
        """The handler is about to run; False if the call was answered meanwhile."""
        return call.step(Step.START)

    def commit(self, call: Call) -> None:
        """The handler is about to make its effect visible. Raises `Cancelled` if the call was cancelled."""
        if not call.step(Step.COMMIT):
            raise Cancelled

    def finish(self, call: Call, outcome: Any) -> Answer | None:
        """The handler ended with a result, or with a `SidecarError`; None if the call was answered already."""
        if not call.step(Step.FINISH):
            return None
        del self.open[call.id]
        if isinstance(outcome, SidecarError):
            self._fresh = self._fresh or call.method == INITIALIZE  # one that failed may be sent again
            return _refuse(call.id, outcome)
        return Answer(Result(call.id, outcome))

    def expire(self, call: Call) -> Answer | None:
        """The time of `call` is over; None if it was answered or cannot be cancelled any more."""
        if not call.step(Step.CANCEL):
            return None
        del self.open[call.id]
        return _refuse(call.id, deadline_exceeded())

    def stop(self) -> None:
        """Take no further requests."""
        self.stopping = True

    def cancel_all(self) -> list[Answer]:
        """Cancel every call that can be."""
        answers = [self._cancel(id) for id in list(self.open)]
        return [answer for answer in answers if answer is not None]

    def _request(self, request: Request) -> Event:
        if request.id in self.open:
            fault = SidecarError("duplicate_id", f"request {request.id!r} is not answered yet", id=request.id)
            return _refuse(None, fault)
        if self.stopping:
            return _refuse(request.id, SidecarError("shutting_down", "the sidecar is stopping"))
        if request.method == INITIALIZE and not self._fresh:
            return _refuse(request.id, SidecarError("already_initialized", "initialize is the first request or none"))
        self._fresh = False
        call = self.open[request.id] = Call(request)
        return Execute(call)

    def _cancel(self, id: Any) -> Answer | None:
        call = self.open.get(id) if is_id(id) else None
        if call is None or not call.step(Step.CANCEL):
            return None
        del self.open[call.id]
        return _refuse(call.id, Cancelled())


def _refuse(id: Id | None, error: SidecarError) -> Answer:
    return Answer(Failure(id, error.to_object()))
