"""Any table in any storage, under any filters, search and sort: the rows and their order are those of Polars used
directly, any page is a slice of the whole, and `matched` and `total` are right."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.services.caller import (
    Caller,
    arrow_payload,
    decode,
    file_bytes,
    parquet_bytes,
    parquet_payload,
    stream_bytes,
)

NAN, INF = math.nan, math.inf
TEXT = st.text(alphabet="aAbé1. ", max_size=3)
INSTANT = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

COLUMNS: dict[str, tuple[pa.DataType, Any, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), pl.Int64, st.one_of(st.integers(-2, 2), st.sampled_from([2**53, 2**53 + 1, -(2**63)]))),
    "small": (pa.uint8(), pl.UInt8, st.integers(0, 3)),
    "float": (pa.float64(), pl.Float64, st.sampled_from([0.0, -0.0, NAN, 1.5, INF, -INF, 1e300, 1e-7])),
    "bool": (pa.bool_(), pl.Boolean, st.booleans()),
    "string": (pa.string(), pl.String, TEXT),
    "category": (pa.dictionary(pa.int32(), pa.string()), pl.String, st.sampled_from(["low", "Mid", "é"])),
    "decimal": (pa.decimal128(20, 2), pl.Decimal(20, 2), st.integers(-150, 150).map(lambda n: Decimal(n) / 100)),
    "date": (pa.date32(), pl.Date, st.integers(0, 3).map(lambda n: dt.date(2020, 1, 1 + n))),
    "instant": (
        pa.timestamp("us", "UTC"),
        pl.Datetime("us", "UTC"),
        st.integers(0, 3).map(lambda n: INSTANT + dt.timedelta(hours=n)),
    ),
    "number": (pa.dictionary(pa.int8(), pa.int64()), pl.Int64, st.integers(0, 2)),
    "binary": (pa.binary(), pl.Binary, st.binary(max_size=2)),
}
LISTS = pa.list_(pa.string())
one_row = st.fixed_dictionaries(
    {name: st.one_of(st.none(), values) for name, (_, _, values) in COLUMNS.items()}
    | {"list": st.one_of(st.none(), st.lists(st.one_of(st.none(), TEXT), max_size=2))}
)
rows_of_tables = st.one_of(st.lists(one_row, max_size=2), st.lists(one_row, min_size=8, max_size=30))
Rows = list[dict[str, Any]]


def to_arrow(rows: Rows) -> pa.Table:
    columns = {name: _arrow([row[name] for row in rows], dtype) for name, (dtype, _, _) in COLUMNS.items()}
    columns["list"] = pa.array([row["list"] for row in rows], LISTS)
    return pa.table({**columns, "row": pa.array(range(len(rows)), pa.int64())})


def _arrow(values: list[Any], dtype: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(dtype):
        return pa.array(values, dtype.value_type).dictionary_encode().cast(dtype)
    return pa.array(values, dtype)


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

# -- filters, as the sidecar is asked and as Polars is asked ------------------------------------------------------


def as_json(value: Any) -> Any:
    """A value in the form of a page in JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%fZ")
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return value if isinstance(value, bool | int | float | str) else str(value)


COMPARE = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
}


@st.composite
def conditions(draw: st.DrawFn) -> tuple[dict[str, Any], pl.Expr]:
    name = draw(st.sampled_from(list(COLUMNS)))
    _, dtype, values = COLUMNS[name]
    column = pl.col(name)
    ops = [*COMPARE, "between", "in", "is_null", "is_not_null"]
    ops += ["is_nan", "is_not_nan"] if name == "float" else []
    ops += ["contains", "starts_with", "ends_with", "regex"] * 2 if dtype == pl.String else []
    op = draw(st.sampled_from(ops))
    asked: dict[str, Any] = {"column": name, "op": op}
    if op.startswith("is_"):
        return asked, getattr(column, op)()
    if op in ("contains", "starts_with", "ends_with", "regex"):
        return _text(draw, asked, column, op)
    if op == "in":
        given = draw(st.lists(values, max_size=3))
        asked["value"] = [as_json(value) for value in given]
        return asked, pl.any_horizontal(pl.lit(False), *(column == pl.lit(value, dtype) for value in given)) if (
            given
        ) else column != column
    if op == "between":
        low, high = draw(values), draw(values)
        asked["value"] = [as_json(low), as_json(high)]
        return asked, (column >= pl.lit(low, dtype)) & (column <= pl.lit(high, dtype))
    value = draw(values)
    asked["value"] = as_json(value)
    return asked, COMPARE[op](column, pl.lit(value, dtype))


