"""No socket and no file but those it is told to read: from the start to the end, under every kind of work."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.client import Host, Sort
from sidecar.testing import SpawnHost
from tests.peers.all_work import TABLE, do_everything, write_files
from tests.peers.raw import DEADLINE_S, RawHost
from tests.peers.system_calls import CALLS, is_trace, strace, system_calls, without_its_start


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same table in every format that is read from a path."""
    return write_files(tmp_path_factory.mktemp("files"))


# -- by system call ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace; the next test looks at /proc instead")
def test_system_calls(sidecar_command: list[str], files: dict[str, Path], tmp_path: Path) -> None:
    """With no compiled Python to be had, so that a start which would write some is seen."""
    trace, compiled = tmp_path / "trace", tmp_path / "compiled"
    compiled.mkdir()
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a host's user does not have it
    with Host.spawn([*strace(trace), *sidecar_command], env=environment) as host:
        do_everything(host, files)
        assert host.close() == 0
    calls = list(system_calls(trace))
    assert sum(str(path) in call for path in files.values() for call in calls) >= len(files), "the trace is not whole"
    assert without_its_start([call for call in calls if is_trace(call)]) == []
    assert [*compiled.iterdir()] == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace; the next test looks at the folder instead")
def test_system_calls_of_an_export(sidecar_command: list[str], tmp_path: Path) -> None:
    """Nothing is opened for writing but one file without a name, in the folder that was named."""
    folder, trace = tmp_path / "folder", tmp_path / "trace"
    folder.mkdir()
    with Host.spawn([*strace(trace, f"{CALLS},link,linkat"), *sidecar_command]) as host:
        host.load(arrow=TABLE, session="s")
        host.tables.export("s", "parquet", folder / "new")
        assert host.close() == 0
    opened, linked = without_its_start([call for call in system_calls(trace) if is_trace(call)])
    assert re.match(r'openat\(\d+, "\.", .*O_TMPFILE', opened)
    assert re.match(r'linkat\(AT_FDCWD, "/proc/self/fd/\d+", \d+, "new", AT_SYMLINK_FOLLOW\) = 0', linked)


