"""The composition root: the one place where services meet the runtime.

It is imported when the host has been greeted (see `serving`).
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from . import phases
from .mount import Sidecar
from .wire.limits import GIB, MIB, Limits

if TYPE_CHECKING:
    from .protocol.methods import Method, Methods
    from .runtime.stdio import Wire
    from .services.producers import StreamMethod


GIVE_BACK_S = 0.5
"""How long free memory is kept for the next request before it goes back to the system. At once would make loads that
follow each other wait for it: 25 ms for a trim and for fresh pages, of 100 MB (measured)."""


WARM_AFTER_S = 0.1
"""How long a host has the process for itself once it is served. A first load that met the warming would take 10 ms
more (measured), as a library that is opened keeps Python's lock."""


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
    warms: bool = True


def run(wire: Wire, options: Options, mounted: Sidecar | None = None) -> None:
    """Serve the host, which has been greeted, on `wire`. Ends the process. Raises `MountError`."""
    from .runtime import allocators
    from .services import spilling

    allocators.settle(options.memory_limit_bytes is not None)
    spilling.forbid()
    threading.stack_size(STACK_BYTES)
    _import_core(is_fresh=mounted is None)

    from .runtime.server import Server
    from .runtime.warming import Warming
    from .runtime.wire_log import WireLog
    from .services.allocations import give_back
    from .services.first_use import STEPS

    line = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=options.log_level.upper(), format=line)
    sidecar = (mounted or Sidecar()).including(options.services)
    limits = options.limits, options.max_pending_bytes, options.max_streams, options.stream_idle_s
    made = methods(options, sidecar, lambda *notice: server.notify(*notice), lambda: freed(), phases.passed_at_ms)
    server = Server(wire, made, *limits)
    freed = server.coalesced(GIVE_BACK_S, give_back)
    logging.getLogger("sidecar").addHandler(WireLog(server))
    phases.passed(phases.LIBRARIES)
    warming = Warming({"the nouns": lambda: [*made.values()], **STEPS}, lambda: phases.passed(phases.WARMED))
    warm = server.coalesced(WARM_AFTER_S, warming.start)

    def on_serving() -> None:
        phases.passed(phases.SERVING)
        if options.warms:
            warm()

    server.run(options.host_pid, on_serving)


def _import_core(is_fresh: bool) -> None:
    """Import what every host needs. It stays: to look through it for garbage takes 12 % of the imports (measured). Only
    our own is exempt: a service's garbage would be kept for good, and so would that of a program that mounted some."""
    if not is_fresh:
        gc.collect()
    gc.disable()
    try:  # the names are not used: `methods` and `run` find the modules imported
        from .runtime import server, wire_log  # noqa: F401
        from .services import process, sessions  # noqa: F401
        from .services.load import incoming, load  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


def methods(
    options: Options,
    sidecar: Sidecar | None = None,
    notify: Callable[[str, dict[str, Any]], None] = lambda _method, _params: None,
    on_freed: Callable[[], None] = lambda: None,
    startup: Callable[[], list[tuple[str, float]]] = list,
) -> Methods:
    """Every method by name, its services made. `notify` sends what they say without being asked; `on_freed` is called
    where memory became free; `startup` tells which phases this process has passed and when, in milliseconds.

    Importing the tables and the streams takes 30 ms, which a first load does without.
    """
    from .protocol.hello import STREAMS, TABLES
    from .protocol.methods import InitializeParams, Method, Methods
    from .services import process, sessions
    from .services.load import incoming, load
    from .services.paths import PathPolicy
    from .streams.tokens import TokenKeys

    sidecar = sidecar or Sidecar()
    token_keys = TokenKeys.minted()
    paths = PathPolicy(options.allow_paths)
    registry = sessions.Sessions(options.memory_limit_bytes, options.evict, notify, on_freed)
    noun_load = load.Load(registry, paths)
    noun_process = process.Process(registry, paths, token_keys, sidecar.methods_digest(), startup)

    def cheap(_params: Any) -> bool:
        return True

    @cache
    def tables() -> tuple[dict[str, Method], dict[str, StreamMethod]]:
        """The methods, and those of them that can be opened as streams too."""
        from .services.producers import StreamMethod
        from .services.tables import rows
        from .services.tables.compare import compare
        from .services.tables.export import export
        from .services.tables.sql import sql
        from .services.tables.stats import stats

        noun_tables = rows.Tables(registry)
        noun_stats = stats.Stats(registry, noun_tables.orders)
        noun_export = export.Export(registry, paths, noun_tables.orders)
        requested = {
            "tables/compare": Method(compare.CompareParams, compare.Compare(registry).compare),
            "tables/export": Method(export.ExportParams, noun_export.export),
            "tables/rows": Method(rows.RowsParams, noun_tables.rows, noun_tables.is_cheap),
            "tables/sql": Method(sql.SqlParams, sql.Sql(registry).sql),
            "tables/stats": Method(stats.StatsParams, noun_stats.stats),
        }
        streaming = {
            "tables/export": StreamMethod(export.ExportParams, noun_export.stream),
            "tables/stats": StreamMethod(stats.StatsParams, noun_stats.stream),
        }
        return requested, streaming

    def streams() -> dict[str, Method]:
        from .services.producers import StreamMethod
        from .streams import describe, handlers
        from .streams.tokens import TokenSeal

        uploads = StreamMethod(incoming.StreamParams, incoming.Uploads(registry).open)
        streaming = {incoming.METHOD: uploads, **tables()[1]}
        mounted = handlers.Services(sidecar.services, TokenSeal(token_keys, time.time), nouns=streaming)
        return {
            "describe": Method(describe.DescribeParams, describe.Description(sidecar.services).describe),
            "services/call": Method(handlers.CallParams, mounted.call),
            "streams/checkpoint": Method(handlers.CheckpointParams, mounted.checkpoint),
            "streams/list": Method(handlers.StreamsParams, mounted.list_streams, cheap),
            "streams/open": Method(handlers.OpenParams, mounted.open),
            "streams/resume": Method(handlers.ResumeParams, mounted.resume),
        }

    return Methods(
        {
            "initialize": Method(InitializeParams, noun_process.initialize, cheap),
            "load": Method(load.LoadParams, noun_load.load, drains=incoming.METHOD),
            "ping": Method(process.PingParams, noun_process.ping, cheap),
            "sessions/close": Method(sessions.CloseParams, registry.close_session),
            "sessions/list": Method(sessions.ListParams, registry.list_sessions, cheap),
            "stats": Method(process.StatsParams, noun_process.stats, cheap),
        },
        (TABLES, lambda: tables()[0]),
        (STREAMS, streams),
    )
