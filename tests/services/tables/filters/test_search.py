"""Search: a text in any column, in the words that a page in JSON has, in nested values and dictionaries too."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.protocol.errors import SidecarError
from sidecar.services import table as table_module
from sidecar.services.json_rows import json_values
from sidecar.services.plain import plain
from sidecar.services.table import EagerTable
from sidecar.services.tables.filters.search import Search
from sidecar.services.tables.order.ordering import row_order
from sidecar.services.tables.view import View

from ...caller import Caller, RecordingContext
from .test_filters import COLUMNS, ORDERLESS


def found_in(table: pa.Table, search: Search) -> list[int]:
    return row_order(EagerTable(plain(table)), View(search=search), RecordingContext()).to_pylist()


def found(column: pa.Array | pa.ChunkedArray, text: str, ignore_case: bool = False) -> list[int]:
    """The rows of a table with this one column."""
    return found_in(pa.table({"column": column}), Search(text, ignore_case=ignore_case))


def leaves(value: Any) -> Iterator[str]:
    """The texts of a value of a JSON page, and of all that it is made of."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        encoded = msgspec.json.encode(value)
        yield json.loads(encoded) if encoded.startswith(b'"') else encoded.decode()


NESTED: dict[str, tuple[pa.DataType, list[Any]]] = {
    "list": (pa.list_(pa.string()), [["one", "two"], None, [], [None, "twofold"]]),
    "large_list": (pa.large_list(pa.float64()), [[1.5, float("nan")], None, [1e300], [-0.0, float("-inf")]]),
    "fixed_size_list": (pa.list_(pa.int64(), 2), [[1, 2**53 + 1], None, [20, None], [3, 4]]),
    "list_view": (pa.list_view(pa.string()), [["one"], ["two", None], None, []]),
    "struct": (pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]), [{"a": 1, "b": ["x"]}, None, {"a": 11}]),
    "empty struct": (pa.struct([]), [{}, None]),
    "map": (pa.map_(pa.string(), pa.int32()), [[("k", 1), ("l", 2)], None, [], [("kl", None)]]),
    "list of lists": (pa.list_(pa.list_(pa.int8())), [[[1], [2, 3]], [None, [12]], [[]], None]),
    "list of structs": (pa.list_(pa.struct([("t", pa.bool_())])), [[{"t": True}], [{"t": None}, None], None]),
    "list of dates": (pa.list_(pa.date32()), [[dt.date(2020, 5, 17)], None, [dt.date(1, 1, 1)]]),
    "list of dictionaries": (pa.list_(pa.dictionary(pa.int8(), pa.string())), [["x", "y"], None, ["yx"], [None]]),
    "list of nulls": (pa.list_(pa.null()), [[None, None], [], None]),
}
ALL = {
    **COLUMNS,
    **ORDERLESS,
    **{name: pa.array(values, dtype) for name, (dtype, values) in NESTED.items()},
    "null": pa.nulls(3),
    "dense union": pa.UnionArray.from_dense(
        pa.array([5, 7, 7, 5], pa.int8()),
        pa.array([0, 0, 1, 1], pa.int32()),
        [pa.array([12, 1]), pa.array(["x1", None])],
        ["a", "b"],
        [5, 7],
    ),
    "sparse union": pa.UnionArray.from_sparse(
        pa.array([0, 1, 1, 0], pa.int8()), [pa.array([1, 12, 12, None]), pa.array(["x", "x", "y1", "x"])]
    ),
    "list of unions": pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()),
        pa.UnionArray.from_sparse(pa.array([0, 1, 1], pa.int8()), [pa.array([1, 2, 3]), pa.array(["x", "y1", None])]),
    ),
    "map of times": pa.array([[("k", 1)], None, [("l", None)]], pa.map_(pa.string(), pa.timestamp("ns"))),
    "fixed list of durations": pa.array([[1, 22], None, [None, 3]], pa.list_(pa.duration("ns"), 2)),
    "integers as floats": pa.array([1e15, 1e16, 1e21, 1.5e-7, 1e-5, 123456.75, None]),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("start", [0, 1], ids=["whole", "slice"])
def test_what_a_page_shows_is_found_and_nothing_else(name: str, start: int) -> None:
    """Each value as a whole, all parts of it, and what is in none."""
    column = plain(pa.table({"column": ALL[name].slice(start)})).column(0)
    shown = [list(leaves(value)) for value in json_values(name, column)]
    texts = {text for row in shown for text in row}
    parts = {text[begin : begin + size] for text in texts for begin in range(min(len(text), 12)) for size in (1, 2, 4)}
    for part in (texts | parts | {"a", "Q7", "none of them"}) - {""}:
        assert found(column, part) == [row for row, words in enumerate(shown) if any(part in word for word in words)]
        folded = part.lower()
        expected = [row for row, words in enumerate(shown) if any(folded in word.lower() for word in words)]
        assert found(column, part.swapcase(), ignore_case=True) == expected


@pytest.mark.parametrize(
    ("text", "ignore_case", "expected"),
    [
        ("é", False, [1]),
        ("é", True, [0, 1]),
        ("ß", True, [2]),
        ("ss", True, [3]),
        (".*", False, [4]),
        (".*", True, [4]),
        ("a.*B", True, [4]),
        ("%", True, []),
        ("x" * 100_000, False, []),
    ],
)
def test_the_text_is_literal(text: str, ignore_case: bool, expected: list[int]) -> None:
    column = pa.array(["É", "é", "Straße", "STRASSE", "A.*b", "", None])
    assert found(column, text, ignore_case) == expected
    assert found(column.dictionary_encode(), text, ignore_case) == expected
    assert found(pa.array([[value] for value in column.to_pylist()]), text, ignore_case) == expected


