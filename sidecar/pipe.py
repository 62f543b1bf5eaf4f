"""A service and its caller in one process, over real pipes: for tests, notebooks and scripts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import TIMEOUT_MAX, Thread
from typing import TypeVar

from .app import Options, methods
from .client.calls import OnProgress, OnServiceLog
from .client.line import Line
from .client.proxy import make_proxy
from .mount import Sidecar
from .runtime.server import Server
from .runtime.stdio import Wire
from .runtime.stopping import Stopper

P = TypeVar("P")


@contextmanager
def serve_pipe(
    protocol: Callable[..., P],
    implementation: object,
    *,
    timeout_s: float | None = None,
    on_log: OnServiceLog | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[P]:
    """A proxy of `implementation`, which is served on threads of this process. Type checkers see the Protocol.

    Everything travels as it does between two processes. Leaving the block ends the streams that are open. Raises
    `ContractError`.
    """
    sidecar = Sidecar().mount(protocol, implementation)
    to_sidecar, to_host = os.pipe(), os.pipe()
    served = Thread(target=_serve, args=(sidecar, Wire(to_sidecar[0], to_host[1])), name="sidecar", daemon=True)
    line = Line(to_host[0], to_sidecar[1], lambda _method, _params: None)
    served.start()
    line.start(lambda fault: fault)
    try:
        yield make_proxy(protocol, line, None, timeout_s, on_log, on_progress)
    finally:
        line.hang_up(partial(os.close, to_sidecar[1]), TIMEOUT_MAX)
        served.join()
        for fd in (to_sidecar[0], to_host[1]):
            os.close(fd)
        line.join(None)
        os.close(to_host[0])


def _serve(sidecar: Sidecar, wire: Wire) -> None:
    options = Options()

    def stopper(wind_down: Callable[..., None]) -> Stopper:
        return Stopper(wind_down, exit=lambda _code: None, arm_deadline=lambda: None)

    limits = options.limits, options.max_pending_bytes, options.max_streams, options.stream_idle_s
    Server(wire, methods(options, sidecar), *limits, stopper=stopper).serve()
