"""The frozen executable, what it is asked to do, and what it answers where nothing is in its way."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sidecar.client import Host
from tests.peers.all_work import do_everything, write_files


class Bundle(NamedTuple):
    """A folder that `packaging/build.py` made."""

    executable: Path

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.executable.parent

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [str(self.executable)]


@pytest.fixture(scope="session")
def bundle(sidecar_command: list[str]) -> Bundle:
    """That of `--sidecar-cmd`. A test that has it runs against a frozen executable alone."""
    (executable,) = sidecar_command
    return Bundle(Path(executable).resolve())


@pytest.fixture(scope="session")
def copied(bundle: Bundle) -> Iterator[Bundle]:
    """The same elsewhere, as an app is installed: links followed, in a folder with blanks and letters of other
    languages, where everybody may read and nobody may write."""
    with tempfile.TemporaryDirectory() as top:  # pytest's own folders are for the user alone
        os.chmod(top, 0o755)
        folder = Path(top, "Meine Programme", "Pfeil größer 矢")
        shutil.copytree(bundle.folder, folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        yield Bundle(folder / bundle.executable.name)
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)  # so that it can be removed


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same table in every format that is read from a path."""
    return write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def expected(bundle: Bundle, files: dict[str, Path]) -> list[Any]:
    """The answers of the executable where it was built, in the environment of the tests."""
    with Host.spawn(bundle.command) as host:
        return do_everything(host, files)
