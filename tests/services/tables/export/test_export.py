"""tables/export: every format and every way out give the same file, exactly, of tables and of views."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.protocol.methods import convert
from sidecar.services.tables.export.export import PIECES, ExportParams
from sidecar.wire.limits import MIB
from sidecar.wire.payload import Payload

from ...caller import Caller, RecordingContext, file_bytes, parquet_bytes

FORMATS = ["arrow_file", "arrow_stream", "parquet", "csv", "tsv", "ndjson", "json"]
every_format = pytest.mark.parametrize("format", FORMATS)
WHEN = datetime(2026, 1, 31, 12, tzinfo=UTC)

BASIC = pa.table(
    {
        "i": pa.array([1, None, 2**63 - 1], pa.int64()),
        "u": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "f": [0.1, None, 1e300],
        "s": ['a,"b"\n', "", None],
        "b": [True, None, False],
        "d": [Decimal("1.10"), None, Decimal("-0.01")],
        "t": pa.array([WHEN, None, WHEN], pa.timestamp("us", "UTC")),
        "x": [b"xy", b"", None],
        "l": [[1, None], None, []],
        "k": pa.array(["x", None, "y"]).dictionary_encode(),
    }
)


@pytest.fixture
def caller() -> Caller:
    return Caller()


def file_of(answer: Any) -> bytes:
    """The bytes in an answer."""
    data = b"".join(bytes(memoryview(buffer)) for buffer in answer.data.buffers)
    assert len(data) == answer.bytes
    return data


def exported(caller: Caller, format: str, session: str = "s", **params: Any) -> bytes:
    answer = caller.call("tables/export", {"session": session, "format": format, **params})
    assert (answer.session, answer.format, answer.path) == (session, format, None)
    return file_of(answer)


def opened(caller: Caller, params: dict[str, Any], context: RecordingContext | None = None) -> Any:
    """The producer of a stream."""
    open_stream = caller.methods["streams/open"].handler.__self__.nouns["tables/export"].open  # type: ignore[attr-defined]
    return open_stream(convert(params, ExportParams), context or RecordingContext())


def streamed(caller: Caller, format: str, context: RecordingContext | None = None, **params: Any) -> list[bytes]:
    """The pieces of a stream."""
    producer = opened(caller, {"session": "s", "format": format, **params}, context)
    assert producer.schema == PIECES
    batches: Iterator[pa.RecordBatch] = producer.batches(RecordingContext())
    return [batch.column(0)[0].as_py() for batch in batches if batch.validate(full=True) is None]


def read(format: str, data: bytes) -> pa.Table:
    """As any Arrow reader has it."""
    if format == "parquet":
        return pq.read_table(pa.BufferReader(data))
    opener = pa.ipc.open_file if format == "arrow_file" else pa.ipc.open_stream
    table = opener(data).read_all()
    table.validate(full=True)
    return table


# -- the bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["arrow_file", "arrow_stream", "parquet"])
def test_types_values_and_metadata_stay(caller: Caller, format: str) -> None:
    fields = [field.with_metadata({"unit": field.name}) for field in BASIC.schema]
    table = BASIC.cast(pa.schema(fields, {"about": "all"}))
    caller.load_table(table)
    found = read(format, exported(caller, format))
    assert found.equals(table)
    assert found.schema.metadata[b"about"] == b"all"
    assert found.schema.field("i").metadata[b"unit"] == b"i"


def test_csv_to_the_letter(caller: Caller) -> None:
    caller.load_table(BASIC)
    assert exported(caller, "csv").decode() == (
        "i,u,f,s,b,d,t,x,l,k\n"
        '1,18446744073709551615,0.1,"a,""b""\n",true,1.10,2026-01-31 12:00:00.000000Z,"eHk=","[1,null]","x"\n'
        ',0,,"",,,,"",,\n'
        '9223372036854775807,,1e+300,,false,-0.01,2026-01-31 12:00:00.000000Z,,"[]","y"\n'
    )


def test_tsv_has_the_same_between_tabs(caller: Caller) -> None:
    caller.load_table(pa.table({"a": ["1\t2", "x,y"], "b": [1.0, None], "c\td": [1, 2]}))
    assert exported(caller, "tsv") == b'a\tb\t"c\td"\n"1\t2"\t1.0\t1\n"x,y"\t\t2\n'


@pytest.mark.parametrize(
    ("array", "fields"),
    [
        pytest.param(
            pa.array([1.0, -0.0, 5e-324, 0.1, 123456789.123]), "1.0 -0.0 5e-324 0.1 123456789.123", id="floats"
        ),
        pytest.param(pa.array([float("nan"), float("inf"), float("-inf")]), "NaN inf -inf", id="not finite"),
        pytest.param(pa.array([0.1, 16777217.0], pa.float32()), "0.1 16777216.0", id="float32"),
        pytest.param(pa.array([0.5, None], pa.float16()), "0.5 ", id="float16"),
        pytest.param(pa.array([-90, None], pa.duration("s")), "-90_s ", id="durations"),
        pytest.param(
            pa.array([0, 1], pa.timestamp("ns")), "1970-01-01_00:00:00.000000000 1970-01-01_00:00:00.000000001"
        ),
        pytest.param(pa.array([0], pa.timestamp("s", "+05:30")), "1970-01-01_05:30:00+0530", id="offset"),
        pytest.param(pa.array([0], pa.date64()), "1970-01-01", id="dates"),
        pytest.param(pa.array([1], pa.time32("ms")), "00:00:00.001", id="times"),
        pytest.param(pa.array([Decimal("1E+2")], pa.decimal128(5, -2)), "1E+2", id="negative scale"),
        pytest.param(pa.array([Decimal(10**60)], pa.decimal256(76, 1)), "1" + "0" * 60 + ".0", id="decimal256"),
        pytest.param(pa.array(["007", "=1+1", "true", " "]), '"007" "=1+1" "true" "_"', id="text stays text"),
        pytest.param(pa.array([b"abc"], pa.binary(3)), '"YWJj"', id="fixed size binary"),
        pytest.param(pa.nulls(2), " ", id="nulls"),
        pytest.param(
            pa.array([{"a": 'x"', "b": 2**60}]), '"{""a"":""x\\"""",""b"":""1152921504606846976""}"', id="structs"
        ),
        pytest.param(pa.array([2, 2, None]).dictionary_encode(), "2 2 ", id="dictionaries of numbers"),
    ],
)
def test_values_in_csv(caller: Caller, array: pa.Array, fields: str) -> None:
    caller.load_table(pa.table({"v": array, "n": pa.array(range(len(array)), pa.int8())}))
    lines = [f"{field.replace('_', ' ')},{row}" for row, field in enumerate(fields.split(" "))]
    assert exported(caller, "csv").decode() == "\n".join(["v,n", *lines, ""])


