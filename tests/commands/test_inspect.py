"""`arrow-sidecar inspect` as a person meets it: what fits which terminal, one column in depth, files that are nasty."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.client.spawn import default_command
from sidecar.commands.cells import width
from sidecar.commands.distributions import share, short_share

from .conftest import TIMEOUT_S, Shell, Shown, environment, everything, runner_on_terminal

FLIGHTS = Path(__file__).parents[2] / "sidecar" / "commands" / "data" / "flights.parquet"
BEGAN = datetime(2026, 1, 1)

MIXED = pa.table(
    {
        "number": [*range(99), None],
        "steps": [0, 0, 1, 2] * 25,
        "peak": [0.0] * 60 + [float(value) for value in range(40)],
        "tail": [*range(99), 10**6],
        "flag": [True, False] * 50,
        "city": ["Oslo"] * 50 + ["Lima"] * 30 + ["東京"] * 20,
        "id": [f"id-{value}" for value in range(100)],
        "nothing": pa.nulls(100, pa.string()),
        "no_number": [float("nan")] * 100,
        "when": [BEGAN + timedelta(hours=value) for value in range(100)],
    }
)


@pytest.fixture
def inspect(shell: Shell) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A file and options; its output is a pipe."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        result = shell("inspect", *arguments, target=(), **options)
        assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    """MIXED as a file."""
    pq.write_table(MIXED, tmp_path / "mixed.parquet")
    return "mixed.parquet"


def columns_of(text: str) -> dict[str, str]:
    """The line of each column, under `Columns`, by the column's name."""
    lines = text.partition("\nColumns\n")[2].splitlines()[2:]
    return {line.split()[0]: line for line in lines}


# -- statistics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "words", "picture"),
    [
        ("number", "int64  1 (1.0%)", ""),
        ("steps", "int64         0", "0 50%, 1 25%, 2 25%"),
        ("flag", "bool          0", "true 50%"),
        ("city", "string         0", "Oslo 50%, Lima 30%, 東京 20%"),
        ("id", "string", "all different"),
        ("nothing", "100 (100%)", "100 (100%)         0"),
        ("no_number", "double", "NaN 100%"),
    ],
)
def test_each_column_has_a_line(inspect: Any, mixed: str, column: str, words: str, picture: str) -> None:
    line = columns_of(inspect(mixed).stdout)[column]
    assert " ".join(words.split()) in " ".join(line.split())
    assert " ".join(picture.split()) in " ".join(line.split())


@pytest.mark.parametrize("column", ["number", "when", "tail", "peak"])
def test_a_histogram_is_a_sparkline(inspect: Any, mixed: str, column: str) -> None:
    picture = columns_of(inspect(mixed).stdout)[column].split("  ")[-1]
    line, _, beside = picture.partition(" ")
    assert len(line) > 3
    assert not set(line) - set("▁▂▃▄▅▆▇█·‹›")  # noqa: RUF001
    assert line.endswith("›") == (column == "tail")  # noqa: RUF001
    assert beside == ("0.0 61%" if column == "peak" else "")


def test_figures_are_exact(inspect: Any, mixed: str) -> None:
    line = columns_of(inspect(mixed).stdout)["number"].split()
    assert line[:11] == ["number", "int64", "1", "(1.0%)", "99", "0", "24.5", "49", "49", "73.5", "98"]


def test_rows_come_first(inspect: Any, mixed: str) -> None:
    text = inspect(mixed, "--rows", 3).stdout
    assert text.index("First 3 of 100 rows") < text.index("Columns")
    assert inspect(mixed, "--rows", 0).stdout.splitlines()[2] == "Columns"


