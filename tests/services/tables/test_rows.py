"""`tables/rows`: ranges, projections, forms of an answer, and pages that cost what they hold."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from sidecar.services.tables.rows import CHEAP_CELLS

from ..caller import Caller, RecordingContext, arrow_payload, decode, file_bytes, stream_bytes

TABLE = pa.table({"a": pa.array(range(10)), "b": [f"v{i}" for i in range(10)], "c": [None, 1.5] * 5})


@pytest.fixture
def caller() -> Caller:
    caller = Caller()
    caller.load_table(TABLE)
    return caller


def cut(table: pa.Table, sizes: list[int]) -> bytes:
    """The table as a stream of batches of these sizes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        start = 0
        for size in sizes:
            writer.write_table(table.slice(start, size).combine_chunks())
            start += size
    assert start == table.num_rows
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("format_", ["arrow", "parquet", "json"])
@pytest.mark.parametrize("sort", [[], [{"column": "a", "descending": True}]], ids=["as loaded", "sorted"])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        pytest.param({}, 0, 10, id="all by default"),
        pytest.param({"start": 0, "stop": 0}, 0, 0, id="nothing at the start"),
        pytest.param({"start": 0, "stop": 10}, 0, 10, id="whole"),
        pytest.param({"start": 3, "stop": 7}, 3, 7, id="inside"),
        pytest.param({"start": 5}, 5, 10, id="to the end"),
        pytest.param({"start": 5, "stop": 5}, 5, 5, id="nothing inside"),
        pytest.param({"start": 8, "stop": 500}, 8, 10, id="stop beyond the end"),
        pytest.param({"start": 10}, 10, 10, id="nothing at the end"),
        pytest.param({"start": 10, "stop": 2**62}, 10, 10, id="absurd stop at the end"),
    ],
)
def test_ranges(caller: Caller, asked: dict[str, int], start: int, stop: int, sort: list[Any], format_: str) -> None:
    answer = caller.call("tables/rows", {"session": "s", "sort": sort, "format": format_, **asked})
    assert (answer.start, answer.stop, answer.total, answer.matched) == (start, stop, 10, 10)
    assert (answer.session, answer.format) == ("s", format_)
    expected = TABLE.to_pylist()[::-1] if sort else TABLE.to_pylist()
    if format_ == "json":
        assert caller.json_rows(sort=sort, **asked) == expected[start:stop]
    else:
        assert answer.rows.type == format_
        page = decode(answer)
        assert page.schema.equals(TABLE.schema)
        assert page.to_pylist() == expected[start:stop]


@pytest.mark.parametrize("sort", [[], [{"column": "a"}]], ids=["as loaded", "sorted"])
@pytest.mark.parametrize(
    "asked",
    [
        {"start": -1},
        {"start": -5, "stop": -1},
        {"start": 11},
        {"start": 11, "stop": 12},
        {"start": 5, "stop": 4},
        {"start": 0, "stop": -1},
        {"start": 2**62},
    ],
)
def test_ranges_without_meaning(caller: Caller, asked: dict[str, int], sort: list[Any]) -> None:
    error = caller.rows_error(sort=sort, **asked)
    assert error.kind == "invalid_range"
    assert error.data == {"start": asked["start"], "stop": asked.get("stop"), "matched": 10}
    assert caller.rows().num_rows == 10


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"start": "0"}, "start"),
        ({"start": 1.5}, "start"),
        ({"columns": "a"}, "columns"),
        ({"format": "xml"}, "format"),
        ({"sort": [{"descending": True}]}, "sort"),
        ({"sort": [{"column": "a", "order": "up"}]}, "sort"),
        ({"limit": 5}, "limit"),
    ],
)
def test_every_field_is_checked(caller: Caller, params: dict[str, Any], names: str) -> None:
    error = caller.rows_error(**params)
    assert error.kind == "invalid_params"
    assert names in error.message


@pytest.mark.parametrize("columns", [["a"], ["c", "a"], ["b", "c", "a"], []])
@pytest.mark.parametrize("sort", [[], [{"column": "b", "descending": True}]], ids=["as loaded", "sorted"])
def test_columns_come_in_the_order_asked_for(caller: Caller, columns: list[str], sort: list[Any]) -> None:
    page = caller.rows(columns=columns, sort=sort, start=2, stop=4)
    assert page.column_names == columns
    expected = TABLE.to_pylist()[::-1] if sort else TABLE.to_pylist()
    assert page.to_pylist() == [{name: row[name] for name in columns} for row in expected[2:4]][: page.num_rows]


def test_json_rows_of_no_columns_are_as_many_as_asked_for(caller: Caller) -> None:
    assert caller.json_rows(columns=[], start=2, stop=5) == [{}, {}, {}]


