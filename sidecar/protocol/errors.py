"""Every error that can cross the wire: one exception, an open set of kinds, and JSON-RPC's code of each.

    SidecarError            a request cannot be answered with a result; the line goes on
    wire.FrameError         the bytes are no frame; the line ends (see `wire.framing`)

`KINDS` is the catalogue; PROTOCOL.md repeats it in words and a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REQUEST_CANCELLED = -32800  # the Language Server Protocol's RequestCancelled
REQUEST_FAILED = -32803  # the Language Server Protocol's RequestFailed: a valid request that could not be served

KINDS = {
    # the conversation
    "invalid_request": INVALID_REQUEST,
    "invalid_payload": INVALID_REQUEST,
    "duplicate_id": INVALID_REQUEST,
    "already_initialized": INVALID_REQUEST,
    "unsupported_protocol": INVALID_REQUEST,
    "method_not_found": METHOD_NOT_FOUND,
    "invalid_params": INVALID_PARAMS,
    "internal_error": INTERNAL_ERROR,
    "cancelled": REQUEST_CANCELLED,
    "shutting_down": REQUEST_FAILED,
    "overloaded": REQUEST_FAILED,
    "too_large": REQUEST_FAILED,
    "memory_limit": REQUEST_FAILED,
    # load
    "source_missing": INVALID_PARAMS,
    "source_conflict": INVALID_PARAMS,
    "invalid_base64": INVALID_PARAMS,
    "invalid_path": INVALID_PARAMS,
    "path_not_allowed": REQUEST_FAILED,
    "file_not_found": REQUEST_FAILED,
    "not_a_file": REQUEST_FAILED,
    "permission_denied": REQUEST_FAILED,
    "read_failed": REQUEST_FAILED,
    "file_exists": REQUEST_FAILED,
    "write_failed": REQUEST_FAILED,
    "file_changed": REQUEST_FAILED,
    "empty_file": REQUEST_FAILED,
    "unknown_format": REQUEST_FAILED,
    "invalid_file": REQUEST_FAILED,
    "unsupported_type": REQUEST_FAILED,
    "lazy_unsupported": REQUEST_FAILED,
    # tables and sessions
    "unknown_session": REQUEST_FAILED,
    "unknown_column": REQUEST_FAILED,
    "unsortable_column": REQUEST_FAILED,
    "invalid_filter": INVALID_PARAMS,
    "invalid_range": INVALID_PARAMS,
    "unencodable_column": REQUEST_FAILED,
    "invalid_query": INVALID_PARAMS,
    "incomparable_columns": REQUEST_FAILED,
    # services and streams
    "service_error": REQUEST_FAILED,
    "invalid_output": REQUEST_FAILED,
    "invalid_input": REQUEST_FAILED,
    "deadline_exceeded": REQUEST_FAILED,
    "unknown_stream": REQUEST_FAILED,
    "wrong_stream": REQUEST_FAILED,
    "stream_exists": REQUEST_FAILED,
    "too_many_streams": REQUEST_FAILED,
    "credit_exceeded": REQUEST_FAILED,
    "idle_timeout": REQUEST_FAILED,
    "not_serializable": REQUEST_FAILED,
    "invalid_token": REQUEST_FAILED,
    "token_expired": REQUEST_FAILED,
}
"""Kind to JSON-RPC code. The set is open: a host treats a kind that it does not know as its code says."""


class ErrorObject(Struct):
    """JSON-RPC's error: `data` always has `kind`, and the fields that a program needs to act."""

    code: int
    message: str
    data: dict[str, Any]


class SidecarError(Exception):
    """A request that gets an error for an answer. `kind` is a key of `KINDS`, `code` its value, or a kind of a
    service's own; `data` names the culprit."""

    def __init__(self, kind: str, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.data = data
        self.code = KINDS.get(kind, REQUEST_FAILED)

    @classmethod
    def from_object(cls, error: ErrorObject) -> SidecarError:
        """The error that a response holds, of a kind that this side may not know."""
        data = dict(error.data)
        made = SidecarError("internal_error", error.message)
        made.kind = str(data.pop("kind", made.kind))
        made.code = error.code
        made.data = data
        return made

    def to_object(self) -> ErrorObject:
        """The error as it stands in a response."""
        data = self.data if isinstance(self.data, dict) else {}  # a service may have put anything there
        return ErrorObject(self.code, str(self.message), {"kind": self.kind, **data})

    def __repr__(self) -> str:
        return f"SidecarError({self.kind!r}, {self.message!r}, {self.data!r})"


def deadline_exceeded() -> SidecarError:
    """The answer when the time that the host gave is over."""
    return SidecarError("deadline_exceeded", "the time that the host gave is over")


class Cancelled(SidecarError):
    """Raised inside a handler whose request was cancelled or whose process is stopping."""

    def __init__(self) -> None:
        super().__init__("cancelled", "the request was cancelled")
