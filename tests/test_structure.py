"""The shape of the project: which way imports point, what the start imports, that names mean one thing everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sidecar

PACKAGE = Path(sidecar.__file__).parent
ROOT = PACKAGE.parent
SERVICE_NEEDS = {
    "protocol.errors",
    "protocol.methods",
    "wire.limits",
    "wire.payload",
    "version",
}
ALLOWED = {
    "phases": set(),
    "version": set(),
    "wire": {"wire"},
    "protocol": {"wire", "protocol", "version"},
    "runtime": {"wire", "protocol", "runtime"},
    "services": {"services", "streams.tokens", *SERVICE_NEEDS},
    "streams": {
        "streams",
        "protocol.streams",
        "services.compute",
        "services.plain",
        "services.producers",
        "services.sink",
        *SERVICE_NEEDS,
    },
    "client": {"client", "services", "streams", "protocol", "wire", "runtime.platform", "runtime.readiness", "version"},
    "testing": {"client"},
    "commands": {"commands", "client", "services", "streams", "wire", "version", "phases"},
    "mount": {"streams", "protocol.hello", "start"},
    "app": {"runtime", "services", "streams", "protocol", "wire", "mount", "phases"},
    "pipe": {"app", "client", "mount", "runtime"},
    "serve_options": {"commands.argument_types", "protocol.hello"},
    "serving": {"app", "mount", "protocol.hello", "runtime", "wire", "version", "phases"},
    "cli": {"serving", "serve_options", "commands", "client", "mount", "version"},
    "start": {"serving", "serve_options", "cli", "mount", "version", "phases"},
    "__main__": {"start"},
    "__init__": {"client", "mount", "pipe", "protocol.errors", "streams"},
}
"""Who may import what. `services` take from the layers below only what a noun needs: errors, the look of a method,
binary values. `client` shares the operating system's differences with the runtime, the nouns' results, and what a
service's Protocol means. `__init__` imports nothing before it is asked to."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The modules of this package that a file imports, by name within the package (`wire.framing`)."""
    package = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module or "").split(".")] if node.module else list(base)
            if (PACKAGE.joinpath(*target)).is_dir():
                yield from (".".join([*target, alias.name]) for alias in node.names)
            else:
                yield ".".join(target)
        else:
            assert not isinstance(node, ast.Import) or not any(a.name.startswith("sidecar") for a in node.names)


def layer(path: Path) -> str:
    """The folder below `sidecar/`, or the module's own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    allowed = ALLOWED[layer(path)]
    for module in imported(path):
        assert any(module == name or module.startswith(name + ".") for name in allowed), module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_says_what_it_is_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 300


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    command = [sys.executable, "-P", "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())


HEAVY = {"pyarrow", "polars", "msgspec", "numpy", "pandas"}

FIRST = {
    "sidecar",
    "sidecar.commands",
    "sidecar.commands.argument_types",
    "sidecar.phases",
    "sidecar.protocol",
    "sidecar.protocol.hello",
    "sidecar.runtime",
    "sidecar.runtime.platform",
    "sidecar.runtime.stdio",
    "sidecar.serve_options",
    "sidecar.serving",
    "sidecar.start",
    "sidecar.version",
    "__future__",
    "fcntl",
}
"""What is imported before hello, beyond what Python itself needs to start. Each takes 0.1 to 0.4 ms of a frozen
executable's start, and what is not here, more: `typing` 9 ms, `json` 8, `argparse` 9, `logging` 11."""

UNTIL_HELLO = """
import os, sys
before = set(sys.modules)
from sidecar import serving, start
serving._run = lambda *_: sys.stderr.write(" ".join(set(sys.modules) - before))
start.main(["serve", *sys.argv[1:]])
"""


@pytest.mark.parametrize(
    "options",
    [(), ("--memory-limit", "4G", "--allow-path=/data", "--evict", "--no-warm"), ("--service", "a:b")],
    ids=["alone", "options", "a service"],
)
def test_hardly_anything_is_imported_before_hello(options: tuple[str, ...]) -> None:
    script = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{UNTIL_HELLO}"
    command = [sys.executable, "-I", "-S", "-c", script, *options]
    child = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, check=True, timeout=60)
    assert b'"method":"hello"' in child.stdout
    assert set(child.stderr.decode().split()) <= FIRST


def test_a_frozen_executable_restores_its_environment_without_imports() -> None:
    assert not loaded_after("import sidecar.runtime.frozen") - loaded_after("") - FIRST - {"sidecar.runtime.frozen"}


def test_the_wire_and_the_protocol_need_no_data_library() -> None:
    heavy = HEAVY - {"msgspec"}
    code = "import sidecar.protocol.conversation, sidecar.wire.framing, sidecar.runtime.server"
    assert not loaded_after(code) & heavy


def test_polars_is_not_imported_before_it_is_needed() -> None:
    """It takes 114 ms; a load and a page of Arrow or Parquet do without."""
    code = "from sidecar.app import Options, methods\nmethods(Options())\nimport sidecar.client"
    assert not loaded_after(code) & {"polars", "numpy", "pandas"}


FIRST_LOAD = """
import pyarrow as pa
from sidecar.app import Options, methods
from sidecar.wire.payload import Payload
table = pa.table({"n": [1, None], "x": [0.5, 1.5], "name": ["a", "b"], "day": pa.array([1, 2], pa.date32())})
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
load = methods(Options())["load"]
class Context:
    def __getattr__(self, _name):
        return lambda *_: None
load.handler(load.params(arrow_ipc=Payload("arrow", sink.getvalue())), Context())
"""


def test_a_first_load_of_arrow_does_without_arrows_functions() -> None:
    """They take 29 ms to import."""
    assert not loaded_after(FIRST_LOAD) & {"pyarrow.compute", "pyarrow.parquet", "polars"}


def test_every_method_is_announced() -> None:
    from sidecar.app import Options, methods
    from sidecar.protocol.hello import METHODS
    from sidecar.runtime.server import SHUTDOWN

    served = methods(Options())
    streaming = served["streams/open"].handler.__self__.nouns  # type: ignore[attr-defined]
    assert sorted({*served, *streaming, SHUTDOWN}) == sorted(METHODS)


def test_the_versions_agree() -> None:
    import tomllib

    from sidecar.version import VERSION

    with open(ROOT / "pyproject.toml", "rb") as file:
        assert tomllib.load(file)["project"]["version"] == VERSION


def test_packaging_does_not_shadow_the_library_of_that_name() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()