@pytest.mark.parametrize("params", [{"columns": ["a", "nope"]}, {"sort": [{"column": "nope"}]}])
def test_an_unknown_column_is_named_with_those_that_are_known(caller: Caller, params: dict[str, Any]) -> None:
    error = caller.rows_error(**params)
    assert (error.kind, error.data) == ("unknown_column", {"column": "nope", "columns": ["a", "b", "c"]})


def test_a_column_asked_for_twice(caller: Caller) -> None:
    error = caller.rows_error(columns=["a", "b", "a"])
    assert (error.kind, error.data) == ("invalid_params", {"column": "a"})


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 0, 4, 3], [0, 10, 0]], ids=str)
def test_batches_of_the_load_do_not_show(sizes: list[int]) -> None:
    caller = Caller()
    caller.load(arrow_ipc=arrow_payload(cut(TABLE, sizes)), session="s")
    rows = TABLE.to_pylist()
    for start in range(11):
        for stop in range(start, 11):
            assert caller.rows(start=start, stop=stop).to_pylist() == rows[start:stop]
    sort = [{"column": "a", "descending": True}]
    assert caller.rows(sort=sort, start=1, stop=6).to_pylist() == rows[::-1][1:6]


def test_the_schema_keeps_its_metadata_and_nullability() -> None:
    field = pa.field("a", pa.int64(), nullable=False, metadata={"unit": "m"})
    table = pa.table([pa.chunked_array([[2], [1]])], schema=pa.schema([field], metadata={"k": "v"}))
    caller = Caller()
    caller.load_table(table)
    for sort in ([], [{"column": "a"}]):
        assert caller.rows(sort=sort).schema.field(0).equals(field, check_metadata=True)


def test_a_cancel_is_noticed_after_the_sort(caller: Caller) -> None:
    params = {"session": "s", "sort": [{"column": "a"}]}
    for looks in (0, 1):
        assert caller.error("tables/rows", params, RecordingContext(cancel_after=looks)).kind == "cancelled"
    assert caller.rows(sort=params["sort"]).num_rows == 10


@pytest.mark.parametrize(
    ("name", "views"),
    [
        (
            "search",
            [({"text": "v1"}, 1), ({"text": "v"}, 10), ({"text": "V"}, 0), ({"text": "V", "ignore_case": True}, 10)],
        ),
        ("search", [({"text": "1"}, 5), ({"text": "1", "columns": ["a"]}, 1), ({"text": "1", "columns": ["c"]}, 5)]),
        ("filter", [([{"column": "a", "op": "lt", "value": n}], n) for n in (3, 7)]),
    ],
    ids=["texts", "columns", "filters"],
)
def test_each_view_of_a_session_has_rows_of_its_own(caller: Caller, name: str, views: list[tuple[Any, int]]) -> None:
    """What is kept of one is not taken for another."""
    for view, matched in views * 2:
        assert caller.call("tables/rows", {"session": "s", name: view}).matched == matched


def test_a_page_leaves_its_lane_only_for_what_may_take_long(caller: Caller) -> None:
    caller.load(arrow_ipc=arrow_payload(file_bytes(TABLE)), mode="lazy", session="lazy")
    sort = [{"column": "a"}]
    for params, left in (({}, 0), ({"sort": sort}, 1), ({"sort": sort}, 0), ({"session": "lazy"}, 1)):
        context = RecordingContext()
        caller.call("tables/rows", {"session": "s", **params}, context)
        assert context.lanes_left == left, params


# dictionaries


def categories(indices: list[Any], size: int, index_type: pa.DataType, ordered: bool = False) -> pa.Array:
    values = pa.array([f"category {i:05}" for i in range(size)])
    return pa.DictionaryArray.from_arrays(pa.array(indices, index_type), values, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True], ids=["unordered", "ordered"])
@pytest.mark.parametrize("index_type", [pa.int8(), pa.uint8(), pa.int16(), pa.int64()], ids=str)
@pytest.mark.parametrize("sort", [[], [{"column": "k"}]], ids=["as loaded", "sorted"])
def test_a_page_carries_only_the_categories_that_it_shows(
    sort: list[Any], index_type: pa.DataType, ordered: bool
) -> None:
    array = categories([7, None, 99, 7, 3, 0], 100, index_type, ordered)
    caller = Caller()
    caller.load_table(pa.table({"k": range(6), "d": array}))
    page = caller.rows(start=0, stop=4, sort=sort)
    assert page["d"].type == array.type
    assert page["d"].to_pylist() == ["category 00007", None, "category 00099", "category 00007"]
    assert page["d"].chunk(0).dictionary.to_pylist() == ["category 00007", "category 00099"]  # in their order


