"""`arrow-sidecar demo`: the main job, shown. A host starts a sidecar, hands it a table in three ways, and pages."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..client import Filter, Host, SidecarError, Sort
from ..services.load.load import LoadResult
from .figures import show_figures
from .sizes import plural, size_text
from .terminal import clear_line, progress_bar, show_table

FLIGHTS = os.path.join(os.path.dirname(__file__), "data", "flights.parquet")
_SHOWN = ["time_hour", "carrier", "flight", "origin", "dest", "dep_delay", "air_time", "distance"]
_COPIES = 100
_CARRIERS = """
    SELECT carrier, count(*) AS flights, avg(dep_delay) AS mean_delay FROM flights
    GROUP BY carrier ORDER BY mean_delay DESC
"""


def demo() -> None:
    """Run it; every figure is measured as it is printed."""
    _title("A sidecar is started as a child; it speaks first")
    with _timed("spawn, hello, initialize"):
        host = Host.spawn(allow_paths=[os.path.dirname(FLIGHTS)])
    with host:
        hello = host.hello
        print(f"  version {hello.version}, protocol {hello.protocol_version}, pid {hello.pid}")
        loaded = _three_sources(host)
        _pages(host, loaded)
        _conditions(host, loaded)
        _summaries(host, loaded)
        _a_large_one(host)
        _a_mistake(host)
        _title("Stop")
        with _timed("shutdown"):
            code = host.close()
        print(f"  exit code {code}; no port was opened and no file was written")


def _three_sources(host: Host) -> LoadResult:
    _title("One table, handed over in three ways (27 004 flights of January 2013)")
    with open(FLIGHTS, "rb") as file:
        parquet = file.read()
    table = pq.read_table(pa.BufferReader(parquet))
    with _timed("from a path"):
        loaded = host.load(path=FLIGHTS, session="flights")
    with _timed(f"as Arrow IPC bytes, {size_text(table.nbytes)}"):
        host.load(arrow=table, label="arrow bytes")
    with _timed(f"as Parquet bytes, {size_text(len(parquet))}"):
        host.load(parquet=parquet, label="parquet bytes")
    _title("The schema, as the answer to `load` has it")
    columns = [f"{column.name} {column.dtype}" for column in loaded.columns]
    print("  " + "\n  ".join(", ".join(columns[start : start + 5]) for start in range(0, len(columns), 5)))
    return loaded


def _pages(host: Host, loaded: LoadResult) -> None:
    _title("A page: rows 10 000 to 10 005")
    with _timed("tables/rows"):
        page = host.tables.rows(loaded.session, 10_000, 10_005, columns=_SHOWN)
    show_table(page.table)
    _title("Sorted and filtered: the longest delays out of JFK")
    longest = [Sort("dep_delay", descending=True), Sort("time_hour")]
    from_jfk = [Filter("origin", "eq", "JFK")]

    def ask(start: int) -> Any:
        return host.tables.rows(loaded.session, start, start + 5, columns=_SHOWN, sort=longest, filter=from_jfk)

    with _timed("first page: filters and sorts, once"):
        page = ask(0)
    with _timed("every later page: a gather"):
        ask(5_000)
    show_table(page.table)
    print(f"  {page.matched:,} of {page.total:,} rows match")


def _conditions(host: Host, loaded: LoadResult) -> None:
    _title("Searched and filtered")
    with _timed("search: one aircraft, in any column"):
        found = host.tables.rows(loaded.session, 0, 5, columns=_SHOWN, search="N14228")
    print(f"  {found.matched:,} of {found.total:,} rows have N14228")
    far_or_late = Filter(any=[Filter("distance", "gt", 4_000), Filter("dep_delay", "gt", 600)])
    with _timed("filter: a group, distance > 4 000 or dep_delay > 600"):
        page = host.tables.rows(loaded.session, 0, 5, columns=_SHOWN, filter=[far_or_late])
    show_table(page.table)
    print(f"  {page.matched:,} of {page.total:,} rows match")


def _summaries(host: Host, loaded: LoadResult) -> None:
    _title("Exact statistics, with histograms")
    with _timed(f"tables/stats of {len(_SHOWN)} columns"):
        stats = host.tables.stats(loaded.session, _SHOWN)
    show_figures(stats, loaded.rows)
    _title("SQL over what is loaded makes a session")
    with _timed("tables/sql"):
        carriers = host.tables.sql(_CARRIERS, tables={"flights": loaded.session})
    show_table(host.tables.rows(carriers.session, 0, 3).table)
    with _timed("tables/export: that, as Parquet in memory"):
        data = host.tables.export_bytes(carriers.session, "parquet")
    print(f"  {plural(carriers.rows, 'row')}, {size_text(len(data))}")


def _a_large_one(host: Host) -> None:
    rows = 27_004 * _COPIES
    _title(f"A larger one: {rows:,} rows as Parquet bytes, with progress")
    with open(FLIGHTS, "rb") as file:  # opened here: pyarrow's own way to a path is not in a frozen executable
        table = pa.concat_tables([pq.read_table(file)] * _COPIES)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=100_000)
    data = sink.getvalue()
    calls = 0

    def count(draw: Callable[[Any], None]) -> Callable[[Any], None]:
        def on_progress(progress: Any) -> None:
            nonlocal calls
            calls += 1
            draw(progress)

        return on_progress

    with _timed(f"load {size_text(len(data))}"):
        loaded = host.load(parquet=data, on_progress=count(progress_bar("loading")))
        clear_line()
    print(f"  {calls} progress notifications, {size_text(loaded.bytes)} in memory")
    with _timed("first page by distance and time"):
        host.tables.rows(loaded.session, 0, 256, sort=[Sort("distance", descending=True), Sort("time_hour")])
    with _timed(f"page at row {rows // 2:,}, sorted"):
        host.tables.rows(
            loaded.session, rows // 2, rows // 2 + 256, sort=[Sort("distance", descending=True), Sort("time_hour")]
        )
    with _timed("close: the memory goes back"):
        host.sessions.close(loaded.session)


def _a_mistake(host: Host) -> None:
    _title("A mistake is one typed error, and the next request works")
    try:
        host.tables.rows("flights", sort=[Sort("delay")])
    except SidecarError as error:
        print(f"  {error.kind}: {error.message}")
    with _timed("ping"):
        host.ping()


def _title(text: str) -> None:
    print(f"\n{text}")


class _timed:  # noqa: N801 - reads as a statement: `with _timed(...)`
    """Prints how long the block took."""

    def __init__(self, label: str) -> None:
        self._label = label

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        print(f"  {1000 * (time.perf_counter() - self._began):9.2f} ms  {self._label}")
