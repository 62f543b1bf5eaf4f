"""Whatever a handler brings becomes a frame, and limits are met to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.protocol.errors import ErrorObject, SidecarError
from sidecar.protocol.messages import Failure, Result
from sidecar.runtime.outcomes import encodable, encode_response, encode_result, failure
from sidecar.wire.framing import FrameReader
from sidecar.wire.limits import MIB, Limits
from sidecar.wire.payload import Payload


def header(parts: list[Any]) -> dict[str, Any]:
    """What a reader makes of a frame."""
    reader, data = FrameReader(Limits()), b"".join(parts)
    buffer = reader.get_buffer()
    buffer[: len(data)] = data
    (frame,) = reader.buffer_updated(len(data))
    return frame.header


@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False), (1024, False), (1025, False)])
def test_the_limit_of_payloads_counts_no_padding(size: int, fits: bool) -> None:
    result, limits = Result(1, [Payload("bytes", bytes(size - 500)), Payload("bytes", bytes(500))]), Limits(MIB, 1000)
    if fits:
        assert header(encode_result(result, limits))["payload"][0]["size"] == size - 500
        return
    with pytest.raises(SidecarError) as refused:
        encode_result(result, limits)
    assert refused.value.kind == "too_large"
    assert refused.value.data["payload_bytes"] == size


def test_the_limit_of_headers_counts_what_the_prefix_says() -> None:
    result = Result(1, "x" * 300)
    size = len(encode_result(result, Limits())[0]) - 4
    encode_result(result, Limits(size, 0))
    with pytest.raises(SidecarError, match=f"{size} \\+ 0 bytes"):
        encode_result(result, Limits(size - 1, 0))


def test_an_error_that_has_no_form_becomes_one_that_has() -> None:
    parts = encode_response(Failure("id", ErrorObject(1, "message", {"kind": "mine", "culprit": object()})), Limits())
    answer = header(parts)
    assert answer["id"] == "id"
    assert answer["error"]["data"] == {"kind": "internal_error"}


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("culprit"), "internal_error", "m failed: ValueError: culprit"),
        (SystemExit(3), "internal_error", "m failed: SystemExit: 3"),
        (MemoryError(), "memory_limit", "m ran out of memory: MemoryError: "),
        (MemoryError("malloc of 5"), "memory_limit", "m ran out of memory: MemoryError: malloc of 5"),
        (OSError("\udcff"), "internal_error", "m failed: OSError: \\udcff"),
    ],
    ids=repr,
)
def test_what_was_raised(error: BaseException, kind: str, words: str) -> None:
    made = failure("m", error, debug=False)
    assert (made.kind, made.message) == (kind, words)


def test_a_typed_error_stays_what_it_is() -> None:
    error = SidecarError("file_not_found", "culprit")
    assert failure("m", error, debug=True) is error


def test_encodable() -> None:
    assert encodable("ü\udcff") == "ü\\udcff"
