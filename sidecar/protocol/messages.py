"""JSON-RPC 2.0 messages, as typed values and as frames.

`parse` turns a frame into one message; what cannot be one is a `SidecarError` that the sender gets for an
answer. A message is sent by `wire.framing.encode`, which takes these structs as they are.
"""

from __future__ import annotations

from reprlib import repr as shown  # of bounded length and depth, whatever the host sent
from typing import Any, TypeGuard

import msgspec

from ..wire.framing import PREFIX_BYTES, Frame, Refused
from ..wire.limits import Limits
from ..wire.payload import InvalidPayload, attach, find
from .errors import ErrorObject, SidecarError

Id = int | str


class Request(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    """A call that is answered exactly once."""

    id: Id
    method: str
    params: dict[str, Any] = {}


class Notification(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    """A message that is not answered."""

    method: str
    params: dict[str, Any] = {}


class Result(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    """The answer to a request that was served."""

    id: Id
    result: Any


class Failure(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    """The answer to a request that was not; `id` is null where the request had none that could be read."""

    id: Id | None
    error: ErrorObject


Message = Request | Notification | Result | Failure


class BadMessage(Exception):
    """A frame that holds no message; `failure` is its answer."""

    def __init__(self, id: Id | None, error: SidecarError) -> None:
        super().__init__(error.message)
        self.error = error
        self.failure = Failure(id, error.to_object())


def parse(frame: Frame) -> Message:
    """The message in `frame`, its payload attached. Raises `BadMessage`."""
    header = frame.header
    given = header.get("id")
    id = given if is_id(given) else None
    try:
        _check(header)
        if frame.refused is not None:
            raise _refusal(frame)
        attach(header, frame.descriptors, frame.buffers)
        return _message(header, id)
    except InvalidPayload as fault:
        raise BadMessage(id, SidecarError("invalid_payload", str(fault), index=fault.index)) from None
    except SidecarError as error:
        raise BadMessage(id, error) from None


def is_id(value: Any) -> TypeGuard[Id]:
    """Whether a request may have this id."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def _check(header: dict[str, Any]) -> None:
    if header.get("jsonrpc") != "2.0":
        raise SidecarError("invalid_request", 'the message must have the member "jsonrpc": "2.0"')
    answers_nothing = "error" in header and "method" not in header and header.get("id") is None
    if "id" in header and not is_id(header["id"]) and not answers_nothing:
        raise SidecarError("invalid_request", f"id must be an integer or a string, not {shown(header['id'])}")


def _message(header: dict[str, Any], id: Id | None) -> Message:
    if "method" in header:
        method, params = header["method"], header.get("params", {})
        if not isinstance(method, str):
            raise SidecarError("invalid_request", f"method must be a string, not {shown(method)}")
        if not isinstance(params, dict):
            raise SidecarError("invalid_request", f"params must be an object, not {type(params).__name__}")
        return Notification(method, params) if id is None else Request(id, method, params)
    if "error" in header:
        try:
            return Failure(id, msgspec.convert(header["error"], ErrorObject))
        except msgspec.ValidationError as fault:
            raise SidecarError("invalid_request", f"error is no JSON-RPC error: {fault}") from None
    if "result" in header and id is not None:
        return Result(id, header["result"])
    raise SidecarError("invalid_request", "a message needs a method, or an id and a result or an error")


def check_size(what: str, taker: str, message: Message, parts: list[Any], limits: Limits) -> None:
    """Raise `too_large` for a frame over the limits of the side that is to take it."""
    header_bytes = len(parts[0]) - PREFIX_BYTES
    payload_bytes = sum(map(len, parts[1:]))
    if payload_bytes > limits.max_payload_bytes:
        payload_bytes = sum(payload.size for _, payload in find(message))  # padding does not count
    if header_bytes > limits.max_header_bytes or payload_bytes > limits.max_payload_bytes:
        raise SidecarError(
            "too_large",
            f"{what} has {header_bytes} + {payload_bytes} bytes of header and payload, the {taker} takes "
            f"{limits.max_header_bytes} + {limits.max_payload_bytes}: nothing of it was sent, do it in smaller pieces",
            header_bytes=header_bytes,
            payload_bytes=payload_bytes,
            **limits._asdict(),
        )


def overloaded(refusal: Refused, frame_bytes: int) -> SidecarError:
    """The error for a frame that is more than the sidecar keeps waiting."""
    return SidecarError("overloaded", f"{refusal}; send it again when others are answered", bytes=frame_bytes)


def _refusal(frame: Frame) -> SidecarError:
    if isinstance(frame.refused, Refused):
        return overloaded(frame.refused, frame.size)
    return SidecarError("memory_limit", f"no memory for a frame of {frame.size} bytes", bytes=frame.size)