@pytest.mark.parametrize(
    ("options", "title", "first"),
    [
        (["--sort", "number:desc"], "First 2 of 100 rows", "98"),
        (["--sort", "number:asc"], "First 2 of 100 rows", "0"),
        (["--sort", "city", "--sort", "number:desc"], "First 2 of 100 rows", "79"),
        (["--search", "id-77"], "First 1 of 1 matching row of 100", "77"),
        (["--search", "Lima", "--sort", "number:desc"], "First 2 of 30 matching rows of 100", "79"),
        (["--search", "nowhere"], "No matching rows of 100", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_which_rows_are_shown(inspect: Any, mixed: str, options: list[str], title: str, first: str | None) -> None:
    lines = inspect(mixed, "--rows", 2, *options).stdout.splitlines()
    at = lines.index(title)
    assert lines[at + 3].split()[:1] == ([first] if first else [])


def test_one_column_in_depth(inspect: Any, mixed: str) -> None:
    lines = inspect(mixed, "--column", "city", "--column", "tail").stdout.splitlines()
    assert lines[2] == "city  string  100 rows"
    at = lines.index("Histogram")
    assert [line.split()[:3] for line in lines[at + 1 : at + 4]] == [
        ["Oslo", "50", "50.0%"],
        ["Lima", "30", "30.0%"],
        ["東京", "20", "20.0%"],
    ]
    bars = [line.split()[-1] for line in lines[at + 1 : at + 4]]
    assert bars == ["█" * 40, "█" * 24, "█" * 16]
    assert "tail  int64  100 rows" in lines
    assert "Most frequent" in lines
    assert any(line.startswith("  1000000 ") and " 1.0%" in line for line in lines)


def test_the_bars_hold_every_row(inspect: Any) -> None:
    lines = inspect(FLIGHTS, "--column", "dep_delay").stdout.splitlines()
    begin, end = lines.index("Histogram") + 1, lines.index("Most frequent") - 1
    counts = [line.rpartition("%")[0].split()[-2] for line in lines[begin:end]]
    assert sum(int(count.replace(",", "")) for count in counts) == 27_004 - 521


def test_json_has_it_all(inspect: Any, mixed: str) -> None:
    document = json.loads(inspect(mixed, "--json", "--rows", 1, "--sort", "number:desc").stdout)
    stats = {one["column"]: one for one in document["stats"]}
    assert document["rows"] == 100
    assert document["head"][0]["number"] == 98
    assert sum(bin["count"] for bin in stats["number"]["histogram"]["bins"]) == 99
    assert stats["city"]["most_frequent"][0] == {"value": "Oslo", "count": 50}


def test_lazy_says_the_same(inspect: Any, mixed: str) -> None:
    eager, lazy = (inspect(mixed, "--mode", mode).stdout.partition("\n")[2] for mode in ("eager", "lazy"))
    assert eager == lazy


@pytest.mark.parametrize("options", [["--column", "nmae"], ["--sort", "nmae"], ["--sort", "nmae:desc"]], ids=" ".join)
def test_an_unknown_column(inspect: Any, mixed: str, options: list[str]) -> None:
    result = inspect(mixed, *options)
    assert result.returncode == 1
    assert "arrow-sidecar: unknown_column: there is no column 'nmae'" in result.stderr


@pytest.mark.parametrize(
    ("count", "total", "long", "short"),
    [
        (0, 10, "0%", "0%"),
        (10, 10, "100%", "100%"),
        (1, 8, "12.5%", "13%"),
        (1, 10**9, "<0.1%", "<1%"),
        (10**9 - 1, 10**9, ">99.9%", ">99%"),
        (2**60 + 1, 2**61, "50.0%", "50%"),
        (0, 0, "0%", "0%"),
    ],
    ids=str,
)
def test_a_share_is_never_said_to_be_nothing_or_all(count: int, total: int, long: str, short: str) -> None:
    assert (share(count, total), short_share(count, total)) == (long, short)


# -- terminals ---------------------------------------------------------------------------------------------------


def nasty() -> pa.Table:
    """Names and values of every width, and such as steer a terminal."""
    return pa.table(
        {
            "👩\u200d🔬 emoji": ["👍", "❤\ufe0f", "🇩🇪"],
            "日本語の列名前がとても長い場合": ["東京", "大阪", "名古屋"],
            "\x1b[31mred": ["\x1b]0;title\x07", "\x9b2J", "a\nb\tc"],
            "e\u0301" + "\u0301" * 50: ["z\u0301" * 3 + "\u202eright to left"] * 3,
            "decimal": pa.array([Decimal("9" * 40), None, Decimal(1)], pa.decimal256(50, 0)),
            "list": [[1, 2, None]] * 3,
            "struct": [{"a": 1, "b": {"c": "\x1b[2J"}}] * 3,
            "bytes": [b"\x1b", b"", None],
            "long": ["x" * 100_000, "", None],
            "infinite": [float("inf"), float("-inf"), float("nan")],
            "": [1, 2, 3],
        }
    )


@pytest.mark.parametrize("columns", [1, 5, 10, 20, 40, 60, 80, 120, 200, 1000])
def test_nothing_is_wider_than_the_terminal(on_terminal: Callable[..., Shown], tmp_path: Path, columns: int) -> None:
    pq.write_table(nasty(), tmp_path / "nasty.parquet")
    shown = on_terminal("inspect", "nasty.parquet", columns=columns)
    assert (shown.exit_code, shown.errors) == (0, "")
    assert "\x1b" not in shown.text
    assert "\x9b" not in shown.text
    assert "\u202e" not in shown.text
    sentences = (shown.lines[0], "First 3 of 3 rows", "Columns")  # which may be broken anywhere
    assert max(width(line) for line in shown.lines if line not in sentences) <= columns
    assert len([line for line in shown.lines if line]) >= 3 + 3 + 2 + 11


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        (24, ["column"]),
        (60, ["column", "dtype", "distribution"]),
        (80, ["column", "dtype", "nulls", "distinct", "distribution"]),
        (120, ["column", "dtype", "nulls", "distinct", "min", "max", "distribution"]),
    ],
    ids=str,
)
def test_a_narrow_terminal_drops_figures(on_terminal: Callable[..., Shown], columns: int, heads: list[str]) -> None:
    shown = on_terminal("inspect", FLIGHTS, columns=columns)
    assert set(heads) <= set(shown.lines[shown.lines.index("Columns") + 1].split())


def test_a_terminal_says_what_it_does_not_show(on_terminal: Callable[..., Shown]) -> None:
    shown = on_terminal("inspect", FLIGHTS, columns=80)
    assert "11 more columns to the right" in shown.lines


@pytest.mark.parametrize("variables", [{"LANG": "C"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}], ids=str)
def test_ascii_alone(on_terminal: Callable[..., Shown], tmp_path: Path, variables: dict[str, str]) -> None:
    check_ascii(on_terminal, tmp_path, variables)


def test_ascii_alone_because_python_was_told_so(tmp_path: Path) -> None:
    """From source only: Python's variables mean nothing to a frozen executable."""
    check_ascii(runner_on_terminal(default_command(), tmp_path), tmp_path, {"PYTHONIOENCODING": "ascii"})


def check_ascii(on_terminal: Callable[..., Shown], tmp_path: Path, variables: dict[str, str]) -> None:
    pq.write_table(nasty().add_column(0, "n", [[1, 50, 100]]), tmp_path / "nasty.parquet")
    for arguments in (["nasty.parquet"], [FLIGHTS], [FLIGHTS, "--column", "dep_delay"], ["missing\u6771.csv"]):
        shown = on_terminal("inspect", *arguments, columns=100, **variables)
        assert shown.text.isascii()
        assert shown.errors.isascii()
    assert "\\u6771" in shown.errors


def test_a_pipe_gets_everything(inspect: Any) -> None:
    text = inspect(FLIGHTS).stdout
    head = next(line for line in text.splitlines() if line.startswith("column "))
    figures = ["nulls", "distinct", "min", "q25", "median", "mean", "q75", "max", "std"]
    assert head.split() == ["column", "dtype", *figures, "distribution"]
    assert "\x1b" not in text
    assert "time_hour" in text.splitlines()[3]


@pytest.mark.parametrize(("asked", "columns"), [("40", 40), ("0", 60), ("-5", 60), ("wide", 60), ("", 60)])
def test_columns_overrules_the_width(on_terminal: Callable[..., Shown], mixed: str, asked: str, columns: int) -> None:
    shown = on_terminal("query", "SELECT * FROM mixed", mixed, columns=60, COLUMNS=asked)
    assert columns - 25 < max(map(width, shown.lines)) <= columns


def test_columns_is_for_terminals(inspect: Any, mixed: str) -> None:
    narrow = {**environment(), "COLUMNS": "40"}
    assert inspect(mixed, env=narrow).stdout.splitlines()[2:] == inspect(mixed).stdout.splitlines()[2:]


# -- nasty files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}), "No rows"),
        (pa.table({"a": [1], "b": ["x"]}), "1 row x 2 columns"),
        (pa.table({"a": pa.nulls(5), "b": pa.nulls(5, pa.timestamp("ns"))}), "5 (100%)"),
        (pa.table({f"c{index}": [index] for index in range(500)}), "1 row x 500 columns"),
        (pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))}), '[["k",1]]'),
        (pa.table({"d": pa.array([Decimal("1" * 38), None], pa.decimal128(38, 0))}), "1" * 38),
    ],
    ids=["no rows", "one row", "nulls", "500 columns", "a map", "long decimals"],
)
def test_a_table_of_an_odd_shape(inspect: Any, tmp_path: Path, table: pa.Table, words: str) -> None:
    pq.write_table(table, tmp_path / "odd.parquet")
    result = inspect("odd.parquet")
    assert (result.returncode, result.stderr) == (0, "")
    assert words in result.stdout
    assert len(columns_of(result.stdout)) == table.num_columns


def test_a_file_name_does_not_steer_the_terminal(on_terminal: Callable[..., Shown], tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jx.csv").write_text("a,a\n1,2\n", encoding="utf-8")
    for name in ("\x1b[2Jx.csv", "\x1b[2Jmissing.csv"):
        shown = on_terminal("inspect", name)
        assert "\x1b" not in shown.text + shown.errors
        assert "\\x1b[2J" in shown.text + shown.errors


def test_ctrl_c(sidecar_command: list[str], tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [f"{value * 7919 % 3_000_017}" for value in range(3_000_000)]}), tmp_path / "a.pq")
    controller, terminal = pty.openpty()
    command = [*sidecar_command, "inspect", "a.pq"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, cwd=tmp_path, env=environment()
    ) as process:
        os.close(terminal)
        said = b""
        while b"summing up" not in said:
            said += os.read(controller, 65536)
        process.send_signal(signal.SIGINT)
        with open(controller, "rb", buffering=0) as drawn:
            said += everything(drawn)
        assert process.wait(TIMEOUT_S) == 130
    assert said.endswith(b"\r\x1b[K")
    assert b"Traceback" not in said
