"""process: what the sidecar says of itself."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ..protocol.errors import SidecarError
from ..protocol.methods import Context, InitializeParams, check_version
from ..streams.tokens import TokenKeys
from ..version import PROTOCOL_VERSION, VERSION
from ..wire.payload import Payload
from .allocations import resident_bytes
from .paths import PathPolicy
from .sessions import ListParams, Sessions


class InitializeResult(Struct):
    """What is in force from here on; `allow_paths` holds one list a restriction. `methods_digest` changes when a
    method does, those of mounted services included."""

    protocol_version: str
    version: str
    allow_paths: list[list[str]]
    methods_digest: str


class PingParams(Struct, forbid_unknown_fields=True):
    """Any value, payloads of every type included."""

    data: Any = None


class PingResult(Struct):
    """The same value."""

    data: Any


class StatsParams(Struct, forbid_unknown_fields=True):
    """`stats` takes none."""


class PassedPhase(Struct):
    """`at_ms` is since the first line of the sidecar's own code, which is the phase `started`."""

    phase: str
    at_ms: float


class StatsResult(Struct):
    """`uptime_s` since the start, `rss_bytes` the memory of the process as the system counts it (null where it does
    not tell), `arrow_bytes` what Arrow has allocated, `session_bytes` what sessions and loads take, `streams` how many
    are open, `startup` the phases that the process has passed since its start."""

    uptime_s: float
    pid: int
    threads: int
    sessions: int
    rss_bytes: int | None
    arrow_bytes: int
    session_bytes: int
    streams: int
    startup: list[PassedPhase]


class Process:
    """The methods without a noun."""

    def __init__(
        self,
        sessions: Sessions,
        paths: PathPolicy,
        token_keys: TokenKeys,
        methods_digest: str,
        startup: Callable[[], list[tuple[str, float]]] = list,
    ) -> None:
        self._startup = startup
        self._token_keys = token_keys
        self._methods_digest = methods_digest
        self._sessions = sessions
        self._paths = paths
        self._started = time.monotonic()

    def initialize(self, params: InitializeParams, _context: Context) -> InitializeResult:
        """`initialize`: the host's part of the greeting. Raises `unsupported_protocol` and `invalid_path`.

        The runtime takes the host's limits from it, once this has accepted the rest.
        """
        check_version(params.protocol_version)
        keys = None if params.token_keys is None else [(key.id, _key_bytes(key.key)) for key in params.token_keys]
        if keys is not None:
            TokenKeys(keys)  # raises; nothing must have changed then
        if params.allow_paths is not None:
            self._paths.restrict(params.allow_paths)
        if keys is not None:
            self._token_keys.set(keys)
        return InitializeResult(PROTOCOL_VERSION, VERSION, self._paths.describe(), self._methods_digest)

    def ping(self, params: PingParams, _context: Context) -> PingResult:
        """`ping`: answers with what it got."""
        return PingResult(params.data)

    def stats(self, _params: StatsParams, context: Context) -> StatsResult:
        """`stats` of the process."""
        import pyarrow as pa

        sessions = self._sessions.list_sessions(ListParams(), context)
        return StatsResult(
            uptime_s=time.monotonic() - self._started,
            pid=os.getpid(),
            threads=threading.active_count(),
            sessions=len(sessions.sessions),
            rss_bytes=resident_bytes(),
            arrow_bytes=pa.total_allocated_bytes(),
            session_bytes=sessions.bytes,
            streams=len(context.streams()),
            startup=[PassedPhase(phase, round(at_ms, 3)) for phase, at_ms in self._startup()],
        )


def _key_bytes(key: Any) -> Any:
    if isinstance(key, Payload):
        return key.data
    try:
        return base64.b64decode(key, validate=True)
    except (TypeError, ValueError):  # binascii.Error is a ValueError
        raise SidecarError("invalid_base64", "a token key is a payload, or base64 text", field="token_keys") from None
