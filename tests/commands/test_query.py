"""`arrow-sidecar query` as a person meets it: what tables are called, what is printed where, every mistake."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from sidecar.commands.mistake import Mistake
from sidecar.commands.query import pointing
from sidecar.commands.table_names import NamedFile, identifier, named_files

from .conftest import TIMEOUT_S, Shell, Shown, environment, everything

PEOPLE = pa.table({"name": ["Ada", "Bo", None], "age": [36, 41, 29]})
PETS = pa.table({"owner": ["Ada", "Ada", "Bo"], "pet": ["cat", "東京", "\x1b[31mdog"]})


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """What the queries read."""
    pq.write_table(PEOPLE, tmp_path / "people.parquet")
    pq.write_table(PETS, tmp_path / "my pets.parquet")
    pq.write_table(pa.table({"n": range(1000)}), tmp_path / "numbers.parquet")
    (tmp_path / "2024.csv").write_text("name,born\nAda,1988\n", encoding="utf-8")
    (tmp_path / "people.csv").write_text("name,born\nAda,1988\n", encoding="utf-8")
    (tmp_path / "a=b.csv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "notes").write_text("x,y\n1,2\n", encoding="utf-8")


@pytest.fixture
def query(shell: Shell) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A query and its files."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        result = shell("query", *arguments, target=(), **options)
        assert "Traceback" not in str(result.stderr)
        return result

    return run


# -- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("flights", "flights"),
        ("Flights_2", "Flights_2"),
        ("my flights (1)", "my_flights__1_"),
        ("2024", "_2024"),
        ("a.b", "a_b"),
        ("", "_"),
        ("日本", "日本"),
        ("cafe\u0301", "café"),
        ("x²", "x_"),
        ("a\x1b[2J", "a__2J"),
    ],
    ids=ascii,
)
def test_a_stem_becomes_a_name_that_needs_no_quotes(stem: str, name: str) -> None:
    assert identifier(stem) == name


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["a/x.csv"], ["x"]),
        (["a/x.csv", "b/x.csv", "c/X.csv"], ["x", "x_2", "X_3"]),
        (["x.csv", "x_2.csv", "y/x.csv"], ["x", "x_2", "x_3"]),
        (["x.csv", "x=y.csv"], ["x_2", "x"]),
        (["x=a=b.csv"], ["x"]),
        (["1=b.csv"], ["_1_b"]),
        ([".csv"], ["_csv"]),
    ],
    ids=" ".join,
)
def test_each_file_has_a_name_of_its_own(arguments: list[str], names: list[str]) -> None:
    assert [file.name for file in named_files(arguments)] == names


def test_a_file_with_an_equals_sign_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_files(["a=b.csv", "a=people.csv"]) == [
        NamedFile("a_b", "a=b.csv", is_renamed=True),
        NamedFile("a", "people.csv", is_renamed=False),
    ]


def test_a_name_given_twice() -> None:
    with pytest.raises(Mistake, match="two tables are named 'X'"):
        named_files(["x=a.csv", "X=b.csv"])


# -- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "printed", "said"),
    [
        (
            ["SELECT name, age FROM people WHERE age > 30 ORDER BY age DESC", "people.parquet"],
            "name  age\n----  ---\nBo     41\nAda    36\n",
            "",
        ),
        (["SELECT max(age) AS m FROM self", "people.parquet"], " m\n--\n41\n", ""),
        (["SELECT max(age) AS m FROM p", "p=people.parquet"], " m\n--\n41\n", ""),
        (
            ["SELECT born, pet FROM my_pets JOIN _2024 ON owner = name", "my pets.parquet", "2024.csv"],
            "born  pet\n----  -----------\n1988  cat\n1988  東京\n",
            "note: my pets.parquet is the table my_pets\nnote: 2024.csv is the table _2024\n",
        ),
        (
            ["SELECT born FROM people AS a JOIN people_2 AS b ON a.name = b.name", "people.parquet", "people.csv"],
            "born\n----\n1988\n",
            "note: people.csv is the table people_2\n",
        ),
        (["SELECT y FROM notes", "notes", "--input-format", "csv"], "y\n-\n2\n", ""),
        (["SELECT n FROM numbers WHERE n < 0", "numbers.parquet"], "n\n-\n", ""),
        (["SELECT name FROM people WHERE name IS NULL", "people.parquet"], "name\n----\nnull\n", ""),
        (
            ["SELECT n FROM numbers", "numbers.parquet", "--rows", "1"],
            "n\n-\n0\n",
            "1 of 1,000 rows; --rows 0 shows all\n",
        ),
    ],
    ids=["rows", "self", "named", "stems", "same stem", "format", "no rows", "null", "limit"],
)
def test_what_is_printed(query: Any, arguments: list[str], printed: str, said: str) -> None:
    result = query(*arguments)
    expected = printed.replace("pet\n----  -----------", "pet\n----  ----")
    assert (result.stdout, result.stderr, result.returncode) == (expected, said, 0)


def test_a_pipe_gets_all_rows(query: Any) -> None:
    lines = query("SELECT n, n AS m FROM numbers", "numbers.parquet").stdout.splitlines()
    assert [line.split() for line in lines[2:]] == [[str(n), str(n)] for n in range(1000)]


def test_a_pipe_gets_every_cell_whole(query: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({f"c{index}": ["x" * 5000] for index in range(9)}), tmp_path / "wide.parquet")
    assert query("SELECT * FROM wide", "wide.parquet").stdout.splitlines()[2].split() == ["x" * 5000] * 9


def test_a_query_from_standard_input(query: Any) -> None:
    given = "-- a comment\nSELECT count(*) AS n\nFROM people"
    assert query("-", "people.parquet", input=given).stdout == "n\n-\n3\n"


@pytest.mark.parametrize("mode", ["eager", "lazy"])
def test_both_modes(query: Any, mode: str) -> None:
    assert query("SELECT count(*) AS n FROM people", "people.parquet", "--mode", mode).stdout == "n\n-\n3\n"


def test_a_terminal_gets_some_rows(on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("query", "SELECT n FROM numbers", "numbers.parquet")
    assert (shown.exit_code, shown.errors) == (0, "")
    assert shown.lines == ["  n", "---"][1:] or shown.lines[2:] == [
        *(f"{n}".rjust(len(shown.lines[1])) for n in range(20)),
        "20 of 1,000 rows; --rows 0 shows all",
    ]


def test_a_terminal_gets_all_rows_where_asked(on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("query", "SELECT n FROM numbers", "numbers.parquet", "--rows", 0)
    assert len(shown.lines) == 1002


def test_values_do_not_steer_the_terminal(on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("query", 'SELECT pet, pet AS "\x1b[2J" FROM p', "p=my pets.parquet")
    assert "\x1b" not in shown.text
    assert "\\x1b[31mdog" in shown.text
    assert "\\x1b[2J" in shown.lines[0]


# -- formats -----------------------------------------------------------------------------------------------------

ROWS = [{"name": "Ada", "age": 36}, {"name": "Bo", "age": 41}, {"name": None, "age": 29}]
READ: dict[str, Callable[[bytes], Any]] = {
    "csv": lambda data: pc.read_csv(io.BytesIO(data)).num_rows,
    "tsv": lambda data: data.decode().splitlines()[1].split("\t"),
    "ndjson": lambda data: [json.loads(line) for line in data.splitlines()],
    "json": json.loads,
    "arrow": lambda data: pa.ipc.open_stream(data).read_all().to_pylist(),
    "parquet": lambda data: pq.read_table(io.BytesIO(data)).to_pylist(),
}
GIVEN = {"csv": 3, "tsv": ['"Ada"', "36"]}


@pytest.mark.parametrize("format", READ)
def test_a_format_on_standard_output(query: Any, format: str) -> None:
    result = query("SELECT name, age FROM people", "people.parquet", "--format", format, text=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert READ[format](result.stdout) == GIVEN.get(format, ROWS)


FILES = {
    "out.csv": "csv",
    "out.ndjson": "ndjson",
    "out.jsonl": "ndjson",
    "out.json": "json",
    "out.parquet": "parquet",
    "OUT.PARQUET": "parquet",
    "out.arrows": "arrow",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file(query: Any, tmp_path: Path, name: str) -> None:
    result = query("SELECT name, age FROM people", "people.parquet", "--output", name)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.startswith(f"{name}: 3 rows, ")
    format = FILES[name]
    assert READ[format]((tmp_path / name).read_bytes()) == GIVEN.get(format, ROWS)


@pytest.mark.parametrize("name", ["out.arrow", "out.feather", "out"])
def test_an_arrow_file(query: Any, tmp_path: Path, name: str) -> None:
    query("SELECT name, age FROM people", "people.parquet", "--output", name, "--format", "arrow")
    assert pa.ipc.open_file(tmp_path / name).read_all().to_pylist() == ROWS


def test_a_file_is_replaced_where_asked(query: Any, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old", encoding="utf-8")
    assert query("SELECT age FROM people", "people.parquet", "--output", "out.csv", "--overwrite").returncode == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").split() == ["age", "36", "41", "29"]


def test_bytes_are_not_written_to_a_terminal(on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("query", "SELECT 1", "people.parquet", "--format", "parquet")
    assert (shown.exit_code, shown.text) == (64, "")
    assert "give --output FILE, or a pipe" in shown.errors


# -- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 64, "required: QUERY"),
        (["SELECT 1"], 64, "there is no file to query"),
        (["SELECT 1", "missing.parquet"], 1, "file_not_found: "),
        (["SELECT 1", "."], 1, "not_a_file: "),
        (["SELECT 1", "notes"], 1, "unknown_format: "),
        (["SELECT 1", "people.csv", "--mode", "lazy"], 1, "lazy_unsupported: "),
        (["SELECT 1", "x=people.csv", "x=2024.csv"], 64, "two tables are named 'x'"),
        (["SELECT 1", "people.csv", "--format", "xml"], 64, "invalid choice: 'xml'"),
        (["SELECT 1", "people.csv", "--rows", "3", "--format", "csv"], 64, "write LIMIT into the query"),
        (["SELECT 1", "people.csv", "--rows", "3", "--output", "x.csv"], 64, "write LIMIT into the query"),
        (["SELECT 1", "people.csv", "--overwrite"], 64, "--overwrite is for --output FILE"),
        (["SELECT 1", "people.csv", "--output", "x.xlsx"], 64, "the extension of 'x.xlsx' says no format"),
        (["SELECT 1", "people.csv", "--output", "x.csv", "--format", "table"], 64, "--format table is for people"),
        (["SELECT 1", "people.csv", "--output", "people.csv"], 1, "'people.csv' is there already: give --overwrite"),
        (["SELECT 1", "people.csv", "--output", "."], 64, "the extension of '.' says no format"),
        (["SELECT 1", "people.csv", "--output", ".", "--format", "csv"], 1, "'.' is a directory"),
        (["SELECT 1", "people.csv", "--output", "no/x.csv"], 1, "to write 'x.csv' into"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_sentence(query: Any, arguments: list[str], code: int, words: str) -> None:
    result = query(*arguments)
    *usage, last = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (code, "")
    assert all(line.startswith(("usage:", " ")) for line in usage)
    assert words in last


@pytest.mark.parametrize(
    ("text", "words", "line", "place"),
    [
        ("SELECT nam FROM people", "there is no column 'nam'", "line 1: SELECT nam FROM people", "nam"),
        ("SELECT *\nFROM peopel", "there is no table 'peopel'", "line 2: FROM peopel", "peopel"),
        ("SELECT age > > 3", "the query is no SQL", "line 1: SELECT age > > 3", "> 3"),
        ("SELECT '東京', nam FROM people", "there is no column 'nam'", "line 1: SELECT '東京', nam FROM people", "nam"),
    ],
    ids=["column", "table", "syntax", "wide characters"],
)
def test_a_mistake_in_the_query_shows_the_place(query: Any, text: str, words: str, line: str, place: str) -> None:
    result = query(text, "people.parquet")
    said, shown, caret = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (1, "")
    assert said.startswith("arrow-sidecar: ")
    assert words in said
    assert shown == line
    before = line[: line.rindex(place)]
    assert caret == " " * (len(before) + before.count("東") + before.count("京")) + "^"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("one line", "one line"),
        ("two\nlines", "two\nlines"),
        ("a\nb c\n  ^", "a\nb c\n  ^"),
        ("a\n\tc\n\t^", "a\n\\tc\n  ^"),
        ("a\n\x1bc\n ^", "a\n\\x1bc\n    ^"),
        ("a\n東c\n ^", "a\n東c\n  ^"),
    ],
    ids=ascii,
)
def test_the_caret_stands_under_its_place(message: str, shown: str) -> None:
    assert pointing(message) == shown


# -- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["table", "csv", "json", "parquet"])
def test_a_reader_that_has_enough(sidecar_command: list[str], tmp_path: Path, format: str) -> None:
    pq.write_table(pa.table({"n": range(3_000_000)}), tmp_path / "many.parquet")
    command = [*sidecar_command, "query", "SELECT n FROM many", "many.parquet", "--format", format]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, cwd=tmp_path, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(TIMEOUT_S) == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full: no disk to be full")
@pytest.mark.parametrize("format", ["table", "csv"])
def test_a_full_disk(query: Any, format: str) -> None:
    with open("/dev/full", "wb") as full:
        settings: dict[str, Any] = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
        result = query("SELECT n FROM numbers", "numbers.parquet", "--format", format, **settings)
    assert (result.returncode, result.stderr) == (1, "arrow-sidecar: No space left on device\n")


LONG = "SELECT count(*) FROM many a CROSS JOIN many b WHERE (a.n * 7 + b.n) % 11 = 3"


def test_ctrl_c(sidecar_command: list[str], tmp_path: Path) -> None:
    """While a query runs whose answer would take minutes."""
    pq.write_table(pa.table({"n": range(300_000)}), tmp_path / "many.parquet")
    controller, terminal = pty.openpty()
    command = [*sidecar_command, "query", LONG, "many.parquet"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, cwd=tmp_path, env=environment()
    ) as process:
        os.close(terminal)
        said = b""
        while b"querying" not in said:
            said += os.read(controller, 65536)
        process.send_signal(signal.SIGINT)
        with open(controller, "rb", buffering=0) as screen:
            said += everything(screen)
        assert process.wait(TIMEOUT_S) == 130
    assert said.endswith(b"\r\x1b[K")
    assert b"Traceback" not in said
