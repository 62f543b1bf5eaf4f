"""What each format is read into: values exact, nothing dropped, and bad input refused with its own error."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars
import pyarrow as pa
import pytest

from sidecar.services.load.source import OpenFile

from ..caller import Caller, arrow_payload, file_bytes, parquet_bytes, parquet_payload, stream_bytes

PAST_SAMPLE = 10_001
"""Rows after which the first 10 000 have decided the types of a CSV."""


def load_text(tmp_path: Path, name: str, content: str | bytes) -> tuple[Caller, Any]:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    caller = Caller()
    return caller, caller.load(path=str(tmp_path / name), session="s")


def text_error(tmp_path: Path, name: str, content: str | bytes) -> str:
    """The message, for a file that must be an `invalid_file`."""
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    caller = Caller()
    error = caller.load_error(path=str(tmp_path / name), session="s")
    assert error.kind == "invalid_file"
    assert error.data["path"] == str(tmp_path / name)
    assert error.data["format"] is not None
    assert caller.sessions() == {}
    return error.message


def dtypes(answer: Any) -> list[str]:
    return [column.dtype for column in answer.columns]


@pytest.mark.parametrize(
    ("text", "dtype", "values"),
    [
        pytest.param("a\n1\n-2\n", "int64", [1, -2], id="integers"),
        pytest.param("a\n1\n2.5\n", "double", [1, 2.5], id="mixed numbers"),
        pytest.param("a\ntrue\nfalse\n", "bool", [True, False], id="booleans"),
        pytest.param("a\n2020-01-01\n", "large_string", ["2020-01-01"], id="dates stay as written"),
        pytest.param("a\n9223372036854775807\n", "int64", ["9223372036854775807"], id="greatest int64"),
        pytest.param("a\n9007199254740993\n1\n", "int64", ["9007199254740993", 1], id="beyond 2^53"),
        pytest.param(
            "a\n9223372036854775808\n1\n", "decimal128(38, 0)", ["9223372036854775808", "1"], id="beyond int64"
        ),
        pytest.param(
            "a\n123456789012345678901234567890\n",
            "decimal128(38, 0)",
            ["123456789012345678901234567890"],
            id="30 digits",
        ),
        pytest.param("\ufeffa\n1\n", "int64", [1], id="byte order mark"),
        pytest.param("a\r\n1\r\n", "int64", [1], id="CR LF"),
        pytest.param("a\n1", "int64", [1], id="no newline at the end"),
        pytest.param('a\n"x\ny"\n"say ""hi"""\n', "large_string", ["x\ny", 'say "hi"'], id="quotes"),
        pytest.param("a\nä\U0001f600\n", "large_string", ["ä\U0001f600"], id="beyond ASCII"),
        pytest.param("a\n", "large_string", [], id="a header alone"),
    ],
)
def test_csv_values(tmp_path: Path, text: str, dtype: str, values: list[Any]) -> None:
    caller, answer = load_text(tmp_path, "t.csv", text)
    assert dtypes(answer) == [dtype]
    assert [row["a"] for row in caller.json_rows()] == values


def test_csv_tells_empty_strings_from_nulls(tmp_path: Path) -> None:
    caller, _ = load_text(tmp_path, "t.csv", 'a,b\n,""\n"",x\n')
    assert caller.json_rows() == [{"a": None, "b": ""}, {"a": "", "b": "x"}]


@pytest.mark.parametrize(
    ("first", "late", "dtype", "value"),
    [
        ("1", "x", "large_string", "x"),
        ("1", "1.5", "double", 1.5),
        ("1", "9223372036854775808", "decimal128(38, 0)", "9223372036854775808"),
        ("true", "maybe", "large_string", "maybe"),
        ("", "x", "large_string", "x"),
        ("", "12", "int64", 12),
    ],
)
def test_csv_types_when_the_first_rows_mislead(
    tmp_path: Path, first: str, late: str, dtype: str, value: object
) -> None:
    caller, answer = load_text(tmp_path, "t.csv", "k,a\n" + f"1,{first}\n" * PAST_SAMPLE + f"1,{late}\n")
    assert (dtypes(answer), answer.rows) == (["int64", dtype], PAST_SAMPLE + 1)
    assert caller.json_rows(start=PAST_SAMPLE) == [{"k": 1, "a": value}]


def test_csv_warns_of_renamed_columns(tmp_path: Path) -> None:
    caller, answer = load_text(tmp_path, "t.csv", "a,a,b\n1,2,3\n")
    assert answer.warnings == ["a second column named 'a' is called 'a_duplicated_0'"]
    assert caller.json_rows() == [{"a": 1, "a_duplicated_0": 2, "b": 3}]


