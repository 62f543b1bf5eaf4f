"""`serve`, from the wire to the server: hello is sent before anything is imported that could wait."""

from __future__ import annotations

import os
import sys

from . import phases
from .protocol.hello import BUILT_IN_DIGEST, hello_frame
from .runtime import platform, stdio
from .version import Build

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from .mount import Sidecar


def serve(settings: Mapping[str, Any], mounted: Sidecar | None = None, build: Build | None = None) -> None:
    """Serve the host at the other end of standard input and output, and end the process. `settings` are those of
    `serve_options`."""
    parent_pid = os.getppid()  # first: a host may die during the start, and then it is whoever adopts its children
    build = build or Build()
    services = (*build.services, *settings["service"])
    try:
        wire = stdio.claim()
    except stdio.NoWire as fault:
        _refuse(
            f"{fault}.\n"
            f"`{build.name} serve` is started by an app, which speaks to it through pipes (see PROTOCOL.md).\n"
            f"To look at a file, run: {build.name} inspect FILE. "
            f"To see whether it works here: {build.name} doctor."
        )
    phases.passed(phases.WIRE)
    platform.settle_signals()
    _greet(wire, settings, None if services else _digest(mounted), build.id)
    phases.passed(phases.HELLO)
    try:
        _run(wire, settings, services, mounted, parent_pid)
    except ImportError as fault:
        from .runtime.exit_codes import EXIT_INTERNAL

        _refuse(f"the installation is incomplete ({fault}): run `{build.name} doctor`", EXIT_INTERNAL)


def _digest(mounted: Sidecar | None) -> str:
    return BUILT_IN_DIGEST if mounted is None else mounted.methods_digest()


def _greet(wire: stdio.Wire, settings: Mapping[str, Any], digest: str | None, build_id: str) -> None:
    limits = {
        "max_header_bytes": settings["max_header"],
        "max_payload_bytes": settings["max_payload"],
        "max_pending_bytes": settings["max_pending"],
        "memory_limit_bytes": settings["memory_limit"],
    }
    frame = memoryview(hello_frame(limits, digest, build_id))
    try:
        while frame:
            frame = frame[platform.write_some(wire.output_fd, [frame]) :]
    except OSError:
        from .runtime.exit_codes import EXIT_OUTPUT_BROKEN

        sys.exit(EXIT_OUTPUT_BROKEN)


def _run(
    wire: stdio.Wire, settings: Mapping[str, Any], services: tuple[str, ...], mounted: Sidecar | None, parent_pid: int
) -> None:
    from .app import Options, run
    from .mount import MountError
    from .wire.limits import Limits

    host_pid = parent_pid if settings["host_pid"] is None else settings["host_pid"]
    options = Options(
        limits=Limits(settings["max_header"], settings["max_payload"]),
        max_pending_bytes=settings["max_pending"],
        memory_limit_bytes=settings["memory_limit"],
        evict=settings["evict"],
        allow_paths=settings["allow_path"],
        host_pid=host_pid or None,
        log_level=settings["log_level"],
        services=services,
        max_streams=settings["max_streams"],
        stream_idle_s=settings["stream_idle"],
        warms=not settings["no_warm"],
    )
    try:
        run(wire, options, mounted)
    except MountError as fault:
        if fault.__cause__ is not None:
            import traceback

            traceback.print_exception(fault.__cause__)
        _refuse(str(fault))


def _refuse(message: str, exit_code: int | None = None) -> NoReturn:
    from .runtime.exit_codes import EXIT_USAGE

    if sys.stderr is not None:  # closed by who started this: the exit code says it alone
        sys.stderr.write(f"arrow-sidecar: {message}\n")
    sys.exit(EXIT_USAGE if exit_code is None else exit_code)
