"""What a handler brought, as a frame: a result within the host's limits, or whatever it raised as an error.

Nothing in here fails, for the caller is the last to hold a call: one that it lost would never be answered.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from ..protocol.errors import ErrorObject, SidecarError
from ..protocol.messages import Failure, Message, Notification, Result, check_size
from ..wire.framing import PREFIX_BYTES, encode
from ..wire.limits import Limits

MAX_CUT_CHARACTERS = 200
MAX_CUT_FIELDS = 4
MAX_CUT_FIELD_BYTES = 64
"""What is left of an error that is too large for the host: a character may take six bytes, and a stream's id 1536."""

_log = logging.getLogger("sidecar")


def failure(method: str, error: BaseException, debug: bool) -> SidecarError:
    """The answer for what a handler raised. Called while that is being handled."""
    if isinstance(error, SidecarError):
        if error.kind == "service_error":
            _log.error("%s", error, exc_info=error.__cause__)
            if debug:
                error.data["traceback"] = encodable("".join(traceback.format_exception(error.__cause__)))
        return error
    what = f"{type(error).__name__}: {_text(error)}"
    if isinstance(error, MemoryError):
        return SidecarError("memory_limit", f"{method} ran out of memory: {what}")
    _log.exception("%s failed", method)
    data = {"traceback": encodable(traceback.format_exc())} if debug else {}
    return SidecarError("internal_error", f"{method} failed: {what}", method=method, **data)


def encode_result(result: Result, limits: Limits) -> list[Any]:
    """The frame of a result. Raises `too_large`, and `internal_error` for what has no JSON form."""
    try:
        parts = encode(result)
    except Exception as fault:  # whatever a handler may put into a result
        raise SidecarError("internal_error", f"the result has no JSON form: {_text(fault)}") from None
    check_size("the answer", "host", result, parts, limits)
    return parts


def encode_response(response: Result | Failure, limits: Limits) -> list[Any]:
    """The frame of a response that is known to have one, or of an error within the host's limits."""
    if isinstance(response, Result):
        return encode(response)
    return _encode_error(response.error, limits, lambda error: Failure(response.id, error))


def encode_notification(method: str, params: dict[str, Any], error: SidecarError | None, limits: Limits) -> list[Any]:
    """The frame of a notification with an error within the host's limits, or with none."""
    if error is None:
        return encode(Notification(method, {**params, "error": None}))
    return _encode_error(error.to_object(), limits, lambda error: Notification(method, {**params, "error": error}))


def encode_log(level: str, message: str, limits: Limits) -> list[Any]:
    """The frame of a log record, cut where it is too large for the host."""
    parts = encode(Notification("log", {"level": level, "message": encodable(message)}))
    if len(parts[0]) - PREFIX_BYTES <= limits.max_header_bytes:
        return parts
    return encode(Notification("log", {"level": level, "message": encodable(_beginning(message))}))


def _encode_error(error: ErrorObject, limits: Limits, message: Callable[[ErrorObject], Message]) -> list[Any]:
    """A message with an error that may have anything in it: what a service raised, with what data it likes."""
    try:
        parts = encode(message(error))
    except Exception as fault:
        error = SidecarError("internal_error", f"the error has no JSON form: {_text(fault)}").to_object()
        parts = encode(message(error))
    payload_bytes = sum(map(len, parts[1:]))
    if len(parts[0]) - PREFIX_BYTES <= limits.max_header_bytes and payload_bytes <= limits.max_payload_bytes:
        return parts
    return encode(message(_cut(error)))


def _cut(error: ErrorObject) -> ErrorObject:
    """The error with the beginning of its message and without its large fields: 4 KiB, which every host takes."""
    fields = [(name, value) for name, value in error.data.items() if _is_small(name) and _is_small(value)]
    return ErrorObject(error.code, _beginning(error.message), dict(fields[:MAX_CUT_FIELDS]))


def _is_small(value: Any) -> bool:
    return isinstance(value, int | str) and len(msgspec.json.encode(value)) <= MAX_CUT_FIELD_BYTES


def _beginning(text: str) -> str:
    return f"{text[:MAX_CUT_CHARACTERS]}… ({len(text)} characters)"


def encodable(text: str) -> str:
    """`text` without what UTF-8 cannot hold: Python has that in names of files."""
    return text.encode("utf-8", "backslashreplace").decode()


def _text(error: BaseException) -> str:
    """What an exception says; its class may be anybody's, so that even this can fail."""
    try:
        return encodable(str(error))
    except Exception:
        return "(it has no text)"
