"""A service as its caller sees it: an object of the Protocol whose methods are calls through the line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast
from uuid import uuid4

from ..protocol.errors import SidecarError
from ..streams.contract import read_protocol
from ..streams.service import Method
from ..streams.values.codec import Codec
from ..streams.values.structs import restoring
from ..wire.payload import Payload
from . import reaper
from .calls import Call, OnProgress, OnServiceLog
from .faults import HostFault
from .inbox import Inbox
from .line import Line
from .session import WINDOW_BYTES, StreamSession

P = TypeVar("P")

ANSWER_S = 1.0
"""How much longer than its deadline the answer to a call is waited for: that the deadline passed is an answer too."""


class Caller:
    """Makes calls of services. `timeout_s` is the deadline of every call, and the life of every stream."""

    def __init__(
        self, line: Line, timeout_s: float | None, on_log: OnServiceLog | None, on_progress: OnProgress | None
    ) -> None:
        self._line = line
        self._timeout_s = timeout_s
        self._on_log = on_log
        self._on_progress = on_progress

    def call(self, method: Method, arguments: dict[str, Any]) -> Any:
        """A unary method."""
        assert method.result is not None
        value = self.value(self.start(method.full_name, method.encode(arguments)))
        with restoring():  # what the sidecar made is exact: no `__post_init__` changes it again
            return method.result.from_json(value, f"the result of {method.full_name}")

    def start(self, name: str, params: dict[str, Any]) -> Call:
        """A unary method by its full name, with parameters as JSON; its `value` comes with the answer."""
        request = {"method": name, "params": params, "timeout_s": self._timeout_s}
        return self._line.request("services/call", request, self._on_progress, self._on_log)

    def value(self, call: Call) -> Any:
        """What a method that was started returned, as JSON; binary values are `Payload`."""
        return call.result(self._answer_s())["value"]

    def open(self, method: Method, arguments: dict[str, Any]) -> StreamSession:
        """A streaming method."""
        return self.begin(method.full_name, method.encode(arguments), method.header)

    def begin(self, name: str, params: dict[str, Any], header: Codec | None = None) -> StreamSession:
        """A streaming method by its full name, with parameters as JSON; without its codec the header is JSON too."""
        return self._begin("streams/open", {"method": name, "params": params}, header)

    def resume(self, token: bytes) -> StreamSession:
        """A stream from its token. It has no header: that came when it was first opened. Raises `SidecarError`:
        `invalid_token`, `token_expired`, `not_serializable`."""
        return self._begin("streams/resume", {"token": Payload("bytes", token)}, None)

    def _begin(self, request: str, params: dict[str, Any], header: Codec | None) -> StreamSession:
        inbox = Inbox(uuid4().hex, self._on_log, self._on_progress)
        own = {"stream": inbox.stream, "credit_bytes": WINDOW_BYTES, "timeout_s": self._timeout_s}
        reaper.start()
        self._line.open_inbox(inbox)
        try:
            call = self._line.request(request, {**own, **params}, self._on_progress, self._on_log)
            opened = call.result(self._answer_s())
            form = opened["header"]
            with restoring():
                value = form if header is None else header.from_json(form, "header")
        except BaseException as fault:
            self._line.drop_inbox(inbox)
            if not isinstance(fault, SidecarError):  # too late, or of another Protocol: it may be open over there
                with suppress(HostFault):
                    self._line.notify("streams/cancel", {"stream": inbox.stream})
            raise
        return StreamSession(self._line, inbox, opened, value)

    def _answer_s(self) -> float | None:
        return None if self._timeout_s is None else self._timeout_s + ANSWER_S


def make_proxy(
    protocol: Callable[..., P],
    line: Line,
    name: str | None = None,
    timeout_s: float | None = None,
    on_log: OnServiceLog | None = None,
    on_progress: OnProgress | None = None,
) -> P:
    """An object with the methods of `protocol`, a Protocol class. Raises `ContractError`.

    `protocol` is typed as what makes a P, which a Protocol class is to a type checker: it refuses `type[P]` there.
    """
    service = read_protocol(protocol, name)
    caller = Caller(line, timeout_s, on_log, on_progress)
    methods = {
        method.name: _bound(caller, method, getattr(protocol, method.name)) for method in service.methods.values()
    }
    return cast(P, type(service.name, (), {**methods, "__doc__": service.doc})())


def _bound(caller: Caller, method: Method, declared: Any) -> Callable[..., Any]:
    signature = inspect.signature(declared)

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*arguments, **named).arguments
        except TypeError as fault:
            raise TypeError(f"{method.full_name}: {fault}") from None
        bound.pop(next(iter(signature.parameters)))  # self
        return caller.call(method, bound) if method.result is not None else caller.open(method, bound)

    call.__name__ = method.name
    call.__doc__ = method.doc
    call.__signature__ = signature  # type: ignore[attr-defined]  # inspect looks for it
    return call
