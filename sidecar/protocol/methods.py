"""A method as the runtime sees it, and the parameters of those that belong to the conversation itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import RLock
from typing import Annotated, Any, Literal, NamedTuple, Protocol, get_args, get_origin, get_type_hints

import msgspec

from ..version import PROTOCOL_MAJOR, PROTOCOL_VERSION
from .errors import SidecarError
from .hello import MIN_HEADER_BYTES
from .streams import Paused, StreamInfo, Turns


class Work(Protocol):
    """Long work, as it sees the one who asked for it: a call or a stream."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it any more: it was cancelled, or the process stops."""

    def check(self) -> None:
        """Raise `Cancelled` if so. Long work calls it between pieces."""

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Tell the host how far the work is. Also checks for cancellation. Sent at most 20 times a second."""


class Context(Work, Protocol):
    """What a handler may ask of the call that it serves."""

    def commit(self) -> None:
        """Called right before an effect becomes visible: from here on the call cannot be cancelled."""

    def leave_lane(self) -> None:
        """Called by a handler that only reads, once it has what it reads: the next request of its lane may begin."""

    @property
    def id(self) -> int | str:
        """Of the request."""

    @property
    def deadline(self) -> float | None:
        """When the time of the request is over, on the clock of `time.monotonic`; None for never. A request has one
        where its parameters have `timeout_s`."""

    @property
    def max_payload_bytes(self) -> int:
        """How many bytes of binary values the host takes in one frame."""

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        """Send `$/log`."""

    def open_stream(self, id: str, turns: Turns, credit_bytes: int, outputs: int = 0, inputs: int = 0) -> None:
        """Commit, and register a stream that begins once the result is sent. Raises `Cancelled`, `stream_exists`,
        `too_many_streams` and `shutting_down`. It counts on from `outputs` and `inputs`."""

    def pause(self, stream: str) -> Paused:
        """Wait for the time between two turns of a stream, and hold it there until the answer is sent. Raises
        `unknown_stream`."""

    def drain(self, stream: str, method: str) -> Paused:
        """As `pause`, of a stream of `method` (see `Method.drains`), once the input is served that came before the
        request. Raises `unknown_stream` and `wrong_stream`."""

    def streams(self) -> list[StreamInfo]:
        """The open streams, oldest first."""


def _never_cheap(_params: Any) -> bool:
    return False


class Method(NamedTuple):
    """`handler(params, context)` takes a `params` struct and returns the result; it may raise `SidecarError`.

    `drains` is a streaming method: of a stream that the parameter `stream` names, the input that came before the
    request is served before `drain` returns, and what comes after it waits until the answer is sent.

    `is_cheap(params)` says that the handler answers within a fraction of a millisecond and never waits, so that
    the thread which reads the wire may run it.
    """

    params: type[msgspec.Struct]
    handler: Callable[[Any, Context], Any]
    is_cheap: Callable[[Any], bool] = _never_cheap
    drains: str | None = None


class Methods(Mapping[str, Method]):
    """Methods by name: some that are there, and `groups` of others, names and what makes them when one is first asked
    for. May be asked on any thread; a group is made once, and may ask for methods of another. Methods that drain a
    stream (see `Method`) belong to those that are there."""

    def __init__(
        self,
        there: Mapping[str, Method],
        *groups: tuple[Sequence[str], Callable[[], Mapping[str, Method]]],
    ) -> None:
        self._there = dict(there)
        self._makers = {name: make for names, make in groups for name in names}
        self._lock = RLock()

    def is_unmade(self, name: str) -> bool:
        """Whether to ask for a method would make its group, which takes imports."""
        return name in self._makers and name not in self._there

    def __getitem__(self, name: str) -> Method:
        if self.is_unmade(name):
            with self._lock:
                if name not in self._there:
                    self._there.update(self._makers[name]())
        return self._there[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._makers, **self._there})

    def __len__(self) -> int:
        return len({**self._makers, **self._there})


LANE_NAMES = {"session": "session", "store": "session", "comm": "comm", "stream": "stream"}
"""Parameters that name what a request works on, and the kind of it: a column store is a session too."""


def lane(params: dict[str, Any]) -> str | None:
    """What the request works on. Requests with the same lane are served in order of arrival."""
    for name, kind in LANE_NAMES.items():
        value = params.get(name)
        if isinstance(value, str):
            return f"{kind} {value}"
    return None


def convert(params: dict[str, Any], to: type[msgspec.Struct]) -> Any:
    """`params` as the method's struct. Raises `invalid_params`, whose message says where (`params.start`)."""
    try:
        return msgspec.convert(params, to)
    except msgspec.ValidationError as fault:
        message = f"{fault}".replace("`$", "`params")
        place = re.findall(r"\w+", message.rpartition("`params")[2])
        choices = _choices(to, place)
        if choices:
            raise SidecarError("invalid_params", f"{message}: one of {', '.join(choices)}", expected=choices) from None
        names = _fields(_innermost(to, place) or to)
        if message.startswith(("Object contains unknown", "Expected `object")):
            message += f": it takes {', '.join(names) or 'none'}"
        raise SidecarError("invalid_params", message, expected=names) from None
    except RecursionError:
        raise SidecarError("invalid_params", "params are nested too deeply", expected=_fields(to)) from None


