"""CSV, TSV, JSON and NDJSON, read with Polars."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ...protocol.methods import Context
from ..sessions import Claim
from .formats import BOM
from .source import Source

INFERRED_ROWS = 10_000
"""Rows of a CSV whose values decide the types. Where they turn out not to be enough, all rows decide: that reads
ten times slower (measured: 2.6 s against 0.25 s for a file of 135 MB)."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HEADER_BYTES = 1024 * 1024


def read_csv(source: Source, claim: Claim, context: Context) -> pa.Table:
    """Values between commas; the first line names the columns."""
    return _separated(source, claim, context, ",")


def read_tsv(source: Source, claim: Claim, context: Context) -> pa.Table:
    """The same between tabs."""
    return _separated(source, claim, context, "\t")


def read_ndjson(source: Source, claim: Claim, context: Context) -> pa.Table:
    """One object a line. Every line decides the columns: of a sample Polars would drop the later ones' new keys
    without a word, which makes the reading three times slower (measured: 1.0 s against 0.34 s, 1 M lines)."""
    with _reading(source, "ndjson") as pl:
        return _collect(pl.scan_ndjson(_target(source, claim, context), infer_schema_length=None), claim, context)


def read_json(source: Source, claim: Claim, context: Context) -> pa.Table:
    """An array of objects, one a row, or a single object."""
    from ..polars import to_arrow

    with _reading(source, "json") as pl:
        table = to_arrow(pl.read_json(_text(source, claim, context), infer_schema_length=None))
    claim.hold(claim.bytes + table.nbytes)  # known only now: Polars reads a JSON document in one go
    return table


@contextmanager
def _reading(source: Source, format: str) -> Iterator[Any]:
    """Polars, its errors made ours. Its panics derive from BaseException and would end the thread."""
    from ..polars import pl

    try:
        yield pl
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise source.invalid(str(fault).strip().partition("\n")[0], format) from None


def _text(source: Source, claim: Claim, context: Context) -> bytes:
    """All of the text, without a byte order mark. It is in memory twice until the table is read."""
    claim.hold(2 * source.size)
    data = source.buffer(context)
    return bytes(data.slice(len(BOM) if source.head(len(BOM)) == BOM else 0).to_pybytes())


def _target(source: Source, claim: Claim, context: Context) -> str | bytes:
    """What Polars reads. It takes `*`, `?` and `[` in a path for a pattern, and would read other files."""
    if source.file is not None and source.head(len(BOM)) != BOM:
        return glob.escape(source.file.path)
    return _text(source, claim, context)


def _separated(source: Source, claim: Claim, context: Context, separator: str) -> pa.Table:
    format_ = "tsv" if separator == "\t" else "csv"
    target = _target(source, claim, context)
    with _reading(source, format_) as pl:

        def scan(inferred_rows: int | None) -> Any:
            return pl.scan_csv(target, separator=separator, infer_schema_length=inferred_rows)

        table = _by_sample(pl, scan, claim, context)
        if table is None:
            table = _collect(scan(None), claim, context)
    _check_header(source, format_, table)
    _check_lines(source, format_, table)
    return table


def _by_sample(pl: Any, scan: Callable[[int | None], Any], claim: Claim, context: Context) -> pa.Table | None:
    """The table in the types of its first rows; None where they do not fit all, or the text is bad: the second
    reading tells which."""
    frame = scan(INFERRED_ROWS)
    held = claim.bytes
    try:
        sample = frame.head(INFERRED_ROWS).collect()
        if sample.height == INFERRED_ROWS and any(column.null_count() == sample.height for column in sample):
            return None
        return _collect(frame, claim, context)
    except pl.exceptions.PolarsError:
        claim.hold(held)
        return None


def _check_header(source: Source, format_: str, table: pa.Table) -> None:
    """Polars refuses values that are not UTF-8, but in names it replaces what it cannot decode."""
    is_replaced = any(REPLACEMENT in name for name in table.column_names)
    if is_replaced and REPLACEMENT.encode() not in source.head(_HEADER_BYTES):
        raise source.invalid("the names of the columns are not UTF-8", format_)


def _check_lines(source: Source, format_: str, table: pa.Table) -> None:
    """A text whose lines end with carriage returns alone is one line to Polars: the header, with no row under it."""
    head = source.head(_HEADER_BYTES)
    if table.num_rows == 0 and b"\r" in head.rstrip() and b"\n" not in head:
        raise source.invalid("its lines end with a carriage return alone: write them with a line feed", format_)


def _collect(frame: Any, claim: Claim, context: Context) -> pa.Table:
    from ..polars import to_arrow

    schema = to_arrow(frame.head(0).collect()).schema
    parts: list[pa.Table] = []
    size = rows = 0
    held = claim.bytes
    for batch in frame.collect_batches(maintain_order=True):
        part = to_arrow(batch).cast(schema)
        parts.append(part)
        size += part.nbytes
        rows += part.num_rows
        claim.hold(held + size)
        context.progress(rows, None, "rows")
    return pa.concat_tables(parts) if parts else schema.empty_table()
