"""Services are mounted by the command line or by their own program; what cannot be mounted is one message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from sidecar import ContractError, Sidecar
from sidecar.client import Host, SidecarGone
from sidecar.mount import MountError
from sidecar.protocol.hello import methods_digest

MODULE = """
from typing import Protocol
from sidecar import Sidecar

class {name}(Protocol):
    def hello(self, name: str) -> str: ...

class Impl:
    def hello(self, name: str) -> str:
        return f"{name} says hello to {{name}}"

class Wrong:
    def hello(self, title: str) -> int:
        return 1

def make() -> Sidecar:
    return Sidecar().mount({name}, Impl())

def noisy() -> Sidecar:
    print("a stray line")
    return make()

def wrong() -> Sidecar:
    return Sidecar().mount({name}, Wrong())

def nothing() -> None: ...

number = 3

if __name__ == "__main__":
    make().run()
"""


class Greeter(Protocol):
    def hello(self, name: str) -> str: ...


class Waiter(Protocol):
    def hello(self, name: str) -> str: ...


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which `greeter` and `waiter` can be imported, and `broken` cannot."""
    (tmp_path / "greeter.py").write_text(MODULE.format(name="Greeter"), encoding="utf-8")
    (tmp_path / "waiter.py").write_text(MODULE.format(name="Waiter"), encoding="utf-8")
    (tmp_path / "broken.py").write_text("import a_module_that_nobody_has\n", encoding="utf-8")
    (tmp_path / "careless.py").write_text("open('no_such_file')\n", encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_several_services_beside_the_nouns(env: dict[str, str]) -> None:
    options = ["--service", "greeter:noisy", "--service", "waiter:make"]
    with Host.spawn(options=options, env=env) as host:
        assert host.service(Greeter).hello("Ada") == "Greeter says hello to Ada"
        assert host.service(Waiter).hello("Ada") == "Waiter says hello to Ada"
        assert [service.name for service in host.describe()] == ["Greeter", "Waiter"]
        assert host.sessions.list().sessions == []


def test_the_digest_of_a_program_is_in_its_hello(env: dict[str, str], tmp_path: Path) -> None:
    with Host.spawn([sys.executable, "-B", str(tmp_path / "greeter.py")], env=env) as own:
        assert own.hello.methods_digest == own.methods_digest
    with Host.spawn(options=["--service", "greeter:make"], env=env) as mounted:
        assert mounted.hello.methods_digest is None  # it was said before the service was looked for
        assert mounted.methods_digest == own.methods_digest
    with Host.spawn(options=["--service", "waiter:make"], env=env) as other:
        assert other.methods_digest not in (own.methods_digest, methods_digest())
    with Host.spawn() as bare:
        assert bare.hello.methods_digest == bare.methods_digest == methods_digest()


MISTAKES = {
    "no colon": ("greeter", "write it as module:factory"),
    "a file": ("greeter.py:make", "write it as module:factory, without a path and without .py"),
    "a path": ("./greeter:make", "write it as module:factory, without a path and without .py"),
    "no module": ("nobody:make", "there is no module 'nobody' here"),
    "a module that lacks one": ("broken:make", "broken needs a module 'a_module_that_nobody_has', which is missing"),
    "no function": ("greeter:create", "greeter has no function 'create'"),
    "no function but a value": ("greeter:number", "greeter has no function 'number'"),
    "no Sidecar": ("greeter:nothing", "the factory must return a Sidecar, not NoneType"),
    "every mismatch": (
        "greeter:wrong",
        "Wrong does not implement Greeter:\n"
        "  - hello: takes no parameter 'name'\n"
        "  - hello: needs a parameter 'title' that the Protocol does not have\n"
        "  - hello: returns int, where the Protocol has str",
    ),
}


@pytest.mark.parametrize(("spec", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_message_and_a_usage_error(env: dict[str, str], spec: str, message: str) -> None:
    with pytest.raises(SidecarGone) as caught:
        Host.spawn(options=["--service", spec], env=env)
    assert caught.value.exit_code == 64
    assert caught.value.stderr_tail.strip() == f"arrow-sidecar: --service {spec}: {message}"


def test_a_module_that_raises_is_named_below_its_traceback(env: dict[str, str]) -> None:
    with pytest.raises(SidecarGone) as caught:
        Host.spawn(options=["--service", "careless:make"], env=env)
    assert caught.value.exit_code == 64
    *above, last = caught.value.stderr_tail.strip().splitlines()
    assert last.startswith("arrow-sidecar: --service careless:make: importing careless raised FileNotFoundError: ")
    assert "open('no_such_file')" in "\n".join(above)


def test_a_name_twice(env: dict[str, str]) -> None:
    with pytest.raises(SidecarGone) as caught:
        Host.spawn(options=["--service", "greeter:make", "--service", "greeter:make"], env=env)
    assert "a service named Greeter is mounted already" in caught.value.stderr_tail


class Impl:
    def hello(self, name: str) -> str:
        return name


def test_one_protocol_under_two_names() -> None:
    sidecar = Sidecar().mount(Greeter, Impl(), "one").mount(Greeter, Impl(), "two")
    assert list(sidecar.services) == ["one", "two"]
    with pytest.raises(ContractError, match="a service of this name is mounted already"):
        sidecar.mount(Greeter, Impl(), "two")


def test_including_nothing_changes_nothing() -> None:
    sidecar = Sidecar().mount(Greeter, Impl())
    assert sidecar.including(()).services == sidecar.services
    with pytest.raises(MountError, match="there is no module 'nobody' here"):
        sidecar.including(["nobody:make"])
    assert list(sidecar.services) == ["Greeter"]


def test_a_frozen_sidecar_says_how_to_freeze_a_service_in(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks nowhere else, though there is such a file in the current directory."""
    path = [folder for folder in sys.path if folder not in ("", str(tmp_path))]
    monkeypatch.setattr(sys, "path", list(path))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.chdir(tmp_path)
    message = r"no module 'waiter' in this executable: freeze it in \(packaging/build.py --service waiter:make\)$"
    with pytest.raises(MountError, match=message):
        Sidecar().including(["waiter:make"])
    assert sys.path == path


def test_a_file_in_the_current_directory_hides_nothing(tmp_path: Path) -> None:
    """The current directory is looked at last, so a `json.py` there stays unknown."""
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')\n", encoding="utf-8")
    (tmp_path / "greeter.py").write_text(MODULE.format(name="Greeter"), encoding="utf-8")
    script = (
        "import sys\n"
        "from sidecar.client import Host\n"
        "with Host.spawn(options=['--service', 'greeter:make']) as host:\n"
        "    print([service.name for service in host.describe()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "['Greeter']\n", "")


def test_a_file_in_the_current_directory_hides_no_module_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`colorsys` is the standard library's, here as in every other program."""
    (tmp_path / "colorsys.py").write_text(MODULE.format(name="Greeter"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SidecarGone) as caught:
        Host.spawn(options=["--service", "colorsys:make"])
    assert caught.value.exit_code == 64
    assert "colorsys has no function 'make'" in caught.value.stderr_tail
