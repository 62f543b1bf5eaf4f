"""`arrow-sidecar describe` as a person meets it, and how a command finds its sidecar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.commands import shapes
from sidecar.commands.mistake import Mistake
from sidecar.commands.target import split_command
from sidecar.testing import SpawnHost
from tests.conftest import ROOT, environment

from .conftest import SERVICE, TIMEOUT_S, Shell

BOTH = ("--service", "tests.peers.service:make")
PROGRAM = ROOT / "tests" / "peers" / "service.py"


def test_json_is_what_the_wire_says(shell: Shell, spawn_with_services: SpawnHost) -> None:
    host = spawn_with_services(*SERVICE)
    said = host.call("describe", {})
    printed = json.loads(shell("describe", "--format", "json").stdout)
    assert printed == {"methods_digest": host.methods_digest, **said}


@pytest.mark.parametrize(
    "block",
    [
        "Counter\n  Counts things.\n\n  And no more.\n",
        "Counter.add  (unary)\n  Add two numbers.\n    a: int\n    b: int = 2\n  returns  int\n",
        'Counter.greet  (unary)\n    name: str\n    color: "RED" | "DARK_BLUE" = "RED"\n  returns  str\n',
        "Counter.rows  (unary)\n    table: Arrow IPC\n  returns  Arrow IPC\n",
        "Counter.count  (producer)\n  Count to n.\n    n: int\n    fail_at: int = -1\n  header   JobHeader\n"
        "  output   value: int64, word: string\n",
        "Counter.scale  (exchange)\n    factor: float = 2.0\n  input    value: double\n  output   value: double\n",
        "JobHeader  (dataclass)\n  What is to come.\n    total: int\n    description: str\n    began: datetime\n"
        "    job: UUID\n    tags: dict[str, int]\n    span: tuple[int, float]\n    note: str | None = null\n"
        '    either: int | str = "x"\n',
    ],
    ids=lambda block: block.split()[0],
)
def test_table(shell: Shell, block: str) -> None:
    assert f"\n{block}\n" in f"\n{shell('describe').stdout}\n"


def test_one_service(shell: Shell) -> None:
    printed = shell("describe", "Typed", target=BOTH).stdout
    assert printed.startswith("Typed\n")
    assert "Counter" not in printed


@pytest.mark.parametrize(
    ("arguments", "target", "code", "words"),
    [
        (["Countre"], BOTH, 64, "no service 'Countre' (services: Counter, Typed)"),
        ([], (), 64, "which sidecar?"),
        (["--format", "xml"], SERVICE, 64, "invalid choice: 'xml'"),
        (["Counter", "Typed"], BOTH, 64, "unrecognized arguments: Typed"),
    ],
    ids=["unknown service", "no target", "format", "too many"],
)
def test_mistakes(shell: Shell, arguments: list[str], target: tuple[str, ...], code: int, words: str) -> None:
    result = shell("describe", *arguments, target=target)
    assert (result.returncode, result.stdout) == (code, "")
    assert words in result.stderr.splitlines()[-1]


def test_a_sidecar_without_services(shell: Shell, sidecar_command: list[str]) -> None:
    command = " ".join(f'"{word}"' for word in sidecar_command)
    assert shell("describe", target=("--cmd", command)).stdout == "no services are mounted\n"


# -- which sidecar -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [[str(PROGRAM)], ["-P", str(PROGRAM)], ["-m", "tests.peers.service"]],
    ids=["file", "file -P", "module"],
)
@pytest.mark.parametrize(
    ("arguments", "printed"),
    [(["call", "Counter.add", "a=3"], "5\n"), (["call", "count", "n=1", "--limit", "0"], '{"__header__"')],
    ids=["unary", "producer"],
)
def test_a_program_of_ones_own(tmp_path: Path, command: list[str], arguments: list[str], printed: str) -> None:
    result = run([*command, *arguments], tmp_path)
    assert (result.returncode, result.stdout[: len(printed)]) == (0, printed)


def test_a_program_of_ones_own_beside_its_modules(tmp_path: Path) -> None:
    (tmp_path / "numbers_of_mine.py").write_text("STEP = 7\n", encoding="utf-8")
    (tmp_path / "program.py").write_text(OWN_PROGRAM, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run(["../program.py", "call", "step"], elsewhere).stdout == "7\n"
    assert run(["../program.py", "describe"], elsewhere).stdout.startswith("Stepper\n\nStepper.step  (unary)\n")
    assert run(["-m", "program", "call", "step"], tmp_path).stdout == "7\n"


def test_a_program_of_ones_own_names_itself_in_its_usage(tmp_path: Path) -> None:
    result = run([str(PROGRAM), "call"], tmp_path)
    assert result.returncode == 64
    assert result.stderr.startswith("usage: service.py call ")


def run(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python on some arguments."""
    command = [sys.executable, *arguments]
    settings: dict[str, Any] = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    return subprocess.run(command, cwd=cwd, timeout=TIMEOUT_S, check=False, env=environment(), **settings)


OWN_PROGRAM = """
from typing import Protocol
from numbers_of_mine import STEP
from sidecar import Sidecar

class Stepper(Protocol):
    def step(self) -> int: ...

class Mine:
    def step(self) -> int:
        return STEP

if __name__ == "__main__":
    Sidecar().mount(Stepper, Mine()).run()
"""


@pytest.mark.parametrize(
    ("text", "is_windows", "words"),
    [
        ("python service.py", False, ["python", "service.py"]),
        ("'/my apps/python' service.py", False, ["/my apps/python", "service.py"]),
        (r"/my\ apps/python a#b", False, ["/my apps/python", "a#b"]),
        (r'"C:\my apps\python.exe" C:\service.py', True, [r"C:\my apps\python.exe", r"C:\service.py"]),
    ],
)
def test_a_command_is_split_as_a_shell_does(text: str, is_windows: bool, words: list[str]) -> None:
    assert split_command(text, is_windows) == words


def test_a_command_that_no_shell_would_take() -> None:
    with pytest.raises(Mistake, match="no closing quotation"):
        split_command('python "service.py', False)


# -- schemas -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "any"),
        ({"type": "something new"}, "any"),
        ({"type": "array"}, "list[any]"),
        ({"type": "object"}, "dict[str, any]"),
        ({"type": "array", "minItems": 0, "maxItems": 0}, "tuple[()]"),
        ({"enum": [1, "a", None]}, '1 | "a" | null'),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "str | None"),
        ({"type": ["integer", "string"], "x-arrow": "uint8"}, "int (uint8)"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_schema_as_its_author_may_have_written_it(schema: dict[str, Any], text: str) -> None:
    assert shapes.text(shapes.read(schema)) == text