@pytest.mark.parametrize("rows_before", [0, PAST_SAMPLE])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param(b"1,2,3\n", "more fields", id="too many fields"),
        pytest.param(b"1,\xff\xfe\n", "utf-8", id="not UTF-8"),
        pytest.param(b'"1,2\n3,4\n', "", id="an open quote"),
        pytest.param(b"1," + b"9" * 60 + b"\n", "9999", id="a number that no type holds"),
    ],
)
def test_bad_csv(tmp_path: Path, rows_before: int, line: bytes, says: str) -> None:
    assert says in text_error(tmp_path, "t.csv", b"a,b\n" + b"1,2\n" * rows_before + line)


@pytest.mark.parametrize(
    "content", [b"\n\n", b"a\xff,b\n1,2\n", b"a\0b\n1\n"], ids=["no header", "name not UTF-8", "NUL in a name"]
)
def test_bad_csv_headers(tmp_path: Path, content: bytes) -> None:
    text_error(tmp_path, "t.csv", content)


def test_a_replacement_character_in_a_name_is_a_name(tmp_path: Path) -> None:
    caller, _ = load_text(tmp_path, "t.csv", "a\ufffd\n1\n")
    assert caller.json_rows() == [{"a\ufffd": 1}]


def test_a_short_line_ends_in_nulls(tmp_path: Path) -> None:
    caller, _ = load_text(tmp_path, "t.csv", "a,b\n1\n2,3\n")
    assert caller.json_rows() == [{"a": 1, "b": None}, {"a": 2, "b": 3}]


def test_5000_columns_of_csv(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(5000)]
    caller, answer = load_text(tmp_path, "t.csv", ",".join(names) + "\n" + ",".join(map(str, range(5000))) + "\n")
    assert len(answer.columns) == 5000
    assert caller.json_rows(columns=["c4999", "c0"]) == [{"c4999": 4999, "c0": 0}]


@pytest.mark.parametrize("name", ["t.json", "t.ndjson"])
@pytest.mark.parametrize(
    ("rows", "dtype", "shown"),
    [
        pytest.param([{"a": 1}, {"a": None}, {}], "int64", [1, None, None], id="nulls and absent"),
        pytest.param([{"a": ""}, {"a": None}], "large_string", ["", None], id="empty strings"),
        pytest.param([{"a": 2**63 - 1}], "int64", [str(2**63 - 1)], id="greatest int64"),
        pytest.param([{"a": 2**64}, {"a": -1}], "decimal128(38, 0)", [str(2**64), "-1"], id="beyond int64"),
        pytest.param([{"a": 1}, {"a": 1.5}], "double", [1, 1.5], id="mixed numbers"),
        pytest.param([{"a": [1, 2]}, {"a": []}], "large_list<item: int64>", [[1, 2], []], id="lists"),
        pytest.param(
            [{"a": {"b": 1}}, {"a": {"c": 2}}], None, [{"b": 1, "c": None}, {"b": None, "c": 2}], id="objects"
        ),
    ],
)
def test_json_values(tmp_path: Path, name: str, rows: list[Any], dtype: str | None, shown: list[Any]) -> None:
    lines = [json.dumps(row) for row in rows]
    caller, answer = load_text(tmp_path, name, "\n".join(lines) if name == "t.ndjson" else f"[{','.join(lines)}]")
    assert dtypes(answer) == [dtype] or dtype is None
    assert [row["a"] for row in caller.json_rows()] == shown


def test_a_key_that_comes_late_is_a_column(tmp_path: Path) -> None:
    lines = '{"a":1,"o":{"x":1}}\n' * PAST_SAMPLE + '{"a":2,"b":3,"o":{"y":4}}\n'
    caller, answer = load_text(tmp_path, "t.ndjson", lines)
    assert sorted(column.name for column in answer.columns) == ["a", "b", "o"]
    assert caller.json_rows(start=PAST_SAMPLE) == [{"a": 2, "o": {"x": None, "y": 4}, "b": 3}]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'[{"a":1},', id="cut"),
        pytest.param(b"[1,2]", id="array of numbers"),
        pytest.param(b'[{"a":1},null]', id="a null for a row"),
        pytest.param(b'[{"a":1}] more', id="trailing text"),
        pytest.param(b'[{"a":1}][{"a":2}]', id="two arrays"),
        pytest.param(b'[{"a":1e400}]', id="infinite number"),
        pytest.param(b'[{"a":"\xff"}]', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deep and open"),
        pytest.param(b'[{"a":' + b"[" * 5000 + b"]" * 5000 + b"}]", id="deep lists"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep objects"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_bad_json(tmp_path: Path, content: bytes) -> None:
    if content:
        text_error(tmp_path, "t.json", content)
    else:
        (tmp_path / "t.json").write_bytes(b" ")
        assert Caller().load_error(path=str(tmp_path / "t.json")).kind in ("invalid_file", "empty_file")


@pytest.mark.parametrize("rows_before", [1, PAST_SAMPLE])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"a":\n', id="cut"),
        pytest.param(b"words\n", id="no JSON"),
        pytest.param(b"5\n", id="a number"),
        pytest.param(b'{"a":1} {"a":2}\n', id="two on a line"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"\n", id="deep"),
    ],
)
def test_bad_ndjson(tmp_path: Path, rows_before: int, line: bytes) -> None:
    text_error(tmp_path, "t.ndjson", b'{"a":1}\n' * rows_before + line)


