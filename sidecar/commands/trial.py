"""A sidecar is started and asked for what most hosts ask first, so that what they need is really loaded."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa

from ..client import Host, HostFault
from ..wire.payload import Payload
from .sizes import size_text

ECHO_BYTES = 32 * 1024 * 1024
TABLE = pa.table({"n": pa.array(range(1000)), "name": pa.array([f"name {n}" for n in range(1000)])})


def trial() -> Iterator[tuple[str, str]]:
    """A finding a line. Raises `HostFault` and `SidecarError`."""
    began = time.perf_counter()
    with Host.spawn(options=["--no-warm"]) as host:  # the requests import, and their answers name what fails
        yield "sidecar", f"process {host.hello.pid} greeted and initialized in {_ms(began)}"
        yield from _limits(host)
        yield from _pipes(host)
        yield from _work(host)
        memory = host.stats().rss_bytes
        yield "memory", "not told by this system" if memory is None else size_text(memory)
        code = host.close()
        if code:
            raise HostFault(f"the sidecar stopped with exit code {code}", host.stderr_tail(), code)
        yield "stop", "exit code 0"


def _limits(host: Host) -> Iterator[tuple[str, str]]:
    for name, value in host.hello.limits.items():
        text = "none" if value is None else size_text(value)
        yield name.removesuffix("_bytes").replace("_", " "), text


def _pipes(host: Host) -> Iterator[tuple[str, str]]:
    began = time.perf_counter()
    host.ping()
    yield "ping", _ms(began)
    began = time.perf_counter()
    host.ping(Payload("bytes", bytes(ECHO_BYTES)))
    rate = 2 * ECHO_BYTES / (time.perf_counter() - began)
    yield "pipes", f"{size_text(int(rate))}/s, both ways together"


def _work(host: Host) -> Iterator[tuple[str, str]]:
    """What else a sidecar imports, by its use. Parquet is written and read there: this process needs none."""
    services = [service.name for service in host.describe()]
    yield "services", ", ".join(services) or "none of its own"
    began = time.perf_counter()
    session = host.load(arrow=TABLE, session="written").session
    parquet = host.tables.export_bytes(session, "parquet")
    loaded = host.load(parquet=parquet, session="loaded")
    yield "parquet", f"{loaded.rows:,} rows written and read in {_ms(began)}"
    began = time.perf_counter()
    host.tables.sql(f"SELECT max(n) FROM {loaded.session}")
    yield "sql", f"answered in {_ms(began)}"


def _ms(began: float) -> str:
    return f"{1000 * (time.perf_counter() - began):.1f} ms"
