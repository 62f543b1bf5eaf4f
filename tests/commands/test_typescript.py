"""Generated TypeScript: what each type becomes, that names never clash, and that the compiler takes it all."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sidecar.commands.typescript import typescript

from .conftest import Shell
from .generated import DIGEST, described

CODE = typescript(described())

USE = """
import { METHOD_KINDS, METHODS_DIGEST, type Methods } from "./generated";

const digest: string = METHODS_DIGEST;
const kind: "producer" = METHOD_KINDS["Counter.count"];
const params: Methods["Counter.count"]["params"] = { n: 3 };
const more: Methods["Counter.count"]["params"] = { n: "9007199254740993", fail_at: 2 };
const row: Methods["Counter.where"]["result"] = { points: [{ x: "NaN" }] };
function total(header: Methods["Counter.count"]["header"]): number | string { return header.total; }
// @ts-expect-error: n is missing
const wrong: Methods["Counter.count"]["params"] = {};
// @ts-expect-error: no such color
const color: Methods["Counter.greet"]["params"] = { name: "x", color: "PINK" };
"""


@pytest.mark.parametrize(
    "text",
    [
        "export interface CounterAddParams {\n  a: Int64;\n  /** default 2 */\n  b?: Int64;\n}\n",
        '/** What is painted. */\nexport type Color = "RED" | "DARK_BLUE";\n',
        "export interface CounterFailParams {}\n",
        "  /**\n   * Add two numbers.\n   *\n   * The second line.\n   */\n"
        '  "Counter.add": { kind: "unary"; params: CounterAddParams; result: Int64 };\n',
        '"Counter.count": { kind: "producer"; params: CounterCountParams; header: JobHeader };\n',
        '  /**\n   * Input: value: double\n   *\n   * Output: value: double\n   */\n  "Counter.scale": '
        '{ kind: "exchange"; params: CounterScaleParams; header: null };\n',
        "/** A place; it may end with *\\/ or go over several lines. */\nexport interface Point {\n",
        "export interface Record2 {\n",  # the class is named Record, as a type that the file uses
        "  tags: Record<string, Int64>;\n",
        "  /** UUID of 36 characters */\n  job: string;\n",
        "  /** microseconds */\n  span: Int64;\n",
        "  small: number;\n",
        "  real: Float64;\n",
        "  raw: Bytes;\n",
        "  tables: ArrowStream[];\n",
        '  mode: "fast" | "slow and careful" | "";\n',
        '  mixed: "a" | 1 | null;\n',
        "  any: Json;\n",
        "  by_color: [Color, Point][];\n",
        '  untagged: boolean | number | string | { "int": Int64 };\n',
        '  tagged: { "float": Float64 } | { "int": Int64 };\n',
        "  things: (Point | null)[];\n",
        "Names joined by |: READ, WRITE.\n */\nexport type Access = string;\n",
        '  "Counter.add": "unary",\n',
    ],
)
def test_each_type(text: str) -> None:
    assert text in CODE


def test_the_digest_is_in_the_header_and_in_the_code() -> None:
    assert CODE.splitlines()[1] == f'// Methods digest: "{DIGEST}"'
    assert f'export const METHODS_DIGEST = "{DIGEST}";' in CODE


def test_a_sidecar_writes_all_fields_of_what_only_it_writes() -> None:
    header = CODE.partition("export interface JobHeader {")[2].partition("\n}")[0]
    assert "?:" not in header
    assert "note: string | null;" in header


def test_no_name_is_declared_twice() -> None:
    names = [line.split()[2] for line in CODE.splitlines() if line.startswith("export ")]
    assert len(names) == len(set(names))


def test_what_is_not_used_is_not_declared() -> None:
    methods = {"name": "A.f", "doc": "", "kind": "unary", "params": {"properties": {}}, "result": {"type": "null"}}
    service = {"name": "A", "doc": "", "methods": [{**methods, "input_schema": None, "output_schema": None}]}
    code = typescript({"methods_digest": DIGEST, "services": [service]})
    assert '"A.f": { kind: "unary"; params: AFParams; result: null };' in code
    assert not any(name in code for name in ("Int64", "Float64", "Json", "Uint8Array"))


def test_the_command_prints_it(shell: Shell) -> None:
    printed = shell("describe", "--format", "typescript", target=("--service", "tests.peers.service:make")).stdout
    assert re.sub('"[0-9a-f]{16}"', f'"{DIGEST}"', printed) == CODE


def test_the_compiler_takes_it(tmp_path: Path) -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("there is no tsc on the PATH: what is generated was not compiled")
    (tmp_path / "generated.ts").write_text(CODE, encoding="utf-8")
    (tmp_path / "use.ts").write_text(USE, encoding="utf-8")
    command = [compiler, "--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution"]
    result = subprocess.run(
        [*command, "bundler", "use.ts"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")
