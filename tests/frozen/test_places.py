"""A frozen executable works wherever it was put, under any name, for whoever may read it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import Host
from tests.peers.all_work import do_everything, write_files

from .conftest import Bundle

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


def link(copied: Bundle, folder: Path) -> list[str]:
    """What a package manager puts in /usr/bin."""
    path = folder / "a link"
    path.symlink_to(copied.executable)
    return [str(path)]


def link_to_the_folder(copied: Bundle, folder: Path) -> list[str]:
    path = folder / "current version"
    path.symlink_to(copied.folder)
    return [str(path / copied.executable.name)]


def renamed(copied: Bundle, folder: Path) -> list[str]:
    """Its libraries are links here, to save the time of a copy: they are what an app's folder may have too."""
    shutil.copy(copied.executable, folder / "another name.bin")
    (folder / "_internal").symlink_to(copied.folder / "_internal")
    return [str(folder / "another name.bin")]


def relative(copied: Bundle, folder: Path) -> list[str]:
    return [os.path.relpath(copied.executable)]


def by_name(copied: Bundle, folder: Path) -> list[str]:
    """As a shell finds it."""
    path = f"{copied.folder}:{os.environ['PATH']}"
    return ["env", f"PATH={path}", copied.executable.name]


PLACES: dict[str, Callable[[Bundle, Path], list[str]]] = {
    "copied to an app's folder": lambda copied, _: copied.command,
    "through a link": link,
    "through a link to its folder": link_to_the_folder,
    "renamed": renamed,
    "by a relative path": relative,
    "by its name": by_name,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_it_works_in_another_place(
    copied: Bundle,
    files: dict[str, Path],
    expected: list[Any],
    tmp_path: Path,
    place: Callable[[Bundle, Path], list[str]],
) -> None:
    with Host.spawn(place(copied, tmp_path)) as host:
        assert do_everything(host, files) == expected


def test_for_a_user_who_may_not_write_anywhere(copied: Bundle, expected: list[Any], tmp_path: Path) -> None:
    """Where the tests run as root, `nobody` is that user. Elsewhere their own may not write to the copy either."""
    folder = copied.folder.parent / "data"
    folder.mkdir(exist_ok=True)
    files = write_files(folder)
    for path in files.values():
        path.chmod(0o444)
    command = [*(AS_NOBODY if os.getuid() == 0 else []), *copied.command]
    probe = subprocess.run([*command[:-1], "touch", str(copied.folder / "probe")], capture_output=True, check=False)
    assert probe.returncode != 0, "this user can write to the bundle"
    with Host.spawn(command, env={**os.environ, "HOME": "/nonexistent"}) as host:
        assert do_everything(host, files) == expected


def test_nothing_was_written_into_it(copied: Bundle, bundle: Bundle) -> None:
    """The last of this file: whoever ran it before, root included, has left it as it was."""
    listed = [sorted(str(path.relative_to(one.folder)) for path in one.folder.rglob("*")) for one in (bundle, copied)]
    assert listed[0] == listed[1]
