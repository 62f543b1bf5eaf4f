"""Which format some bytes are taken for: by content first, then by the extension, never by a guess."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pytest

from ..caller import Caller, arrow_payload, file_bytes, parquet_bytes, parquet_payload, stream_bytes

TABLE = pa.table({"a": [1, 2], "b": ["x", None]})
ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def feather(compression: str) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.feather.write_feather(TABLE, sink, compression=compression)
    return sink.getvalue().to_pybytes()


CONTENTS = {
    "parquet": parquet_bytes(TABLE),
    "arrow_file": file_bytes(TABLE),
    "arrow_stream": stream_bytes(TABLE),
    "feather": feather("lz4"),
    "csv": b"a,b\n1,x\n2,\n",
    "tsv": b"a\tb\n1\tx\n2\t\n",
    "json": b'[{"a":1,"b":"x"},{"a":2,"b":null}]',
    "ndjson": b'{"a":1,"b":"x"}\n{"a":2,"b":null}\n',
}


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("t.parquet", "parquet", "parquet"),
        ("t.pq", "parquet", "parquet"),
        ("t.arrow", "arrow_file", "arrow_file"),
        ("t.ipc", "arrow_file", "arrow_file"),
        ("t.feather", "feather", "arrow_file"),
        ("t.arrows", "arrow_stream", "arrow_stream"),
        ("t.arrow", "arrow_stream", "arrow_stream"),
        ("t.csv", "csv", "csv"),
        ("T.CSV", "csv", "csv"),
        ("t.tsv", "tsv", "tsv"),
        ("t.tab", "tsv", "tsv"),
        ("t.json", "json", "json"),
        ("t.ndjson", "ndjson", "ndjson"),
        ("t.jsonl", "ndjson", "ndjson"),
        ("noextension", "parquet", "parquet"),
        ("noextension", "arrow_stream", "arrow_stream"),
        ("noextension", "json", "json"),
        ("noextension", "ndjson", "ndjson"),
        ("t.txt", "ndjson", "ndjson"),
    ],
)
def test_a_file_loads_without_a_warning(tmp_path: Path, name: str, content: str, format_: str) -> None:
    (tmp_path / name).write_bytes(CONTENTS[content])
    caller = Caller()
    answer = caller.load(path=str(tmp_path / name), session="s")
    assert (answer.format, answer.warnings, answer.source, answer.rows) == (format_, [], "path", 2)
    assert caller.json_rows() == ROWS


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", "parquet", "csv"),
        ("t.parquet", "arrow_file", "parquet"),
        ("t.parquet", "json", "parquet"),
        ("t.json", "ndjson", "json"),
        ("t.arrow", "parquet", "arrow_file"),
        ("t.ndjson", "arrow_stream", "ndjson"),
    ],
)
def test_a_wrong_extension_loads_with_a_warning(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_bytes(CONTENTS[content])
    caller = Caller()
    answer = caller.load(path=str(tmp_path / name), session="s")
    assert (answer.format, answer.warnings) == (content, [f"the extension says {says}, the content is {content}"])
    assert caller.json_rows() == ROWS


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.feather", "t.arrows"])
@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\0" * 100, b"P", b"PAR", b"ARROW", b"\xff\xff\xff", b"   "])
def test_a_binary_extension_is_not_believed(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    error = Caller().load_error(path=str(tmp_path / name))
    assert error.kind == "invalid_file"
    assert error.data["path"] == str(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(gzip.compress(b"a\n1\n"), "gzip", id="gzip"),
        pytest.param(b"PK\x03\x04rest", "ZIP", id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfdrest", "Zstandard", id="zstd"),
        pytest.param(b"FEA1rest", "Feather version 1", id="feather 1"),
        pytest.param(b"PARErest", "encrypted", id="encrypted Parquet"),
        pytest.param("a,b\n1,2\n".encode("utf-16"), "UTF-16", id="utf-16 little"),
        pytest.param(b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be"), "UTF-16", id="utf-16 big"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t"])
def test_what_is_known_but_not_read_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    error = Caller().load_error(path=str(tmp_path / name))
    assert error.kind == "unknown_format"
    assert says in error.message


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\x00\x01", zlib.compress(b"a"), b"   \n"])
def test_without_any_sign_the_host_is_asked(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    error = Caller().load_error(path=str(tmp_path / "t"))
    assert error.kind == "unknown_format"
    assert "csv" in error.data["formats"]


def test_the_format_given_decides(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(CONTENTS["tsv"])
    caller = Caller()
    assert caller.load(path=str(tmp_path / "t.txt"), format="tsv", session="s").format == "tsv"
    assert caller.json_rows() == ROWS
    assert caller.load_error(path=str(tmp_path / "t.txt"), format="parquet").kind == "invalid_file"


def test_a_format_that_is_none_is_refused() -> None:
    error = Caller().load_error(path="x", format="xlsx")
    assert error.kind == "invalid_params"
    assert "format" in error.message


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow", "t.json", "t"])
@pytest.mark.parametrize("mode", ["eager", "lazy"])
@pytest.mark.parametrize("extra", [{}, {"format": "csv"}])
def test_an_empty_file(tmp_path: Path, name: str, mode: str, extra: dict[str, Any]) -> None:
    (tmp_path / name).touch()
    assert Caller().load_error(path=str(tmp_path / name), mode=mode, **extra).kind == "empty_file"


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        pytest.param({"parquet": parquet_payload(CONTENTS["arrow_file"])}, "the content is arrow_file", id="file"),
        pytest.param({"parquet": parquet_payload(CONTENTS["json"])}, "the content is json", id="json"),
        pytest.param({"arrow_ipc": arrow_payload(CONTENTS["parquet"])}, "the content is parquet", id="parquet"),
        pytest.param(
            {"arrow_ipc": arrow_payload(CONTENTS["csv"]), "format": "csv"}, "the content is csv", id="told csv"
        ),
    ],
)
def test_bytes_must_be_what_their_parameter_says(params: dict[str, Any], reason: str) -> None:
    error = Caller().load_error(**params)
    assert error.kind == "invalid_file"
    assert reason in error.message


@pytest.mark.parametrize("kind", ["arrow_ipc", "parquet"])
@pytest.mark.parametrize("form", ["binary", "base64"])
def test_no_bytes_at_all(kind: str, form: str) -> None:
    params = {f"{kind}_b64": ""} if form == "base64" else {kind: arrow_payload(b"")}
    error = Caller().load_error(**params)
    assert (error.kind, error.data["source"]) == ("empty_file", next(iter(params)))


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (b'\xef\xbb\xbf{"a":1}\n{"a":2}\n', "ndjson"),
        (b'\n  [{"a":1}]', "json"),
        (b'{\n "a": 1\n}', "json"),
        (b'{"a":1}', "json"),
        (b'{"a":1}\n', "json"),
        (b'{"a":1}\n\n', "json"),
        (b'{"a":1}\r\n{"a":2}\r\n', "ndjson"),
    ],
)
def test_json_is_told_from_its_lines(tmp_path: Path, content: bytes, format_: str) -> None:
    (tmp_path / "t").write_bytes(content)
    caller = Caller()
    assert caller.load(path=str(tmp_path / "t"), session="s").format == format_
    assert caller.json_rows()[0] == {"a": 1}