def test_letters_that_are_more_than_ascii_fold_to_ascii() -> None:
    """The long s is an s and the sign of Kelvin a k, in words that the sidecar writes too."""
    assert found(pa.array([True, False]), "FAL\u017fE", ignore_case=True) == [1]


def test_what_lies_behind_a_null_is_not_found() -> None:
    values = pa.array(["x", "x", "y"])
    mask = pa.array([False, True, False])
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), values, mask=mask)
    structs = pa.StructArray.from_arrays([values], ["a"], mask=mask)
    fixed = pa.FixedSizeListArray.from_arrays(values, 1, mask=mask)
    for column in (lists, structs, fixed, pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), structs)):
        assert found(column, "x") == [0]
        assert found(column.slice(1), "y") == [1]


def test_a_time_zone_that_nobody_knows_is_searched_in_utc() -> None:
    column = pa.array([0, 86_400, None], pa.timestamp("s", "No/Such"))
    assert found(column, "1970-01-02 00:00:00Z") == [1]


def test_a_date_that_no_calendar_has() -> None:
    column = pa.array([0, 2**62], pa.timestamp("s"))
    assert found(column, "out of range: 4611686018427387904") == [1]
    assert found(column, "OUT OF", ignore_case=True) == [1]


def test_binary_values_are_searched_as_base64() -> None:
    for dtype in (pa.binary(), pa.large_binary(), pa.binary(3), pa.binary_view()):
        column = pa.array([b"abc", b"\xff\xff\xff", None], dtype)
        assert found(column, base64.b64encode(b"abc").decode()) == [0]
        assert found(column, "//") == [1]
        assert found(column, "abc") == []


TABLE = pa.table({"s": ["12", "x", None, "y"], "n": [3, 12, 4, 121], "l": [[1], [2], [12], None]})


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (None, [0, 1, 2, 3]),
        (["s"], [0]),
        (["n"], [1, 3]),
        (["l"], [2]),
        (["n", "s", "n"], [0, 1, 3]),
        ([], []),
    ],
)
def test_any_of_the_columns(columns: list[str] | None, expected: list[int]) -> None:
    assert found_in(TABLE, Search("12", columns)) == expected


def test_a_search_and_filters_hold_both() -> None:
    caller = Caller()
    caller.load_table(TABLE)
    filter = [{"column": "n", "op": "gt", "value": 3}]
    page = caller.rows(filter=filter, search={"text": "12"}, sort=[{"column": "n", "descending": True}])
    assert page["n"].to_pylist() == [121, 12, 4]


@pytest.mark.parametrize("text", ["", "12"])
def test_an_unknown_column_is_named(text: str) -> None:
    caller = Caller()
    caller.load_table(TABLE)
    fault = caller.rows_error(search={"text": text, "columns": ["n", "nope"]})
    assert (fault.kind, fault.data["column"]) == ("unknown_column", "nope")


def test_an_empty_text_is_no_search() -> None:
    caller = Caller()
    caller.load_table(TABLE)
    assert caller.rows(search={"text": "", "columns": []}) == TABLE


def test_a_text_too_long_to_ignore_its_case() -> None:
    caller = Caller()
    caller.load_table(TABLE)
    fault = caller.rows_error(search={"text": "é" * 200_000, "ignore_case": True})
    assert fault.kind == "invalid_params"
    assert "200000 characters" in fault.message
    assert len(fault.message) < 400


@pytest.mark.parametrize("name", ["row", "text", "number", "column", "test_0", "", "a.b", "*", "^a$", "ä"])
def test_no_name_of_a_column_disturbs(name: str) -> None:
    without_chunks = {name: pa.chunked_array([], column.type) for name, column in ALL.items()}
    assert found_in(pa.table(without_chunks), Search("1")) == []


def test_a_table_without_columns_or_rows() -> None:
    assert found_in(pa.table({}), Search("x")) == []
    assert found_in(TABLE.slice(0, 0), Search("x")) == []
    assert (
        found_in(pa.table({name: pa.chunked_array([], column.type) for name, column in ALL.items()}), Search("1")) == []
    )


def test_only_columns_that_can_have_the_text_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters are in no number: a lazy table need not read it."""
    table = EagerTable(TABLE)
    read: list[list[int]] = []
    pieces = table.pieces
    monkeypatch.setattr(table, "pieces", lambda columns, *more: read.append(list(columns)) or pieces(columns, *more))
    assert row_order(table, View(search=Search("x")), RecordingContext()).to_pylist() == [1]
    assert read == [[0, 2]]


def test_a_search_notices_that_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "PIECE_ROWS", 1)
    context = RecordingContext(cancel_after=2)
    with pytest.raises(SidecarError) as refused:
        row_order(EagerTable(TABLE), View(search=Search("x")), context)
    assert refused.value.kind == "cancelled"


scalars = st.one_of(st.none(), st.text(alphabet="aB1é", max_size=3))
nested_values = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.lists(scalars, max_size=3)), max_size=3))


@settings(deadline=None, max_examples=100)
@given(
    chunks=st.lists(st.lists(nested_values, max_size=5), max_size=4),
    text=st.text(alphabet="aB1é", min_size=1, max_size=2),
    data=st.data(),
)
def test_lists_of_lists_in_any_chunks_and_slices(chunks: list[list[Any]], text: str, data: st.DataObject) -> None:
    dtype = pa.list_(pa.list_(pa.string()))
    column = pa.chunked_array([pa.array(chunk, dtype) for chunk in chunks], dtype)
    start = data.draw(st.integers(0, len(column)))
    column = column.slice(start, data.draw(st.integers(0, len(column) - start)))
    expected = [row for row, value in enumerate(column.to_pylist()) if any(text in leaf for leaf in leaves(value))]
    assert found(column, text) == expected
