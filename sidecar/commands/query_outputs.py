"""Where the result of a query goes: a table to look at, rows in a format for programs, or a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import cast

from ..client import Host, Page
from ..services.load.formats import BY_EXTENSION, Format
from ..services.load.load import LoadResult
from ..services.tables.pages import PageFormat
from .asking import ask
from .grid import Grid
from .interrupts import Interrupts
from .mistake import EXIT_FAILED, Mistake
from .outputs import standard_output
from .sizes import plural, size_text
from .target import say
from .terminal import grid_columns, more_columns, screen

TERMINAL_ROWS = 20
"""What a terminal shows of a result where `--rows` does not say."""

PAGE_CELLS = 200_000
"""What is asked for at once: a result of any size is printed in little memory."""

BINARY = frozenset({"arrow", "parquet"})

Guard = Callable[[], AbstractContextManager[None]]


def check_output(path: str, format: str | None, overwrite: bool) -> Format:
    """The format of the file to write. Raises `Mistake`: what can be seen now is not first said after a long query."""
    if format == "table":
        raise Mistake(f"--format table is for people: write {path!r} in another format")
    extension = os.path.splitext(path)[1].lower()
    made = _file_format(format) if format else BY_EXTENSION.get(extension)
    if made is None:
        raise Mistake(f"the extension of {path!r} says no format ({', '.join(BY_EXTENSION)}): give --format")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise Mistake(f"there is no directory {folder!r} to write {os.path.basename(path)!r} into", EXIT_FAILED)
    if os.path.isdir(path):
        raise Mistake(f"{path!r} is a directory, not a file to write", EXIT_FAILED)
    if os.path.lexists(path) and not overwrite:
        raise Mistake(f"{path!r} is there already: give --overwrite to replace it", EXIT_FAILED)
    return made


def check_standard_output(format: str) -> Format:
    """The format of what is written there. Raises `Mistake` for bytes on a terminal."""
    if format in BINARY and standard_output().isatty():
        raise Mistake(f"--format {format} writes bytes, which a terminal cannot show: give --output FILE, or a pipe")
    return "arrow_stream" if format == "arrow" else cast(Format, format)


def _file_format(format: str) -> Format:
    return "arrow_file" if format == "arrow" else cast(Format, format)


def show_result(host: Host, result: LoadResult, rows: int | None) -> None:
    """As a table. A terminal gets some rows and says of how many; a file or pipe gets all of all of them."""
    shown = screen()
    limit = (0 if shown.width is None else TERMINAL_ROWS) if rows is None else rows
    stop = min(limit or result.rows, result.rows)
    grid = Grid(shown.width, shown.glyphs.ellipsis)
    for page, raising in pages(host, result, stop, "arrow"):
        text = "".join(f"{line}\n" for line in grid.lines(grid_columns(shown, page.table)))
        with raising():
            sys.stdout.write(text)
    notes = more_columns(shown, grid, len(result.columns))
    if stop < result.rows:
        notes.append(f"{stop:,} of {plural(result.rows, 'row')}; --rows 0 shows all")
    sys.stdout.flush()
    for note in notes:
        if shown.width is None:
            say(note)
        else:
            print(shown.clipped(note))


def pages(host: Host, result: LoadResult, stop: int, format: PageFormat) -> Iterator[tuple[Page, Guard]]:
    """The rows up to `stop`, a page at a time; one page if there are none, for its columns. Each comes with what a
    write of it may be interrupted in."""
    step = max(1, PAGE_CELLS // max(1, len(result.columns)))
    with Interrupts(lambda: None) as interrupts:
        for start in range(0, max(1, stop), step):
            page = host.tables.rows(result.session, start, min(start + step, stop), format=format)
            yield page, interrupts.raising


def write_standard_output(host: Host, result: LoadResult, format: Format) -> None:
    """In a format for programs: piece after piece, so that none is held."""
    file = standard_output()
    params = {"session": result.session, "format": format}
    with host.caller().begin("tables/export", params) as stream, Interrupts(stream.cancel) as interrupts:
        for piece in stream:
            with interrupts.raising():
                for data in piece.batch.column("data"):
                    file.write(data.as_buffer())
    with interrupts.raising():
        file.flush()


def write_file(host: Host, result: LoadResult, format: Format, path: str, overwrite: bool) -> None:
    """As a file, which is there whole or not at all."""
    params = {"session": result.session, "format": format, "path": os.path.abspath(path), "overwrite": overwrite}
    written = ask(host, "tables/export", params, "writing")
    size = size_text(written["bytes"])
    say(screen(sys.stderr).text(f"{path}: {plural(written['rows'], 'row')}, {size}"))
