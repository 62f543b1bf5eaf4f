"""How the commands write to a terminal: what it can show, tables, a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple

import msgspec
import pyarrow as pa

from ..client import Progress, SidecarError
from ..services.json_rows import json_values
from .cells import clip, printable
from .encoding import encoding_of
from .grid import Grid, GridColumn
from .sizes import plural
from .sparklines import ASCII, BLOCKS, Glyphs

_BAR_CELLS = 30
_DEFAULT_COLUMNS = 80
_CHARACTERS_A_CELL = 20
"""What is looked at of a value for each cell of a terminal's line: no more, marks included, go into one."""


class Screen(NamedTuple):
    """Where text goes: a terminal of some `width`, or a file or pipe, which has None and gets everything."""

    width: int | None
    encoding: str
    glyphs: Glyphs

    def text(self, value: Any) -> str:
        """A value in its JSON form on one line; text without quotes."""
        if value is None:
            return "null"
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return printable(text if self.width is None else text[: _CHARACTERS_A_CELL * self.width], self.encoding)

    def clipped(self, text: str) -> str:
        """One line of printable text, cut at the edge."""
        return text if self.width is None else clip(text, self.width, self.glyphs.ellipsis)


def screen(stream: IO[str] | None = None) -> Screen:
    """What standard output, or another stream, can show. `COLUMNS` overrules the width of a terminal."""
    stream = sys.stdout if stream is None else stream
    encoding = encoding_of(stream)
    return Screen(_width(stream), encoding, BLOCKS if _has_blocks(encoding) else ASCII)


def _has_blocks(encoding: str) -> bool:
    try:
        "".join(BLOCKS).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _width(stream: IO[str] | None) -> int | None:
    if stream is None or not stream.isatty():
        return None  # whatever COLUMNS says: GNU readline leaves one in the environment of all that it starts
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_COLUMNS
    except OSError:
        return _DEFAULT_COLUMNS


def show_table(table: pa.Table) -> None:
    """Print a table, as wide as the terminal, and say how many of its columns did not fit."""
    shown = screen()
    grid = Grid(shown.width, shown.glyphs.ellipsis)
    print("\n".join([*grid.lines(grid_columns(shown, table)), *more_columns(shown, grid, table.num_columns)]))


def more_columns(shown: Screen, grid: Grid, count: int) -> list[str]:
    """A line that says so where a grid had no room for all of its columns."""
    left = count - grid.fitting
    return [shown.clipped(f"{plural(left, 'more column')} to the right")] if left else []


def grid_columns(shown: Screen, table: pa.Table) -> list[GridColumn]:
    """Each value in its JSON form. Of thousands of columns no more than a terminal could have room for."""
    names = table.column_names
    if shown.width is not None:
        names = names[: shown.width // 2 + 1]
    return [_grid_column(shown, name, table.column(index)) for index, name in enumerate(names)]


def _grid_column(shown: Screen, name: str, column: pa.ChunkedArray) -> GridColumn:
    try:
        values: Sequence[Any] = json_values(name, column)
    except SidecarError:  # a type that JSON has no form for
        values = ["?" if is_valid else None for is_valid in column.is_valid().to_pylist()]
    return GridColumn(shown.text(name), [shown.text(value) for value in values], is_number(column.type))


def is_number(dtype: pa.DataType) -> bool:
    """Whether values stand on the right of their cells."""
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype))


def progress_bar(label: str, stream: IO[str] | None = sys.stderr) -> Callable[[Progress | None], None]:
    """A callback that draws one line on a terminal, and nothing elsewhere: None is a stream that is closed. Gone when
    `clear_line` is called."""
    shown = screen(stream)

    def draw(progress: Progress | None) -> None:
        if stream is not None and stream.isatty():
            text = _progress_text(label, progress, shown.glyphs)
            stream.write(f"\r\x1b[K{clip(text, (shown.width or _DEFAULT_COLUMNS) - 1, shown.glyphs.ellipsis)}")
            stream.flush()

    return draw


def _progress_text(label: str, progress: Progress | None, glyphs: Glyphs) -> str:
    if progress is None:
        return f"  {label}"
    if not progress.total:
        return f"  {label} {progress.done:,} {progress.unit}"
    full = _BAR_CELLS * progress.done // progress.total
    bar = (glyphs.full * full).ljust(_BAR_CELLS, glyphs.empty)
    return f"  {label} {bar} {100 * progress.done // progress.total:3d} %"


def clear_line(stream: IO[str] | None = sys.stderr) -> None:
    """Wipe what a progress bar left."""
    if stream is not None and stream.isatty():
        stream.write("\r\x1b[K")
        stream.flush()
