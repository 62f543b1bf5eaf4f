"""The rows that pass tests, found piece by piece and side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from ...table import PIECE_BYTES, Table
from ..plan import Plan

if TYPE_CHECKING:
    import polars as pl

    from ....protocol.methods import Work

MAX_THREADS = 8
"""Pieces that are tested side by side, where there are as many cores; each takes `PIECE_BYTES` or less."""


def matching_rows(table: Table, plan: Plan, tests: Sequence[pl.Expr], work: Work) -> pa.Array:
    """The indices (uint32) of the rows that pass all tests, in the table's order. Between two pieces is a look at
    cancellation.

    Arrow tests strings on the thread that asks it to, and converts them for Polars there, so pieces are tested side by
    side (measured, 10 M rows, 2 cores: 16 ms against 25 ms for a string that is equal).
    """
    from ...polars import pl

    if not plan.columns:
        return _all_or_none(table, tests)
    threads = min(pl.thread_pool_size(), MAX_THREADS)
    pool = ThreadPoolExecutor(threads, "piece")
    pending: deque[Future[pa.Array]] = deque()
    parts: list[pa.Array] = [pa.array([], pa.uint32())]
    start = 0
    try:
        for piece in table.pieces(plan.columns, PIECE_BYTES // threads if table.is_lazy else PIECE_BYTES):
            if len(pending) == threads:
                parts.append(pending.popleft().result())
            work.progress(start, table.rows, "rows")
            pending.append(pool.submit(_rows_of, piece, start, plan, tests))
            start += piece.num_rows
        for future in pending:
            parts.append(future.result())
            work.check()
    finally:
        pool.shutdown(cancel_futures=True)
    return pa.concat_arrays(parts)


def _all_or_none(table: Table, tests: Sequence[pl.Expr]) -> pa.Array:
    """Tests that look at no column say the same of every row. Pieces without columns would not say how many."""
    from ...polars import pl

    count = table.rows if pl.DataFrame({"row": [0]}).filter(*tests).height else 0
    return pl.int_range(count, dtype=pl.UInt32, eager=True).to_arrow()


def _rows_of(piece: pa.Table, start: int, plan: Plan, tests: Sequence[pl.Expr]) -> pa.Array:
    from ...polars import pl

    rows = plan.frame(piece).filter(*tests).select(pl.col("row") + pl.lit(start, pl.UInt32)).collect()
    return rows.to_series().rechunk().to_arrow()
