"""Hello: the bytes are those that `wire.framing` would make, and nothing heavy is imported to make them."""

from __future__ import annotations

import json
import os
import platform
import sys

import pytest

from sidecar.protocol.hello import BUILT_IN_DIGEST, FEATURES, METHODS, hello_frame, methods_digest
from sidecar.protocol.messages import Notification, parse
from sidecar.version import PROTOCOL_VERSION, VERSION
from sidecar.wire.framing import Frame, FrameReader, encode
from sidecar.wire.limits import Limits

LIMITS = {
    "max_header_bytes": 1024,
    "max_payload_bytes": 2048,
    "max_pending_bytes": 4096,
    "memory_limit_bytes": None,
}


def frame_in(wire: bytes) -> Frame:
    reader = FrameReader(Limits())
    reader.get_buffer()[: len(wire)] = wire
    (frame,) = reader.buffer_updated(len(wire))
    reader.eof()
    return frame


@pytest.mark.parametrize("digest", [None, methods_digest()], ids=["not known yet", "known"])
def test_what_hello_says(digest: str | None) -> None:
    assert parse(frame_in(hello_frame(LIMITS, digest))) == Notification(
        "hello",
        {
            "protocol_version": PROTOCOL_VERSION,
            "product": "arrow-sidecar",
            "version": VERSION,
            "build_id": "source",
            "pid": os.getpid(),
            "python": platform.python_version(),
            "platform": sys.platform,
            "features": list(FEATURES),
            "limits": LIMITS,
            "methods_digest": digest,
        },
    )


@pytest.mark.parametrize(
    "build_id", ["", "x", *("b" * count for count in range(50, 120)), "größe €", 'a"b\\c', "\0\n\x1f"]
)
def test_the_bytes_are_those_of_the_framing(build_id: str) -> None:
    wire = hello_frame(LIMITS, build_id=build_id)
    frame = frame_in(wire)
    assert frame.header["params"]["build_id"] == build_id
    assert json.loads(bytes(wire[4:])) == frame.header
    if build_id.isprintable():  # JSON has several ways to write what is not
        assert b"".join(encode(frame.header)) == wire
        assert b"".join(encode(parse(frame))) == wire


def test_the_digest_that_stands_is_the_one_that_is_made() -> None:
    assert methods_digest() == BUILT_IN_DIGEST


def test_the_digest_tells_method_sets_and_versions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [methods_digest(), methods_digest("a service")]
    monkeypatch.setattr("sidecar.protocol.hello.METHODS", (*METHODS, "tables/more"))
    digests.append(methods_digest())
    monkeypatch.setattr("sidecar.protocol.hello.PROTOCOL_VERSION", "1.99.0")
    digests.append(methods_digest())
    assert len(set(digests)) == 4
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in digests)


def test_methods_and_features_are_in_order_and_once() -> None:
    assert list(METHODS) == sorted(set(METHODS))
    assert list(FEATURES) == sorted(set(FEATURES))