def test_a_page_keeps_the_order_of_its_categories() -> None:
    """The order of an ordered dictionary is its meaning: not that of the page's rows."""
    array = pa.DictionaryArray.from_arrays(pa.array([2, 0, 2, 1]), pa.array(["low", "mid", "high"]), ordered=True)
    caller = Caller()
    caller.load_table(pa.table({"d": array}))
    assert caller.rows(stop=2)["d"].chunk(0).dictionary.to_pylist() == ["low", "high"]


def test_a_null_among_the_categories_stays_null() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["x", None, "y"]))
    caller = Caller()
    caller.load_table(pa.table({"d": array}))
    for stop in (1, 2, 4):
        assert caller.rows(stop=stop)["d"].to_pylist() == ["x", None, "y", None][:stop]


@pytest.mark.parametrize("sort", [[], [{"column": "k", "descending": True}]], ids=["as loaded", "sorted"])
def test_batches_with_dictionaries_of_their_own(sort: list[Any]) -> None:
    chunks = [pa.array(values).dictionary_encode() for values in (["a", "b"], ["b", "c", None], ["d", "a"])]
    table = pa.table({"k": range(7), "d": pa.chunked_array(chunks)})
    caller = Caller()
    caller.load_table(table)
    expected = table["d"].to_pylist()[::-1] if sort else table["d"].to_pylist()
    for start in range(8):
        page = caller.rows(start=start, sort=sort)
        assert page["d"].to_pylist() == expected[start:]
        assert page["d"].num_chunks <= 1 or all(
            chunk.dictionary.equals(page["d"].chunk(0).dictionary) for chunk in page["d"].chunks
        )


# the reading thread


@pytest.mark.parametrize(
    ("params", "is_cheap"),
    [
        pytest.param({"stop": 10}, True, id="a small page"),
        pytest.param({}, True, id="a small table"),
        pytest.param({"session": "nope"}, True, id="an error"),
        pytest.param({"columns": ["nope"]}, True, id="another error"),
        pytest.param({"start": 500}, True, id="a third error"),
        pytest.param({"format": "json"}, False, id="JSON"),
        pytest.param({"format": "parquet"}, False, id="Parquet"),
        pytest.param({"sort": [{"column": "a"}]}, False, id="a sort that is not there"),
    ],
)
def test_what_the_reading_thread_may_serve(caller: Caller, params: dict[str, Any], is_cheap: bool) -> None:
    assert caller.is_cheap("tables/rows", {"session": "s", **params}) is is_cheap


def test_a_sorted_page_is_cheap_once_its_columns_were_gathered(caller: Caller) -> None:
    params = {"session": "s", "sort": [{"column": "a"}], "columns": ["a"]}
    caller.call("tables/rows", params)
    assert caller.is_cheap("tables/rows", params)
    assert not caller.is_cheap("tables/rows", {**params, "columns": ["a", "b"]})
    caller.call("tables/rows", {**params, "columns": ["b"]})
    assert caller.is_cheap("tables/rows", {**params, "columns": ["a", "b"]})


def test_cells_decide_what_is_cheap() -> None:
    caller = Caller()
    caller.load_table(pa.table({"a": range(CHEAP_CELLS + 1), "b": range(CHEAP_CELLS + 1)}))
    assert caller.is_cheap("tables/rows", {"session": "s", "columns": ["a"], "stop": CHEAP_CELLS})
    assert not caller.is_cheap("tables/rows", {"session": "s", "columns": ["a"]})
    assert not caller.is_cheap("tables/rows", {"session": "s", "stop": CHEAP_CELLS})
    assert caller.is_cheap("tables/rows", {"session": "s", "stop": CHEAP_CELLS // 2})


def test_a_dictionary_column_is_cheap_once_it_was_checked() -> None:
    caller = Caller()
    caller.load_table(pa.table({"k": range(3), "d": categories([1, 2, 0], 5, pa.int8())}))
    assert caller.is_cheap("tables/rows", {"session": "s", "columns": ["k"]})
    assert not caller.is_cheap("tables/rows", {"session": "s"})
    caller.rows(stop=1)
    assert caller.is_cheap("tables/rows", {"session": "s"})


def test_a_lazy_page_is_never_cheap() -> None:
    caller = Caller()
    caller.load(arrow_ipc=arrow_payload(file_bytes(TABLE)), mode="lazy", session="s")
    caller.rows(stop=1)
    assert not caller.is_cheap("tables/rows", {"session": "s", "stop": 1})


# nothing is computed from bytes that were not checked


WILD = (2**31 - 1).to_bytes(4, "little")


def strings(*, wild: bool) -> pa.Array:
    offsets = b"".join(i.to_bytes(4, "little") for i in range(9))
    if wild:  # only in the middle: a wrong end is noticed at once
        offsets = offsets[: 7 * 4] + WILD + offsets[8 * 4 :]
    return pa.Array.from_buffers(pa.string(), 8, [None, pa.py_buffer(offsets), pa.py_buffer(b"abcdefgh")])


def indices(*, wild: bool) -> pa.Array:
    data = b"".join(i.to_bytes(4, "little") for i in range(7)) + (WILD if wild else (7).to_bytes(4, "little"))
    values = pa.array(list("abcdefgh"))
    return pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int32(), pa.string()), 8, [None, pa.py_buffer(data)], dictionary=values
    )