def test_names_in_csv(caller: Caller) -> None:
    names = ["plain", "", "a,b", 'q"', "two\nlines", "\ufeffmark", " space "]
    caller.load_table(pa.table({name: [1] for name in names}))
    head = exported(caller, "csv").decode().removesuffix("1,1,1,1,1,1,1\n")
    assert head == 'plain,"","a,b","q""","two\nlines","\ufeffmark"," space "\n'


@pytest.mark.parametrize("format", ["ndjson", "json"])
@pytest.mark.parametrize(
    "table",
    [
        pytest.param(BASIC, id="every kind"),
        pytest.param(BASIC.select(["f", "s", "b", "d", "t", "x", "k"]), id="without large integers"),
        pytest.param(
            pa.table({"f": pa.array([0.1, 1e16, 1e-7, None], pa.float32()), 'na"me\n': [1, 2, 3, 2**53 - 1]}),
            id="numbers",
        ),
        pytest.param(pa.table({"i": [2**53], "j": [-(2**53)]}), id="large integers"),
        pytest.param(pa.table({"f": [float("nan"), float("inf"), -float("inf"), 1.0]}), id="not finite"),
        pytest.param(pa.table({"s": ['\x00\x1f\x7f\u2028\U0001f600\\/"', None]}), id="letters"),
        pytest.param(pa.table({"d": pa.array([-90, None], pa.duration("ns")), "n": pa.nulls(2)}), id="durations"),
    ],
)
def test_json_is_that_of_a_page(caller: Caller, format: str, table: pa.Table) -> None:
    caller.load_table(table)
    text = exported(caller, format).decode()
    assert text.endswith("\n")
    rows = json.loads(text) if format == "json" else [json.loads(line) for line in text[:-1].split("\n")]
    assert repr(rows) == repr(caller.json_rows())


