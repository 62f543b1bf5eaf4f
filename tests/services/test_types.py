"""Every Arrow type: loaded and paged without loss, unsorted and sorted by another column, or refused by name."""

from __future__ import annotations

import decimal
import uuid
from typing import Any

import pyarrow as pa
import pytest

from .caller import Caller, arrow_payload, decode, file_bytes, parquet_bytes, parquet_payload, stream_bytes

D = decimal.Decimal
RUNS = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
TEXT = ["a", None, "longer than twelve bytes"]


def extension(dtype: pa.DataType, values: list[Any], storage: pa.DataType) -> pa.Array:
    return pa.ExtensionArray.from_storage(dtype, pa.array(values, storage))


def dictionary(indices: list[Any], values: pa.Array, ordered: bool = False) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), values, ordered=ordered)


KEPT: dict[str, pa.Array] = {
    **{
        str(dtype): pa.array([1, None, 0], dtype)
        for dtype in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            *(pa.float16(), pa.float32(), pa.float64(), pa.date32(), pa.time32("s"), pa.time32("ms")),
            *(pa.time64("us"), pa.time64("ns"), *(pa.duration(unit) for unit in ("s", "ms", "us", "ns"))),
            *(pa.timestamp(unit, tz) for unit in ("s", "ms", "us", "ns") for tz in (None, "UTC", "Europe/Berlin")),
            *(pa.timestamp("s", "+05:30"), pa.timestamp("ns", "Not/AZone"), pa.null()),
        )
        if dtype != pa.null()
    },
    "null": pa.nulls(3),
    "bool": pa.array([True, None, False]),
    "int64 extremes": pa.array([2**63 - 1, None, -(2**63)]),
    "uint64 extremes": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "float specials": pa.array([float("inf"), None, -0.0]),
    "timestamp[s] extremes": pa.array([2**62, None, -(2**62)], pa.int64()).view(pa.timestamp("s")),
    "date64": pa.array([86_400_000, None, 0], pa.date64()),
    "string": pa.array(TEXT),
    "large_string": pa.array(TEXT, pa.large_string()),
    "binary": pa.array([b"\xff\x00", None, b""]),
    "large_binary": pa.array([b"\xff\x00", None, b""], pa.large_binary()),
    "fixed_size_binary": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "fixed_size_binary of none": pa.array([b"", None, b""], pa.binary(0)),
    "decimal32": pa.array([D("1.1"), None, D("-2.2")], pa.decimal32(5, 1)),
    "decimal64": pa.array([D("1.1"), None, D("-2.2")], pa.decimal64(12, 1)),
    "decimal128": pa.array([D("9" * 38), None, D(-1)], pa.decimal128(38, 0)),
    "decimal256": pa.array([D("1.1"), None, D("-2.2")], pa.decimal256(60, 1)),
    "decimal with negative scale": pa.array([D("1100"), None, D("-200")], pa.decimal128(5, -2)),
    "month_day_nano": pa.array([pa.MonthDayNano([1, 2, 3]), None, pa.MonthDayNano([0, 0, 1])]),
    "list": pa.array([[1, None], None, []]),
    "large_list": pa.array([[1, None], None, []], pa.large_list(pa.int8())),
    "fixed_size_list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2)),
    "fixed_size_list of none": pa.array([[], None, []], pa.list_(pa.int32(), 0)),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32())),
    "struct": pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": None}]),
    "struct of nothing": pa.array([{}, None, {}], pa.struct([])),
    "list of struct of list": pa.array([[{"x": [1]}, None], None, []]),
    "map in list": pa.array([[[("a", 1)]], None, []], pa.list_(pa.map_(pa.string(), pa.int32()))),
    "dictionary": pa.array(["b", None, "a"]).dictionary_encode(),
    "dictionary of int8": dictionary([0, None, 1], pa.array(["b", "a", "unused"])),
    "dictionary, ordered": dictionary([0, None, 1], pa.array(["b", "a"]), ordered=True),
    "dictionary with a null": dictionary([0, 1, 2], pa.array(["b", None, "a"])),
    "dictionary of numbers": dictionary([1, None, 0], pa.array([5, 7])),
    "dictionary of structs": dictionary([1, None, 0], pa.array([{"x": 1}, {"x": 2}])),
    "dictionary in a list": pa.ListArray.from_arrays(
        pa.array([0, 1, 1, 2], pa.int32()), pa.array(["x", "y"]).dictionary_encode()
    ),
    "sparse union": pa.UnionArray.from_sparse(
        pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
    ),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["a"])]
    ),
    "uuid": extension(pa.uuid(), [uuid.UUID(int=1).bytes, None, uuid.UUID(int=2).bytes], pa.binary(16)),
    "bool8": extension(pa.bool8(), [1, None, 0], pa.int8()),
    "json": extension(pa.json_(), ["1", None, "{}"], pa.string()),
    "opaque": extension(pa.opaque(pa.int32(), "t", "v"), [1, None, 0], pa.int32()),
    "tensor": extension(pa.fixed_shape_tensor(pa.int8(), [2]), [[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
}
"""Held as they come."""

MADE_PLAIN: dict[str, tuple[pa.Array, pa.DataType]] = {
    "string_view": (pa.array(TEXT, pa.string_view()), pa.large_string()),
    "binary_view": (pa.array([b"a", None, b"x" * 20], pa.binary_view()), pa.large_binary()),
    "list_view": (pa.array([[1], None, [2, 3]], pa.list_view(pa.int32())), pa.large_list(pa.int32())),
    "large_list_view": (pa.array([[1], None, [2, 3]], pa.large_list_view(pa.int32())), pa.large_list(pa.int32())),
    "list_view out of order": (
        pa.ListViewArray.from_arrays(
            pa.array([2, 0, 1], pa.int32()), pa.array([1, 2, 2], pa.int32()), pa.array([7, 8, 9])
        ),
        pa.large_list(pa.int64()),
    ),
    "run_end_encoded": (RUNS, pa.string()),
    "run_end_encoded lists": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([[1], [2, None]])),
        pa.list_(pa.int64()),
    ),
    "run_end_encoded views": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int16()), pa.array([None, "b"], pa.string_view())),
        pa.large_string(),
    ),
    "map of views": (
        pa.array([[("a", "b")], None, []], pa.map_(pa.string_view(), pa.string_view())),
        pa.map_(pa.large_string(), pa.large_string()),
    ),
    "struct of views": (
        pa.array([{"x": "a"}, None, {"x": None}], pa.struct([("x", pa.string_view())])),
        pa.struct([("x", pa.large_string())]),
    ),
    "fixed_size_list of views": (
        pa.array([["a", "b"], None, ["c", None]], pa.list_(pa.string_view(), 2)),
        pa.list_(pa.large_string(), 2),
    ),
    "list of run ends": (
        pa.ListArray.from_arrays(pa.array([0, 1, 1, 3], pa.int32()), RUNS),
        pa.list_(pa.string()),
    ),
    "struct of run ends": (pa.StructArray.from_arrays([RUNS], ["r"]), pa.struct([("r", pa.string())])),
    "list of struct of list views": (
        pa.array([[{"x": [1, 2]}], None, []], pa.list_(pa.struct([("x", pa.list_view(pa.int8()))]))),
        pa.list_(pa.struct([("x", pa.large_list(pa.int8()))])),
    ),
    "dictionary of views": (
        dictionary([0, None, 1], pa.array(["b", "a"], pa.string_view())),
        pa.dictionary(pa.int8(), pa.large_string()),
    ),
    "json of views": (
        extension(pa.json_(pa.string_view()), ["1", None, "{}"], pa.string_view()),
        pa.json_(pa.large_string()),
    ),
}
"""Held in another type with the same values."""

