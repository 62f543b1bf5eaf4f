"""A host without manners: it sends any bytes, reads frames one by one, and waits for nothing without a deadline."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Self

from sidecar.protocol.messages import Notification, Request
from sidecar.wire.framing import Frame, FrameReader, encode
from sidecar.wire.limits import GIB, Limits
from sidecar.wire.payload import Payload

DEADLINE_S = 30.0
"""No wait ends by this in a run that passes."""

GONE_S = 4.0
"""How long a sidecar is given to be gone. The promise is 2 s; the rest is for a machine that is busy."""

Message = dict[str, Any]


def frame(message: Any) -> bytes:
    """One whole frame; binary values of `message` are `Payload`."""
    return b"".join(encode(message))


def request(id: int | str, method: str, params: Message | None = None) -> bytes:
    """The frame of a request."""
    return frame(Request(id, method, params or {}))


def cancel(id: Any) -> bytes:
    """The frame of a cancel."""
    return frame(Notification("$/cancelRequest", {"id": id}))


def blob(size: int) -> Payload:
    """A binary value of `size` bytes."""
    return Payload("bytes", bytes(size))


def kind(answer: Message) -> str | None:
    """The error's kind; None for a result."""
    return answer["error"]["data"]["kind"] if "error" in answer else None


class RawHost:
    """A sidecar and both ends of its wire. Standard error goes to a file without a name, unless told otherwise."""

    def __init__(self, process: subprocess.Popen[bytes], input_fd: int, output_fd: int, stderr: Any) -> None:
        self.process = process
        self.input_fd = input_fd
        """Where the sidecar's input is written to."""
        self.output_fd = output_fd
        """Where its output is read from."""
        self._stderr = stderr
        self._reader = FrameReader(Limits(GIB, 4 * GIB))
        self._frames: deque[Frame] = deque()

    @classmethod
    def spawn(cls, command: Sequence[str], *options: str, **popen: Any) -> Self:
        """Start `COMMAND serve OPTIONS`; `popen` is for `subprocess.Popen`."""
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the host
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr, **popen}
        process = subprocess.Popen([*command, "serve", *options], bufsize=0, **pipes)
        ends = [stream.fileno() if stream is not None else -1 for stream in (process.stdin, process.stdout)]
        return cls(process, *ends, stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr, self._stderr):
            if stream is not None:
                stream.close()

    # -- speaking --------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.input_fd, view) :]

    def request(self, id: int | str, method: str, params: Message | None = None) -> None:
        """Send a request."""
        self.send(request(id, method, params))

    def close_input(self) -> None:
        """Say no more."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close_output(self) -> None:
        """Hear no more."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    # -- hearing ---------------------------------------------------------------------------------------------

    def next_frame(self) -> Frame | None:
        """The next frame, or None at the end of the output."""
        ends_at = time.monotonic() + DEADLINE_S
        while not self._frames:
            if not wait_readable(self.output_fd, ends_at - time.monotonic()):
                raise AssertionError(f"no frame within {DEADLINE_S} s; standard error: {self.stderr()}")
            count = os.readv(self.output_fd, [self._reader.get_buffer()])
            if not count:
                self._reader.eof()
                return None
            self._frames += self._reader.buffer_updated(count)
        return self._frames.popleft()

    def read(self) -> Message:
        """The next message."""
        frame = self.next_frame()
        assert frame is not None, f"the output ended; standard error: {self.stderr()}"
        return frame.header

    def hello(self) -> Message:
        """The next message, which must be the hello."""
        message = self.read()
        assert message["method"] == "hello"
        return message["params"]

    def answer(self, id: int | str | None = None) -> Message:
        """The next response, notifications skipped; of request `id` if that is given."""
        message = self.read()
        while "method" in message:
            message = self.read()
        assert id is None or message["id"] == id, message
        return message

    def answers(self, *ids: int | str) -> dict[int | str, Message]:
        """The next responses, which must be of these requests, in any order."""
        found = {answer["id"]: answer for answer in (self.answer() for _ in ids)}
        assert set(found) == set(ids), found
        return found

    def call(self, id: int | str, method: str, params: Message | None = None) -> Message:
        """Send a request and return its answer, which must be the next."""
        self.request(id, method, params)
        return self.answer(id)

    def read_ahead(self) -> int:
        """How many whole frames came with the last one that was taken."""
        return len(self._frames)

    def rest(self) -> list[Message]:
        """Every message up to the end of the output, without `log`."""
        messages: list[Message] = []
        while (frame := self.next_frame()) is not None:
            if frame.header.get("method") != "log":
                messages.append(frame.header)
        return messages

    # -- the process -----------------------------------------------------------------------------------------

    def exit_code(self, within_s: float = GONE_S) -> int:
        """Wait for the end of the process."""
        return self.process.wait(within_s)

    def stderr(self) -> str:
        """What it has written to standard error so far."""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "backslashreplace")


def wait_readable(fd: int, timeout_s: float) -> bool:
    """Whether there is input, or its end, within the time."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(timeout_s, 0) * 1000))


def read_until(fd: int, text: bytes) -> bytes:
    """Read up to where `text` has come."""
    seen, ends_at = b"", time.monotonic() + DEADLINE_S
    while text not in seen:
        assert wait_readable(fd, ends_at - time.monotonic()), f"{text!r} did not come: {seen!r}"
        data = os.read(fd, 65536)
        assert data, f"the end, and {text!r} did not come: {seen!r}"
        seen += data
    return seen


def write_until_full(fd: int, data: bytes, quiet_s: float = 0.3) -> int:
    """Write `data` over and over until the reader takes no more for a while; returns the bytes written."""
    os.set_blocking(fd, False)
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    total = 0
    while poll.poll(quiet_s * 1000):
        total += os.write(fd, memoryview(data)[total % len(data) :])
    os.set_blocking(fd, True)
    return total


def memory_peak_bytes(pid: int) -> int:
    """The most memory that a process has had so far (`VmHWM`)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
