"""The composition root: the one place where services meet the runtime.

The order matters. The wire is claimed before anything could print, the host is greeted before anything heavy is
imported, and only then come the services.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .wire.limits import GIB, Limits

if TYPE_CHECKING:
    from .protocol.methods import Method


class Options(NamedTuple):
    """What `arrow-sidecar serve` can be told. Sizes are in bytes; None is no limit, no restriction, no watching."""

    limits: Limits = Limits()
    max_pending_bytes: int = 4 * GIB
    memory_limit_bytes: int | None = None
    allow_paths: list[str] | None = None
    host_pid: int | None = None
    log_level: str = "warning"


def serve(options: Options) -> None:
    """Serve the host at the other end of standard input and output. Ends the process; raises `NoWire` before it
    has begun."""
    from .runtime import platform, stdio

    wire = stdio.claim()
    platform.settle_signals()
    _greet(wire, options)

    from .runtime.server import Server, WireLog

    line = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=options.log_level.upper(), format=line)
    server = Server(wire, methods(options), options.limits, options.max_pending_bytes)
    logging.getLogger("sidecar").addHandler(WireLog(server))
    server.run(options.host_pid)


def _greet(wire: Any, options: Options) -> None:
    from .protocol.hello import hello_frame
    from .runtime.platform import write_some

    frame = memoryview(hello_frame(options.limits, options.max_pending_bytes, options.memory_limit_bytes))
    try:
        while frame:
            frame = frame[write_some(wire.output_fd, [frame]) :]
    except OSError:
        from .runtime.stopping import EXIT_OUTPUT_BROKEN

        sys.exit(EXIT_OUTPUT_BROKEN)


def methods(options: Options) -> dict[str, Method]:
    """Every method by name, its services made."""
    from .protocol.methods import InitializeParams, Method
    from .services import load, process, sessions, stats, tables
    from .services.paths import PathPolicy

    paths = PathPolicy(options.allow_paths)
    registry = sessions.Sessions(options.memory_limit_bytes)
    noun_load = load.Load(registry, paths)
    noun_process = process.Process(registry, paths)
    noun_tables = tables.Tables(registry)
    noun_stats = stats.Stats(registry)

    def cheap(_params: Any) -> bool:
        return True

    return {
        "initialize": Method(InitializeParams, noun_process.initialize, cheap),
        "load": Method(load.LoadParams, noun_load.load),
        "ping": Method(process.PingParams, noun_process.ping, cheap),
        "sessions/close": Method(sessions.CloseParams, registry.close_session),
        "sessions/list": Method(sessions.ListParams, registry.list_sessions, cheap),
        "stats": Method(process.StatsParams, noun_process.stats, cheap),
        "tables/rows": Method(tables.RowsParams, noun_tables.rows, noun_tables.is_cheap),
        "tables/stats": Method(stats.StatsParams, noun_stats.stats),
    }
