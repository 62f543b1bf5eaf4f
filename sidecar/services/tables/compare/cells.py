"""Cells of two tables side by side: which differ, and the rows that show it. A column at a time, and of each a million
rows, so that no more than one column of each side is in memory beside the result."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from ....protocol.errors import SidecarError
from ....protocol.methods import Work
from ...plain import decoded, storage
from ...sessions import Claim
from ...table import PIECE_ROWS, Table, joined
from .equality import Form

if TYPE_CHECKING:
    import polars as pl


class SharedColumn(NamedTuple):
    """A column of both tables; without a form, its values are the same only where both are null."""

    name: str
    left: int
    right: int
    left_field: pa.Field
    right_field: pa.Field
    form: Form | None

    def incomparable(self, why: str) -> SidecarError:
        """The refusal to compare it."""
        return SidecarError(
            "incomparable_columns",
            f"{self}: {why}",
            column=self.name,
            left_dtype=str(self.dtypes[0]),
            right_dtype=str(self.dtypes[1]),
        )

    @property
    def dtypes(self) -> tuple[pa.DataType, pa.DataType]:
        """Of the left and of the right."""
        return self.left_field.type, self.right_field.type

    def __str__(self) -> str:
        return f"column {self.name!r} is {self.dtypes[0]} on the left and {self.dtypes[1]} on the right"

    def series(self, column: pa.ChunkedArray) -> list[pl.Series]:
        """Some of its values, of either side, in the form that compares. Raises `incomparable_columns`."""
        from ...polars import pl

        if self.form is None:
            return [pl.Series(decoded(storage(column)).is_valid())]
        try:
            return self.form(column)
        except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            raise self.incomparable(str(fault).partition("\n")[0]) from None


class Cells:
    """Reads columns of the two tables, and accounts for what that takes beside `base_bytes`."""

    def __init__(self, left: Table, right: Table, claim: Claim, work: Work) -> None:
        self.base_bytes = 0
        self._tables = left, right
        self._claim = claim
        self._work = work

    def hold(self, size: int) -> None:
        """So many bytes beside the base, for now. Raises `memory_limit`."""
        self._claim.hold(self.base_bytes + size)

    def keys(self, keys: list[SharedColumn], side: int) -> list[pl.Series]:
        """The keys of the left (0) or the right table."""
        found = []
        for key in keys:
            self._work.check()
            found += key.series(self._column(side, (key.left, key.right)[side], 0)[0])
        return found

    def differing(self, shared: SharedColumn, left: pl.Series, right: pl.Series) -> pl.Series:
        """Whether the cells in these rows differ, pair by pair."""
        from ...polars import pl

        a, held = self._column(0, shared.left, 0)
        b, _ = self._column(1, shared.right, held)
        parts = [pl.Series(dtype=pl.Boolean)]
        for start in range(0, len(left), PIECE_ROWS):
            self._work.check()
            ours = shared.series(a.take(_indices(left.slice(start, PIECE_ROWS))))
            theirs = shared.series(b.take(_indices(right.slice(start, PIECE_ROWS))))
            parts.append(reduce(or_, (_differ(x, y, shared) for x, y in zip(ours, theirs, strict=True))))
        return pl.concat(parts)

    def gathered(self, side: int, index: int, rows: pl.Series, wanted: pa.DataType | None = None) -> pa.ChunkedArray:
        """The cells of a column in these rows, null where the row is null; as `wanted` if that is given. What it makes
        is part of the base from there on."""
        column, held = self._column(side, index, 0)
        chunks: list[pa.Array] = []
        for chunk in self._taken(column, rows, wanted):
            chunks.append(chunk)
            self.base_bytes += chunk.nbytes
            self.hold(held)
        return pa.chunked_array(chunks, wanted or column.type)

    def _taken(self, column: pa.ChunkedArray, rows: pl.Series, wanted: pa.DataType | None) -> Iterator[pa.Array]:
        for start in range(0, len(rows), PIECE_ROWS):
            self._work.check()
            taken = column.take(_indices(rows.slice(start, PIECE_ROWS)))
            if wanted is not None and taken.type != wanted:
                taken = decoded(storage(taken)).cast(wanted)
            yield from taken.chunks

    def _column(self, side: int, index: int, held: int) -> tuple[pa.ChunkedArray, int]:
        """A whole column in one chunk, and what it and `held` take: `take` joins the chunks at every call else."""
        table = self._tables[side]
        column = table.select([index]).column(0)
        size = held + (column.nbytes if table.is_lazy or column.num_chunks != 1 else 0)
        self.hold(size)
        return (column if column.num_chunks == 1 else pa.chunked_array([joined(column)])), size


def _indices(rows: pl.Series) -> pa.Array:
    return rows.rechunk().to_arrow()


def _differ(left: pl.Series, right: pl.Series, shared: SharedColumn) -> pl.Series:
    return left.ne_missing(right) if shared.form is not None else left | right
