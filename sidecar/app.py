"""The composition root: the one place where services meet the runtime.

The order matters. The wire is claimed before anything could print, the host is greeted before anything heavy is
imported, and only then come the services.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .mount import Sidecar
from .wire.limits import GIB, MIB, Limits

if TYPE_CHECKING:
    from .protocol.methods import Method


GIVE_BACK_S = 0.5
"""How long free memory is kept for the next request before it goes back to the system. At once would make loads that
follow each other wait for it: 25 ms for a trim and for fresh pages, of 100 MB (measured)."""


STACK_BYTES = 8 * MIB
"""Of every thread: Polars works on a nested query by recursion, and Windows and macOS give less by themselves."""


class Options(NamedTuple):
    """What `arrow-sidecar serve` can be told. Sizes are in bytes; None is no limit, no restriction, no watching."""

    limits: Limits = Limits()
    max_pending_bytes: int = 4 * GIB
    memory_limit_bytes: int | None = None
    evict: bool = False
    allow_paths: list[str] | None = None
    host_pid: int | None = None
    log_level: str = "warning"
    services: tuple[str, ...] = ()
    max_streams: int = 1024
    stream_idle_s: float = 3600.0


def serve(options: Options, mounted: Sidecar | None = None) -> None:
    """Serve the host at the other end of standard input and output. Ends the process; raises `NoWire` before it
    has begun."""
    from .runtime import allocators, platform, stdio

    wire = stdio.claim()
    platform.settle_signals()
    sidecar = mounted or Sidecar()
    _greet(wire, options, None if options.services else sidecar)
    allocators.settle(options.memory_limit_bytes is not None)
    threading.stack_size(STACK_BYTES)

    from .runtime.server import Server
    from .runtime.wire_log import WireLog
    from .services.allocations import give_back

    line = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=options.log_level.upper(), format=line)
    sidecar = sidecar.including(options.services)
    limits = options.limits, options.max_pending_bytes, options.max_streams, options.stream_idle_s
    made = methods(options, sidecar, lambda *notice: server.notify(*notice), lambda: freed())
    server = Server(wire, made, *limits)
    freed = server.coalesced(GIVE_BACK_S, give_back)
    logging.getLogger("sidecar").addHandler(WireLog(server))
    server.run(options.host_pid)


def _greet(wire: Any, options: Options, sidecar: Sidecar | None) -> None:
    from .protocol.hello import hello_frame
    from .runtime.platform import write_some

    digest = None if sidecar is None else sidecar.methods_digest()
    frame = memoryview(hello_frame(options.limits, options.max_pending_bytes, options.memory_limit_bytes, digest))
    try:
        while frame:
            frame = frame[write_some(wire.output_fd, [frame]) :]
    except OSError:
        from .runtime.stopping import EXIT_OUTPUT_BROKEN

        sys.exit(EXIT_OUTPUT_BROKEN)


def methods(
    options: Options,
    sidecar: Sidecar | None = None,
    notify: Callable[[str, dict[str, Any]], None] = lambda _method, _params: None,
    on_freed: Callable[[], None] = lambda: None,
) -> dict[str, Method]:
    """Every method by name, its services made. `notify` sends what they say without being asked; `on_freed` is called
    where memory became free."""
    from .protocol.methods import InitializeParams, Method
    from .services import process, sessions
    from .services.load import incoming, load
    from .services.paths import PathPolicy
    from .services.producers import StreamMethod
    from .services.tables import rows
    from .services.tables.compare import compare
    from .services.tables.export import export
    from .services.tables.sql import sql
    from .services.tables.stats import stats
    from .streams import describe, handlers
    from .streams.tokens import TokenKeys, TokenSeal

    sidecar = sidecar or Sidecar()
    token_keys = TokenKeys.minted()
    described = describe.Description(sidecar.services)
    paths = PathPolicy(options.allow_paths)
    registry = sessions.Sessions(options.memory_limit_bytes, options.evict, notify, on_freed)
    noun_load = load.Load(registry, paths)
    noun_process = process.Process(registry, paths, token_keys, sidecar.methods_digest())
    noun_tables = rows.Tables(registry)
    noun_stats = stats.Stats(registry, noun_tables.orders)
    noun_export = export.Export(registry, paths, noun_tables.orders)
    noun_sql = sql.Sql(registry)
    noun_compare = compare.Compare(registry)
    streaming: dict[str, StreamMethod] = {
        "tables/export": StreamMethod(export.ExportParams, noun_export.stream),
        "tables/stats": StreamMethod(stats.StatsParams, noun_stats.stream),
        incoming.METHOD: StreamMethod(incoming.StreamParams, incoming.Uploads(registry).open),
    }
    mounted = handlers.Services(sidecar.services, TokenSeal(token_keys, time.time), nouns=streaming)

    def cheap(_params: Any) -> bool:
        return True

    return {
        "describe": Method(describe.DescribeParams, described.describe),
        "initialize": Method(InitializeParams, noun_process.initialize, cheap),
        "load": Method(load.LoadParams, noun_load.load, drains=incoming.METHOD),
        "ping": Method(process.PingParams, noun_process.ping, cheap),
        "services/call": Method(handlers.CallParams, mounted.call),
        "sessions/close": Method(sessions.CloseParams, registry.close_session),
        "sessions/list": Method(sessions.ListParams, registry.list_sessions, cheap),
        "stats": Method(process.StatsParams, noun_process.stats, cheap),
        "streams/checkpoint": Method(handlers.CheckpointParams, mounted.checkpoint),
        "streams/list": Method(handlers.StreamsParams, mounted.list_streams, cheap),
        "streams/open": Method(handlers.OpenParams, mounted.open),
        "streams/resume": Method(handlers.ResumeParams, mounted.resume),
        "tables/export": Method(export.ExportParams, noun_export.export),
        "tables/compare": Method(compare.CompareParams, noun_compare.compare),
        "tables/rows": Method(rows.RowsParams, noun_tables.rows, noun_tables.is_cheap),
        "tables/sql": Method(sql.SqlParams, noun_sql.sql),
        "tables/stats": Method(stats.StatsParams, noun_stats.stats),
    }
