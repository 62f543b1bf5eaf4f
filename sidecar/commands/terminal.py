"""How the commands write to a terminal: tables, sizes, a progress bar."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import IO, Any

import msgspec
import pyarrow as pa

from ..client import Progress
from ..services.json_rows import json_values
from ..services.polars import pl

_BAR_CELLS = 30
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def show_table(table: pa.Table, rows: int = 10) -> None:
    """Print the first rows, as wide as the terminal. Each value is shown in its JSON form, which every type has."""
    columns = zip(table.column_names, table.slice(0, rows).columns, strict=True)
    frame = pl.DataFrame({name: [_cell(value) for value in json_values(name, column)] for name, column in columns})
    width = shutil.get_terminal_size((120, 24)).columns
    with pl.Config(
        tbl_rows=rows,
        tbl_cols=max(4, width // 12),
        tbl_width_chars=width,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        fmt_str_lengths=40,
    ):
        print(frame)


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def size_text(size: int) -> str:
    """`3.2 MiB`."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def progress_bar(label: str, stream: IO[str] = sys.stderr) -> Callable[[Progress], None]:
    """A callback that draws one line on a terminal, and nothing elsewhere. Gone when `clear_line` is called."""

    def draw(progress: Progress) -> None:
        if not stream.isatty():
            return
        if progress.total:
            full = _BAR_CELLS * progress.done // progress.total
            bar = "█" * full + "░" * (_BAR_CELLS - full)
            stream.write(f"\r\x1b[K  {label} {bar} {100 * progress.done // progress.total:3d} %")
        else:
            stream.write(f"\r\x1b[K  {label} {progress.done:,} {progress.unit}")
        stream.flush()

    return draw


def clear_line(stream: IO[str] = sys.stderr) -> None:
    """Wipe what a progress bar left."""
    if stream.isatty():
        stream.write("\r\x1b[K")
        stream.flush()
