"""services and streams: the methods by which a host finds, calls, opens, keeps and resumes what is mounted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from ..protocol.errors import Cancelled, SidecarError
from ..protocol.methods import Context
from ..protocol.streams import CREDIT_BYTES, INPUT_CREDIT_BYTES, Credit, Kind, StreamId, StreamInfo
from ..services.producers import StreamMethod
from ..wire.payload import Payload
from .checkpoints import read_state, schema_bytes, schema_of, type_name, write_state
from .context import CallContext
from .nouns import ExchangeTurns, ProducerTurns, open_noun
from .pieces import schema_payload
from .service import Method, Service, authors_code
from .state import StreamState
from .stream import Stream
from .tokens import Token, TokenSeal
from .turns import StreamTurns
from .values.codec import InvalidValue

_log = logging.getLogger("sidecar")

YEAR_S = 365 * 24 * 3600
TTL_S = 24 * 3600
"""How long a token is good, unless the host says otherwise."""

Timeout = Annotated[float, Meta(gt=0, le=YEAR_S)]


class CallParams(Struct, forbid_unknown_fields=True):
    """A unary method by its full name, `Service.method`; `timeout_s` in seconds, null for no deadline."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    timeout_s: Timeout | None = None


class CallResult(Struct):
    """What the method returned."""

    value: Any


class OpenParams(Struct, forbid_unknown_fields=True):
    """A streaming method, of a service or of a noun; `stream` is an id of the host's choice that no open stream has,
    `timeout_s` the life of the stream."""

    stream: StreamId
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    credit_bytes: Credit = CREDIT_BYTES
    timeout_s: Timeout | None = None


class OpenResult(Struct):
    """An open stream. Schemas are Arrow schema messages; `input_schema` is null for a producer, and for an exchange
    that takes any; `input_credit_bytes` is what the host may send."""

    stream: str
    method: str
    kind: Kind
    header: Any
    output_schema: Payload
    input_schema: Payload | None
    input_credit_bytes: int
    outputs: int
    inputs: int


class CheckpointParams(Struct, forbid_unknown_fields=True):
    """`ttl_s` is how long the token is good, in seconds."""

    stream: StreamId
    ttl_s: Annotated[int, Meta(ge=1, le=YEAR_S)] = TTL_S


class CheckpointResult(Struct):
    """A token for the stream as it stands after `outputs` batches sent and `inputs` taken; `expires_at` in seconds
    since 1970."""

    stream: str
    token: Payload
    outputs: int
    inputs: int
    expires_at: int


class ResumeParams(Struct, forbid_unknown_fields=True):
    """A token of `streams/checkpoint`; the rest is as in `streams/open`."""

    stream: StreamId
    token: Payload
    credit_bytes: Credit = CREDIT_BYTES
    timeout_s: Timeout | None = None


class StreamsParams(Struct, forbid_unknown_fields=True):
    """`streams/list` takes none."""


class StreamsResult(Struct):
    """The open streams, oldest first."""

    streams: list[StreamInfo]


