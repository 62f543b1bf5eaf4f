"""A raw host that keeps account of streams, and holds each of them to the rules whatever the test is about: nothing
before the answer that opens it, nothing after its end, one end, and never more output than credit and one frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from sidecar.protocol.messages import Notification
from sidecar.wire.framing import Frame
from sidecar.wire.payload import Payload, attach
from tests.peers.raw import DEADLINE_S, Message, RawHost, frame, request, wait_readable
from tests.peers.streaming import TEXTS, VALUES

ROOT = Path(__file__).parents[2]
SERVICE = ("--service", "tests.peers.streaming:make")
CREDIT_BYTES = 1024**2
MAX_HEADER_BYTES = 16 * 1024**2
"""What a host takes that has not said otherwise."""


class Record:
    """One stream, as its host saw it."""

    def __init__(self, opened: Message, credit_bytes: int) -> None:
        self.opened = opened
        self.credit_bytes = credit_bytes
        """What may still come; negative for what came on debt."""
        self.pieces: list[bytes] = []
        self.messages: list[Message] = []
        self.credits: list[int] = []
        self.end: Message | None = None

    def take(self, message: Message) -> None:
        """One notification, which must be allowed now."""
        method, params = message["method"], message["params"]
        assert self.end is None, f"{method} came after the end: {params}"
        if method == "streams/data":
            assert self.credit_bytes > 0, f"data without credit: {self.credit_bytes}"
            self.credit_bytes -= params["batches"].size
            self.pieces.append(bytes(params["batches"].data))
        elif method == "streams/credit":
            self.credits.append(params["bytes"])
        elif method == "streams/end":
            self.end = params
        else:
            self.messages.append(message)

    @property
    def schema(self) -> pa.Schema:
        """That of its output."""
        return pa.ipc.read_schema(pa.py_buffer(self.opened["output_schema"].data))

    def batches(self) -> list[pa.RecordBatch]:
        """All output: the schema message and the pieces put together are an Arrow IPC stream."""
        if not self.pieces:
            return []
        whole = b"".join([bytes(self.opened["output_schema"].data), *self.pieces])
        return list(pa.ipc.open_stream(pa.py_buffer(whole)))

    def column(self) -> list[Any]:
        """The first value of each batch."""
        return [batch.column(0)[0].as_py() for batch in self.batches()]

    @property
    def reason(self) -> str | None:
        """Why it ended."""
        return None if self.end is None else self.end["reason"]

    @property
    def error(self) -> str | None:
        """The kind of the error that ended it."""
        error = None if self.end is None else self.end["error"]
        return None if error is None else error["data"]["kind"]


class StreamHost(RawHost):
    """Every message goes through `take`, which files it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.streams: dict[str, Record] = {}
        """The newest of each id."""
        self.past: list[Record] = []
        """Those whose id was used again."""
        self.responses: dict[int | str, Message] = {}
        self.refusals: list[Message] = []
        """Errors that answer no request."""
        self._opening: dict[int | str, tuple[str, int]] = {}
        self._granted: dict[str, int] = {}  # credit for streams whose answer was not read yet
        self._ids = count(1)

    # -- speaking --------------------------------------------------------------------------------------------

    def open(self, stream: str, method: str, credit_bytes: int | None = None, **params: Any) -> Record:
        """Open a stream of the service, and wait for the answer, which must be a result."""
        answer = self.response(self.ask_open(stream, method, credit_bytes, **params))
        assert "result" in answer, answer
        return self.streams[stream]

    def ask_open(
        self, stream: str, method: str, credit_bytes: int | None = None, timeout_s: float | None = None, **params: Any
    ) -> int:
        """Send the request; returns its id."""
        params = {"stream": stream, "method": f"Streaming.{method}", "params": {"name": stream, **params}}
        if credit_bytes is not None:
            params["credit_bytes"] = credit_bytes
        if timeout_s is not None:
            params["timeout_s"] = timeout_s
        return self.ask("streams/open", params)

    def ask(self, method: str, params: Message) -> int:
        """Send a request; returns its id."""
        id = next(self._ids)
        if method in ("streams/open", "streams/resume"):
            self._opening[id] = params["stream"], params.get("credit_bytes", CREDIT_BYTES)
        self.send(request(id, method, params))
        return id

    def get(self, method: str, params: Message | None = None) -> Message:
        """Send a request and wait for its answer."""
        return self.response(self.ask(method, params or {}))

    def serve(self, method: str, **params: Any) -> Any:
        """Call a unary method of the service, and wait for what it returns."""
        return self.get("services/call", {"method": f"Streaming.{method}", "params": params})["result"]["value"]

    def notify(self, method: str, stream: str, **params: Any) -> None:
        """Send `streams/METHOD`."""
        if method == "credit" and stream in self.streams:
            self.streams[stream].credit_bytes += params["bytes"]
        self.send(frame(Notification(f"streams/{method}", {"stream": stream, **params})))

    def do(self, stream: str, *actions: str) -> None:
        """Send a batch to an `obey` for each action."""
        for action in actions:
            self.notify("data", stream, batches=self.piece(stream, TEXTS, [{"do": action}]))

    def values(self, stream: str, *values: int) -> None:
        """Send a batch to a `scale` for each value."""
        for value in values:
            self.notify("data", stream, batches=self.piece(stream, VALUES, [{"value": value}]))

    def piece(self, stream: str, schema: pa.Schema, rows: list[Message]) -> Payload:
        """The next piece of a stream's input, which begins with the schema the first time."""
        batch = pa.RecordBatch.from_pylist(rows, schema=schema).serialize().to_pybytes()
        record = self.streams[stream]
        is_first, record.opened["is_begun"] = "is_begun" not in record.opened, True
        return Payload("arrow", (schema.serialize().to_pybytes() if is_first else b"") + batch)

    # -- hearing ---------------------------------------------------------------------------------------------

    def take(self) -> bool:
        """File the next message; False at the end of the output."""
        found = self.next_frame()
        if found is None:
            return False
        assert found.buffers or found.size <= MAX_HEADER_BYTES, f"a header of {found.size} bytes"
        message = attached(found)
        method = message.get("method", "")
        if method.startswith("streams/"):
            stream = message["params"]["stream"]
            assert stream in self.streams, f"{method} of a stream that is not open: {message}"
            self.streams[stream].take(message)
        elif "method" not in message:
            self._file(message)
        return True

    def read_attached(self) -> Message:
        """The next message, past the account."""
        found = self.next_frame()
        assert found is not None, f"the output ended; standard error: {self.stderr()}"
        return attached(found)

    def wait_for_output(self) -> None:
        """Wait until there is something to read, and leave it there."""
        assert wait_readable(self.output_fd, DEADLINE_S)

    def _file(self, response: Message) -> None:
        id = response["id"]
        if id is None:
            self.refusals.append(response)
            return
        assert id not in self.responses, f"a second answer to {id}: {response}"
        self.responses[id] = response
        opening = self._opening.pop(id, None)
        if opening is not None and "result" in response:
            stream, credit_bytes = opening
            before = self.streams.get(stream)
            if before is not None:
                assert before.end is not None, f"{stream} was opened again before its end"
                self.past.append(before)
            self.streams[stream] = Record(response["result"], credit_bytes)

    def until(self, condition: Callable[[], Any]) -> None:
        """Take messages until `condition` holds."""
        while not condition():
            assert self.take(), f"the output ended; standard error: {self.stderr()}"

    def response(self, id: int | str) -> Message:
        """The answer to a request."""
        self.until(lambda: id in self.responses)
        return self.responses[id]

    def ended(self, *streams: str) -> list[str | None]:
        """Wait for the ends of streams; returns their reasons."""
        self.until(lambda: all(self.streams[stream].end for stream in streams))
        return [self.streams[stream].reason for stream in streams]

    def settled(self) -> None:
        """All that the sidecar sends by itself on account of what was sent so far has come, but for other threads."""
        self.get("ping")

    def open_streams(self) -> list[str]:
        """What `streams/list` has."""
        return [info["stream"] for info in self.get("streams/list")["result"]["streams"]]

    def closings(self, count: int) -> list[str]:
        """`name reason` of the streams closed so far, which will be so many."""
        closed = self.serve("closed")
        while len(closed) < count:  # `on_close` comes after the end; each turn of this is a round trip
            closed = self.serve("closed")
        return sorted(closed)

    def finish(self) -> None:
        """Hang up and hear the rest: every stream must have its one end, and the process ends well."""
        self.close_input()
        while self.take():
            pass
        for stream, record in self.streams.items():
            assert record.end is not None, f"{stream} has no end"
        assert self.exit_code() == 0, self.stderr()


def attached(found: Frame) -> Message:
    """A frame's message with its payloads in their places."""
    attach(found.header, found.descriptors, found.buffers)
    return found.header


def reasons(records: Iterable[Record]) -> list[str | None]:
    """Why they ended."""
    return [record.reason for record in records]
