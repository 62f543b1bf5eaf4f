"""A service: the methods of a Protocol class, what they take and give, and the object that implements them."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

from ..protocol.errors import KINDS, SidecarError
from ..protocol.streams import Kind
from .state import ExchangeState, ProducerState, StreamState
from .stream import Stream
from .values.codec import Codec, InvalidValue

_KIND = re.compile("[a-z][a-z0-9_]*")

REQUIRED = inspect.Parameter.empty


class ServiceError(SidecarError):
    """What a service raises to be answered with a `kind` of its own: a snake_case name, a message for people, and
    `data` for programs, any JSON. Raises `ValueError` for a kind that is the sidecar's own."""

    def __init__(self, kind: str, message: str, /, **data: Any) -> None:
        if kind in KINDS or "kind" in data or not _KIND.fullmatch(kind):
            raise ValueError(
                f"{kind!r} is no kind for a service: take a snake_case name that PROTOCOL.md does not have"
            )
        super().__init__(kind, message, **data)


class Parameter(NamedTuple):
    """One parameter of a method; `default` is `REQUIRED` where there is none."""

    name: str
    codec: Codec
    default: Any


class Method(NamedTuple):
    """One method as its Protocol has it. `result` is None for a streaming method; `state` is the state's class that
    the Protocol names, and `header` the codec of the header, where it has one."""

    service: str
    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    result: Codec | None
    state: type[StreamState] | None
    header: Codec | None

    @property
    def full_name(self) -> str:
        """As it stands on the wire."""
        return f"{self.service}.{self.name}"

    @property
    def kind(self) -> str:
        """`unary`, `producer` or `exchange`; `stream` where the Protocol leaves open which."""
        if self.state is None:
            return "unary"
        return stream_kind(self.state) or "stream"

    def encode(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments as JSON. Raises `InvalidValue`, with the parameter's name."""
        parameters = {parameter.name: parameter.codec for parameter in self.parameters}
        return {name: parameters[name].to_json(value, name) for name, value in arguments.items()}

    def decode(self, given: dict[str, Any]) -> dict[str, Any]:
        """Arguments of JSON, defaults filled in. Raises `invalid_params` that names the parameter."""
        names = [parameter.name for parameter in self.parameters]
        unknown = [name for name in given if name not in names]
        if unknown:
            raise self._invalid(f"has no parameter {unknown[0]!r}", names)
        try:
            return {parameter.name: self._argument(parameter, given, names) for parameter in self.parameters}
        except InvalidValue as fault:
            raise self._invalid(f"does not take this: {fault}", names) from None

    def _argument(self, parameter: Parameter, given: dict[str, Any], names: list[str]) -> Any:
        if parameter.name in given:
            return parameter.codec.from_json(given[parameter.name], parameter.name)
        if parameter.default is REQUIRED:
            raise self._invalid(f"needs the parameter {parameter.name!r}", names)
        return deepcopy(parameter.default)  # it is the implementation's to change; 0.3 µs for an immutable one

    def _invalid(self, reason: str, names: list[str]) -> SidecarError:
        takes = ", ".join(names) or "none"
        return SidecarError("invalid_params", f"{self.full_name} {reason} (parameters: {takes})", expected=names)


class Service(NamedTuple):
    """A mounted service, or with `implementation` None what a host knows of one."""

    name: str
    doc: str
    methods: dict[str, Method]
    implementation: Any
    takes_context: frozenset[str]

    def function(self, method: Method) -> Callable[..., Any]:
        """What implements `method`."""
        function: Callable[..., Any] = getattr(self.implementation, method.name)
        return function


def stream_kind(state: Any) -> Kind | None:
    """What kind of stream a state (or its class) makes; None where its class alone does not say."""
    cls = state if isinstance(state, type) else type(state)
    if issubclass(cls, ProducerState):
        return "producer"
    return "exchange" if issubclass(cls, ExchangeState) else None


@contextmanager
def authors_code(method: str) -> Iterator[None]:
    """Around every call of what an author wrote: whatever it raises becomes one typed error."""
    try:
        yield
    except SidecarError:
        raise
    except BaseException as fault:  # sys.exit and KeyboardInterrupt in a handler are the handler's
        raise service_error(method, fault) from fault


def service_error(method: str, fault: BaseException) -> SidecarError:
    """What the host gets for an exception of the author's."""
    name = type(fault).__name__
    return SidecarError("service_error", f"{method} raised {name}: {_text(fault)}", method=method, type=name)


def _text(fault: BaseException) -> str:
    try:
        return str(fault)
    except Exception:
        return "(it has no text)"


def resolved_hints(function: Any) -> dict[str, Any]:
    """The annotations of a function, names resolved. Raises `TypeError` for one that is not known."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as fault:  # NameError, and whatever evaluating "pa.Foo", "list[" or "1 / 0" raises
        raise TypeError(f"an annotation cannot be resolved: {fault}") from None


def stream_types(hint: Any) -> tuple[Any, Any] | None:
    """S and H of `Stream[S, H]`, H None where there is none; None for what is no stream."""
    if hint is Stream:
        return StreamState, None
    if typing.get_origin(hint) is not Stream:
        return None
    state, header = typing.get_args(hint)
    return state, None if header is type(None) else header
