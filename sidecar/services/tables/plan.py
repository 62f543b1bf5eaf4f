"""What a computation needs of a table's columns, so that it can be run on the whole table or piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from ..spelling import unknown_column

if TYPE_CHECKING:
    import polars as pl

Made = Callable[[pa.ChunkedArray], pa.ChunkedArray]


class Plan:
    """Collects columns in the forms that expressions need, and makes Polars frames of them."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._made: dict[str, tuple[int, Made]] = {}

    def use(self, index: int, role: str, made: Made) -> pl.Expr:
        """The column at `index` as `made` makes it, as an expression. Of one column, `role` tells several forms apart;
        the names are of positions, as a user's name could be any."""
        from ..polars import pl

        name = f"{role}_{index}"
        self._made.setdefault(name, (index, made))
        return pl.col(name)

    def test(self, index: int, made: Made) -> pl.Expr:
        """A test of the column at `index`, which `made` makes booleans of."""
        return self.use(index, f"test_{len(self._made)}", made)

    def value(self, index: int) -> pl.Expr:
        """The column as its values compare. Raises `unsupported_type` if it has no order."""
        from ..polars import comparable

        return self.use(index, "value", comparable)

    @property
    def columns(self) -> list[int]:
        """The positions of all columns that are used."""
        return sorted({index for index, _ in self._made.values()})

    def frame(self, data: pa.Table) -> pl.LazyFrame:
        """The forms of `data`, which has the `columns` and may be a piece of the table, with their row numbers in the
        column `row`."""
        from ..polars import pl, series

        places = {index: place for place, index in enumerate(self.columns)}
        made = {name: series(make(data.column(places[index]))) for name, (index, make) in self._made.items()}
        if made:
            return pl.LazyFrame(made).with_row_index("row")
        return pl.LazyFrame({"row": pl.int_range(data.num_rows, dtype=pl.UInt32, eager=True)})


def position(schema: pa.Schema, name: str) -> int:
    """The position of a column, or `unknown_column`."""
    index: int = schema.get_field_index(name)
    if index < 0:
        raise unknown_column(name, schema.names)
    return index
