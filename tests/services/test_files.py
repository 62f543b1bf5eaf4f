"""A new file appears whole or not at all, only where it may, and nothing else is left behind; by either way that it is
kept hidden until then."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services import files
from sidecar.services.files import new_file
from sidecar.services.paths import PathPolicy

LINUX = pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")


@pytest.fixture(params=[pytest.param("unnamed", marks=LINUX), "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways; the second as on a system without `O_TMPFILE`."""
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return str(request.param)


def nothing() -> None:
    """A commit that refuses nothing."""


def write(
    path: Path | str,
    data: bytes = b"new",
    overwrite: bool = False,
    paths: PathPolicy | None = None,
    midway: Callable[[], Any] = nothing,
    commit: Callable[[], Any] = nothing,
) -> None:
    with new_file(str(path), paths or PathPolicy(), overwrite) as file:
        file.write(data)
        midway()
        file.publish(commit)


def refusal(path: Path | str, **options: Any) -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        write(path, **options)
    assert caught.value.data["path"] == str(path)
    return caught.value


# -- what appears ----------------------------------------------------------------------------------------------


def test_nothing_is_seen_before_it_is_whole(way: str, tmp_path: Path) -> None:
    with new_file(str(tmp_path / "a"), PathPolicy(), False) as file:
        file.write(b"x" * 100_000)
        file.write(memoryview(b"yz"))
        seen = [name for name in os.listdir(tmp_path) if way == "unnamed" or not name.endswith(".partial")]
        assert seen == []
        file.publish(nothing)
        assert file.bytes == 100_002
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"x" * 100_000 + b"yz"


@pytest.mark.parametrize("failure", [ValueError, SidecarError("cancelled", "x"), KeyboardInterrupt], ids=repr)
@pytest.mark.usefixtures("way")
def test_a_failure_leaves_nothing(failure: Any, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

    def fail() -> None:
        raise failure

    with pytest.raises((ValueError, SidecarError, KeyboardInterrupt)):
        write(tmp_path / "a", overwrite=True, midway=fail)
    assert os.listdir(tmp_path) == []
    if before:  # the garbage of other tests may have closed some
        assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.usefixtures("way")
def test_a_commit_that_refuses_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def refuse() -> None:
        raise SidecarError("cancelled", "too late")

    with pytest.raises(SidecarError, match="too late"):
        write(tmp_path / "a", overwrite=True, commit=refuse)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.usefixtures("way")
def test_overwriting_needs_to_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    assert refusal(tmp_path / "a").kind == "file_exists"
    assert (tmp_path / "a").read_bytes() == b"old"
    write(tmp_path / "a", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    write(tmp_path / "b", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.usefixtures("way")
def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    fault = refusal(tmp_path / "a", commit=lambda: (tmp_path / "a").write_bytes(b"theirs"))
    assert fault.kind == "file_exists"
    assert (tmp_path / "a").read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits")
@pytest.mark.usefixtures("way")
def test_the_mode_is_that_of_the_umask_or_of_the_file_before(tmp_path: Path) -> None:
    old_mask = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    (tmp_path / "a").chmod(0o604)
    write(tmp_path / "a", overwrite=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604


@pytest.mark.skipif(os.name == "nt", reason="Windows renames no open file")
@pytest.mark.usefixtures("way")
def test_who_reads_the_old_file_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with open(tmp_path / "a", "rb") as reader:
        write(tmp_path / "a", overwrite=True)
        assert reader.read() == b"old"


@pytest.mark.usefixtures("way")
def test_the_longest_name(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255))
    write(tmp_path / ("n" * 255), b"again", overwrite=True)
    assert os.listdir(tmp_path) == ["n" * 255]


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no directory")
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
@pytest.mark.usefixtures("way")
def test_the_bytes_are_on_the_disk_before_the_name_and_then_the_name(
    overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced, sync = tmp_path / "a", [], os.fsync
    if overwrite:
        target.write_bytes(b"old")

    def record(descriptor: int) -> None:
        found = target.read_bytes() if target.exists() else None
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), found))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    write(target, overwrite=overwrite)
    assert synced == [(False, b"old" if overwrite else None), (True, b"new")]


# -- where it may not be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "a\0b", "/", "folder/", ".", "folder/.."], ids=repr)
def test_what_names_no_file(path: str) -> None:
    assert refusal(path).kind == "invalid_path"


def make(kind: str, path: Path) -> None:
    """Something that is no regular file."""
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        (path.parent / "real").write_bytes(b"old")
        path.symlink_to("real" if kind == "link" else "missing")


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither")
@pytest.mark.parametrize("kind", ["directory", "fifo", "socket", "link", "dangling link"])
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
def test_what_is_no_file_is_left_alone(kind: str, overwrite: bool, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    make(kind, Path("target"))
    before = sorted(os.listdir())
    assert refusal("target", overwrite=overwrite).kind == "not_a_file"
    assert sorted(os.listdir()) == before
    assert not Path("real").exists() or Path("real").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("missing/a", "file_not_found", id="no directory"),
        pytest.param("file/a", "file_not_found", id="below a file"),
        pytest.param("n" * 256, "invalid_path", id="long name"),
        pytest.param("n" * 300 + "/a", "invalid_path", id="long directory"),
        pytest.param("/dev/full", "not_a_file", id="device"),
        pytest.param("/proc/new", "file_not_found", id="nowhere to write to"),
    ],
)
def test_where_nothing_can_be_written(path: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"")
    assert refusal(path, overwrite=True).kind == kind
    assert os.listdir() == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("path", ["other/a", "allowed/../other/a", "allowed/link/a", "missing/a", "allowed.txt"])
