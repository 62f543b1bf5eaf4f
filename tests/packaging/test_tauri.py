"""What a Tauri app takes from packaging/tauri: resources for each target, and a start and a stop that work. Tauri
itself is not run; packaging/README.md says so."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bundle.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
TAURI = ROOT / "packaging" / "tauri"

Start = Callable[[int], "subprocess.Popen[str]"]

by_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.rust)


@by_target
def test_the_folder_of_the_target_becomes_one_resource(target: Target) -> None:
    """Merged into an app's own settings (`--config`), so there is nothing else in it."""
    settings = json.loads((TAURI / f"{target.rust}.conf.json").read_text())
    assert settings == {"bundle": {"resources": {f"../sidecar-dist/arrow-sidecar-{target.rust}/": "sidecar/"}}}


def test_there_are_no_settings_for_anything_else() -> None:
    names = {path.name for path in TAURI.glob("*.json")}
    assert names == {f"{target.rust}.conf.json" for target in TARGETS}


needs_rustc = pytest.mark.skipif(not shutil.which("rustc"), reason="rustc is not installed")
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="a script stands for the executable")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sidecar.rs in an app of its own, with warnings as errors."""
    program = tmp_path_factory.mktemp("host") / "host"
    source = Path(__file__).parent / "tauri_host.rs"
    command = ["rustc", "--edition", "2021", "-D", "warnings", "-o", program, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    folder = tmp_path / "My App's resources"
    (folder / "sidecar").mkdir(parents=True)
    return folder


def put(resources: Path, script: str, mode: int = 0o755) -> Path:
    """A script in the place of the executable."""
    executable = resources / "sidecar" / "arrow-sidecar"
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(mode)
    return executable


@pytest.fixture
def start(host: Path, resources: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(limit_ms: int) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([host, resources, str(limit_ms)], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@needs_rustc
@needs_posix
def test_a_sidecar_is_started_and_stopped(start: Start, resources: Path) -> None:
    """It logs more than a pipe holds before its hello: without a reader of stderr there would be none."""
    python = shlex.join([sys.executable, "-B", "-P", "-m", "sidecar"])
    environment = f"PYTHONPATH={shlex.quote(str(ROOT))}"
    put(resources, f'head -c 200000 /dev/zero >&2\nexec env {environment} {python} "$@"')
    process = start(30_000)
    hello = json.loads(process.stdout.readline())
    assert (hello["method"], hello["params"]["product"]) == ("hello", "arrow-sidecar")
    assert os.getpgid(hello["params"]["pid"]) == hello["params"]["pid"] != os.getpgid(process.pid)
    rest, errors = process.communicate("\n", timeout=60)
    assert (rest, errors) == ("exit status: 0; 200000 bytes logged\n", "")


@needs_rustc
@needs_posix
def test_what_does_not_end_is_killed(start: Start, resources: Path) -> None:
    put(resources, "exec sleep 1000 >/dev/null")
    rest, _ = start(50).communicate("\n", timeout=60)
    assert "signal: 9" in rest


@needs_rustc
@needs_posix
@pytest.mark.parametrize(
    ("mode", "remedy"),
    [
        pytest.param(None, "bundle.resources", id="it is not there"),
        pytest.param(0o644, "permission to be executed", id="it may not be executed"),
    ],
)
def test_a_start_that_fails_names_the_executable_and_the_remedy(
    start: Start, resources: Path, mode: int | None, remedy: str
) -> None:
    if mode is not None:
        put(resources, "exit 0", mode)
    process = start(50)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert str(resources / "sidecar" / "arrow-sidecar") in errors
    assert remedy in errors
