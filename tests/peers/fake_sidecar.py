"""A sidecar that misbehaves in the way that its first argument names. What a host must survive."""

from __future__ import annotations

import os
import signal
import sys
import time

from sidecar.protocol.errors import ErrorObject
from sidecar.protocol.hello import hello_frame
from sidecar.protocol.messages import Failure, Notification, Result
from sidecar.wire.framing import FrameReader, encode
from sidecar.wire.limits import Limits

LONG_S = 3600


def send(message: object) -> None:
    """Write one frame."""
    os.write(1, b"".join(bytes(part) for part in encode(message)))


def hello() -> None:
    """Greet as the real one does."""
    os.write(1, hello_frame({**Limits()._asdict(), "max_pending_bytes": 1, "memory_limit_bytes": None}))


class Requests:
    """The host's requests, one at a time."""

    def __init__(self) -> None:
        self._reader = FrameReader(Limits())
        self._frames: list[dict[str, object]] = []

    def next(self) -> dict[str, object]:
        """The next message; ends the process at the end of the input."""
        while not self._frames:
            count = os.readv(0, [self._reader.get_buffer()])
            if not count:
                sys.exit(0)
            self._frames += [frame.header for frame in self._reader.buffer_updated(count)]
        return self._frames.pop(0)


def initialized() -> Requests:
    """Greet, and answer `initialize`."""
    hello()
    requests = Requests()
    send(Result(requests.next()["id"], {"methods_digest": "0123456789abcdef"}))  # type: ignore[arg-type]
    return requests


def no_hello() -> None:
    """Say nothing."""
    time.sleep(LONG_S)


def polluted() -> None:
    """A banner in front of the hello."""
    os.write(1, b"Loading libraries...\n")
    hello()
    time.sleep(LONG_S)


def old_protocol() -> None:
    """A major version that does not fit."""
    hello_params = {
        "protocol_version": "0.9.0",
        "version": "0.0.1",
        "build_id": "x",
        "pid": 1,
        "features": [],
        "limits": {},
        "methods_digest": "",
    }
    send(Notification("hello", hello_params))
    time.sleep(LONG_S)


def refuses_initialize() -> None:
    """Answers `initialize` with an error."""
    hello()
    request = Requests().next()
    error = ErrorObject(-32600, "upgrade the host", {"kind": "unsupported_protocol"})
    send(Failure(request["id"], error))  # type: ignore[arg-type]
    time.sleep(LONG_S)


def dies_with_words() -> None:
    """Ends in the middle of a call, with a reason on standard error."""
    initialized().next()
    sys.stderr.write("Fatal: the disk is on fire\n")
    sys.stderr.flush()
    os._exit(3)


def dies_inside_a_frame() -> None:
    """Ends after half a response."""
    request = initialized().next()
    frame = b"".join(bytes(part) for part in encode(Result(request["id"], {"data": "x" * 1000})))  # type: ignore[arg-type]
    os.write(1, frame[:100])
    os._exit(0)


def answers_a_stranger() -> None:
    """A response to a request that was never made."""
    initialized().next()
    send(Result(999_999, None))
    time.sleep(LONG_S)


def floods_stderr() -> None:
    """More on standard error than any pipe holds, before the answer."""
    request = initialized().next()
    line = b"x" * 99 + b"\n"
    for _ in range(20):
        os.write(2, line * 10_000)
    send(Result(request["id"], {"data": "after the flood"}))  # type: ignore[arg-type]


def never_answers() -> None:
    """Takes requests and answers none; stays when its input ends and when it is asked to terminate."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    initialized()
    time.sleep(LONG_S)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