def test_a_panic_of_polars_is_an_invalid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*_args: Any, **_options: Any) -> None:
        raise polars.exceptions.PanicException("index out of bounds")

    for scan in ("scan_csv", "scan_ndjson", "read_json"):
        monkeypatch.setattr(polars, scan, panic)
    for name, content in (("t.csv", "a\n1\n"), ("t.ndjson", '{"a":1}\n{"a":2}'), ("t.json", '[{"a":1}]')):
        assert "index out of bounds" in text_error(tmp_path, name, content)


SMALL = pa.table({"a": [1, 2, 3], "b": ["x", None, "zzz"], "d": pa.array(["p", "q", "p"]).dictionary_encode()})


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("encode", [stream_bytes, file_bytes], ids=["stream", "file"])
def test_arrow_cut_at_every_offset_is_refused(encode: Any, compression: str | None) -> None:
    data = encode(SMALL, 2, compression=compression)
    caller = Caller()
    assert caller.load(arrow_ipc=arrow_payload(data)).rows == 3
    whole = caller.sessions()
    for size in range(len(data)):
        error = caller.load_error(arrow_ipc=arrow_payload(data[:size]), format=None)
        assert error.kind in ("invalid_file", "empty_file", "unknown_format"), size
    assert caller.sessions() == whole


def test_parquet_cut_anywhere_is_refused() -> None:
    data = parquet_bytes(pa.table({"a": range(2000), "b": [str(i) for i in range(2000)]}), row_group_size=500)
    caller = Caller()
    for size in [*range(1, len(data), 97), *range(len(data) - 12, len(data))]:
        for mode in ("eager", "lazy"):
            error = caller.load_error(parquet=parquet_payload(data[:size]), mode=mode)
            assert error.kind in ("invalid_file", "unknown_format"), size
    assert caller.sessions() == {}


@pytest.mark.parametrize("tail", [b"x", b"\0\0\0\0x", stream_bytes(SMALL)], ids=["a byte", "zeros first", "a stream"])
@pytest.mark.parametrize("form", ["stream", "file", "parquet"])
def test_trailing_bytes_are_refused(form: str, tail: bytes) -> None:
    encode = {"stream": stream_bytes, "file": file_bytes, "parquet": parquet_bytes}[form]
    key = "parquet" if form == "parquet" else "arrow_ipc"
    error = Caller().load_error(**{key: arrow_payload(encode(SMALL) + tail)})
    assert error.kind == "invalid_file"


def test_padding_after_a_stream_is_fine() -> None:
    assert Caller().load(arrow_ipc=arrow_payload(stream_bytes(SMALL) + bytes(64))).rows == 3


def test_a_stream_without_its_end_marker_is_refused() -> None:
    """One that was cut between two batches looks just like it."""
    error = Caller().load_error(arrow_ipc=arrow_payload(stream_bytes(SMALL)[:-8]))
    assert error.kind == "invalid_file"
    assert "end-of-stream" in error.message


def test_a_row_group_must_have_the_rows_that_the_footer_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    read_row_group = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *a, **o: read_row_group(*a, **o).slice(1))
    caller = Caller()
    error = caller.load_error(parquet=parquet_payload(parquet_bytes(SMALL)))
    assert (error.kind, "row group 0 has 2 rows" in error.message) == ("invalid_file", True)
    iter_batches = pq.ParquetFile.iter_batches
    cut = lambda *a, **o: (batch.slice(1) for batch in iter_batches(*a, **o))  # noqa: E731
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", cut)
    caller.load(parquet=parquet_payload(parquet_bytes(SMALL)), mode="lazy", session="s")
    assert caller.rows_error().kind == "invalid_file"


def test_no_memory_is_a_memory_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_size: int) -> None:
        raise pa.ArrowMemoryError("malloc of size 12 failed")

    (tmp_path / "t.arrow").write_bytes(file_bytes(SMALL))
    monkeypatch.setattr(pa, "allocate_buffer", fail)
    assert Caller().load_error(path=str(tmp_path / "t.arrow")).kind == "memory_limit"


def test_a_file_that_shrinks_while_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "t.arrow").write_bytes(file_bytes(SMALL))
    grown = SimpleNamespace(st_size=(tmp_path / "t.arrow").stat().st_size + 10)
    monkeypatch.setattr(OpenFile, "stat", lambda _file: grown)
    error = Caller().load_error(path=str(tmp_path / "t.arrow"))
    assert (error.kind, "shorter" in error.message) == ("invalid_file", True)
