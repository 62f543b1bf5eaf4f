"""`arrow-sidecar doctor`: what this installation is, and whether a sidecar works on this machine."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import chain

from ..client import Host, HostFault, SidecarError
from ..version import PROTOCOL_VERSION, VERSION
from ..wire.payload import Payload
from .bundle_files import Damaged, check_files
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


def doctor(libraries: Mapping[str, str]) -> int:
    """Print one line a finding. Returns 0 if a sidecar could be started and spoken to, otherwise 70.

    `libraries` are the versions that are frozen in; none, and they are those that are installed.
    """
    for name, value in [*_versions(libraries), *_environment()]:
        print(f"{name:<22} {value}")
    try:
        for name, value in chain(_files(), _process()):
            print(f"{name:<22} {value}")
    except Damaged as fault:
        print(f"{'files':<22} FAILED: {fault}")
        return 70
    except (HostFault, SidecarError) as fault:
        print(f"{'sidecar':<22} FAILED: {fault}")
        return 70
    print("all is well")
    return 0


def _versions(libraries: Mapping[str, str]) -> Iterator[Line]:
    yield "arrow-sidecar", f"{VERSION}, protocol {PROTOCOL_VERSION}"
    yield "python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    yield from (libraries or _installed()).items()


def _installed() -> dict[str, str]:
    from importlib.metadata import version  # a frozen executable has none

    return {library: version(library) for library in _LIBRARIES}


def _environment() -> Iterator[Line]:
    for name in _SUSPECT_VARIABLES:
        if name in os.environ:
            yield "environment", f"{name}={os.environ[name]} (may reach into the sidecar)"
    pipe_max = "/proc/sys/fs/pipe-max-size"
    if os.path.exists(pipe_max):
        with open(pipe_max, encoding="ascii") as file:
            yield "largest pipe", size_text(int(file.read()))


def _files() -> Iterator[Line]:
    if getattr(sys, "frozen", False):
        yield from check_files(os.path.dirname(os.path.realpath(sys.executable)))


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
