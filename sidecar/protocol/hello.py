"""The first frame, which the sidecar sends before any import that could wait.

Of a frozen executable's 10 ms to its first line, each module adds 0.2 to 0.4 ms; `json` and what it needs would add 8,
`platform` 2, `hashlib` 4, `typing` 9 (measured, CPython 3.11). So the frame is written here, by hand; tests hold it to
what `wire.framing` makes.
"""

from __future__ import annotations

import os
import sys

from ..version import PROTOCOL_VERSION, VERSION

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Mapping

FEATURES = ("cancel", "lazy", "progress", "streams")

CORE = (
    "initialize",
    "load",
    "load/stream",
    "ping",
    "sessions/close",
    "sessions/list",
    "shutdown",
    "stats",
)
STREAMS = ("describe", "services/call", "streams/checkpoint", "streams/list", "streams/open", "streams/resume")
TABLES = ("tables/compare", "tables/export", "tables/rows", "tables/sql", "tables/stats")

METHODS = tuple(sorted((*CORE, *STREAMS, *TABLES)))
"""Every method of the built-in nouns; `app`, which makes tables and streams when one is first asked for, is held
to this list by a test."""

MIN_HEADER_BYTES = 4096
"""Whoever takes less could not be told why."""


BUILT_IN_DIGEST = "b8c3e8e042d25f21"
"""`methods_digest()`, here since hashing takes an import of 4 ms; a test says what it must be."""


def methods_digest(services: str = "") -> str:
    """16 hex digits that change when a method comes or goes, or the protocol's version does, or `services`, which is
    what `describe` says of the mounted ones."""
    from hashlib import sha256

    return sha256("\n".join((PROTOCOL_VERSION, *METHODS, services)).encode()).hexdigest()[:16]


def hello_frame(limits: Mapping[str, int | None], digest: str | None = None, build_id: str = "source") -> bytes:
    """The whole frame, ready to be written. `limits` are those that hello announces, `digest` is of all methods: None
    where services are mounted later."""
    params = {
        "protocol_version": PROTOCOL_VERSION,
        "product": "arrow-sidecar",
        "version": VERSION,
        "build_id": build_id,
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "platform": sys.platform,
        "features": FEATURES,
        "limits": limits,
        "methods_digest": digest,
    }
    header = _json({"jsonrpc": "2.0", "method": "hello", "params": params}).encode()
    size = -(-(4 + len(header)) // 64) * 64 - 4  # as wire.framing pads; a test holds the two together
    return size.to_bytes(4, "little") + header.ljust(size)


_ESCAPES = {**{code: f"\\u{code:04x}" for code in range(32)}, ord('"'): '\\"', ord("\\"): "\\\\"}


def _json(value: object) -> str:
    """What hello is made of, as JSON."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(name)}:{_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    return "null" if value is None else str(value)