CASES = {name: (array, array.type) for name, array in KEPT.items()} | MADE_PLAIN

NOT_IN_PARQUET = {
    "month_day_nano",
    "sparse union",
    "dense union",
    "struct of nothing",
    "fixed_size_list of none",
    "fixed_size_binary of none",
    "decimal with negative scale",
    "timestamp[s] extremes",
}


def values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Comparable values. Times go by their integers: not all of them have a Python value."""
    dtype = column.type
    if isinstance(dtype, pa.BaseExtensionType):
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        return [value for chunk in chunks for value in values(chunk.storage)]
    if pa.types.is_temporal(dtype) and not pa.types.is_interval(dtype):
        column = column.cast(pa.int32() if dtype.bit_width == 32 else pa.int64())
    return column.to_pylist()


@pytest.mark.parametrize("batches", [1, 2], ids=["one batch", "two batches"])
@pytest.mark.parametrize("encode", [stream_bytes, file_bytes], ids=["stream", "file"])
@pytest.mark.parametrize("name", CASES)
def test_every_type_is_paged_without_loss(name: str, encode: Any, batches: int) -> None:
    array, held_as = CASES[name]
    table = pa.table({"key": pa.array([2, 1, 3]), "v": array})
    caller = Caller()
    data = arrow_payload(encode(table, None if batches == 1 else 2))
    modes = ["eager"] if encode is stream_bytes else ["eager", "lazy"]
    for mode in modes:
        answer = caller.load(arrow_ipc=data, session="s", mode=mode)
        assert answer.columns[1].dtype == str(held_as)
        for sort, order in (([], [0, 1, 2]), ([{"column": "key"}], [1, 0, 2])):
            page = caller.rows(sort=sort)
            assert page["v"].type == held_as
            assert values(page["v"]) == [values(array)[row] for row in order]
        assert values(caller.rows(start=1, stop=2)["v"]) == values(array)[1:2]


@pytest.mark.parametrize("name", CASES)
def test_every_type_in_parquet_pages(name: str) -> None:
    array, _ = CASES[name]
    caller = Caller()
    caller.load_table(pa.table({"key": pa.array([2, 1, 3]), "v": array}))
    params = {"session": "s", "format": "parquet", "sort": [{"column": "key"}]}
    if name in NOT_IN_PARQUET:
        error = caller.error("tables/rows", params)
        assert (error.kind, error.data["format"]) == ("unencodable_column", "parquet")
        return
    page = decode(caller.call("tables/rows", params))
    assert page["key"].to_pylist() == [1, 2, 3]
    got, loaded = page["v"], caller.rows(sort=[{"column": "key"}])["v"]
    if pa.types.is_temporal(loaded.type):
        got = got.cast(loaded.type)  # Parquet has no seconds
    assert values(got) == values(loaded)


NOT_IN_JSON = {"timestamp[ns, tz=Not/AZone]"}


@pytest.mark.parametrize("name", CASES)
def test_every_type_in_json_pages(name: str) -> None:
    caller = Caller()
    caller.load_table(pa.table({"v": CASES[name][0]}))
    if name in NOT_IN_JSON:
        error = caller.rows_error(format="json")
        assert (error.kind, error.data["column"]) == ("unencodable_column", "v")
        return
    rows = caller.json_rows()
    assert [row["v"] is None for row in rows] == [value is None for value in values(CASES[name][0])]


def interval_schema(unit: int) -> bytes:
    """A stream with a column of one of the two interval types that pyarrow cannot make: month_day_nano's, renamed."""
    table = pa.table({"v": pa.array([pa.MonthDayNano([1, 2, 3])])})
    data = bytearray(stream_bytes(table))
    schema_end = 8 + int.from_bytes(data[4:8], "little")
    # The unit is an int16 of 2 in the one table of the schema that has it: the only change that names another type.
    for place in range(8, schema_end - 1):
        if data[place : place + 2] == b"\x02\x00":
            changed = data[:place] + unit.to_bytes(2, "little") + data[place + 2 :]
            try:
                schema = pa.ipc.open_stream(bytes(changed)).schema
            except pa.ArrowException:
                continue
            if schema.field(0).type.id in (pa.lib.Type_INTERVAL_MONTHS, pa.lib.Type_INTERVAL_DAY_TIME):
                return bytes(changed)
    raise AssertionError("the unit is not there")


