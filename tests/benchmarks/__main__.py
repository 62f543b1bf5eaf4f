"""`python -m tests.benchmarks [--quick] [--json FILE] [--sidecar-cmd EXE] [ROW ...]`"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time

from . import arrow_load, cancel, filters, load_stream, memory, noop, pages, parquet_load, startup, stats, streams
from .harness import Line, cpu_count, print_table

ROWS = {
    "noop": noop.lines,
    "arrow_load": arrow_load.lines,
    "load_stream": load_stream.lines,
    "parquet_load": parquet_load.lines,
    "pages": pages.lines,
    "filters": filters.lines,
    "stats": stats.lines,
    "streams": streams.lines,
    "cancel": cancel.lines,
    "memory": memory.lines,
    "startup": startup.lines,
}


def main() -> None:
    """Measure the rows asked for, all by default, and print them as one table."""
    arguments = _arguments()
    started = time.monotonic()
    lines: list[Line] = []
    for name in arguments.rows or ROWS:
        print(f"{name} …", file=sys.stderr, flush=True)
        lines += ROWS[name](arguments.quick)
        if name == "startup" and arguments.sidecar_cmd:
            lines += startup.lines(arguments.quick, arguments.sidecar_cmd)
    print_table(lines)
    size = "quick, too small to judge by" if arguments.quick else "full"
    print(f"\n{size}; {cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.monotonic() - started:.0f} s")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(_report(lines, arguments.quick), file, indent=2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data and few rounds: shows that it runs")
    parser.add_argument("--json", metavar="FILE", help="also write the lines to FILE")
    parser.add_argument("--sidecar-cmd", metavar="EXE", help="a frozen executable, whose start is measured too")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which to measure: {', '.join(ROWS)}")
    arguments = parser.parse_args()
    unknown = {*arguments.rows} - {*ROWS}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    return arguments


def _report(lines: list[Line], quick: bool) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": cpu_count(),
        "quick": quick,
        "lines": [line._asdict() for line in lines],
    }


if __name__ == "__main__":
    main()
