"""The result of a comparison: a row for each pair of rows that differ, and for each row that has no pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from msgspec import Struct

from ....protocol.errors import SidecarError
from ....protocol.methods import Work
from ...table import Table
from ..order.ordering import MAX_ROWS
from .cells import Cells, SharedColumn
from .equality import common_type
from .pairing import Pairs, keyed, paired

if TYPE_CHECKING:
    import polars as pl

STATUSES = ("left_only", "right_only", "changed", "equal")
STATUS = "status"


class Counts(Struct):
    """Rows by their status; a pair counts once."""

    left_only: int
    right_only: int
    changed: int
    equal: int


class ComparedColumn(Struct):
    """One column that was compared. `left` and `right` are what its two columns in the result are called, `changed`
    counts the pairs whose cells differ."""

    column: str
    left: str
    right: str
    left_dtype: str
    right_dtype: str
    changed: int


class Differences(NamedTuple):
    """The table of the result, and what it shows."""

    table: pa.Table
    status_column: str
    counts: Counts
    columns: list[ComparedColumn]
    warnings: list[str]


def found_differences(
    left: Table,
    right: Table,
    keys: Sequence[SharedColumn],
    columns: Sequence[SharedColumn],
    include_equal: bool,
    cells: Cells,
    work: Work,
) -> Differences:
    """First what differs, column by column; then the cells of the rows that the result has."""
    if left.rows + right.rows > MAX_ROWS:
        message = f"{left.rows} and {right.rows} rows are too many to compare"
        raise SidecarError("too_large", message, rows=left.rows + right.rows, max_rows=MAX_ROWS)
    steps = 2 * (len(columns) + 1)
    work.progress(0, steps, "columns")
    pairs = _pairs(left, right, [*keys], cells)
    is_changed, changes = _changes(pairs, columns, cells, work)
    changed = int(is_changed.sum())
    counts = Counts(len(pairs.left_only), len(pairs.right_only), changed, len(is_changed) - changed)
    rows = _rows(pairs, is_changed, include_equal)
    names = _Names(keys, columns)
    arrays = [*_key_columns(keys, rows, cells), _statuses(rows)]
    for done, column in enumerate(columns, len(columns) + 2):
        work.progress(done, steps, "columns")
        arrays.append(cells.gathered(0, column.left, rows["left"]))
        arrays.append(cells.gathered(1, column.right, rows["right"]))
    compared = []
    for place, column in enumerate(columns):
        left_dtype, right_dtype = map(str, column.dtypes)
        compared.append(ComparedColumn(column.name, *names.pair(place), left_dtype, right_dtype, changes[place]))
    warnings = [*_warnings(pairs, keys, columns), *names.warnings]
    return Differences(pa.table(arrays, names=names.all), names.status, counts, compared, warnings)


def _changes(pairs: Pairs, columns: Sequence[SharedColumn], cells: Cells, work: Work) -> tuple[pl.Series, list[int]]:
    """Whether each pair differs in any column, and the number of those that differ in each."""
    from ...polars import pl

    is_changed = pl.repeat(False, len(pairs.left), dtype=pl.Boolean, eager=True)
    changes = []
    for done, column in enumerate(columns, 1):
        work.progress(done, 2 * (len(columns) + 1), "columns")
        differ = cells.differing(column, pairs.left, pairs.right)
        changes.append(int(differ.sum()))
        is_changed |= differ
    return is_changed, changes


def _pairs(left: Table, right: Table, keys: list[SharedColumn], cells: Cells) -> Pairs:
    frames = []
    for side, table in enumerate((left, right)):
        frames.append(keyed(cells.keys(keys, side), table.rows))
        cells.base_bytes += int(frames[-1].estimated_size())
        cells.hold(0)
    held = cells.base_bytes
    cells.hold(held)  # once more: the join has the keys in a table of its own
    pairs = paired(*frames)
    cells.base_bytes = 2 * sum(int(rows.estimated_size()) for rows in pairs[:4])  # once more for `_rows`
    cells.hold(0)
    return pairs


def _rows(pairs: Pairs, is_changed: pl.Series, include_equal: bool) -> pl.DataFrame:
    """The rows of the result: the `left` and the `right` row, null where there is none, and the status."""
    from ...polars import pl

    both = pl.DataFrame({"left": pairs.left, "right": pairs.right, "changed": is_changed})
    both = both.select("left", "right", status=pl.when("changed").then(2).otherwise(3).cast(pl.UInt8))
    both = both if include_equal else both.filter(pl.col("status") == 2)
    left_only = pl.DataFrame({"left": pairs.left_only}).select(
        "left", right=pl.lit(None, pl.UInt32), status=pl.lit(0, pl.UInt8)
    )
    right_only = pl.DataFrame({"right": pairs.right_only}).select(
        pl.lit(None, pl.UInt32).alias("left"), "right", status=pl.lit(1, pl.UInt8)
    )
    return pl.concat([pl.concat([both, left_only]).sort("left"), right_only])


def _statuses(rows: pl.DataFrame) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(STATUSES).take(rows["status"].rechunk().to_arrow())])


def key_type(key: SharedColumn) -> pa.DataType | None:
    """The type of a key that has one column in the result; None where it needs two, as no type has both's values."""
    left, right = key.dtypes
    return left if left == right and not pa.types.is_dictionary(left) else common_type(left, right)


