"""What the first requests of most hosts import, by the ways by which those requests do it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module


def _compute() -> None:
    """Filters, statistics, text files, columns of a few types in any load."""
    import_module("pyarrow.compute")


def _parquet() -> None:
    import_module("pyarrow.parquet")


def _polars() -> None:
    """Text files, sorts, filters, statistics and SQL."""
    import_module(".polars", __package__)


STEPS: dict[str, Callable[[], None]] = {"Arrow's functions": _compute, "Parquet": _parquet, "Polars": _polars}
"""By what they are for, what is needed first at first: 29, 10 and 110 ms."""
