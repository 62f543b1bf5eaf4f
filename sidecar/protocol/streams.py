"""The rules of one stream, as a state machine: what may be sent when, in which credit, and that it ends once.

Nothing here reads, writes, waits or runs a turn. The methods are not thread-safe: the runtime calls them under the
lock of the stream. A turn is one call of the author's code: for a producer one that emits, for an exchange one that
answers a batch of the host's.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from msgspec import Meta, Struct

from ..wire.limits import MAX_SAFE_INTEGER
from ..wire.payload import Payload
from .errors import ErrorObject, SidecarError

Kind = Literal["producer", "exchange"]

Reason = Literal["finish", "close", "cancel", "error", "idle", "host_gone", "shutdown"]
"""Why a stream ended: the author's code finished it, the host closed or cancelled it, an error, no message of the host
for too long, or the end of the host or of the process."""

CREDIT_BYTES = 1024**2
"""What a stream may send unless the host says otherwise."""

INPUT_CREDIT_BYTES = 16 * 1024**2
"""What the host may send to an exchange before the first of it is served."""

MAX_STREAM_ID = 256

StreamId = Annotated[str, Meta(min_length=1, max_length=MAX_STREAM_ID)]
Credit = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


class DataParams(Struct):
    """`streams/data`, in both directions: the next messages of an Arrow IPC stream."""

    stream: StreamId
    batches: Payload

    def __post_init__(self) -> None:
        if self.batches.type != "arrow":
            raise ValueError(f"a payload of type arrow expected, not {self.batches.type}")


class CreditParams(Struct):
    """`streams/credit`, in both directions: so many more bytes of data may come."""

    stream: StreamId
    bytes: Credit


class CloseParams(Struct):
    """`streams/close` and `streams/cancel`."""

    stream: StreamId


class EndParams(Struct):
    """`streams/end`: the last message of a stream, and how many batches it sent and took."""

    stream: str
    reason: Reason
    outputs: int
    inputs: int
    error: ErrorObject | None


class StreamInfo(Struct):
    """One line of `streams/list`."""

    stream: str
    method: str
    kind: Kind
    outputs: int
    inputs: int
    credit_bytes: int


class Phase(Enum):
    """Where a stream stands."""

    OPEN = "open"
    CLOSING = "closing"
    ENDED = "ended"


class Step(Enum):
    """What can happen to a stream."""

    CLOSE = "close"
    END = "end"


TRANSITIONS = {
    (Phase.OPEN, Step.CLOSE): Phase.CLOSING,
    (Phase.OPEN, Step.END): Phase.ENDED,
    (Phase.CLOSING, Step.END): Phase.ENDED,
}
"""The only steps that do something. A closing stream takes no input, and ends when what it has is served."""


class Flow:
    """Credit and phase of one stream. Sizes are those of the payloads, in bytes, without padding."""

    def __init__(self, kind: Kind, credit_bytes: int, outputs: int = 0, inputs: int = 0) -> None:
        self.kind = kind
        self.phase = Phase.OPEN
        self.reason: Reason | None = None
        self.credit_bytes = credit_bytes
        self.input_credit_bytes = INPUT_CREDIT_BYTES if kind == "exchange" else 0
        self.outputs = outputs
        self.inputs = inputs
        self._owed_bytes = 0

    @property
    def ended(self) -> bool:
        """Whether the end was decided."""
        return self.phase is Phase.ENDED

    def may_emit(self, debt_bytes: int = 0) -> bool:
        """Whether there is credit, or less debt than that. A batch larger than the rest of it may be sent: the debt
        counts."""
        return self.credit_bytes + debt_bytes > 0

    def emitted(self, size: int) -> None:
        """A batch is on its way to the host; an exchange's is the answer to one of the host's."""
        self.outputs += 1
        self.inputs += self.kind == "exchange"
        self.credit_bytes -= size

    def dropped(self, batches: int) -> None:
        """So many batches were not sent after all."""
        self.outputs -= batches
        self.inputs -= batches * (self.kind == "exchange")

    def granted(self, size: int) -> None:
        """The host gave credit."""
        self.credit_bytes = min(self.credit_bytes + size, MAX_SAFE_INTEGER)

    def received(self, size: int) -> None:
        """The host sent input. Raises what then ends the stream."""
        if self.kind == "producer":
            raise SidecarError("invalid_input", "the stream is a producer, which takes no input")
        if self.phase is Phase.CLOSING:
            raise SidecarError("invalid_input", "input came after the stream was closed")
        if self.input_credit_bytes <= 0:
            message = f"{size} bytes of input came without credit: wait for streams/credit"
            raise SidecarError("credit_exceeded", message, bytes=size, credit_bytes=self.input_credit_bytes)
        self.input_credit_bytes -= size

    def served(self, size: int) -> int:
        """Input was served; returns the credit to give to the host now, 0 for none yet. Small pieces are told of
        together."""
        self._owed_bytes += size
        if self._owed_bytes < INPUT_CREDIT_BYTES // 2:
            return 0
        owed, self._owed_bytes = self._owed_bytes, 0
        self.input_credit_bytes += owed
        return owed

    def close(self) -> None:
        """The host has no more input, or wants no more output."""
        self._step(Step.CLOSE)

    def end(self, reason: Reason) -> bool:
        """The stream is over; True the first time only."""
        if not self._step(Step.END):
            return False
        self.reason = reason
        return True

    def _step(self, step: Step) -> bool:
        after = TRANSITIONS.get((self.phase, step))
        if after is None:
            return False
        self.phase = after
        return True

    def __repr__(self) -> str:
        return (
            f"Flow({self.kind}, {self.phase.value}, credit {self.credit_bytes}, {self.inputs} in, {self.outputs} out)"
        )


class Paused(NamedTuple):
    """A stream between two turns: what the author wrote, and how many batches it sent and took."""

    turns: Any
    outputs: int
    inputs: int


class Output(Protocol):
    """What a turn may ask of the stream that it is a turn of. The runtime's half of a stream."""

    @property
    def cancelled(self) -> bool:
        """Whether the stream has ended already."""

    @property
    def deadline(self) -> float | None:
        """When the stream ends by itself, on the clock of `time.monotonic`; None for never."""

    def emit(self, piece: list[Any]) -> None:
        """Send one batch, given as the buffers of its IPC messages. Waits for credit where the turn has sent before;
        raises `Cancelled` once the stream has ended."""

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        """Send `streams/log`."""

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Send `streams/progress`, at most 20 times a second. Raises `Cancelled`."""


class Turns(Protocol):
    """What the author wrote, as the runtime sees it. Only one method is called at a time."""

    kind: Kind
    method: str

    def read(self, piece: Payload) -> Iterator[Any]:
        """The batches in a piece of input. Raises `SidecarError`."""

    def turn(self, input: Any, output: Output) -> bool:
        """Run one turn; True if it was the last. May raise anything."""

    def close(self, reason: Reason) -> None:
        """The stream is over. Called once, and last."""
