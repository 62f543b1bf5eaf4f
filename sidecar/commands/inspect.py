"""`arrow-sidecar inspect FILE`: schema, first rows and statistics of a file."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from ..client import Host
from ..services.load.load import LoadResult
from ..services.tables.stats import ColumnStats
from .terminal import clear_line, progress_bar, show_table, size_text


def inspect(path: str, rows: int, format: str | None, mode: str, as_json: bool) -> None:
    """Load the file into a child sidecar and print what it says."""
    with Host.spawn() as host:
        began = time.perf_counter()
        loaded = host.load(path=path, format=format, mode=mode, on_progress=progress_bar("loading"))
        seconds = time.perf_counter() - began
        clear_line()
        head = host.tables.rows(loaded.session, 0, rows, format="json" if as_json else "arrow")
        stats = host.tables.stats(loaded.session, on_progress=progress_bar("summing up"))
        clear_line()
        if as_json:
            _print_json(loaded, head.rows, stats)
            return
        print(f"{loaded.filename}: {loaded.format}, {loaded.rows:,} rows x {len(loaded.columns)} columns, ", end="")
        print(f"{size_text(loaded.bytes)} in memory, loaded in {1000 * seconds:.0f} ms")
        for warning in loaded.warnings:
            print(f"warning: {warning}")
        print("\nColumns")
        show_table(stats_table(stats), rows=len(stats))
        print(f"\nFirst {min(rows, loaded.rows)} rows")
        show_table(head.table, rows)


def stats_table(stats: list[ColumnStats]) -> pa.Table:
    """One row a column, for a person to read."""
    return pa.table(
        {
            "column": [column.column for column in stats],
            "dtype": [column.dtype for column in stats],
            "null": [column.null_count for column in stats],
            "distinct": [column.distinct_count for column in stats],
            "min": [_short(column.min) for column in stats],
            "mean": [_short(column.mean) for column in stats],
            "median": [_short(column.median) for column in stats],
            "max": [_short(column.max) for column in stats],
        }
    )


def _short(value: Any) -> str | None:
    return f"{value:.6g}" if isinstance(value, float) else None if value is None else str(value)


def _print_json(loaded: LoadResult, head: Any, stats: list[ColumnStats]) -> None:
    import msgspec

    document = {**msgspec.to_builtins(loaded), "stats": stats, "head": head}
    print(msgspec.json.format(msgspec.json.encode(document)).decode())