def views(*, wild: bool) -> pa.Array:
    cell = (1).to_bytes(4, "little") + b"a" + bytes(11)
    last = (100).to_bytes(4, "little") + b"abcd" + WILD + WILD if wild else cell
    return pa.Array.from_buffers(pa.string_view(), 8, [None, pa.py_buffer(cell * 7 + last), pa.py_buffer(b"x" * 10)])


@pytest.mark.parametrize("make", [strings, indices], ids=["string offsets", "dictionary indices"])
@pytest.mark.parametrize("batches", [1, 2])
def test_a_column_that_points_anywhere_is_refused_where_it_is_read(make: Any, batches: int) -> None:
    table = pa.table({"k": range(8), "v": make(wild=True), "w": list("stuvwxyz")})
    caller = Caller()
    caller.load(arrow_ipc=arrow_payload(stream_bytes(table, 8 // batches)), session="s")
    by_key = [{"column": "k", "descending": True}]
    for params in (
        {},
        {"start": 7},
        {"sort": by_key},
        {"sort": by_key, "start": 6},
        {"sort": [{"column": "v"}]},
        {"format": "json"},
        {"format": "parquet"},
    ):
        error = caller.rows_error(**params)
        assert (error.kind, error.data["column"]) == ("invalid_file", "v"), params
    assert caller.rows(sort=by_key, columns=["w"])["w"].to_pylist() == list("zyxwvuts")
    assert caller.rows(columns=["w", "k"]).num_rows == 8


def test_views_that_point_anywhere_are_refused_at_the_load() -> None:
    caller = Caller()
    assert caller.load_table(pa.table({"v": views(wild=False)})).rows == 8
    error = caller.load_error(arrow_ipc=arrow_payload(stream_bytes(pa.table({"v": views(wild=True)}))))
    assert error.kind == "invalid_file"


def test_what_stands_where_nulls_are_is_never_looked_at() -> None:
    """No validation looks there either, and kernels crash on it."""
    cells = [
        (1).to_bytes(4, "little") + b"a" + bytes(11),
        bytes([0, 0, 0, 255]) + b"\xff" * 12,
        (1).to_bytes(4, "little") + b"b" + bytes(11),
    ]
    valid = pa.py_buffer(bytes([0b101]))
    view = pa.Array.from_buffers(pa.string_view(), 3, [valid, pa.py_buffer(b"".join(cells))])
    dtype = pa.dictionary(pa.int32(), pa.string())
    index = pa.py_buffer((0).to_bytes(4, "little") + WILD + (1).to_bytes(4, "little"))
    one = pa.DictionaryArray.from_buffers(dtype, 3, [valid, index], dictionary=pa.array(["p", "q"]))
    two = pa.DictionaryArray.from_buffers(dtype, 3, [valid, index], dictionary=pa.array(["r", "s"]))
    table = pa.table({"view": pa.chunked_array([view, view]), "d": pa.chunked_array([one, two])})
    caller = Caller()
    caller.load_table(table)
    expected = {"view": ["a", None, "b"] * 2, "d": ["p", None, "q", "r", None, "s"]}
    assert caller.rows().to_pydict() == expected
    for name in ("view", "d"):
        page = caller.rows(sort=[{"column": name, "descending": True}]).to_pydict()
        assert page[name] == [*sorted((v for v in expected[name] if v), reverse=True), None, None]


@pytest.mark.parametrize(("method", "more"), [("rows", {}), ("stats", {}), ("export", {"format": "csv"})])
def test_a_search_for_no_text_names_columns_that_there_are(method: str, more: dict[str, str]) -> None:
    caller = Caller()
    caller.load_table(pa.table({"a": [1]}))
    params = {"session": "s", "search": {"text": "", "columns": ["b"]}, **more}
    assert caller.error(f"tables/{method}", params).kind == "unknown_column"