def _choices(hint: Any, path: list[str]) -> list[str]:
    """The words that the place takes, where it takes words; msgspec names the wrong one alone."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _choices(get_type_hints(hint).get(path[0]), path[1:]) if path else []
    if get_origin(hint) is list:
        return _choices(get_args(hint)[0], path[1:])
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return next((found for inner in get_args(hint) if (found := _choices(inner, path))), [])


def _innermost(hint: Any, path: list[str]) -> type[msgspec.Struct] | None:
    """The object that the place is, or else is in."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        names = dict(zip(_fields(hint), hint.__struct_fields__, strict=True))
        inner = get_type_hints(hint).get(names.get(path[0], "")) if path else None
        return _innermost(inner, path[1:]) or hint
    if get_origin(hint) is list:
        return _innermost(get_args(hint)[0], path[1:]) if path else None
    return next((found for inner in get_args(hint) if (found := _innermost(inner, path))), None)


def _fields(struct: type[msgspec.Struct]) -> list[str]:
    return list(struct.__struct_encode_fields__)


class HostInfo(msgspec.Struct):
    """Who calls; for the log only."""

    name: str = ""
    version: str = ""


class HostLimits(msgspec.Struct):
    """The largest frame that the host takes, in bytes; null for what the sidecar itself takes by default."""

    max_header_bytes: Annotated[int, msgspec.Meta(ge=MIN_HEADER_BYTES)] | None = None
    max_payload_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None


class TokenKey(msgspec.Struct):
    """A key for the tokens of streams: `key` has 32 bytes or more, as a payload or in base64."""

    id: str
    key: Any


class InitializeParams(msgspec.Struct):
    """The host's answer to hello. Members that are not known are ignored."""

    protocol_version: str
    host: HostInfo = msgspec.field(default_factory=HostInfo)
    limits: HostLimits = msgspec.field(default_factory=HostLimits)
    allow_paths: list[str] | None = None
    token_keys: list[TokenKey] | None = None
    debug: bool = False


def check_version(theirs: str, they: str = "host", we: str = "sidecar") -> None:
    """Raise `unsupported_protocol` unless the other side speaks this major version. Both sides check it."""
    try:
        their_major = int(theirs.partition(".")[0])
    except ValueError:
        raise SidecarError("invalid_params", f"protocol_version {theirs!r} is no version") from None
    if their_major != PROTOCOL_MAJOR:
        upgrade = they if their_major < PROTOCOL_MAJOR else we
        message = f"the {they} speaks protocol {theirs}, the {we} {PROTOCOL_VERSION}: upgrade the {upgrade}"
        versions = {f"{they}_version": theirs, f"{we}_version": PROTOCOL_VERSION}
        raise SidecarError("unsupported_protocol", message, **versions, upgrade=upgrade)
