"""`arrow-sidecar inspect FILE`: schema, first rows and statistics of a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..client import Host, Page, Sort
from ..services.load.load import LoadResult
from ..services.tables.stats.column_stats import ColumnStats
from ..services.tables.stats.stats import StatsResult
from .asking import ask, load
from .column import column_lines
from .figures import show_figures
from .outputs import write
from .sizes import plural, size_text
from .terminal import screen, show_table


class InspectOptions(NamedTuple):
    """`columns` are shown in depth, in place of all; `sort` (`COLUMN` or `COLUMN:desc`) and `search` are for the rows
    that are shown, the statistics are of all rows."""

    rows: int = 10
    format: str | None = None
    mode: str = "eager"
    as_json: bool = False
    columns: Sequence[str] = ()
    sort: Sequence[str] = ()
    search: str | None = None


def inspect(path: str, options: InspectOptions) -> None:
    """Load the file into a child sidecar and print what it says."""
    with Host.spawn() as host:
        began = time.perf_counter()
        loaded = load(host, path, options.mode, options.format)
        seconds = time.perf_counter() - began
        if options.as_json:
            _print_json(loaded, _rows(host, loaded, options), _stats(host, loaded, options))
            return
        _show_title(loaded, seconds)
        if options.columns:
            _show_columns(_stats(host, loaded, options))
            return
        if options.rows:
            _show_rows(host, loaded, options)
        stats = _stats(host, loaded, options)
        print("\nColumns")
        show_figures(columns_of(stats), stats.total)


def _show_title(loaded: LoadResult, seconds: float) -> None:
    shown = screen()
    size = f"{plural(loaded.rows, 'row')} x {plural(len(loaded.columns), 'column')}"
    memory = f"{size_text(loaded.bytes)} in memory, loaded in {1000 * seconds:.0f} ms"
    print(f"{shown.text(loaded.filename)}: {loaded.format}, {size}, {memory}")
    for warning in loaded.warnings:
        print(f"warning: {shown.text(warning)}")


def _rows(host: Host, loaded: LoadResult, options: InspectOptions) -> Page:
    params: dict[str, Any] = {"session": loaded.session, "start": 0, "stop": options.rows}
    params["format"] = "json" if options.as_json else "arrow"
    if options.sort:
        params["sort"] = [sort_key(text) for text in options.sort]
    if options.search is not None:
        params["search"] = {"text": options.search}
    return msgspec.convert(ask(host, "tables/rows", params, "reading"), Page)


def sort_key(text: str) -> Sort:
    """`COLUMN`, `COLUMN:asc` or `COLUMN:desc`."""
    name, mark, direction = text.rpartition(":")
    if mark and direction in ("asc", "desc"):
        return Sort(name, descending=direction == "desc")
    return Sort(text)


def _show_rows(host: Host, loaded: LoadResult, options: InspectOptions) -> None:
    page = _rows(host, loaded, options)
    count = page.stop - page.start
    if options.search is None:
        print(f"\nFirst {count:,} of {plural(page.total, 'row')}" if count else "\nNo rows")
    else:
        matching = f"{plural(page.matched, 'matching row')} of {page.total:,}"
        print(f"\nFirst {count:,} of {matching}" if count else f"\nNo matching rows of {page.total:,}")
    show_table(page.table)


def _stats(host: Host, loaded: LoadResult, options: InspectOptions) -> StatsResult:
    params = {"session": loaded.session, "columns": list(options.columns) or None}
    return msgspec.convert(ask(host, "tables/stats", params, "summing up"), StatsResult)


def columns_of(stats: StatsResult) -> list[ColumnStats]:
    """An answer in JSON has them."""
    return stats.columns or []


def _show_columns(stats: StatsResult) -> None:
    shown = screen()
    for column in columns_of(stats):
        print()
        for line in column_lines(column, stats.total, shown):
            print(shown.clipped(line))


def _print_json(loaded: LoadResult, page: Page, stats: StatsResult) -> None:
    document = {**msgspec.to_builtins(loaded), "stats": columns_of(stats), "head": page.rows}
    write(f"{msgspec.json.format(msgspec.json.encode(document)).decode()}\n")