def _key_columns(keys: Sequence[SharedColumn], rows: pl.DataFrame, cells: Cells) -> list[pa.ChunkedArray]:
    """A row that is on the right only has its keys from there."""

    is_left = rows["left"].is_not_null()
    ours, theirs = rows["left"].filter(is_left), rows["right"].filter(~is_left)
    arrays = []
    for key in keys:
        wanted = key_type(key)
        if wanted is None:
            arrays.append(cells.gathered(0, key.left, rows["left"]))
            arrays.append(cells.gathered(1, key.right, rows["right"]))
            continue
        parts = cells.gathered(0, key.left, ours, wanted), cells.gathered(1, key.right, theirs, wanted)
        arrays.append(pa.chunked_array([chunk for part in parts for chunk in part.chunks], wanted))
    return arrays


class _Names:
    """What the columns of the result are called: each once."""

    def __init__(self, keys: Sequence[SharedColumn], columns: Sequence[SharedColumn]) -> None:
        self.all: list[str] = []
        self.warnings: list[str] = []
        for key in keys:
            self._add([key.name] if key_type(key) is not None else [f"{key.name}_left", f"{key.name}_right"])
        self._add([STATUS])
        self.status = self.all[-1]
        self._first = len(self.all)
        for column in columns:
            self._add([f"{column.name}_left", f"{column.name}_right"])

    def pair(self, place: int) -> tuple[str, str]:
        """The two of a column that is compared."""
        first = self._first + 2 * place
        return self.all[first], self.all[first + 1]

    def _add(self, names: list[str]) -> None:
        for name in names:
            new, count = name, 2
            while new in self.all:
                new, count = f"{name}_{count}", count + 1
            if new != name:
                self.warnings.append(f"a second column named {name!r} is called {new!r}")
            self.all.append(new)


def _warnings(pairs: Pairs, keys: Sequence[SharedColumn], columns: Sequence[SharedColumn]) -> list[str]:
    found = []
    for side, repeated in (("left", pairs.repeated_left), ("right", pairs.repeated_right)):
        if repeated:
            found.append(
                f"{repeated} rows on the {side} have the keys of an earlier row: the n-th is paired with the n-th"
            )
    for shared in (*keys, *columns):
        if shared.form is None:
            found.append(f"{shared}: no value is the same")
        elif shared.dtypes[0] != shared.dtypes[1]:
            found.append(f"{shared}: compared by value")
    return found
