"""`arrow-sidecar call` as a person meets it: every format, every mistake, interrupts and pipes that close."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from .conftest import SERVICE, TIMEOUT_S, Shell, environment

HEADER = {
    "total": 3,
    "description": "count",
    "began": "2026-01-02T03:04:05",
    "job": "00000000-0000-0000-0000-000000000007",
    "tags": {"a": 1},
    "span": [1, 2.0],
    "note": None,
    "either": 5,
}
TABLE = pa.table({"n": [1, 2], "t": ["a", None]})


def ipc(table: pa.Table, make: Any = pa.ipc.new_stream) -> bytes:
    """An Arrow IPC stream, or a file."""
    sink = io.BytesIO()
    with make(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def table_file(path: Path) -> Path:
    """TABLE as an Arrow IPC stream."""
    path.write_bytes(ipc(TABLE))
    return path


def lines(text: str) -> list[Any]:
    """NDJSON."""
    return [json.loads(line) for line in text.splitlines()]


# -- unary -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["Counter.add", "a=3"], "5\n"),
        (["add", "a=3", "b=-4"], "-1\n"),
        (["--format", "json", "add", "a=3"], "5\n"),
        (["add", "--format", "json", "a=3", "b=4"], "7\n"),
        (["add", "a=3", "--format", "json", "b=4"], "7\n"),
        (["add", "a=9007199254740993", "b=0"], '"9007199254740993"\n'),
        (["add", "a=3", "--format", "table"], "5\n"),
        (["greet", "name=12"], '"hello, 12"\n'),
        (["greet", "name=a=b c"], '"hello, a=b c"\n'),
        (["greet", "name=", "color=DARK_BLUE"], '"hello, "\n'),
        (["greet", "name=@@home"], '"hello, @home"\n'),
        (["greet", "name=x", "--format", "table"], "hello, x\n"),
        (["size", "data=AAEC"], "3\n"),
        (["blob"], '"AP8="\n'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_unary(shell: Shell, arguments: list[str], printed: str) -> None:
    result = shell("call", *arguments)
    assert (result.returncode, result.stdout) == (0, printed)


def test_files_as_parameters(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "name.txt").write_text("Zoë", encoding="utf-8")
    (tmp_path / "data.bin").write_bytes(bytes(1000))
    assert json.loads(shell("call", "greet", "name=@name.txt").stdout) == "hello, Zoë"
    assert shell("call", "size", "data=@data.bin").stdout == "1000\n"


@pytest.mark.parametrize(
    ("format", "printed"),
    [("json", '[{"n":1,"t":"a"},{"n":2,"t":null}]\n'), ("table", "n  t\n-  ----\n1  a\n2  null\n")],
)
def test_a_result_that_is_a_table(shell: Shell, tmp_path: Path, format: str, printed: str) -> None:
    table_file(tmp_path / "table.arrows")
    assert shell("call", "rows", "table=@table.arrows", "--format", format).stdout == printed


def test_a_result_that_is_a_table_as_arrow(shell: Shell, tmp_path: Path) -> None:
    table_file(tmp_path / "table.arrows")
    result = shell("call", "rows", "table=@table.arrows", "--format", "arrow", text=False)
    assert pa.ipc.open_stream(result.stdout).read_all() == TABLE


def test_a_dataclass_as_a_table(shell: Shell) -> None:
    printed = shell("call", "where", "--format", "table").stdout.splitlines()
    assert [line.split("  ")[0].strip() for line in printed] == ["points", "nearest", "labels"]
    assert '"y":"NaN"' in printed[1]


# -- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cuont", "n=3"], ["no method 'cuont'", "Counter.count", "Counter.scale"]),
        (["n=3", "count"], ["no method 'n=3'", "METHOD stands before"]),
        (["count", "3"], ["'3' is no parameter", "NAME=VALUE", "n: int, fail_at: int = -1"]),
        (["count"], ["needs the parameter 'n'", "n: int"]),
        (["count", "m=3"], ["no parameter 'm'", "n: int"]),
        (["count", "n=3", "n=4"], ["'n' is given twice"]),
        (["count", "n=three"], ["n=three", "n is int; write it as JSON, for example n=3"]),
        (["count", "n=@/dev/null"], ["/dev/null: ", "n is int"]),
        (["rows", "table=@/dev/null"], ["table=@/dev/null", "the file is empty"]),
        (["scale", "factor=1e999"], ["factor=1e999", "the number 1e999 is too large"]),
        (["greet", "name=\udcff"], ["name=", "no UTF-8"]),
        (["greet", "\udcff=x"], ["no parameter"]),
        (["\udcff"], ["no method"]),
        (["count", "n="], ["n=", "n is int"]),
        (["count", "n=1.5"], ["n: int expected, not 1.5"]),
        (["count", "n=9223372036854775808"], ["n: int expected", "int64"]),
        (["scale", "factor=much"], ["factor is float"]),
        (["greet", "name=x", "color=PINK"], ["color: Color expected, not 'PINK'", "RED, DARK_BLUE"]),
        (["greet", "name=@missing.txt"], ["name=@missing.txt", "No such file"]),
        (["size", "data=%"], ["data is bytes: base64, or @FILE"]),
        (["add", "a=1", "--format", "arrow"], ["--format arrow is for tables", "Counter.add"]),
        (["add", "a=1", "--input", "-"], ["--input is for exchanges", "a unary method"]),
        (["count", "n=1", "--input", "-"], ["--input is for exchanges", "a producer"]),
        (["add", "a=1", "--limit", "3"], ["--limit is for streams"]),
        (["scale", "--input", "missing.json"], ["--input missing.json", "No such file"]),
        (["count", "n=3", "--timeout", "soon"], ["'soon' is no number of seconds"]),
        (["count", "n=3", "--limit", "-1"], ["--limit"]),
        (["count", "n=3", "--nonsense"], ["unrecognized arguments: --nonsense"]),
        (["count", "n=3", "--format", "xml"], ["invalid choice: 'xml'"]),
        ([], ["METHOD"]),
    ],
    ids=lambda value: ascii(" ".join(value)) or "nothing",
)
def test_a_mistake_is_one_line_that_names_it(shell: Shell, arguments: list[str], words: list[str]) -> None:
    result = shell("call", *arguments)
    assert (result.returncode, result.stdout) == (64, "")
    *usage, last = result.stderr.splitlines()
    assert all(line.startswith(("usage:", " ")) for line in usage)
    assert all(word in last for word in words), last


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ((), 64, "which sidecar? Give --service"),
        (("--service", "tests.peers.service"), 64, "write it as module:factory"),
        (("--service", "nowhere:make"), 64, "there is no module 'nowhere'"),
        (("--service", "tests.peers.service:nothing"), 64, "no function 'nothing'"),
        (("--cmd", "no-such-program"), 1, "no-such-program cannot be started"),
        (("--cmd", "'unbalanced"), 64, "no closing quotation"),
        (("--cmd", " "), 64, "--cmd is empty"),
        (("--cmd", "x", "--service", "y:z"), 64, "not allowed with"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_no_sidecar(shell: Shell, target: tuple[str, ...], code: int, words: str) -> None:
    result = shell("call", "add", "a=1", target=target)
    assert (result.returncode, result.stdout) == (code, "")
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_program_that_forgot_to_run(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "forgot.py").write_text("x = 1\n", encoding="utf-8")
    result = shell("call", "add", target=("--cmd", f'"{sys.executable}" forgot.py'))
    assert result.returncode == 1
    assert "does the program end with `Sidecar().mount(...).run()`?" in result.stderr


def test_an_error_of_the_service(shell: Shell) -> None:
    result = shell("call", "fail")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "arrow-sidecar: service_error: Counter.fail raised KeyError: 'x'"


# -- producers ---------------------------------------------------------------------------------------------------


def test_a_producer_as_json(shell: Shell) -> None:
    result = shell("call", "count", "n=3")
    rows = [{"value": value, "word": f"w{value}"} for value in range(3)]
    assert (result.returncode, lines(result.stdout)) == (0, [{"__header__": HEADER}, *rows])
    assert "progress: 2 of 3 rows" in result.stderr


def test_a_producer_as_a_table(shell: Shell) -> None:
    printed = shell("call", "count", "n=3", "--format", "table").stdout
    header, rows = printed.split("\n\n")
    assert header.splitlines()[:3] == ["Header:", "  total        3", "  description  count"]
    assert rows == "value  word\n-----  ----\n    0  w0\n    1  w1\n    2  w2\n"


def test_a_producer_without_rows_as_a_table(shell: Shell) -> None:
    assert shell("call", "count", "n=0", "--format", "table").stdout.endswith("\n\nvalue  word\n-----  ----\n")


@pytest.mark.parametrize("count", [0, 3])
def test_a_producer_as_arrow(shell: Shell, count: int) -> None:
    result = shell("call", "count", f"n={count}", "--format", "arrow", text=False)
    file = io.BytesIO(result.stdout)
    header = pa.ipc.open_stream(file).read_all()
    rows = pa.ipc.open_stream(file).read_all()
    assert file.read() == b""
    assert rows.to_pydict() == {"value": list(range(count)), "word": [f"w{value}" for value in range(count)]}
    assert not header.schema.field("total").nullable
    (row,) = header.to_pylist()
    assert (row["total"], row["job"], row["tags"]) == (count, bytes(15) + b"\x07", [("a", 1)])
    assert (row["span"], row["note"], row["either"]) == ({"0": 1, "1": 2.0}, None, {"int": 5, "str": None})
    assert row["began"]["naive"].isoformat() == HEADER["began"]


def test_an_error_in_the_middle_keeps_the_rows(shell: Shell) -> None:
    result = shell("call", "count", "n=9", "fail_at=4")
    assert result.returncode == 1
    assert [row["value"] for row in lines(result.stdout)[1:]] == [0, 1, 2, 3]
    assert "error: about to fail" in result.stderr.splitlines()
    assert result.stderr.splitlines()[-1].startswith("arrow-sidecar: service_error: Counter.count raised KeyError")


@pytest.mark.parametrize(
    ("limit", "values"), [("0", []), ("1", [0]), ("3", [0, 1, 2]), ("99", [0, 1, 2, 3, 4])], ids=["0", "1", "3", "99"]
)
def test_limit_counts_rows(shell: Shell, limit: str, values: list[int]) -> None:
    result = shell("call", "count", "n=5", "--limit", limit)
    assert (result.returncode, [row["value"] for row in lines(result.stdout)[1:]]) == (0, values)


def test_timeout(shell: Shell) -> None:
    result = shell("call", "wait", "--timeout", "0.2")
    assert (result.returncode, result.stdout) == (1, "")
    assert "arrow-sidecar: deadline_exceeded" in result.stderr


def test_arrow_is_not_written_to_a_terminal(services_command: list[str]) -> None:
    controller, terminal = pty.openpty()
    try:
        command = [*services_command, "call", "count", "n=1", "--format", "arrow", *SERVICE]
        result = subprocess.run(
            command, stdout=terminal, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=False
        )
    finally:
        os.close(controller)
        os.close(terminal)
    assert result.returncode == 64
    assert "redirect them" in result.stderr


# -- exchanges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "options", "printed"),
    [
        ('{"value": 1}\n{"value": 2.5}\n', [], [{"value": 2.0}, {"value": 5.0}]),
        ('\n{"value": 1}\n\n{"value": 2}', [], [{"value": 2.0}, {"value": 4.0}]),
        ('[{"value": 1}, {"value": null}]\n[]\n', [], [{"value": 2.0}, {"value": None}]),
        ('{"value": "NaN"}\n{}\n', [], [{"value": "NaN"}, {"value": None}]),
        (
            '{"value": 1}\n{"value": 2}\n{"value": 3}\n',
            ["--batch", "2"],
            [{"value": 2.0}, {"value": 4.0}, {"value": 6.0}],
        ),
        ('{"value": 1}\n{"value": 2}\n', ["--limit", "1"], [{"value": 2.0}]),
        ("", [], []),
    ],
    ids=["rows", "blank lines", "lists", "nulls", "batches", "limit", "nothing"],
)
def test_an_exchange_of_json(shell: Shell, given: str, options: list[str], printed: list[Any]) -> None:
    result = shell("call", "scale", *options, input=given)
    assert (result.returncode, lines(result.stdout)) == (0, printed)


def test_lines_of_a_batch_are_sent_together(shell: Shell) -> None:
    given = '{"value": 1}\n{"value": 2}\n{"value": 3}\n'
    errors = shell("call", "scale", "--batch", "2", input=given).stderr
    assert errors.splitlines() == ['info: scaling {"rows":2}', 'info: scaling {"rows":1}']


@pytest.mark.parametrize("make", [pa.ipc.new_stream, pa.ipc.new_file], ids=["stream", "file"])
@pytest.mark.parametrize("format", ["json", "arrow"])
def test_an_exchange_of_arrow(shell: Shell, tmp_path: Path, make: Any, format: str) -> None:
    (tmp_path / "values").write_bytes(ipc(pa.table({"value": [1.0, 2.0]}), make))
    result = shell("call", "scale", "--input", "values", "--format", format, text=False)
    assert result.returncode == 0
    if format == "json":
        assert lines(result.stdout.decode()) == [{"value": 2.0}, {"value": 4.0}]
    else:
        assert pa.ipc.open_stream(result.stdout).read_all().to_pydict() == {"value": [2.0, 4.0]}


def test_metadata_travels_with_arrow_and_is_told_with_json(shell: Shell) -> None:
    sink = io.BytesIO()
    batch = pa.record_batch({"value": [1.0]})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch, pa.KeyValueMetadata({"k": "v"}))
    result = shell("call", "scale", "--format", "arrow", input=sink.getvalue(), text=False)
    _, metadata = pa.ipc.open_stream(result.stdout).read_next_batch_with_custom_metadata()
    assert dict(metadata) == {b"k": b"v"}
    result = shell("call", "scale", input=sink.getvalue(), text=False)
    assert b'metadata: {"k":"v"}' in result.stderr.splitlines()


def test_json_rows_come_back_as_they_were(shell: Shell) -> None:
    row = {"at": "2026-01-02 03:04:05.000006Z", "raw": "AP8=", "price": "12.50"}
    result = shell("call", "same", input=json.dumps(row))
    assert (result.returncode, lines(result.stdout)) == (0, [row])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"valeu": 1}', ["there is no column 'valeu'", "value: double"]),
        ('{"value": "much"}', ["column 'value' is double"]),
        ("{", ["no JSON"]),
        ('{"value": 1e999}', ["the number 1e999 is too large"]),
        ('{"value": 1, "value": 2}', ["the key 'value' is there twice"]),
        ("7", ["a row is a JSON object, not 7"]),
    ],
)
def test_a_bad_line_is_named_and_what_came_before_stays(shell: Shell, line: str, words: list[str]) -> None:
    result = shell("call", "scale", input=f'{{"value": 1}}\n{line}\n{{"value": 2}}\n')
    assert (result.returncode, lines(result.stdout)) == (64, [{"value": 2.0}])
    last = result.stderr.splitlines()[-1]
    assert all(word in last for word in ["line 2 of the input", *words]), last


def test_a_closed_standard_input(services_command: list[str], tmp_path: Path) -> None:
    """As `<&-` of a shell leaves it."""
    command = [sys.executable, "-c", CLOSED, *services_command, "call", "scale", *SERVICE]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=60)
    assert result.returncode == 64
    assert "standard input is closed: give --input FILE" in result.stderr


CLOSED = "import os, sys; os.close(0); os.execvp(sys.argv[1], sys.argv[1:])"


def test_arrow_that_does_not_fit(shell: Shell) -> None:
    result = shell("call", "scale", input=ipc(pa.table({"other": [1]})), text=False)
    assert result.returncode == 1
    assert b"arrow-sidecar: invalid_input: " in result.stderr


def test_arrow_that_is_cut(shell: Shell) -> None:
    result = shell("call", "scale", input=ipc(pa.table({"value": [1.0]}))[:20], text=False)
    assert result.returncode == 64
    assert b"the input is no Arrow IPC stream" in result.stderr


# -- live --------------------------------------------------------------------------------------------------------


def test_each_answer_is_there_before_the_next_line_is_written(start: Any) -> None:
    process = start("call", "scale")
    for value in (1, 2, 3):
        process.stdin.write(f'{{"value": {value}}}\n')
        assert process.stderr.readline() == 'info: scaling {"rows":1}\n'
        assert json.loads(process.stdout.readline()) == {"value": 2.0 * value}
    process.stdin.close()
    assert process.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize(
    ("arguments", "given", "begun"),
    [
        (["endless"], "", "stdout"),
        (["wait"], "", "stderr"),
        (["scale"], '{"value": 1}\n', "stdout"),
    ],
    ids=["producer", "unary", "exchange that waits for input"],
)
def test_ctrl_c(start: Any, arguments: list[str], given: str, begun: str) -> None:
    process = start("call", *arguments)
    process.stdin.write(given)
    process.stdin.flush()
    getattr(process, begun).readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert arguments != ["endless"] or "endless closed: cancel" in errors


@pytest.mark.parametrize("format", ["json", "table", "arrow"])
def test_a_reader_that_has_enough(services_command: list[str], format: str) -> None:
    command = [*services_command, "call", "endless", "--format", format, *SERVICE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(TIMEOUT_S) == 0
    assert errors == b"endless closed: cancel\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full: no disk to be full")
@pytest.mark.parametrize(
    "arguments", [["call", "count", "n=3"], ["call", "count", "n=3", "--format", "arrow"], ["describe"]]
)
def test_a_full_disk(services_command: list[str], arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        command = [*services_command, *arguments, *SERVICE]
        settings: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "env": environment()}
        result = subprocess.run(command, stdout=full, timeout=TIMEOUT_S, check=False, **settings)
    assert result.returncode == 1
    assert "arrow-sidecar: No space left on device" in result.stderr.splitlines()
    assert "Traceback" not in result.stderr


def test_no_polars() -> None:
    """Its import takes longer than all else that a call does."""
    code = "import sys, sidecar.commands.call, sidecar.commands.describe; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=TIMEOUT_S, check=False).returncode == 0
