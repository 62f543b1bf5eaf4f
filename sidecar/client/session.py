"""A stream as its caller holds it: batches to iterate over, or to exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, Self, TypeVar

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..streams.batch import AnnotatedBatch
from ..streams.pieces import PieceReader, PieceWriter, read_schema
from ..streams.schemas import Form
from ..streams.state import StreamState
from ..streams.stream import CLOSE_TIMEOUT_S, Checkpoint, Stream
from ..wire.payload import Payload
from .calls import CallTimeout, Waiter
from .faults import HostFault
from .inbox import Inbox, StreamEnded
from .line import Line
from .reaper import reap

WINDOW_BYTES = 8 * 1024**2
"""Output that may be under way or wait here."""

T = TypeVar("T")


class StreamSession(Stream[StreamState, Any]):
    """What a proxy's streaming method returns. One thread at a time uses it, but `cancel` may be called on any.

    Iterate over a producer; `exchange` with an exchange, or `send` ahead and `receive` later. Leaving it as a context
    manager closes it; leaving a `for` loop early, or forgetting the session, cancels it. An error that ended the stream
    is raised as `SidecarError`, by whatever is called next; what comes after a quiet end is `StreamEnded`.
    """

    def __init__(self, line: Line, inbox: Inbox, opened: dict[str, Any], header: Any) -> None:
        input_schema = opened["input_schema"]
        super().__init__(
            read_schema(opened["output_schema"]),
            None,
            None if input_schema is None else read_schema(input_schema),
            header,
        )
        self.id: str = opened["stream"]
        self.kind: str = opened["kind"]
        self.outputs: int = opened["outputs"]
        """Batches received, with those before a resume."""
        self.inputs: int = opened["inputs"]
        """Batches sent, with those before a resume."""
        self._line = line
        self._inbox = inbox
        self._inbox.input_credit_bytes += opened["input_credit_bytes"]
        self._reader = PieceReader(opened["output_schema"], check=False)
        self._form: Form | None = None
        self._writer: PieceWriter | None = None
        self._batches: deque[AnnotatedBatch] = deque()
        self._owed_bytes = 0
        self._is_error_seen = False
        self._is_left = False  # nobody wants what may still come

    def typed_header(self, type: type[T]) -> T:
        """The header, known to be a `type`. Raises `TypeError` if it is another or there is none."""
        if not isinstance(self.header, type):
            found = "the stream has none" if self.header is None else f"it is a {self.header.__class__.__name__}"
            raise TypeError(f"a header of type {type.__name__} was expected, but {found}")
        return self.header

    # -- batches ---------------------------------------------------------------------------------------------

    def exchange(self, batch: AnnotatedBatch, timeout_s: float | None = None) -> AnnotatedBatch:
        """Send a batch and wait for an answer: to this one, unless others were sent ahead. Raises `SidecarError`
        (`invalid_input`, with nothing sent, for a batch that does not fit), `StreamEnded`, and `CallTimeout`, which
        cancels the stream."""
        try:
            self.send(batch, timeout_s)
            return self.receive(timeout_s)
        except CallTimeout:
            self.cancel()  # or the next answer would be taken for that of another batch
            raise

    def send(self, batch: AnnotatedBatch, timeout_s: float | None = None) -> None:
        """Send a batch without waiting for its answer, only for credit. Answers come in order."""
        batch_in = self._checked(batch)
        deadline = _deadline(timeout_s)
        while self._inbox.input_credit_bytes <= 0:
            self._drain()  # or the answers that nobody takes would hold up the turns that give credit
            self._raise_if_ended()
            self._wait(self._inbox.next_change(wants_credit=True), deadline, timeout_s)
        self._raise_if_ended()
        assert self._writer is not None
        piece = Payload("arrow", self._writer.write(batch_in, batch.custom_metadata))
        try:
            self._line.notify("streams/data", {"stream": self.id, "batches": piece})
        except SidecarError:  # too large: its dictionaries are missing on the other side from here on
            self.cancel()
            raise
        self._inbox.spend(piece.size)
        self.inputs += 1

    def receive(self, timeout_s: float | None = None) -> AnnotatedBatch:
        """The next batch. Raises `StreamEnded` after the last, `SidecarError` for an error, `CallTimeout`."""
        deadline = _deadline(timeout_s)
        while self._is_left or not self._batches:
            if self._is_left or not self._drain():
                self._raise_if_ended()
                self._wait(self._inbox.next_change(), deadline, timeout_s)
        self.outputs += 1
        return self._batches.popleft()

    def received(self) -> list[AnnotatedBatch]:
        """The batches that are here; does not wait. Raises as `receive` does where there is none."""
        while self._drain():
            pass
        if not self._batches:
            self._raise_if_ended()
        taken, self._batches = [*self._batches], deque()
        self.outputs += len(taken)
        return taken

    def __iter__(self) -> Iterator[AnnotatedBatch]:
        """All batches that come from a producer. Leaving the loop early cancels the stream. Raises `StreamEnded` where
        that has happened already."""
        if self.kind == "exchange":
            raise TypeError("an exchange answers what is sent: use exchange, or send and receive")
        if self._is_left:
            self._raise_if_ended()
        return self._iterate()

    def _iterate(self) -> Iterator[AnnotatedBatch]:
        try:
            while True:
                try:
                    batch = self.receive()
                except StreamEnded:
                    return
                yield batch
        except GeneratorExit:  # it was left early, or collected, and then on any thread, with any lock held
            self._is_left = True
            reap(self._line, self._inbox)

    def checkpoint(self, ttl_s: int | None = None, timeout_s: float | None = None) -> Checkpoint:
        """`streams/checkpoint`: a token from which `resume` goes on where the sidecar is now, which is ahead of this
        session: `receive` until `outputs` is that of the checkpoint, and send again what came after its `inputs`.
        Raises `StreamEnded` where nothing is left to go on with."""
        if self._is_left or self._inbox.ended is not None:
            raise self._inbox.ended or StreamEnded("cancel")
        params: dict[str, Any] = {"stream": self.id} if ttl_s is None else {"stream": self.id, "ttl_s": ttl_s}
        made = self._line.request("streams/checkpoint", params).result(timeout_s)
        return Checkpoint(bytes(made["token"].data), made["outputs"], made["inputs"], made["expires_at"])

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """End the stream once what was sent is served, and wait for that. What comes meanwhile is dropped; an error
        that nobody has seen is raised. May be called again."""
        if self._is_left:
            return
        try:
            if self._inbox.ended is None:
                self._line.notify("streams/close", {"stream": self.id})
                self._drop_until_end(timeout_s)
        finally:
            self.cancel()  # where the end did not come
        if isinstance(self._inbox.ended, SidecarError) and not self._is_error_seen:
            raise self._inbox.ended

    def cancel(self) -> None:
        """End the stream now; does not wait. May be called again, and on any thread."""
        if self._is_left:
            return
        self._is_left = True
        self._inbox.abandon()
        if self._inbox.ended is None:
            with suppress(HostFault):
                self._line.notify("streams/cancel", {"stream": self.id})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if exc_info[0] is None:
            self.close()
        else:
            self.cancel()

    def __del__(self) -> None:
        if not getattr(self, "_is_left", True) and self._inbox.ended is None:
            reap(self._line, self._inbox)

    # ----------------------------------------------------------------------------------------------------------

    def _checked(self, batch: Any) -> pa.RecordBatch:
        if self.kind != "exchange":
            raise TypeError("a producer takes no input: iterate over it")
        if not isinstance(batch, AnnotatedBatch):
            raise TypeError(f"an AnnotatedBatch is exchanged, not a {type(batch).__name__}: AnnotatedBatch(batch)")
        if self._form is None:
            self._form = Form(self.input_schema or batch.batch.schema, "invalid_input", exact=True)
        conformed = self._form.conform(batch.batch)
        limit = self._line.limits.max_payload_bytes
        if conformed.nbytes > limit:
            message = f"the batch has {conformed.nbytes} bytes, the sidecar takes {limit}: send smaller ones"
            raise SidecarError("too_large", message, payload_bytes=conformed.nbytes, max_payload_bytes=limit)
        if self._writer is None:
            self._writer = PieceWriter(self._form.schema, with_schema=True)
        return conformed

    def _drain(self) -> bool:
        """Take one piece that came, and give its credit back; False if there is none."""
        piece = self._inbox.next_piece()
        if piece is None:
            return False
        self._batches += [AnnotatedBatch(batch, metadata) for batch, metadata in self._reader.read(piece)]
        self._owed_bytes += piece.size
        if self._owed_bytes >= WINDOW_BYTES // 2 and self._inbox.ended is None:
            owed, self._owed_bytes = self._owed_bytes, 0
            self._line.notify("streams/credit", {"stream": self.id, "bytes": owed})
        return True

    def _drop_until_end(self, timeout_s: float) -> None:
        deadline = _deadline(timeout_s)
        with suppress(CallTimeout):
            while self._inbox.ended is None:
                self._batches.clear()
                if not self._drain():
                    self._wait(self._inbox.next_change(), deadline, timeout_s)

    def _raise_if_ended(self) -> None:
        if self._inbox.ended is not None and not self._inbox.has_piece():
            self._is_error_seen = True
            ended = self._inbox.ended
            try:
                raise ended
            finally:
                del self, ended  # or the error would hold this frame, which holds the error
        if self._is_left:
            raise StreamEnded("cancel")

    def _wait(self, waiter: Waiter | None, deadline: float | None, timeout_s: float | None) -> None:
        if waiter is None:
            return
        left_s = None if deadline is None else max(0.0, deadline - monotonic())
        if not self._line.wait(waiter, left_s):
            raise CallTimeout(f"nothing came from the stream within {timeout_s} s")

    def __repr__(self) -> str:
        return f"StreamSession({self.id!r}, {self.kind}, {self.outputs} received, {self.inputs} sent)"


def _deadline(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else monotonic() + timeout_s
