"""What a handler brought, as a frame: a result within the host's limits, or whatever it raised as an error.

Nothing in here fails, for the caller is the last to hold a call: one that it lost would never be answered.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from ..protocol.errors import SidecarError
from ..protocol.messages import Failure, Result, check_size
from ..wire.framing import encode
from ..wire.limits import Limits

_log = logging.getLogger("sidecar")


def failure(method: str, error: BaseException, debug: bool) -> SidecarError:
    """The answer for what a handler raised. Called while that is being handled."""
    if isinstance(error, SidecarError):
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


def encode_response(response: Result | Failure) -> list[Any]:
    """The frame of a response that is known to have one, or of an error."""
    try:
        return encode(response)
    except Exception as fault:  # whatever a handler may put into an error
        error = SidecarError("internal_error", f"the error has no JSON form: {_text(fault)}")
        return encode(Failure(response.id, error.to_object()))


def encodable(text: str) -> str:
    """`text` without what UTF-8 cannot hold: Python has that in names of files."""
    return text.encode("utf-8", "backslashreplace").decode()


def _text(error: BaseException) -> str:
    """What an exception says; its class may be anybody's, so that even this can fail."""
    try:
        return encodable(str(error))
    except Exception:
        return "(it has no text)"