@every_format
def test_no_rows(caller: Caller, format: str) -> None:
    caller.load_table(BASIC.slice(0, 0))
    data = exported(caller, format)
    if format in ("arrow_file", "arrow_stream", "parquet"):
        assert read(format, data).equals(BASIC.slice(0, 0))
    else:
        names = BASIC.column_names
        expected = {"csv": ",".join(names) + "\n", "tsv": "\t".join(names) + "\n", "ndjson": "", "json": "[]\n"}
        assert data.decode() == expected[format]


@pytest.mark.parametrize("format", ["arrow_file", "arrow_stream", "ndjson", "json"])
def test_rows_without_columns(caller: Caller, format: str) -> None:
    caller.load_table(BASIC)
    data = exported(caller, format, columns=[])
    if format.startswith("arrow"):
        assert read(format, data).num_rows == 3
    else:
        assert data == {"ndjson": b"{}\n{}\n{}\n", "json": b"[{},\n{},\n{}]\n"}[format]


@pytest.mark.parametrize("format", ["parquet", "csv", "tsv"])
def test_formats_that_would_lose_rows_without_columns(caller: Caller, format: str) -> None:
    caller.load_table(BASIC)
    fault = caller.error("tables/export", {"session": "s", "format": format, "columns": []})
    assert (fault.kind, fault.data) == ("unencodable_column", {"format": format})


# -- the ways ----------------------------------------------------------------------------------------------------


def many(rows: int = 200_000) -> pa.Table:
    """More than a step of any format."""
    numbers = pa.array(range(rows), pa.int64())
    return pa.table({"n": numbers, "g": pa.compute.bit_wise_and(numbers, 1023), "s": numbers.cast(pa.string())})


VIEW = {
    "sort": [{"column": "g", "descending": True}],
    "filter": [{"column": "n", "op": "ge", "value": 30_000}],
    "search": {"text": "7"},
    "columns": ["s", "n"],
}


@every_format
@pytest.mark.parametrize("view", [{}, VIEW, {"filter": VIEW["filter"]}], ids=["table", "view", "filter"])
def test_a_path_an_answer_and_a_stream_are_one_file(caller: Caller, format: str, view: Any, tmp_path: Path) -> None:
    caller.load_table(many())
    data = exported(caller, format, **view)
    context = RecordingContext()
    path = str(tmp_path / "file")
    answer = caller.call("tables/export", {"session": "s", "format": format, "path": path, **view}, context)
    assert (answer.path, answer.bytes) == (path, len(data))
    assert Path(path).read_bytes() == data
    assert context.lanes_left == 1
    assert context.commits == 1
    assert context.progress_calls[0] == (0, answer.rows, "rows")
    assert context.progress_calls[-1] == (answer.rows, answer.rows, "rows")
    pieces = streamed(caller, format, **view)
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= MIB for piece in pieces)


@pytest.mark.parametrize("format", ["arrow_file", "arrow_stream", "parquet"])
@pytest.mark.parametrize("mode", ["eager", "lazy"])
def test_a_view_has_the_rows_of_its_pages(caller: Caller, format: str, mode: str) -> None:
    caller.load(parquet=Payload("parquet", parquet_bytes(many(), row_group_size=7_777)), session="s", mode=mode)
    assert read(format, exported(caller, format, **VIEW)).equals(caller.rows(**VIEW))
    assert read(format, exported(caller, format, filter=VIEW["filter"])).equals(caller.rows(filter=VIEW["filter"]))
    assert read(format, exported(caller, format)).equals(many())