def _text(draw: st.DrawFn, asked: dict[str, Any], column: pl.Expr, op: str) -> tuple[dict[str, Any], pl.Expr]:
    """Of texts whose case is plain, so that lower case is enough to ignore it."""
    asked["ignore_case"] = draw(st.booleans())
    text = draw(st.sampled_from(["^a", "b$", "[aé]1?", "."]) if op == "regex" else TEXT)
    asked["value"] = text
    if asked["ignore_case"]:
        column, text = column.str.to_lowercase(), text.lower()
    if op == "contains":
        return asked, column.str.contains(text, literal=True)
    if op == "regex":
        return asked, column.str.contains(text)
    return asked, getattr(column.str, op)(text)


def grouped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, max_size=3)
    return st.one_of(
        several.map(lambda of: ({"all": [a for a, _ in of]}, _joined([e for _, e in of], True))),
        several.map(lambda of: ({"any": [a for a, _ in of]}, _joined([e for _, e in of], False))),
        inner.map(lambda of: ({"not": of[0]}, ~of[1])),
    )


def _joined(expressions: list[pl.Expr], is_all: bool) -> pl.Expr:
    joined = pl.lit(is_all)
    for expression in expressions:
        joined = joined & expression if is_all else joined | expression
    return joined


trees = st.recursive(conditions(), grouped, max_leaves=6)
filters = st.one_of(st.just([]), st.lists(trees, min_size=1, max_size=2))
searches = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"text": st.sampled_from(["", "a", "A", "é", "1", "e", ".", "-0", "tru", "2020-01-0", "="])},
        optional={
            "columns": st.lists(st.sampled_from([*COLUMNS, "list", "row"]), max_size=3),
            "ignore_case": st.booleans(),
        },
    ),
)
sorts = st.lists(
    st.fixed_dictionaries(
        {"column": st.sampled_from([*COLUMNS, "row"])},
        optional={"descending": st.booleans(), "nulls_last": st.booleans()},
    ),
    max_size=3,
)


def expected_rows(rows: Rows, shown: Rows, exprs: list[pl.Expr], search: Any, sort: list[dict[str, Any]]) -> list[int]:
    """With Polars directly, on the values as Python has them; the search in the text of the whole as JSON."""
    columns = {name: pl.Series([row[name] for row in rows], dtype=dtype) for name, (_, dtype, _) in COLUMNS.items()}
    frame = pl.DataFrame({**columns, "row": pl.Series(range(len(rows)), dtype=pl.Int64)})
    for expression in exprs:
        frame = frame.filter(expression)
    if search is not None and search["text"]:
        frame = frame.filter(pl.col("row").is_in([row for row in range(len(rows)) if _has(shown[row], search)]))
    if sort:
        frame = frame.sort(
            [pl.col(key["column"]) for key in sort],
            descending=[key.get("descending", False) for key in sort],
            nulls_last=[key.get("nulls_last", True) for key in sort],
            maintain_order=True,
        )
    return frame["row"].to_list()


def _has(row: dict[str, Any], search: dict[str, Any]) -> bool:
    cells = [row[name] for name in search.get("columns", list(row))]
    words = [word for cell in cells for word in (cell if isinstance(cell, list) else [cell]) if word is not None]
    texts = [word if isinstance(word, str) else msgspec.json.encode(word).decode() for word in words]
    if search.get("ignore_case"):
        return any(search["text"].lower() in text.lower() for text in texts)
    return any(search["text"] in text for text in texts)


@settings(deadline=None, max_examples=300)
@given(
    rows=rows_of_tables,
    rows_per_batch=st.integers(1, 20),
    form=forms,
    filter=filters,
    search=searches,
    sort=sorts,
    data=st.data(),
)
def test_a_view_is_that_of_polars(
    rows: Rows, rows_per_batch: int, form: str, filter: Any, search: Any, sort: Any, data: st.DataObject
) -> None:
    table = to_arrow(rows)
    caller = load(table, rows_per_batch, form)
    shown = caller.json_rows()
    params = {"session": "s", "filter": [asked for asked, _ in filter], "search": search, "sort": sort}
    expected = expected_rows(rows, shown, [expression for _, expression in filter], search, sort)
    whole = caller.call("tables/rows", params)
    event("all" if len(expected) == len(rows) else "some" if expected else "none")
    assert (whole.matched, whole.total) == (len(expected), len(rows))
    assert decode(whole)["row"].to_pylist() == expected
    start = data.draw(st.integers(0, len(expected)))
    stop = data.draw(st.one_of(st.none(), st.integers(start, len(rows) + 5)))
    page = caller.call("tables/rows", {**params, "start": start, "stop": stop})
    assert (page.start, page.matched, page.total) == (start, len(expected), len(rows))
    assert repr(decode(page).to_pylist()) == repr(table.take(pa.array(expected[start:stop], pa.int64())).to_pylist())
