"""The tables that are measured with: numbers and strings, the same in every run."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sidecar.services.polars import pl, to_arrow

SAMPLE_ROWS = 10_000


def table(rows: int) -> pa.Table:
    """Eight columns: integers, floats, a boolean, strings that repeat and strings that do not; some nulls."""
    row = pl.int_range(0, rows, dtype=pl.Int64)
    random = row.hash(seed=7)
    frame = pl.select(
        id=row,
        amount=(random % 1_000_003).cast(pl.Float64) / 100,
        ratio=random.cast(pl.Float64) / 2**64,
        count=pl.when(random % 17 == 0).then(None).otherwise(random % 1000).cast(pl.Int32),
        stamp=(random // 1000).reinterpret(signed=True),
        flag=random % 3 == 0,
        city=pl.lit("city-") + (random % 500).cast(pl.String),
        name=pl.lit("name-") + row.cast(pl.String),
    )
    return to_arrow(frame).combine_chunks()


def ipc(data: pa.Table) -> pa.Buffer:
    """An Arrow IPC stream, in batches of 64 Ki rows as writers make them."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=65_536)
    return sink.getvalue()


def parquet(data: pa.Table) -> pa.Buffer:
    """A Parquet file as pyarrow writes it by default."""
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink)
    return sink.getvalue()


def ipc_of_size(size: int) -> pa.Buffer:
    """An Arrow IPC stream of about `size` bytes."""
    return ipc(table(_rows(ipc, size)))


def parquet_of_size(size: int) -> pa.Buffer:
    """A Parquet file of about `size` bytes."""
    return parquet(table(_rows(parquet, size)))


def _rows(write: Any, size: int) -> int:
    return size * SAMPLE_ROWS // write(table(SAMPLE_ROWS)).size
