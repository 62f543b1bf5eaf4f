"""Statistics of 20 mixed columns through the pipe, against the same aggregates written by hand in Polars."""

from __future__ import annotations

from itertools import count
from typing import Any

import pyarrow as pa

from sidecar.client import Filter, Host
from sidecar.services.polars import pl, series, to_arrow

from .data import ipc, table
from .harness import Line, at_most, in_turns

REACH = 1.5
BINS = 20


def mixed(rows: int) -> pa.Table:
    """Twenty columns: the eight of the other rows, then more types of numbers, times, text and categories."""
    row = pl.int_range(0, rows, dtype=pl.Int64)
    random = row.hash(seed=11)
    share = random.cast(pl.Float64) / 2**64
    more = pl.select(
        small=(random % 100).cast(pl.Int8),
        sparse=pl.when(random % 10 == 0).then((random % 5000).cast(pl.Int64)).otherwise(0),
        unsigned=random,
        skewed=-((share + 1e-18).log() ** 3),
        single=(share * 1000).cast(pl.Float32),
        day=(random % 3650).cast(pl.Int32).cast(pl.Date),
        time=(random % (4 * 365 * 86_400_000_000)).cast(pl.Int64).cast(pl.Datetime("us")),
        lag=(random % 86_400_000).cast(pl.Int64).cast(pl.Duration("ms")),
        code=(random % 50).cast(pl.String).str.zfill(4),
        word=(random % 100_000).cast(pl.String),
        price=(random % 10_000_000).cast(pl.Int64).cast(pl.Decimal(12, 0)) / pl.lit(100, pl.Decimal(3, 0)),
    )
    data = table(rows)
    for name, column in zip(more.columns, to_arrow(more).columns, strict=True):
        data = data.append_column(name, column)
    kinds = pa.array(["low", "middle", "high"]).take(pl.select(random % 3).to_series().to_arrow())
    return data.append_column("kind", kinds.dictionary_encode()).combine_chunks()


def by_hand(column: pl.Series) -> pl.DataFrame:
    """The figures of one column, as one would write them: a lazy select, and a histogram of equal bins."""
    own = pl.col(column.name)
    figures = [own.null_count().alias("nulls"), own.drop_nulls().n_unique().alias("distinct")]
    if column.dtype != pl.Categorical:
        figures += [own.min().alias("min"), own.max().alias("max")]
    figures += [own.drop_nulls().value_counts(sort=True, name="rows").head(5).implode().alias("top")]
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        figures += [own.mean().alias("mean"), own.std().alias("std")]
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        for share in (0.25, 0.5, 0.75):
            figures.append(own.quantile(share, "linear").alias(f"q{share}"))
        number = own.to_physical() if column.dtype.is_temporal() else own
        figures.append(number.cast(pl.Float64).hist(bin_count=BINS).implode().alias("histogram"))
    return column.to_frame().lazy().select(figures).collect()


class Stats:
    """One table on both sides."""

    def __init__(self, host: Host, rows: int) -> None:
        data = mixed(rows)
        self._host = host
        self._encoded = ipc(data)
        self._columns = [
            series(column).alias(name) for name, column in zip(data.column_names, data.columns, strict=True)
        ]
        self._sessions = count()
        self.session = ""

    def load(self) -> None:
        """A session that nothing is known of yet."""
        self.session = f"stats-{next(self._sessions)}"
        self._host.load(arrow=self._encoded, session=self.session)

    def drop(self) -> None:
        """Make room for the next."""
        self._host.sessions.close(self.session)

    def reference(self) -> None:
        """By hand."""
        for column in self._columns:
            by_hand(column)

    def ours(self, **view: Any) -> None:
        """By the sidecar."""
        self._host.tables.stats(self.session, **view)


def lines(quick: bool) -> list[Line]:
    """All columns, each time of a table that was loaded anew; then a filtered view, whose bins are those of before."""
    rows, rounds = (50_000, 3) if quick else (1_000_000, 5)
    with Host.spawn() as host:
        stats = Stats(host, rows)
        stats.load()
        stats.reference(), stats.ours()  # the first use of Polars on either side
        pair = in_turns(stats.reference, _fresh(stats), rounds)
        half = [Filter("flag", "eq", True)]
        again = in_turns(stats.ours, lambda: stats.ours(filter=half), rounds)
    name = f"stats of {rows // 1000} k x 20"
    found = [at_most(name, pair, REACH)]
    found.append(at_most(f"{name}, of a third of the rows", again, None, "all rows "))
    return found


def _fresh(stats: Stats) -> Any:
    def ours() -> None:
        stats.drop()
        stats.load()
        stats.ours()

    return ours