@pytest.mark.parametrize("unit", [0, 1], ids=["year_month", "day_time"])
def test_the_interval_types_that_cannot_be_held_are_refused_by_name(unit: int) -> None:
    caller = Caller()
    error = caller.load_error(arrow_ipc=arrow_payload(interval_schema(unit)), session="s")
    assert (error.kind, error.data["column"]) == ("unsupported_type", "v")
    assert "interval" in error.data["dtype"]
    assert caller.sessions() == {}


def test_dictionaries_of_small_indices_that_do_not_fit_together_are_widened() -> None:
    chunks = [dictionary(list(range(100)), pa.array([f"{k}{i}" for i in range(100)])) for k in "ab"]
    table = pa.table({"key": pa.array(range(200, 0, -1)), "v": pa.chunked_array(chunks)})
    caller = Caller()
    answer = caller.load_table(table)
    assert answer.columns[1].dtype == "dictionary<values=string, indices=int64, ordered=0>"
    expected = table["v"].cast(pa.string()).to_pylist()
    assert caller.rows()["v"].to_pylist() == expected
    assert caller.rows(sort=[{"column": "key"}])["v"].to_pylist() == expected[::-1]
    assert caller.rows(sort=[{"column": "v"}])["v"].to_pylist() == sorted(expected)


def test_the_same_in_lazy_parquet() -> None:
    words = [f"v{row:03}" for row in range(200)]
    small = pa.dictionary(pa.int8(), pa.string())
    chunks = [pa.array(part).dictionary_encode().cast(small) for part in (words[:100], words[100:])]
    table = pa.table({"key": range(200), "v": pa.chunked_array(chunks)})
    caller = Caller()
    caller.load(parquet=parquet_payload(parquet_bytes(table, row_group_size=100)), mode="lazy", session="s")
    assert caller.rows()["v"].to_pylist() == words
    assert caller.rows(sort=[{"column": "key", "descending": True}])["v"].to_pylist() == words[::-1]