def test_the_header_of_a_stream(caller: Caller) -> None:
    caller.load_table(BASIC)
    header = opened(caller, {"session": "s", "format": "csv", "columns": ["i", "s"]}).header
    assert (header.session, header.format, header.rows, header.columns) == ("s", "csv", 3, 2)


def test_a_stream_for_a_host_that_takes_little(caller: Caller) -> None:
    caller.load_table(many())
    context = RecordingContext()
    context.max_payload_bytes = 4096
    pieces = streamed(caller, "arrow_file", context)
    assert max(map(len, pieces)) == 2048
    assert read("arrow_file", b"".join(pieces)).equals(many())


@every_format
def test_an_answer_that_the_host_does_not_take(caller: Caller, format: str) -> None:
    caller.load_table(many())
    context = RecordingContext()
    context.max_payload_bytes = 50_000
    fault = caller.error("tables/export", {"session": "s", "format": format}, context)
    assert (fault.kind, fault.data["max_payload_bytes"]) == ("too_large", 50_000)
    assert "streams/open" in fault.message
    assert caller.rows(stop=1).num_rows == 1


@pytest.mark.parametrize(
    ("format", "steps"),
    [("arrow_file", 4), ("arrow_stream", 4), ("parquet", 1)],
)
def test_steps_of_sensible_size(caller: Caller, format: str, steps: int) -> None:
    """However small the pieces are that the table was loaded in."""
    caller.load(parquet=Payload("parquet", parquet_bytes(many(), row_group_size=1_000)), session="s", mode="lazy")
    data = exported(caller, format)
    if format == "parquet":
        metadata = pq.read_metadata(pa.BufferReader(data))
        assert (metadata.num_row_groups, metadata.row_group(0).column(0).compression) == (steps, "ZSTD")
    else:
        assert len(read(format, data).column(0).chunks) == steps


# -- dictionaries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS[:3])
def test_chunks_with_dictionaries_of_their_own(caller: Caller, format: str) -> None:
    chunks = [pa.array(values).dictionary_encode() for values in (["a", "b"], ["b", "c", None], ["a"])]
    table = pa.table({"k": pa.chunked_array(chunks), "n": range(6)})
    caller.load_table(table)
    found = read(format, exported(caller, format))
    assert found.schema.equals(table.schema)
    assert found.to_pylist() == table.to_pylist()


@pytest.mark.parametrize("format", FORMATS[:3])
@pytest.mark.parametrize(
    "dictionary",
    [
        pytest.param(pa.array(["a", None, "b"]), id="with a null"),
        pytest.param(pa.array([{"x": 1}, {"x": 2}, None]), id="of structs"),
        pytest.param(pa.array([3, 1, 2]), id="of numbers"),
        pytest.param(pa.array([3, 1, 2], pa.timestamp("ms")), id="of timestamps"),
    ],
)
def test_odd_dictionaries(caller: Caller, format: str, dictionary: pa.Array) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([2, None, 0, 1], pa.int8()), dictionary)
    caller.load_table(pa.table({"k": column}))
    found = read(format, exported(caller, format)).column("k")
    assert found.to_pylist() == column.to_pylist()