def test_only_below_an_allowed_directory(path: str, tmp_path: Path) -> None:
    for name in ("allowed", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "other")
    paths = PathPolicy([str(tmp_path / "allowed")])
    assert refusal(tmp_path / path, paths=paths).kind == "path_not_allowed"
    write(tmp_path / "allowed" / "a", paths=paths)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("a")) == ["allowed/a"]


def test_every_list_holds(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    paths = PathPolicy([str(tmp_path)])
    paths.restrict([str(tmp_path / "one")])
    write(tmp_path / "one" / "a", paths=paths)
    assert refusal(tmp_path / "two" / "a", paths=paths).kind == "path_not_allowed"


@LINUX
def test_a_link_put_in_the_place_of_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the path and the opening of it."""
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    allowed.mkdir()
    other.mkdir()
    open_directory = files._Directory.__init__

    def swap_first(self: Any, real: str, check: Any) -> None:
        allowed.rmdir()
        allowed.symlink_to(other)
        open_directory(self, real, check)

    monkeypatch.setattr(files._Directory, "__init__", swap_first)
    assert refusal(allowed / "a", paths=PathPolicy([str(allowed)])).kind == "path_not_allowed"
    assert os.listdir(other) == []


@LINUX
def test_a_directory_that_was_moved_away(way: str, tmp_path: Path) -> None:
    del way
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    allowed.mkdir()
    paths = PathPolicy([str(allowed)])
    fault = refusal(allowed / "a", paths=paths, midway=lambda: allowed.rename(other))
    assert fault.kind == "path_not_allowed"
    assert os.listdir(other) == []


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
@pytest.mark.parametrize("was_there", [False, True], ids=["free", "taken"])
@pytest.mark.usefixtures("way")
def test_a_link_that_came_meanwhile(overwrite: bool, was_there: bool, tmp_path: Path) -> None:
    """In the place of the target, while the file was written."""
    (tmp_path / "real").write_bytes(b"theirs")
    if was_there and overwrite:
        (tmp_path / "a").write_bytes(b"old")

    def link() -> None:
        (tmp_path / "a").unlink(missing_ok=True)
        (tmp_path / "a").symlink_to("real")

    assert refusal(tmp_path / "a", overwrite=overwrite, midway=link).kind == "not_a_file"
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"theirs"
    assert sorted(os.listdir(tmp_path)) == ["a", "real"]


# -- what the system refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS], ids=errno.errorcode.get)
def test_a_directory_that_may_not_be_written(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the system's answer is put in its mouth."""

    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    assert refusal(tmp_path / "a").kind == "permission_denied"


def test_a_file_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert refusal(tmp_path / "a", overwrite=True).kind == "permission_denied"
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EFBIG], ids=errno.errorcode.get)
@pytest.mark.usefixtures("way")
def test_a_disk_that_fails(call: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    fault = refusal(tmp_path / "a")
    assert (fault.kind, fault.data["error"]) == ("write_failed", errno.errorcode[code])
    assert os.listdir(tmp_path) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:3]))
    write(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.skipif(os.name == "nt", reason="of the hidden file on other systems")
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
def test_a_file_system_without_links(overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "a", overwrite=overwrite)
    assert os.listdir(tmp_path) == ["a"]


@LINUX
def test_a_file_system_without_unnamed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no such files")
        return whole(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    write(tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="of modes")
def test_without_directory_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, as far as another system can tell."""
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(files, "_BY_DESCRIPTOR", False)
    write(tmp_path / "a")
    assert refusal(tmp_path / "a").kind == "file_exists"
    write(tmp_path / "a", b"again", overwrite=True)
    assert refusal(tmp_path / "missing" / "a").kind == "file_not_found"
    assert (tmp_path / "a").read_bytes() == b"again"
    assert os.listdir(tmp_path) == ["a"]
