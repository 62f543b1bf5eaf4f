"""A column of a table in sorted order: at once, or in ranges where that would take too much memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

import pyarrow as pa

from ... import compute as pc
from ...plain import is_text, value_type
from ...table import PIECE_BYTES, Table
from ..filters.value_tests import Test, by_value
from ..order.passes import in_passes
from ..order.pivots import Key
from ..plan import Plan
from ..selection import Selection
from .forms import Form, sortable

if TYPE_CHECKING:
    import polars as pl

    from ....protocol.methods import Work


PIECE_SHARE = 16
"""Of the budget is what is read at once: it is sorted, and what Polars makes of it is larger."""


class Counts(NamedTuple):
    """Rows by what needs no order; `nan` and `empty` only where the type has them."""

    null: int
    nan: int | None
    empty: int | None


class Range(NamedTuple):
    """Sorted values, each of which stands for `repeats` rows."""

    values: pl.Series
    repeats: int

    @property
    def rows(self) -> int:
        """How many they stand for."""
        return len(self.values) * self.repeats


class Ordered:
    """The values of a column, without nulls and NaN. `ranges` may be called again; one alone is kept."""

    def __init__(
        self, rows: Selection, index: int, form: Form, count: int, budget_bytes: int | None, work: Work
    ) -> None:
        """`count` is how many there are."""
        self.count = count
        self._rows, self._index, self._form = rows, index, form
        self._budget_bytes = budget_bytes
        self._work = work
        self._only: Range | None = None

    def ranges(self) -> Iterator[Range]:
        """Ascending. Every value of a range is below all of the next one."""
        if self._only is not None:
            yield self._only
            return
        for range in self._sorted() if self.count else ():
            self._only = range if range.rows == self.count else None
            yield range

    def pieces(self) -> Iterator[Range]:
        """The same values once more, in order only within each piece: what does not fit is read once for them."""
        if self._only is not None or not self.count:
            yield from self.ranges()
            return
        plan, tests, value = self._plan()
        for piece in self._rows.pieces([self._index], piece_bytes(self._budget_bytes)):
            self._work.check()
            values = plan.frame(piece).filter(*tests).select(value.alias("value").sort()).collect().to_series()
            if len(values):
                yield Range(_integers(values), 1)

    def _sorted(self) -> Iterator[Range]:
        plan, tests, value = self._plan()
        table = cast(Table, self._rows)  # all of a table that is needed here
        for range in in_passes(table, plan, tests, [Key(value)], self._budget_bytes, self._work, with_rows=False):
            values = _integers(range.keys.to_series())
            if len(values):
                yield Range(values, range.row_count // len(values))

    def _plan(self) -> tuple[Plan, list[pl.Expr], pl.Expr]:
        plan = Plan(self._rows.schema)
        return plan, *sortable(plan.use(self._index, "sorted", self._form.made), self._form)


def _integers(values: pl.Series) -> pl.Series:
    """Decimals as integers, of 64 bits where they are enough."""
    from ...polars import pl

    if not values.dtype.is_decimal():
        return values
    wide = values.to_physical().cast(pl.Int128)
    return wide.cast(pl.Int64) if wide[0] >= -(2**63) and wide[-1] < 2**63 else wide


def piece_bytes(budget_bytes: int | None) -> int:
    """How much is read at once where no more than the budget may be taken."""
    return PIECE_BYTES if budget_bytes is None else min(PIECE_BYTES, budget_bytes // PIECE_SHARE)


def counted(rows: Selection, index: int, budget_bytes: int | None, work: Work) -> Counts:
    """Reads a lazy table once."""
    dtype = value_type(rows.schema.field(index).type)
    nulls, nans, empties = 0, 0, 0
    has_nan, has_empty = pa.types.is_floating(dtype), _has_empty(dtype)
    for piece in rows.pieces([index], piece_bytes(budget_bytes)):
        work.check()
        column = piece.column(0)
        nulls += _count(pc.is_null, column, of_null=True)
        if has_nan:
            nans += _count(pc.is_nan, column)
        if has_empty:
            empties += _count(lambda values: pc.equal(_lengths(values), 0), column)
    return Counts(nulls, nans if has_nan else None, empties if has_empty else None)


def _count(test: Test, column: pa.ChunkedArray, of_null: bool = False) -> int:
    """The rows that pass. A value of a dictionary is tested once, and not spelled out for each row."""
    return pc.sum(by_value(test, of_null)(column)).as_py() or 0


def _has_empty(dtype: pa.DataType) -> bool:
    types = pa.types
    is_list = types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype)
    is_bytes = types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype)
    return is_text(dtype) or is_bytes or is_list or types.is_map(dtype)


def _lengths(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_map(column.type):
        column = column.cast(pa.list_(pa.struct([column.type.key_field, column.type.item_field])))
    if pa.types.is_nested(column.type):
        return pc.list_value_length(column)
    return pc.binary_length(column)