class Services:
    """What is mounted, by name, and the methods of the nouns that stream."""

    def __init__(
        self,
        services: dict[str, Service],
        seal: TokenSeal,
        clock: Callable[[], float] = time.time,
        nouns: Mapping[str, StreamMethod] = MappingProxyType({}),
    ) -> None:
        self._services = services
        self.nouns = nouns
        self._seal = seal
        self._clock = clock

    def call(self, params: CallParams, context: Context) -> CallResult:
        """`services/call`: one unary method. Raises `method_not_found`, `invalid_params`, `service_error`,
        `invalid_output`, and what the method raises as `ServiceError`."""
        service, method = self._find(params.method)
        if method.result is None:
            raise self._not_found(f"{method.full_name} streams: open it with streams/open", streaming=False)
        value = _run(service, method, method.decode(params.params), context)
        try:
            return CallResult(method.result.to_json(value, "the result"))
        except InvalidValue as fault:
            raise SidecarError("invalid_output", f"{method.full_name}: {fault}", method=method.full_name) from None

    def open(self, params: OpenParams, context: Context) -> OpenResult:
        """`streams/open`: run a streaming method, and begin the stream that it returns."""
        if "/" in params.method:
            noun = open_noun(self.nouns, params.method, params.stream, params.params, context)
            try:
                return _begin(noun, params, context, noun.header)
            except BaseException:
                noun.close("error")
                raise
        service, method = self._find(params.method)
        if method.result is not None:
            raise self._not_found(f"{method.full_name} is unary: use services/call", streaming=True)
        stream = _run(service, method, method.decode(params.params), context)
        with _closed_on_failure(getattr(stream, "state", None), method):
            turns = StreamTurns(service, method, stream, params.stream)
            return _begin(turns, params, context, _header(method, stream))

    def checkpoint(self, params: CheckpointParams, context: Context) -> CheckpointResult:
        """`streams/checkpoint`: the state between two turns, as a token. Its answer comes after what was sent before,
        and before what is sent later. Raises `unknown_stream`, `not_serializable` and `too_large`."""
        paused = context.pause(params.stream)
        turns = paused.turns
        if not isinstance(turns, StreamTurns):
            message = f"{turns.method} has no checkpoints: open it again"
            raise SidecarError("not_serializable", message, stream=params.stream, method=turns.method)
        now = int(self._clock())
        token = Token(
            created=now,
            expires=now + params.ttl_s,
            stream=params.stream,
            method=turns.method,
            outputs=paused.outputs,
            inputs=paused.inputs,
            state_type=type_name(type(turns.state)),
            state=write_state(turns.state),
            output_schema=schema_bytes(turns.output_schema),
            input_schema=schema_bytes(turns.input_schema),
        )
        sealed = Payload("bytes", self._seal.seal(token))
        return CheckpointResult(params.stream, sealed, token.outputs, token.inputs, token.expires)

    def resume(self, params: ResumeParams, context: Context) -> OpenResult:
        """`streams/resume`: a stream that goes on where its token was made, in this sidecar or in another with the same
        key. Raises `invalid_token`, `token_expired`, `method_not_found` and `not_serializable`."""
        token = self._seal.open(params.token.data)
        service, method = self._find(token.method)
        state = read_state(token)
        with _closed_on_failure(state, method):
            with authors_code(method.full_name):
                state.rehydrate(service.implementation)
            stream = Stream(schema_of(token.output_schema), state, schema_of(token.input_schema))
            turns = StreamTurns(service, method, stream, params.stream)
            return _begin(turns, params, context, None, token.outputs, token.inputs)

    def list_streams(self, _params: StreamsParams, context: Context) -> StreamsResult:
        """`streams/list`."""
        return StreamsResult(context.streams())

    def _find(self, name: str) -> tuple[Service, Method]:
        service_name, _, method_name = name.partition(".")
        service = self._services.get(service_name)
        method = service.methods.get(method_name) if service else None
        if service is None or method is None:
            raise self._not_found(f"no service has a method {name!r}")
        return service, method

    def _not_found(self, message: str, streaming: bool | None = None) -> SidecarError:
        """The error, with the methods of the kind that was meant, or all."""
        methods = [method for service in self._services.values() for method in service.methods.values()]
        known = [method.full_name for method in methods if streaming in (None, method.result is None)]
        return SidecarError("method_not_found", message, methods=known)


def _run(service: Service, method: Method, arguments: dict[str, Any], context: Context) -> Any:
    if method.name in service.takes_context:
        arguments["ctx"] = CallContext(context, method.full_name, context.id, service.implementation)
    with authors_code(method.full_name):
        return service.function(method)(**arguments)


def _begin(
    turns: StreamTurns | ProducerTurns | ExchangeTurns,
    params: OpenParams | ResumeParams,
    context: Context,
    header: Any,
    outputs: int = 0,
    inputs: int = 0,
) -> OpenResult:
    context.open_stream(params.stream, turns, params.credit_bytes, outputs, inputs)
    return OpenResult(
        params.stream,
        turns.method,
        turns.kind,
        header,
        schema_payload(turns.output_schema),
        None if turns.input_schema is None else schema_payload(turns.input_schema),
        INPUT_CREDIT_BYTES if turns.kind == "exchange" else 0,
        outputs,
        inputs,
    )


@contextmanager
def _closed_on_failure(state: Any, method: Method) -> Iterator[None]:
    """A state was made, so that its `on_close` is called where no stream comes of it."""
    try:
        yield
    except BaseException as fault:
        try:
            if isinstance(state, StreamState):
                state.on_close("cancel" if isinstance(fault, Cancelled) else "error")
        except BaseException:
            _log.exception("on_close of a stream of %s failed", method.full_name)
        raise


def _header(method: Method, stream: Stream[StreamState, Any]) -> Any:
    if method.header is None:
        if stream.header is not None:
            message = f"{method.full_name} has no header in its Protocol, but the Stream has one"
            raise SidecarError("invalid_output", message, method=method.full_name)
        return None
    with authors_code(method.full_name):  # whose header may be anything
        try:
            return method.header.to_json(stream.header, "header")
        except InvalidValue as fault:
            raise SidecarError("invalid_output", f"{method.full_name}: {fault}", method=method.full_name) from None
