"""Any table in any batches, under any sort: the rows come as Polars itself would order them, and pages of any size
put together are the whole."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.caller import Caller, arrow_payload, file_bytes, parquet_bytes, parquet_payload, stream_bytes

VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "few": (pa.int64(), st.integers(-2, 2)),
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pa.float64(), st.one_of(st.floats(), st.sampled_from([0.0, -0.0, float("nan"), 1.0]))),
    "string": (pa.string(), st.text(max_size=3)),
    "bool": (pa.bool_(), st.booleans()),
    "category": (pa.string(), st.sampled_from(["low", "mid", "high"])),
}
NAMES = list(VALUES)

nulls_too = {name: st.one_of(st.none(), values) for name, (_, values) in VALUES.items()}
tables = st.lists(st.fixed_dictionaries(nulls_too), max_size=40)
keys = st.builds(
    lambda column, descending, nulls_last: {"column": column, "descending": descending, "nulls_last": nulls_last},
    st.sampled_from(NAMES),
    st.booleans(),
    st.booleans(),
)
sorts = st.lists(keys, max_size=4)


def to_table(rows: list[dict[str, Any]]) -> pa.Table:
    columns = {name: pa.array([row[name] for row in rows], dtype) for name, (dtype, _) in VALUES.items()}
    columns["category"] = columns["category"].dictionary_encode()
    columns["row"] = pa.array(range(len(rows)), pa.int64())
    return pa.table(columns)


def load(table: pa.Table, rows_per_batch: int, form: str) -> Caller:
    caller = Caller()
    if form == "stream":
        caller.load(arrow_ipc=arrow_payload(stream_bytes(table, rows_per_batch)), session="s")
    elif form == "lazy file":
        caller.load(arrow_ipc=arrow_payload(file_bytes(table, rows_per_batch)), session="s", mode="lazy")
    else:
        data = parquet_bytes(table, row_group_size=rows_per_batch)
        caller.load(parquet=parquet_payload(data), session="s", mode="lazy" if form == "lazy parquet" else "eager")
    return caller


forms = st.sampled_from(["stream", "parquet", "lazy file", "lazy parquet"])


def expected_rows(table: pa.Table, sort: list[dict[str, Any]]) -> list[int]:
    """The same sort with Polars directly."""
    frame = pl.DataFrame(pl.from_arrow(table.set_column(5, "category", table["category"].cast(pa.string()))))
    if not sort:
        return frame["row"].to_list()
    return frame.sort(
        [pl.col(key["column"]) for key in sort],
        descending=[key["descending"] for key in sort],
        nulls_last=[key["nulls_last"] for key in sort],
        maintain_order=True,
    )["row"].to_list()


@settings(deadline=None, max_examples=150)
@given(rows=tables, rows_per_batch=st.integers(1, 20), form=forms, sort=sorts, page_rows=st.integers(1, 50))
def test_pages_put_together_are_the_sorted_table(
    rows: list[dict[str, Any]], rows_per_batch: int, form: str, sort: list[dict[str, Any]], page_rows: int
) -> None:
    table = to_table(rows)
    caller = load(table, rows_per_batch, form)
    order = expected_rows(table, sort)
    pages = [
        caller.rows(start=start, stop=start + page_rows, sort=sort) for start in range(0, max(len(rows), 1), page_rows)
    ]
    assert [row for page in pages for row in page["row"].to_pylist()] == order
    expected = table.take(pa.array(order, pa.int64()))
    for name in table.column_names:
        got = [value for page in pages for value in page[name].to_pylist()]
        assert repr(got) == repr(expected[name].to_pylist())  # NaN is not equal to itself, but looks like it


@settings(deadline=None, max_examples=150)
@given(rows=tables, form=forms, sort=sorts, data=st.data())
def test_any_range_and_columns_are_a_part_of_the_whole(
    rows: list[dict[str, Any]], form: str, sort: list[dict[str, Any]], data: st.DataObject
) -> None:
    table = to_table(rows)
    caller = load(table, 7, form)
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.one_of(st.none(), st.integers(start, len(rows) + 5)))
    columns = data.draw(st.lists(st.sampled_from(table.column_names), unique=True, min_size=1))
    page = caller.rows(start=start, stop=stop, sort=sort, columns=columns)
    assert page.column_names == columns
    expected = table.select(columns).take(pa.array(expected_rows(table, sort)[start:stop], pa.int64()))
    assert repr(page.to_pylist()) == repr(expected.to_pylist())
