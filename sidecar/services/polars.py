"""Polars, with what it must never do switched off before its import.

Polars 2.1 spills to `/var/tmp/polars-USER/spill` by itself when memory runs short, eager reads included. The
two variables stop that (measured: 0 files instead of 45 for a `read_parquet` under a 100 MB limit); they are not
part of its stable interface, so its version is held in `pyproject.toml` and a test watches the directory.
"""

from __future__ import annotations

import os

os.environ["POLARS_OOC_SPILL_MIN_BYTES"] = str(2**63 - 1)
os.environ["POLARS_OOC_DISK_BUDGET_MB"] = "0"

import polars as pl  # noqa: E402 - after the variables
import pyarrow as pa  # noqa: E402

__all__ = ["pl", "to_arrow"]


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """The same values in Arrow types that every Arrow reader has: strings as `large_string`, not as views, and
    128-bit integers as `decimal128(38, 0)`."""
    exact = frame.with_columns(pl.col(pl.Int128, pl.UInt128).cast(pl.Decimal(38, 0)))
    return exact.to_arrow(compat_level=pl.CompatLevel.oldest())
