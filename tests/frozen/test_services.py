"""A frozen executable mounts what was frozen in and nothing else; its services' children see the host's environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.client import Host, SidecarGone
from tests.peers import odd_handlers

from .conftest import Bundle

GREETER = "raise SystemExit('it was imported')\n"


@pytest.mark.parametrize("name", ["greeter", "package.greeter", "pytest", "tests.peers.service"])
def test_a_service_that_was_not_frozen_in(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Though there is a file of that name, in the current directory and where PYTHONPATH leads."""
    path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GREETER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SidecarGone) as caught:
        Host.spawn(
            bundle.command, options=["--service", f"{name}:make"], env={**os.environ, "PYTHONPATH": str(tmp_path)}
        )
    assert caught.value.exit_code == 64
    missing = name.partition(".")[0]
    assert caught.value.stderr_tail.strip() == (
        f"arrow-sidecar: --service {name}:make: there is no module '{missing}' in this executable: "
        f"freeze it in (packaging/build.py --service {name}:make)"
    )


LOADERS = {
    "none": {},
    "one": {"LD_LIBRARY_PATH": "/opt/of-the-user"},
    "several": {"LD_LIBRARY_PATH": "/opt/a:/opt/b"},
    "another's notes": {"_PYI_ARCHIVE_FILE": "/opt/other", "_PYI_PARENT_PROCESS_LEVEL": "1"},
}


@pytest.mark.parametrize("variables", LOADERS.values(), ids=LOADERS)
def test_a_child_of_a_service_has_the_environment_of_the_host(
    bundle: Bundle, services_command: list[str], variables: dict[str, str]
) -> None:
    """Or a program of the system would load the libraries of the bundle in place of its own."""
    given = {"PATH": os.environ["PATH"], "NAME": "value", **variables}
    with Host.spawn(services_command, options=odd_handlers.SERVICE, env=given) as host:
        found = host.call("odd/child_environment", {})
    settings = {
        name for name in found if name.startswith(("ARROW_", "POLARS_", "_RJEM_"))
    }  # the sidecar's, from source too
    given = {name: value for name, value in given.items() if not name.startswith("_PYI_")}
    assert {name: value for name, value in found.items() if name not in settings} == given
