"""What a service uses of all that stays out otherwise is there once it is frozen: one build, everything in it used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from bundle.exclusions import STANDARD_LIBRARY

from sidecar.client import Host
from tests.frozen.conftest import Bundle
from tests.frozen.test_build import build

SERVICES = Path(__file__).with_name("services")


def _keys(table: str) -> list[str]:
    """By the source: what the service imports may not be here where no executable is tested."""
    for node in ast.parse((SERVICES / "reaching.py").read_text(encoding="utf-8")).body:
        match node:
            case ast.AnnAssign(ast.Name(name), _, ast.Dict(keys)) if name == table:
                return [ast.literal_eval(key) for key in keys if key is not None]
    raise LookupError(table)


USED, PYARROW = _keys("STANDARD_LIBRARY"), _keys("PYARROW")
NOT_USED = {"distutils", "idlelib", "lib2to3", "readline", "tkinter", "_tkinter", "turtle"}
"""Development, terminals and windows, which no sidecar has."""


@pytest.fixture(scope="module")
def reaching(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The service, frozen and started."""
    folder = tmp_path_factory.mktemp("reaching")
    words = ("--name", "reaching", "--service", "reaching:make", "--path", str(SERVICES))
    done = build(*words, "--max-size", "500M", "--max-files", "300", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("reaching-*/reaching")
    with Host.spawn([str(made)]) as host:
        yield host


@pytest.mark.parametrize("name", [*USED, *PYARROW])
def test_what_a_service_uses(reaching: Host, name: str) -> None:
    found = reaching.request("services/call", {"method": "Reaching.use", "params": {"name": name}})
    assert found.result(timeout_s=60)["value"]


def test_everything_that_is_here_is_used() -> None:
    """A module that is added to the list is added to the service."""
    here = {name for name in STANDARD_LIBRARY if find_spec(name) is not None}
    assert here - NOT_USED == here & {*USED}
