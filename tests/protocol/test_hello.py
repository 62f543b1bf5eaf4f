"""Hello: the bytes are those that `wire.framing` would make, and nothing heavy is imported to make them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

from sidecar.protocol.hello import FEATURES, METHODS, hello_frame, methods_digest
from sidecar.protocol.messages import Notification, parse
from sidecar.version import PROTOCOL_VERSION, VERSION
from sidecar.wire.framing import Frame, FrameReader, encode
from sidecar.wire.limits import Limits

TIMEOUT_S = 60


def frame_in(wire: bytes) -> Frame:
    reader = FrameReader(Limits())
    reader.get_buffer()[: len(wire)] = wire
    (frame,) = reader.buffer_updated(len(wire))
    reader.eof()
    return frame


@pytest.mark.parametrize("digest", [None, methods_digest()], ids=["not known yet", "known"])
def test_what_hello_says(digest: str | None) -> None:
    assert parse(frame_in(hello_frame(Limits(1024, 2048), 4096, None, digest))) == Notification(
        "hello",
        {
            "protocol_version": PROTOCOL_VERSION,
            "product": "arrow-sidecar",
            "version": VERSION,
            "build_id": os.environ.get("ARROW_SIDECAR_BUILD_ID", "source"),
            "pid": os.getpid(),
            "python": platform.python_version(),
            "platform": sys.platform,
            "features": list(FEATURES),
            "limits": {
                "max_header_bytes": 1024,
                "max_payload_bytes": 2048,
                "max_pending_bytes": 4096,
                "memory_limit_bytes": None,
            },
            "methods_digest": digest,
        },
    )


@pytest.mark.parametrize("build_id", ["", "x", *("b" * count for count in range(50, 120)), "größe €", 'a"b\\c'])
def test_the_bytes_are_those_of_the_framing(build_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARROW_SIDECAR_BUILD_ID", build_id)
    wire = hello_frame(Limits(), 1, 2)
    frame = frame_in(wire)
    assert frame.header["params"]["build_id"] == build_id
    assert b"".join(encode(frame.header)) == wire
    assert b"".join(encode(parse(frame))) == wire


def test_a_build_id_that_is_no_text_is_sent_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARROW_SIDECAR_BUILD_ID", os.fsdecode(b"a\xffb"))
    assert frame_in(hello_frame(Limits(), 1, 2)).header["params"]["build_id"] == "a?b"


IMPORTS = """
import json, sys
before = set(sys.modules)
from sidecar.protocol.hello import hello_frame
from sidecar.wire.limits import Limits
hello_frame(Limits(), 1, None)
print(json.dumps(sorted(name.partition(".")[0] for name in set(sys.modules) - before)))
"""


def test_hello_needs_the_standard_library_alone() -> None:
    child = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    imported = set(json.loads(child.stdout))
    assert "sidecar" in imported
    assert imported - {"sidecar"} <= sys.stdlib_module_names
    assert not imported & {"msgspec", "pyarrow", "polars"}


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
