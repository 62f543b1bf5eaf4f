"""tables/stats: exact statistics of each column, at any size; nothing is sampled."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pyarrow as pa
from msgspec import Struct

from ...protocol.errors import SidecarError
from ...protocol.methods import Context
from ..json_rows import json_values
from ..plain import decoded, has_order, value_type
from ..sessions import Sessions
from ..table import Table
from .rows import chosen

QUARTERS = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
INT128_END = 2**127


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
    """The figures of one column. Those of a dictionary are of the values that its rows have."""
    field = table.schema.field(index)
    data = table.select([index])
    column = decoded(data.column(0))
    stats = ColumnStats(field.name, str(field.type), column.null_count)
    if not has_order(field.type):
        return stats
    from ..polars import comparable, pl, series

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
    if not pa.types.is_temporal(value_type(field.type)) and not values.is_empty():
        _moments(pl, stats, values)
    stats.min, stats.max = _extremes(pl, field, values)
    return stats


def _moments(pl: Any, stats: ColumnStats, values: Any) -> None:
    if values.dtype == pl.Boolean:
        values = values.cast(pl.UInt8)
    if values.dtype.is_float():
        values = values.cast(pl.Float64)
        stats.mean, stats.std = values.mean(), values.std()
        quantiles = [values.quantile(share, interpolation="linear") for share in (0.25, 0.5, 0.75)]
    elif values.dtype.is_numeric():
        scale = Fraction(1, 10 ** (values.dtype.scale if values.dtype.is_decimal() else 0))
        numbers = values.to_physical().cast(pl.Int128)
        mean = Fraction(_total(numbers), len(numbers))
        stats.mean, stats.std = float(mean * scale), _deviation(pl, numbers, mean, scale)
        ordered = numbers.sort()
        quantiles = [float(_quantile(ordered, share) * scale) for share in QUARTERS]
    else:
        return
    stats.q25, stats.median, stats.q75 = quantiles


def _total(numbers: Any) -> int:
    """The sum of 128-bit integers, exactly."""
    largest = max(abs(numbers.min()), abs(numbers.max()))
    return int(numbers.sum() if largest * len(numbers) < INT128_END else sum(numbers.to_list()))


def _deviation(pl: Any, numbers: Any, mean: Fraction, scale: Fraction) -> float | None:
    """In doubles, but of the distances to the mean: large integers that are close together would be one double."""
    centre = round(mean)
    if max(numbers.max() - centre, centre - numbers.min()) < INT128_END:
        numbers = numbers - pl.Series([centre], dtype=pl.Int128)
    deviation = numbers.cast(pl.Float64).std()
    return None if deviation is None else deviation * float(scale)


def _quantile(ordered: Any, share: Fraction) -> Fraction:
    """Linear interpolation between the two values next to the place."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    below, above = Fraction(ordered[low]), Fraction(ordered[high])
    return below + (place - low) * (above - below)


def _extremes(pl: Any, field: pa.Field, values: Any) -> tuple[Any, Any]:
    """The least and the greatest value, exactly: by way of the column's own Arrow type."""
    if values.is_empty():
        return None, None
    order = values.sort(descending=False) if values.dtype == pl.Binary else None
    least, greatest = (order[0], order[-1]) if order is not None else (values.min(), values.max())
    ends = pl.Series([least, greatest], dtype=values.dtype).to_arrow()
    if pa.types.is_temporal(value_type(field.type)):
        ends = ends.cast(value_type(field.type))
    try:
        low, high = json_values(field.name, pa.chunked_array([ends]))
    except SidecarError:
        return None, None  # no form to say them in: a time zone that nobody knows
    return low, high