def test_an_export_leaves_its_file_alone(spawn_host: SpawnHost, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    for folder in (*folders.values(), tmp_path / "folder"):
        folder.mkdir()
    host = spawn_host(env={**os.environ, **{name: str(folder) for name, folder in folders.items()}})
    host.load(arrow=TABLE, session="s")
    for format in ("arrow_file", "parquet", "csv", "ndjson"):
        host.tables.export("s", format, tmp_path / "folder" / "new", overwrite=True)
    host.close()
    assert {*tmp_path.rglob("*")} == {*folders.values(), tmp_path / "folder", tmp_path / "folder" / "new"}


# -- by what can be seen from outside ----------------------------------------------------------------------------


def open_things(pid: int) -> set[str]:
    """What the descriptors of a process are."""
    links = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        links.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


def test_descriptors_and_folders(spawn_host: SpawnHost, files: dict[str, Path], tmp_path: Path) -> None:
    """Files that stay open are those of a lazy session; nothing appears in the folders that are meant for it."""
    folders = {name: tmp_path / name for name in ("TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    for folder in folders.values():
        folder.mkdir()
    host = spawn_host(env={**os.environ, **{name: str(folder) for name, folder in folders.items()}})
    do_everything(host, files)
    allowed = re.compile(r"pipe:\[|anon_inode:|/dev/null$|" + re.escape(str(files["arrow"].parent)))
    assert [thing for thing in open_things(host.process.pid) if not allowed.match(thing)] == []
    host.close()
    assert {*tmp_path.rglob("*")} == {*folders.values()}


@pytest.mark.parametrize("place", ["that does not exist", "below a file", "in /proc"])
def test_no_place_to_write_to(spawn_host: SpawnHost, files: dict[str, Path], tmp_path: Path, place: str) -> None:
    """Places where root cannot write either."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    folders = {"that does not exist": "/nonexistent/folder", "below a file": str(file / "folder"), "in /proc": "/proc"}
    with pytest.raises(OSError, match=re.escape(folders[place])):
        (Path(folders[place]) / "probe").write_bytes(b"")
    names = ("TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME", "POLARS_TEMP_DIR")
    host = spawn_host(env={**os.environ, **dict.fromkeys(names, folders[place])})
    do_everything(host, files)
    host.close()
    assert [*tmp_path.iterdir()] == [file]
    assert file.stat().st_size == 0


def test_a_working_directory_that_was_deleted(
    spawn_host: SpawnHost, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    do_everything(spawn_host(), files)


# -- Polars --------------------------------------------------------------------------------------------------------


PLAIN_POLARS = """
import sys, polars as pl
parts = list(pl.scan_csv(sys.argv[1]).collect_batches(maintain_order=True))
rows = pl.concat(parts).lazy().sort("name", "value", descending=[False, True], maintain_order=True)
print(rows.collect()["name"][0])
"""
"""What the sidecar does for a load and a sort, without its settings."""


class CreationWatch:
    """Writes down what is created in a folder, however soon it is removed again."""

    IN_CREATE = 0x100

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0
        assert self._libc.inotify_add_watch(self._fd, os.fsencode(folder), self.IN_CREATE) >= 0

    def seen(self) -> bytes:
        """The events so far, with the names in them; empty where there was none."""
        try:
            return os.read(self._fd, 65536)
        except BlockingIOError:
            return b""
        finally:
            os.close(self._fd)


@pytest.fixture
def spills(tmp_path: Path) -> tuple[dict[str, str], CreationWatch]:
    """An environment in which Polars has a tenth of the memory that the work takes, and a watch of where it spills.

    Without the settings of this process, which has the sidecar's as soon as another test imports its services.
    """
    folder = tmp_path / "spill"
    folder.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POLARS_")}
    environment = {**inherited, "POLARS_OVERRIDE_TOTAL_MEMORY_MB": "100", "POLARS_OOC_SPILL_DIR": str(folder)}
    return environment, CreationWatch(folder)


def test_polars_does_not_spill(
    spawn_host: SpawnHost, large_csv: Path, spills: tuple[dict[str, str], CreationWatch]
) -> None:
    environment, watch = spills
    host = spawn_host(env=environment)
    assert host.load(path=large_csv, session="s").rows == 6_000_000
    page = host.tables.rows("s", 0, 1, sort=[Sort("name"), Sort("value", descending=True)])
    assert page.table["name"].to_pylist() == ["name-0"]
    host.close()
    assert watch.seen() == b""


PROGRAM = """
import polars as pl
from typing import Protocol
from sidecar import Sidecar

class Sorts(Protocol):
    def first(self, path: str) -> str: ...

class Sorter:
    def first(self, path: str) -> str:
        parts = list(pl.scan_csv(path).collect_batches(maintain_order=True))
        rows = pl.concat(parts).lazy().sort("name", "value", descending=[False, True], maintain_order=True)
        return rows.collect()["name"][0]

Sidecar().mount(Sorts, Sorter()).run()
"""


def test_polars_does_not_spill_in_a_program_that_imported_it_first(
    large_csv: Path, spills: tuple[dict[str, str], CreationWatch]
) -> None:
    environment, watch = spills
    with RawHost.spawn([sys.executable, "-P", "-c", PROGRAM], env=environment) as host:
        host.hello()
        answer = host.call(1, "services/call", {"method": "Sorts.first", "params": {"path": str(large_csv)}})
        assert answer["result"] == {"value": "name-0"}
    assert watch.seen() == b""


def test_polars_by_itself_does(large_csv: Path, spills: tuple[dict[str, str], CreationWatch]) -> None:
    """The test above would see it. Nothing is left in the end, so a look at the folder afterwards would not do."""
    environment, watch = spills
    command = [sys.executable, "-c", PLAIN_POLARS, str(large_csv)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.stdout == "name-0\n"
    assert watch.seen() != b""
