"""`arrow-sidecar doctor`: what this installation is, and whether a sidecar works on this machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator

from ..client import Host, HostFault, SidecarError
from ..version import PROTOCOL_VERSION, VERSION
from ..wire.payload import Payload
from .terminal import size_text

_LIBRARIES = ("pyarrow", "polars", "msgspec")
_SUSPECT_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "APPDIR",
)
_ECHO_BYTES = 32 * 1024 * 1024

Line = tuple[str, str]


def doctor() -> int:
    """Print one line a finding. Returns 0 if a sidecar could be started and spoken to, otherwise 70."""
    for name, value in [*_versions(), *_environment()]:
        print(f"{name:<22} {value}")
    try:
        for name, value in _process():
            print(f"{name:<22} {value}")
    except (HostFault, SidecarError) as fault:
        print(f"{'sidecar':<22} FAILED: {fault}")
        return 70
    print("all is well")
    return 0


def _versions() -> Iterator[Line]:
    yield "arrow-sidecar", f"{VERSION}, protocol {PROTOCOL_VERSION}"
    yield "python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    for library in _LIBRARIES:
        yield library, importlib.metadata.version(library)


def _environment() -> Iterator[Line]:
    for name in _SUSPECT_VARIABLES:
        if name in os.environ:
            yield "environment", f"{name}={os.environ[name]} (may reach into the sidecar)"
    pipe_max = "/proc/sys/fs/pipe-max-size"
    if os.path.exists(pipe_max):
        with open(pipe_max, encoding="ascii") as file:
            yield "largest pipe", size_text(int(file.read()))


def _process() -> Iterator[Line]:
    began = time.perf_counter()
    with Host.spawn() as host:
        yield "sidecar", f"process {host.hello.pid} greeted and initialized in {_ms(began)}"
        for name, value in host.hello.limits.items():
            text = "none" if value is None else size_text(value)
            yield name.removesuffix("_bytes").replace("_", " "), text
        began = time.perf_counter()
        host.ping()
        yield "ping", _ms(began)
        began = time.perf_counter()
        host.ping(Payload("bytes", bytes(_ECHO_BYTES)))
        rate = 2 * _ECHO_BYTES / (time.perf_counter() - began)
        yield "pipes", f"{size_text(int(rate))}/s, both ways together"
        memory = host.stats().rss_bytes
        yield "memory", "not told by this system" if memory is None else size_text(memory)
        code = host.close()
        if code:
            raise HostFault(f"the sidecar stopped with exit code {code}", host.stderr_tail(), code)
        yield "stop", "exit code 0"


def _ms(began: float) -> str:
    return f"{1000 * (time.perf_counter() - began):.1f} ms"
