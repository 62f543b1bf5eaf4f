"""Generated Rust: what each type becomes, that names never clash, and that serde reads and writes the same JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sidecar.commands.rust import rust

from .conftest import Shell
from .generated import DIGEST, described

CODE = rust(described())
SERDE = "#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]\n"


@pytest.mark.parametrize(
    "text",
    [
        f'{SERDE}pub struct CounterAddParams {{\n    pub a: Int64,\n    /// default 2\n    #[serde(default, skip_serializing_if = "Option::is_none")]\n    pub b: Option<Int64>,\n}}\n',  # noqa: E501
        '/// What is painted.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]\npub enum Color {\n    #[serde(rename = "RED")]\n    Red,\n    #[serde(rename = "DARK_BLUE")]\n    DarkBlue,\n}\n',  # noqa: E501
        "pub struct CounterFailParams {}\n",
        "/// Add two numbers.\n///\n/// The second line.\npub struct CounterAdd;\n\nimpl Method for CounterAdd {\n",
        '    const NAME: &\'static str = "Counter.add";\n    const KIND: Kind = Kind::Unary;\n'
        "    type Params = CounterAddParams;\n    type Output = Int64;\n",
        "    const KIND: Kind = Kind::Producer;\n    type Params = CounterCountParams;\n    type Output = JobHeader;\n",
        "    const KIND: Kind = Kind::Exchange;\n    type Params = CounterScaleParams;\n    type Output = ();\n",
        "    pub note: Option<String>,\n",
        "    pub tags: std::collections::BTreeMap<String, Int64>,\n    pub span: (Int64, Float64),\n",
        "    pub r#type: Option<String>,\n",
        '    #[serde(rename = "maxRows", default, skip_serializing_if = "Option::is_none")]\n    pub max_rows: ',
        '#[serde(rename = "Self")]\n    pub self_: Int64,\n    #[serde(rename = "self_")]\n    pub self_2: Int64,\n',
        "    pub r#match: Int64,\n",
        "    pub small: u8,\n    pub big: UInt64,\n",
        "    /// microseconds\n    pub span: Int64,\n",
        "    pub raw: Bytes,\n",
        "    pub mixed: Option<serde_json::Value>,\n",
        "    pub maybe: Option<Point>,\n",
        "    pub other: Option<Option<String>>,\n",
        "    pub one: (Int64,),\n    pub none: [(); 0],\n",
        "    pub by_color: Vec<(Color, Point)>,\n",
        '    #[serde(rename = "slow and careful")]\n    SlowAndCareful,\n    #[serde(rename = "")]\n    V,\n',
        '#[serde(untagged)]\npub enum TypedNestedParamsUntagged {\n    Truth(bool),\n    Integer(i64),\n    Text(String),\n    Int { #[serde(rename = "int")] value: Int64 },\n}\n',  # noqa: E501
        'pub enum TypedNestedParamsTagged {\n    #[serde(rename = "float")]\n    Float(Float64),\n    #[serde(rename = "int")]\n    Int(Int64),\n}\n',  # noqa: E501
    ],
    ids=lambda text: " ".join(re.sub(r"\W+", " ", text.removeprefix(SERDE)).split()[:4]),
)
def test_each_type(text: str) -> None:
    assert text in CODE


def test_the_digest_is_in_the_header_and_in_the_code() -> None:
    assert CODE.splitlines()[1] == f'// Methods digest: "{DIGEST}"'
    assert f'pub const METHODS_DIGEST: &str = "{DIGEST}";' in CODE


def test_no_name_is_declared_twice() -> None:
    names = re.findall(r"^pub (?:struct|enum|type|trait|const) (\w+)", CODE, re.MULTILINE)
    assert len(names) == len(set(names))


def test_what_is_not_used_is_not_declared() -> None:
    methods = {"name": "A.f", "doc": "", "kind": "unary", "params": {"properties": {}}, "result": {"type": "null"}}
    service = {"name": "A", "doc": "", "methods": [methods]}
    code = rust({"methods_digest": DIGEST, "services": [service]})
    assert "pub struct AF;" in code
    assert not any(name in code for name in ("Int64", "Float64", "Bytes", "ArrowStream", "serde_json"))


def test_the_command_prints_it(shell: Shell) -> None:
    printed = shell("describe", "--format", "rust", target=("--service", "tests.peers.service:make")).stdout
    assert re.sub('"[0-9a-f]{16}"', f'"{DIGEST}"', printed) == CODE


# -- the compiler ------------------------------------------------------------------------------------------------

MANIFEST = """
[package]
name = "generated"
version = "0.1.0"
edition = "2021"

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"
"""

MAIN = """
#[allow(dead_code)]
#[deny(warnings)]
mod generated;

fn back<M: generated::Method>() where M::Output: serde::Serialize {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let value: M::Output = serde_json::from_str(&line).unwrap();
    println!("{}", serde_json::to_string(&value).unwrap());
}

fn params<T: serde::Serialize + serde::de::DeserializeOwned>() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let value: T = serde_json::from_str(&line).unwrap();
    println!("{}", serde_json::to_string(&value).unwrap());
}

fn main() {
    back::<generated::CounterCount>();
    back::<generated::CounterWhere>();
    back::<generated::CounterAdd>();
    params::<generated::CounterAddParams>();
    params::<generated::TypedNestedParams>();
}
"""

POINT = {"x": 1.5, "y": "NaN", "self_": "me", "type": "point", "maxRows": 3}
FORMS: list[Any] = [
    {
        "total": 3,
        "description": "count",
        "began": "2026-01-02T03:04:05",
        "job": "00000000-0000-0000-0000-000000000007",
        "tags": {"a": 1},
        "span": [1, 2.0],
        "note": None,
        "either": {"int": "9007199254740993"},
    },
    {"points": [POINT], "nearest": POINT, "labels": [[7, POINT]]},
    "-9007199254740993",
    {"a": 9007199254740991},
    {
        "any": {"b": [1, None]},
        "plain_list": [1, "a"],
        "plain_dict": {"a": True},
        "many": [[1], []],
        "unique": ["a"],
        "pair": [1, "a"],
        "one": [1],
        "none": [],
        "by_name": {"a": ["-Infinity", 0.5]},
        "by_color": [["DARK_BLUE", POINT]],
        "untagged": "7",
        "tagged": {"float": "Infinity"},
        "things": [None, POINT],
        "either": POINT,
        "tables": [None],
    },
]


def cargo(arguments: list[str], cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Without the network, and within a directory."""
    env = {**os.environ, "CARGO_TARGET_DIR": str(cwd / "target"), "CARGO_NET_OFFLINE": "true", "RUSTFLAGS": ""}
    settings = {"capture_output": True, "text": True, "timeout": 120, "check": False, **options}
    return subprocess.run(["cargo", *arguments], cwd=cwd, env=env, **settings)


def test_serde_reads_and_writes_the_same_json(tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("there is no cargo on the PATH: what is generated was not compiled")
    (tmp_path / "src").mkdir()
    (tmp_path / "Cargo.toml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "src" / "main.rs").write_text(MAIN, encoding="utf-8")
    (tmp_path / "src" / "generated.rs").write_text(CODE, encoding="utf-8")
    if cargo(["generate-lockfile", "--offline"], tmp_path).returncode:
        pytest.skip("cargo has no serde and serde_json at hand: what is generated was not compiled")
    given = "".join(f"{json.dumps(form)}\n" for form in FORMS)
    result = cargo(["run", "--quiet", "--offline"], tmp_path, input=given)
    assert (result.returncode, result.stderr) == (0, "")
    assert [json.loads(line) for line in result.stdout.splitlines()] == FORMS
