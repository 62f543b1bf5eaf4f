"""The README says what the code does: its example runs, its commands, options, methods and exit codes exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sidecar.protocol.hello import METHODS
from sidecar.runtime import stopping

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_as_it_stands() -> None:
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "Host.spawn" in code]
    run = subprocess.run([sys.executable, "-P", "-c", example], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "3 ['city: string', 'degrees: double']",
        "{'city': ['Lima', 'Oslo', 'Pune'], 'degrees': [19.0, 3.5, None]} 3 of 3",
        "{'city': ['Lima'], 'degrees': [19.0]}",
        "unknown_column ['city', 'degrees']",
    ]


def test_every_method_is_in_the_table() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    assert set(METHODS) <= {name for row in rows for name in re.findall(r"`([a-z/]+)`", row)}


def test_every_option_of_serve_is_named() -> None:
    command = [sys.executable, "-P", "-m", "sidecar", "serve", "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    offered = set(re.findall(r"--[a-z-]+", help_text)) - {"--help", "--log-level"}
    assert offered == set(re.findall(r"--(?:allow|memory|max|host)-[a-z]+", README))


def test_the_exit_codes() -> None:
    codes = {value for name, value in vars(stopping).items() if name.startswith("EXIT_")}
    (paragraph,) = re.findall(r"Exit codes of `serve`:(.*?)\n\n", README, re.S)
    assert {int(code) for code in re.findall(r"\b\d+\b(?![.] )(?! s)", paragraph.replace("1.8 s", ""))} == codes
