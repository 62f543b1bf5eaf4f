"""Which row of one table belongs to which of another: those whose keys are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl


class Pairs(NamedTuple):
    """Row numbers. `left` and `right` belong together, in the order of the left table; `left_only` and `right_only`
    have nobody, each in the order of its table. `repeated_left` and `repeated_right` count the rows whose key an
    earlier row of the same table has."""

    left: pl.Series
    right: pl.Series
    left_only: pl.Series
    right_only: pl.Series
    repeated_left: int
    repeated_right: int


def keyed(keys: list[pl.Series], rows: int) -> pl.DataFrame:
    """The keys of one table with `row`, and `nth`: how many earlier rows have the same key.

    Only rows whose key is not theirs alone are counted out: of 2 M different keys that takes 5.7 s, and to see that
    they are different 0.2 s (measured).
    """
    from ...polars import pl

    names = [f"key_{index}" for index in range(len(keys))]
    frame = pl.DataFrame([_bits(key).alias(name) for name, key in zip(names, keys, strict=True)], height=rows)
    is_unique = frame.n_unique() == rows
    frame = frame.with_row_index("row").with_columns(nth=pl.lit(0, pl.UInt32))
    if is_unique:
        return frame
    repeated = frame.filter(frame.select(names).is_duplicated())
    repeated = repeated.with_columns(nth=pl.int_range(pl.len(), dtype=pl.UInt32).over(names))
    return frame.update(repeated.select("row", "nth"), on="row", how="left")


def _bits(key: pl.Series) -> pl.Series:
    """Floats as integers that are equal where they are: Polars 2.1 does not join the NaN of one row with that of
    another, where it does in larger tables."""
    from ...polars import pl

    if not key.dtype.is_float():
        return key
    value = pl.col("value")
    one_form = pl.when(value.is_nan()).then(float("nan")).when(value == 0).then(0.0).otherwise(value)
    same = key.cast(pl.Float64).to_frame("value").select(one_form).to_series()
    return pl.Series(same.rechunk().to_arrow().view(pa.int64()))


def paired(left: pl.DataFrame, right: pl.DataFrame) -> Pairs:
    """Pairs of two frames of `keyed`: the n-th row of a key with the n-th row of this key."""
    from ...polars import pl

    repeated = [int((frame["nth"] > 0).sum()) for frame in (left, right)]
    on = [name for name in left.columns if name != "row" and (name != "nth" or any(repeated))]
    others = right.select(*on, other="row")
    joined = left.select("row", *on).join(others, on=on, how="left", nulls_equal=True, maintain_order="left")
    both = joined.filter(pl.col("other").is_not_null())
    right_only = others.join(left, on=on, how="anti", nulls_equal=True)["other"].sort()
    left_only = joined.filter(pl.col("other").is_null())["row"]
    return Pairs(both["row"], both["other"], left_only, right_only, *repeated)
