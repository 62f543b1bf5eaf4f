"""The first frame, which the sidecar sends before any heavy import, so with the standard library alone.

`json` costs 8 ms to import where msgspec costs 21 (measured, CPython 3.11, one cold process each); from the
first request on, msgspec is used.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from hashlib import sha256

from ..version import PROTOCOL_VERSION, VERSION
from ..wire.limits import Limits

FEATURES = ("cancel", "lazy", "progress", "streams")

METHODS = (
    "describe",
    "initialize",
    "load",
    "load/stream",
    "ping",
    "services/call",
    "sessions/close",
    "sessions/list",
    "shutdown",
    "stats",
    "streams/checkpoint",
    "streams/list",
    "streams/open",
    "streams/resume",
    "tables/compare",
    "tables/export",
    "tables/rows",
    "tables/sql",
    "tables/stats",
)
"""Every method of the built-in nouns; `app` is held to this list by a test."""


def methods_digest(services: str = "") -> str:
    """16 hex digits that change when a method comes or goes, or the protocol's version does, or `services`, which is
    what `describe` says of the mounted ones."""
    return sha256("\n".join((PROTOCOL_VERSION, *METHODS, services)).encode()).hexdigest()[:16]


def hello_frame(
    limits: Limits, max_pending_bytes: int, memory_limit_bytes: int | None, digest: str | None = None
) -> bytes:
    """The whole frame, ready to be written. `digest` is of all methods; None where services are mounted later."""
    params = {
        "protocol_version": PROTOCOL_VERSION,
        "product": "arrow-sidecar",
        "version": VERSION,
        "build_id": os.environ.get("ARROW_SIDECAR_BUILD_ID", "source"),
        "pid": os.getpid(),
        "python": platform.python_version(),
        "platform": sys.platform,
        "features": FEATURES,
        "limits": {
            **limits._asdict(),
            "max_pending_bytes": max_pending_bytes,
            "memory_limit_bytes": memory_limit_bytes,
        },
        "methods_digest": digest,
    }
    message = {"jsonrpc": "2.0", "method": "hello", "params": params}
    header = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    size = -(-(4 + len(header)) // 64) * 64 - 4  # as wire.framing pads; a test holds the two together
    return size.to_bytes(4, "little") + header.ljust(size)