# -- what cannot be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "array"),
    [
        pytest.param("parquet", pa.array([[], []], pa.list_(pa.int8(), 0)), id="lists of nothing in parquet"),
        pytest.param("parquet", pa.array([{}, {}], pa.struct([])), id="empty structs in parquet"),
        pytest.param("parquet", pa.nulls(2, pa.month_day_nano_interval()), id="intervals in parquet"),
        pytest.param("csv", pa.array([0, 1], pa.timestamp("s", "Nowhere/Land")), id="unknown zones in csv"),
        pytest.param("ndjson", pa.array([0, 1], pa.timestamp("s", "Nowhere/Land")), id="unknown zones in ndjson"),
    ],
)
def test_columns_without_a_form(caller: Caller, format: str, array: pa.Array, tmp_path: Path) -> None:
    caller.load_table(pa.table({"good": [1, 2], "bad": array}))
    request = {"session": "s", "format": format}
    for params in (request, {**request, "path": str(tmp_path / "file")}):
        fault = caller.error("tables/export", params)
        assert fault.kind == "unencodable_column"
        assert (fault.data["column"], fault.data["dtype"], fault.data["format"]) == ("bad", str(array.type), format)
    assert os.listdir(tmp_path) == []
    assert exported(caller, format, columns=["good"])


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        pytest.param({"session": "none"}, "unknown_session", id="session"),
        pytest.param({"columns": ["none"]}, "unknown_column", id="column"),
        pytest.param({"columns": ["i", "i"]}, "invalid_params", id="twice"),
        pytest.param({"sort": [{"column": "l"}]}, "unsortable_column", id="sort"),
        pytest.param({"filter": [{"column": "i", "op": "eq", "value": "x"}]}, "invalid_filter", id="filter"),
        pytest.param({"overwrite": True, "path": None}, "invalid_params", id="overwrite without a path"),
        pytest.param({"path": "missing/file"}, "file_not_found", id="directory"),
        pytest.param({"path": ""}, "invalid_path", id="path"),
    ],
)
def test_bad_requests_leave_nothing(
    caller: Caller, params: dict[str, Any], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    caller.load_table(BASIC)
    fault = caller.error("tables/export", {"session": "s", "format": "csv", "path": "file", **params})
    assert fault.kind == kind
    assert os.listdir() == []


def test_a_stream_takes_no_path(caller: Caller) -> None:
    caller.load_table(BASIC)
    with pytest.raises(SidecarError, match="a stream takes no path"):
        opened(caller, {"session": "s", "format": "csv", "path": "file"})


@every_format
def test_cancelled_at_every_look(caller: Caller, format: str, tmp_path: Path) -> None:
    """Until it is done: the file is there after the last look, and never before."""
    caller.load_table(many(150_000))
    context = RecordingContext()
    params = {"session": "s", "format": format, "overwrite": True, "path": str(tmp_path / "file"), **VIEW}
    caller.call("tables/export", params)
    caller.call("tables/export", params, context)  # its looks: the first call also ordered the rows
    (tmp_path / "file").unlink()
    for looks in range(context.looks):
        assert caller.error("tables/export", params, RecordingContext(looks)).kind == "cancelled"
        assert os.listdir(tmp_path) == []
    assert caller.taken_bytes() == caller.sessions()["s"].bytes


# -- memory ------------------------------------------------------------------------------------------------------


def test_a_lazy_file_larger_than_the_limit(tmp_path: Path) -> None:
    table = many(1_000_000)
    source = tmp_path / "source.parquet"
    pq.write_table(table, source, row_group_size=50_000)
    caller = Caller(memory_limit_bytes=table.nbytes // 4)
    caller.load(path=str(source), session="s", mode="lazy")
    answer = caller.call("tables/export", {"session": "s", "format": "parquet", "path": str(tmp_path / "new")})
    assert answer.rows == 1_000_000
    assert pq.read_table(tmp_path / "new").equals(table)
    fault = caller.error("tables/export", {"session": "s", "format": "csv"})
    assert fault.kind == "memory_limit"
    assert (
        caller.call("tables/export", {"session": "s", "format": "csv", "path": str(tmp_path / "csv")}).rows == 1_000_000
    )


def test_onto_the_file_that_a_lazy_session_reads(caller: Caller, tmp_path: Path) -> None:
    """The session goes on with what it opened."""
    path = tmp_path / "table.arrow"
    path.write_bytes(file_bytes(many(10_000), rows_per_batch=1_000))
    caller.load(path=str(path), session="s", mode="lazy")
    view = {"sort": [{"column": "n", "descending": True}]}
    request = {"session": "s", "format": "arrow_file", "path": str(path), "overwrite": True, **view}
    caller.call("tables/export", request)
    assert pa.ipc.open_file(path.read_bytes()).read_all().column("n")[0].as_py() == 9_999
    assert caller.rows().equals(many(10_000))
    caller.load(path=str(path), session="s", mode="lazy")
    assert caller.rows(stop=1).column("n").to_pylist() == [9_999]
