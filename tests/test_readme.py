"""The README says what the code does: its example runs, its commands, options, methods and exit codes exist."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.protocol.hello import METHODS
from sidecar.runtime import exit_codes

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_as_it_stands() -> None:
    example = python_block("import pyarrow as pa\nfrom sidecar.client")
    run = subprocess.run([sys.executable, "-P", "-c", example], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "3 ['city: string', 'degrees: double']",
        "{'city': ['Lima', 'Oslo', 'Pune'], 'degrees': [19.0, 3.5, None]} 3 of 3",
        "{'city': ['Lima'], 'degrees': [19.0]}",
        "unknown_column ['city', 'degrees']",
    ]


def test_the_tables_example_runs_as_it_stands(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", python_block("from pathlib import Path")) == [
        "[{'id': 1, 'city': 'Oslo', 'degrees': 3.5}]",
        "degrees 3.5 10.833333333333334 0 [(3.5, 3.5, 1), (8.0, 8.0, 1), (21.0, 21.0, 1)]",
        "[{'city': 'Lima', 'warmer': 2.0}, {'city': 'Oslo', 'warmer': 0.0}]",
        "Counts(left_only=1, right_only=1, changed=1, equal=1) ['degrees']",
        "1 ['city,warmer', '\"Lima\",2.0']",
        "3",
    ]


def python_block(beginning: str) -> str:
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", README, re.S) if code.startswith(beginning)]
    return str(block)


IMPORTS = "from dataclasses import dataclass\nfrom typing import Protocol\n\nimport pyarrow as pa\n"


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """A folder with the README's service."""
    (tmp_path / "counter.py").write_text(python_block(f"{IMPORTS}from sidecar import CallContext"), encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_service_is_called_with_one_command(counter: Path) -> None:
    squares = ['{"number":0,"square":0}', '{"number":1,"square":1}', '{"number":2,"square":4}']
    assert run(counter, "counter.py", "call", "squares", "stop=3") == squares
    assert run(counter, "counter.py", "call", "total", "values=[1,2.5]", "scale=2") == ["7.0"]


def test_the_service_is_called_from_python(counter: Path) -> None:
    batches = ["{'number': [0], 'square': [0]}", "{'number': [1], 'square': [1]}", "{'number': [2], 'square': [4]}"]
    assert run(counter, "-c", python_block("import sys")) == ["7.0", *batches, "3"]


def test_the_exchange_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "scaler.py").write_text(python_block(f"{IMPORTS}from sidecar import AnnotatedBatch"), encoding="utf-8")
    assert run(tmp_path, "scaler.py") == ["3.0", "{'value': [3.0, 6.0]}"]


def test_the_commands_print_what_is_shown(sidecar_command: list[str]) -> None:
    (block,) = re.findall(r"```console\n(.*?)```", README, re.S)
    for command, *lines in (part.splitlines() for part in block.split("$ arrow-sidecar ")[1:]):
        printed = iter(on_terminal([*sidecar_command, *shlex.split(command)]))
        assert all(line in printed for line in lines if line != "…"), command


def on_terminal(command: list[str]) -> list[str]:
    """What a command prints on a terminal of 100 columns, in the folder of the flights."""
    data = Path(__file__).parents[1] / "sidecar" / "commands" / "data"
    controller, terminal = pty.openpty()
    env = {**os.environ, "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, cwd=data, env=env, stdin=subprocess.DEVNULL, stdout=terminal) as process:
        os.close(terminal)
        with open(controller, "rb", buffering=0) as screen:
            text = b"".join(iter(lambda: _piece(screen), b""))
    assert process.returncode == 0
    return text.decode().splitlines()


def _piece(screen: Any) -> bytes:
    try:
        return bytes(screen.read(65536))
    except OSError:  # EIO: how Linux says that nobody has the terminal open any more
        return b""


def test_every_method_is_in_the_table() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    assert set(METHODS) <= {name for row in rows for name in re.findall(r"`([a-z/]+)`", row)}


def test_every_option_of_serve_is_named(sidecar_command: list[str]) -> None:
    command = [*sidecar_command, "serve", "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    offered = set(re.findall(r"--[a-z-]+", help_text)) - {"--help", "--log-level"}
    (block,) = re.findall(r"arrow-sidecar serve  .*?\n(.*?)    arrow-sidecar", README, re.S)
    assert offered == set(re.findall(r"--[a-z]+(?:-[a-z]+)*", block))


def test_the_exit_codes() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")}
    (paragraph,) = re.findall(r"Exit codes of `serve`:(.*?)\n\n", README, re.S)
    assert {int(code) for code in re.findall(r"\b\d+\b(?![.] )(?! s)", paragraph.replace("1.8 s", ""))} == codes
