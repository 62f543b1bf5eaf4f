"""The command line as a person meets it: what it prints, where, and with which exit code; never a traceback."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from sidecar.client.spawn import default_command
from sidecar.version import PROTOCOL_VERSION, VERSION

PEOPLE = pa.table({"name": ["Ada", "Bo", None], "age": [36, 41, 29]})

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(sidecar_command: list[str], tmp_path: Path) -> Run:
    """Runs a command in an empty directory."""
    return runner(sidecar_command, tmp_path)


def runner(program: list[str], folder: Path) -> Run:
    """The same, of a sidecar that `program` starts in `folder`."""

    def call(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [*program, *map(str, arguments)]
        settings = {"capture_output": True, "text": True, "cwd": folder, "timeout": 120, "check": False, **options}
        result = subprocess.run(command, **settings)
        assert "Traceback" not in f"{result.stdout}{result.stderr}"
        return result

    return call


def write(path: Path) -> Path:
    """PEOPLE in the format that the extension names."""
    match path.suffix:
        case ".parquet":
            pq.write_table(PEOPLE, path)
        case ".feather":
            feather.write_feather(PEOPLE, path)
        case ".csv":
            path.write_text("name,age\nAda,36\nBo,41\n,29\n", encoding="utf-8")
        case ".ndjson":
            rows = PEOPLE.to_pylist()
            path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"arrow-sidecar {VERSION} (protocol {PROTOCOL_VERSION})\n"
    document = json.loads(run("--version", "--json").stdout)
    assert (document["version"], document["protocol_version"]) == (VERSION, PROTOCOL_VERSION)


def test_alone_it_prints_help(run: Run) -> None:
    result = run()
    assert result.returncode == 0
    assert all(word in result.stdout for word in ("serve", "inspect", "query", "doctor"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serv"], "invalid choice: 'serv'"),
        (["serve", "--memory-limit", "lots"], "'lots' is no size"),
        (["serve", "--memory-limit", "-1"], "argument --memory-limit"),
        (["serve", "--memory-limit", ""], "is no size"),
        (["serve", "--allow-path", ""], "'' is no directory"),
        (["serve", "--what"], "unrecognized arguments: --what"),
        (["inspect"], "the following arguments are required: FILE"),
        (["inspect", "x", "--rows", "ten"], "'ten' is no number"),
        (["--multiprocessing-fork", "x"], "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_is_64(run: Run, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (64, "")
    assert words in result.stderr


def test_serve_on_a_terminal_says_what_it_is_for(sidecar_command: list[str]) -> None:
    controller, terminal = pty.openpty()
    try:
        result = subprocess.run(
            [*sidecar_command, "serve"],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(controller)
        os.close(terminal)
    assert result.returncode == 64
    assert "standard input is a terminal" in result.stderr
    assert "arrow-sidecar inspect FILE" in result.stderr


@pytest.mark.parametrize("extension", [".parquet", ".feather", ".csv", ".ndjson"])
def test_inspect_shows_schema_statistics_and_rows(run: Run, tmp_path: Path, extension: str) -> None:
    result = run("inspect", write(tmp_path / f"people{extension}"))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"people{extension}: " in result.stdout
    assert "3 rows x 2 columns" in result.stdout
    assert "Ada" in result.stdout
    assert "35.3333" in result.stdout  # the mean age


def test_inspect_as_json(run: Run, tmp_path: Path) -> None:
    document = json.loads(run("inspect", write(tmp_path / "people.parquet"), "--json", "--rows", 2).stdout)
    assert document["head"] == PEOPLE.to_pylist()[:2]
    assert [(s["column"], s["null_count"], s["max"]) for s in document["stats"]] == [("name", 1, "Bo"), ("age", 0, 41)]


def test_inspect_reads_in_pieces(run: Run, tmp_path: Path) -> None:
    result = run("inspect", write(tmp_path / "people.parquet"), "--mode", "lazy")
    assert "3 rows x 2 columns" in result.stdout


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("missing.csv", None, "file_not_found"),
        (".", None, "not_a_file"),
        ("empty.csv", b"", "empty_file"),
        ("cut.parquet", b"PAR1 and no more", "invalid_file"),
        ("book.xlsx", b"PK\x03\x04 and so on", "unknown_format"),
        ("notes", b"some words\n", "unknown_format"),
    ],
)
def test_inspect_of_what_is_no_table(run: Run, tmp_path: Path, name: str, content: bytes | None, kind: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = run("inspect", tmp_path / name)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"arrow-sidecar: {kind}: ")


@pytest.mark.parametrize("rows", ["0", "-1"])
def test_inspect_with_an_odd_number_of_rows(run: Run, tmp_path: Path, rows: str) -> None:
    result = run("inspect", write(tmp_path / "people.csv"), "--rows", rows)
    assert result.returncode == (0 if rows == "0" else 64)


def test_inspect_into_a_pipe_that_closes(sidecar_command: list[str], tmp_path: Path) -> None:
    path = write(tmp_path / "people.csv")
    process = subprocess.Popen(
        [*sidecar_command, "inspect", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors


def test_doctor(run: Run) -> None:
    result = run("doctor", env={**os.environ, "LD_PRELOAD": ""})
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("all is well\n")
    for word in (VERSION, "pyarrow", "max payload", "ping", "pipes", "LD_PRELOAD", "exit code 0"):
        assert word in result.stdout


def test_demo_runs_the_main_job(tmp_path: Path) -> None:
    """From source: a frozen executable has no demo."""
    result = runner(default_command(), tmp_path)("demo")
    assert (result.returncode, result.stderr) == (0, "")
    for words in ("from a path", "as Arrow IPC bytes", "as Parquet bytes", "9,161 of 27,004 rows match"):
        assert words in result.stdout
    assert "unknown_column: there is no column 'delay'" in result.stdout


OUTPUTS = {"version": ["--version"], "help": ["--help"], "help of a command": ["inspect", "--help"], "no command": []}


@pytest.mark.parametrize("arguments", OUTPUTS.values(), ids=OUTPUTS)
def test_output_that_cannot_be_written_is_a_failure(run: Run, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        result = run(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, "arrow-sidecar: No space left on device\n")


@pytest.mark.parametrize("arguments", [*OUTPUTS.values(), ["doctor"]], ids=[*OUTPUTS, "doctor"])
def test_a_reader_that_leaves_is_none(run: Run, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run(*arguments, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_command_without_standard_error(sidecar_command: list[str], tmp_path: Path) -> None:
    """Where progress is drawn on a terminal."""
    path = write(tmp_path / "people.csv")
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *sidecar_command, "inspect", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0
    assert "3 rows x 2 columns" in result.stdout


NAMED = {
    "version": ('["--version"]', f"cities: arrow-sidecar {VERSION} (protocol {PROTOCOL_VERSION})", 0),
    "serve": ('["serve"]', "`cities serve` is started by an app", 64),
    "what to try": ('["serve"]', "To see whether it works here: cities doctor.", 64),
}


@pytest.mark.parametrize(("words", "line", "exit_code"), NAMED.values(), ids=NAMED)
def test_an_executable_goes_by_its_own_name(words: str, line: str, exit_code: int) -> None:
    """With standard input closed: it has no demo, which a frozen executable is without."""
    imports = "from sidecar.start import main; from sidecar.version import Build"
    script = f"{imports}; main({words}, build=Build('0' * 16, 'cities'))"
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-P", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == exit_code
    assert line in result.stdout + result.stderr
    assert "demo" not in result.stderr
