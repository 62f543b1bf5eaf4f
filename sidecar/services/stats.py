"""tables/stats: exact statistics of each column, at any size; nothing is sampled."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from msgspec import Struct

from ..protocol.methods import Context
from .filters import value_type
from .json_rows import json_values
from .ordering import has_order
from .plain import check_valid
from .sessions import Sessions
from .table import Table
from .tables import chosen


class StatsParams(Struct, forbid_unknown_fields=True):
    """The columns of a session to sum up; all where none are given."""

    session: str
    columns: list[str] | None = None


class ColumnStats(Struct):
    """One column. A figure that the type does not have is null.

    `null_count`, `nan_count` and `empty_count` (strings and binary of length 0) count rows; `distinct_count` counts
    different values, null not among them. `min` and `max` are values of the column in the form that `tables/rows` has
    in JSON. `mean`, `std` (of the sample, n - 1), `median`, `q25` and `q75` (linear interpolation) are of numbers and
    booleans alone. NaN takes part in none but the counts.
    """

    column: str
    dtype: str
    null_count: int
    nan_count: int | None = None
    empty_count: int | None = None
    distinct_count: int | None = None
    min: Any = None
    max: Any = None
    mean: float | None = None
    std: float | None = None
    median: float | None = None
    q25: float | None = None
    q75: float | None = None


class StatsResult(Struct):
    """`columns` in the order in which they were asked for; `total` is the rows of the table."""

    session: str
    total: int
    columns: list[ColumnStats]


class Stats:
    """The method `tables/stats`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def stats(self, params: StatsParams, context: Context) -> StatsResult:
        """One column after another, with a look at cancellation between. Raises `unknown_column`."""
        table = self._sessions.get(params.session).table
        indices = chosen(params.columns, table)
        columns = []
        for done, index in enumerate(indices):
            context.progress(done, len(indices), "columns")
            columns.append(column_stats(table, index))
        return StatsResult(params.session, table.rows, columns)


def column_stats(table: Table, index: int) -> ColumnStats:
    """The figures of one column."""
    field = table.schema.field(index)
    column = table.select([index]).column(0)
    check_valid(column)
    stats = ColumnStats(field.name, str(field.type), column.null_count)
    if not has_order(field.type):
        return stats
    from .polars import comparable, pl, series

    values = series(comparable(column)).drop_nulls()
    stats.distinct_count = values.n_unique()
    if values.dtype.is_float():
        is_nan = values.is_nan()
        stats.nan_count = int(is_nan.sum())
        values = values.filter(~is_nan)
    if values.dtype == pl.String:
        stats.empty_count = int((values.str.len_bytes() == 0).sum())
    if values.dtype == pl.Binary:
        stats.empty_count = int((values.bin.size() == 0).sum())
    if not pa.types.is_temporal(value_type(field.type)):
        _moments(pl, stats, values)
    stats.min, stats.max = _extremes(pl, field, values)
    return stats


def _moments(pl: Any, stats: ColumnStats, values: Any) -> None:
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean) or values.is_empty():
        return
    numbers = values.cast(pl.Float64)
    stats.mean = numbers.mean()
    stats.std = numbers.std()
    stats.median = numbers.median()
    stats.q25 = numbers.quantile(0.25, interpolation="linear")
    stats.q75 = numbers.quantile(0.75, interpolation="linear")


def _extremes(pl: Any, field: pa.Field, values: Any) -> tuple[Any, Any]:
    """The least and the greatest value, exactly: by way of the column's own Arrow type."""
    if values.is_empty():
        return None, None
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    order = values.sort(descending=False) if values.dtype == pl.Binary else None
    least, greatest = (order[0], order[-1]) if order is not None else (values.min(), values.max())
    ends = pl.Series([least, greatest], dtype=values.dtype).to_arrow()
    if pa.types.is_temporal(value_type(field.type)):
        ends = ends.cast(value_type(field.type))
    low, high = json_values(field.name, pa.chunked_array([ends]))
    return low, high
