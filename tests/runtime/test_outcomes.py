"""Whatever a handler brings becomes a frame, and limits are met to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar import ServiceError
from sidecar.protocol.errors import ErrorObject, SidecarError
from sidecar.protocol.messages import Failure, Result
from sidecar.runtime.outcomes import (
    encodable,
    encode_log,
    encode_notification,
    encode_response,
    encode_result,
    failure,
)
from sidecar.wire.framing import PREFIX_BYTES, FrameReader
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


# -- errors and records that are too large for the host -----------------------------------------------------------

SMALL_HOST = Limits(4096, 0)
CONTROL = "\x01" * 20_000
LARGE: dict[str, ErrorObject] = {
    "20 MB of message": ErrorObject(1, "x" * 20_000_000, {"kind": "mine"}),
    "control characters": ErrorObject(1, CONTROL, {"kind": "mine"}),
    "characters of four bytes": ErrorObject(1, "\U0001f600" * 20_000, {"kind": "mine"}),
    "a long value": ErrorObject(1, "short", {"kind": "mine", "value": "x" * 1_000_000}),
    "a long name": ErrorObject(1, "short", {"kind": "mine", "x" * 1_000_000: 1}),
    "a deep value": ErrorObject(1, "short", {"kind": "mine", "value": {"list": ["x" * 100] * 1000}}),
    "many fields": ErrorObject(1, "short", {"kind": "mine", **{f"field {n}": CONTROL[:10] for n in range(1000)}}),
    "all of it": ErrorObject(1, CONTROL, {"kind": "mine", CONTROL: 1, "value": CONTROL, "\x02" * 9: "\x02" * 9}),
    "a payload": ErrorObject(1, "short", {"kind": "mine", "bytes": Payload("bytes", bytes(100))}),
}


@pytest.mark.parametrize("error", LARGE.values(), ids=LARGE)
def test_a_large_error_is_cut_to_what_every_host_takes(error: ErrorObject) -> None:
    parts = encode_response(Failure("\x01" * 100, error), SMALL_HOST)
    assert len(parts[0]) - PREFIX_BYTES <= 4096
    assert len(parts) == 1
    told = header(parts)["error"]
    assert (told["code"], told["data"]["kind"]) == (1, "mine")
    assert told["message"].startswith(error.message[:100])


@pytest.mark.parametrize("error", LARGE.values(), ids=LARGE)
def test_a_large_error_ends_a_stream_all_the_same(error: ErrorObject) -> None:
    params = {"stream": "\x01" * 256, "reason": "error", "outputs": 2**53, "inputs": 2**53}
    parts = encode_notification("streams/end", params, SidecarError.from_object(error), SMALL_HOST)
    assert len(parts[0]) - PREFIX_BYTES <= 4096
    end = header(parts)["params"]
    assert {name: end[name] for name in params} == params
    assert end["error"]["data"]["kind"] == "mine"


@pytest.mark.parametrize("text", ["x" * 20_000_000, CONTROL, "\udcff" * 20_000], ids=["20 MB", "control", "no UTF-8"])
def test_a_large_log_record_is_cut(text: str) -> None:
    parts = encode_log("error", text, SMALL_HOST)
    assert len(parts[0]) - PREFIX_BYTES <= 4096
    told = header(parts)["params"]
    assert told["level"] == "error"
    assert told["message"].startswith(encodable(text[:100]))
    assert f"({len(text)} characters)" in told["message"]


def test_a_short_log_record_is_whole() -> None:
    assert header(encode_log("info", "short", SMALL_HOST))["params"] == {"level": "info", "message": "short"}


@pytest.mark.parametrize("message", [None, 3, b"bytes", ["list"]], ids=repr)
def test_a_message_is_text_whatever_a_service_gave(message: Any) -> None:
    """A host takes nothing else for one."""
    error = failure("m", ServiceError("mine", message), debug=False)
    told = header(encode_response(Failure(1, error.to_object()), Limits()))["error"]
    assert told["data"]["kind"] == "mine"
    assert told["message"] == str(message)
