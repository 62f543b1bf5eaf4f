"""The archive of a bundle: the same bytes from the same files, readable by common tools, whole or not there."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from bundle import archive
from bundle.archive import Unarchivable, filters_for, write

EPOCH_S = 1_700_000_000
LONG = "a folder whose name is rather long " * 3 + "é"
FILES = {
    "arrow-sidecar": b"\x7fELF" + bytes(range(256)) * 400,
    "manifest.json": b"{}\n",
    "_internal/empty": b"",
    "_internal/lib.so": os.urandom(300_000),
    f"_internal/{LONG}/file": b"deep",
    "_internal-not-in-it": b"sorts between a folder and what it holds",
}
EXECUTABLE = {"arrow-sidecar"}


def make(folder: Path, names: list[str], mtime_s: int = 1) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[name])
        path.chmod(0o700 if name in EXECUTABLE else 0o600)
        os.utime(path, (mtime_s, mtime_s))
    (folder / "an empty folder").mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / "one" / "arrow-sidecar-x", list(FILES))


def test_the_same_files_make_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Whatever their times, their modes but for x, the order in which they were made, and the folder's place."""
    other = make(tmp_path / "elsewhere" / "arrow-sidecar-x", sorted(FILES, reverse=True), mtime_s=999_999_999)
    for name in FILES:
        (other / name).chmod(0o777 if name in EXECUTABLE else 0o666)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(other / "manifest.json", 65534, 65534)
    first = write(folder, tmp_path / "first.tar.xz", EPOCH_S)
    assert write(other, tmp_path / "other.tar.xz", EPOCH_S) == first
    assert (tmp_path / "first.tar.xz").read_bytes() == (tmp_path / "other.tar.xz").read_bytes()


@pytest.mark.parametrize("change", ["content", "name", "executable", "time"])
def test_what_matters_changes_them(folder: Path, tmp_path: Path, change: str) -> None:
    first = write(folder, tmp_path / "first.tar.xz", EPOCH_S)
    file = folder / "manifest.json"
    if change == "content":
        file.write_bytes(b"[]\n")
    elif change == "name":
        file.rename(folder / "manifest.jsom")
    elif change == "executable":
        if os.name == "nt":  # which knows an executable by its name
            file.rename(folder / "manifest.exe")
        else:
            file.chmod(0o755)
    assert write(folder, tmp_path / "other.tar.xz", EPOCH_S + (change == "time")) != first


def test_it_comes_back_as_it_was(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    with tarfile.open(tmp_path / "a.tar.xz") as tar:
        entries = tar.getmembers()
        tar.extractall(tmp_path / "out", filter="data")
    names = [entry.name for entry in entries]
    assert names[0] == folder.name
    assert names == sorted(names)
    assert {entry.mtime for entry in entries} == {EPOCH_S}
    assert {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, "", "")}
    assert all(entry.mode == 0o755 for entry in entries if entry.isdir())
    assert all(entry.isdir() or entry.isreg() for entry in entries)
    unpacked = tmp_path / "out" / folder.name
    found = {path.relative_to(unpacked).as_posix(): path.read_bytes() for path in unpacked.rglob("*") if path.is_file()}
    assert found == FILES
    assert (unpacked / "an empty folder").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits")
def test_an_executable_stays_one(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    with tarfile.open(tmp_path / "a.tar.xz") as tar:
        modes = {entry.name.partition("/")[2]: entry.mode for entry in tar if entry.isreg()}
    assert modes == {name: 0o755 if name in EXECUTABLE else 0o644 for name in FILES}


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_hard_links_are_files_of_their_own(folder: Path, tmp_path: Path) -> None:
    os.link(folder / "manifest.json", folder / "manifest-2.json")
    write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    with tarfile.open(tmp_path / "a.tar.xz") as tar:
        assert all(tar.getmember(f"{folder.name}/{name}").size == 3 for name in ("manifest.json", "manifest-2.json"))


def test_the_checksum_lies_beside_it(folder: Path, tmp_path: Path) -> None:
    sha256 = write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    assert hashlib.sha256((tmp_path / "a.tar.xz").read_bytes()).hexdigest() == sha256
    assert (tmp_path / "a.tar.xz.sha256").read_bytes() == f"{sha256}  a.tar.xz\n".encode()


def test_a_new_one_takes_the_place_of_an_old_one(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    (folder / "manifest.json").write_bytes(b"[]\n")
    sha256 = write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    assert hashlib.sha256((tmp_path / "a.tar.xz").read_bytes()).hexdigest() == sha256
    assert (tmp_path / "a.tar.xz.sha256").read_text().startswith(sha256)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.tar.xz", "a.tar.xz.sha256"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["sha256sum", "--check", "a.tar.xz.sha256"], id="sha256sum"),
        pytest.param(["xz", "--test", "a.tar.xz"], id="xz"),
        pytest.param(["tar", "-xJf", "a.tar.xz"], id="tar"),
    ],
)
def test_common_tools_read_it(folder: Path, tmp_path: Path, command: list[str]) -> None:
    if not shutil.which(command[0]) or not shutil.which("xz"):
        pytest.skip(f"{command[0]} or xz is not installed")
    write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60, capture_output=True)
    if command[0] == "tar":
        assert (tmp_path / folder.name / "_internal" / LONG / "file").read_bytes() == b"deep"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("target", ["manifest.json", "_internal", "nothing is here"])
def test_links_are_refused(folder: Path, tmp_path: Path, target: str) -> None:
    (folder / "_internal" / "a link").symlink_to(folder / target)
    with pytest.raises(Unarchivable, match="a link"):
        write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unarchivable, match="gone"):
        write(tmp_path / "gone", tmp_path / "a.tar.xz", EPOCH_S)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_there", [False, True], ids=["none before", "one before"])
def test_a_failure_midway_leaves_what_was_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    if is_there:
        write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    add = archive._add

    def vanishes(tar: tarfile.TarFile, path: Path, name: str, epoch_s: int) -> None:
        if path.name == "manifest.json":
            path.unlink()
        add(tar, path, name, epoch_s)

    monkeypatch.setattr(archive, "_add", vanishes)
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        write(folder, tmp_path / "a.tar.xz", EPOCH_S)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("python_platform", ["linux-x86_64", "win-amd64", "macosx-arm64", "linux-aarch64"])
def test_every_target_has_filters_that_this_liblzma_has(python_platform: str) -> None:
    packed = lzma.compress(b"code" * 1000, filters=filters_for(python_platform))
    assert lzma.decompress(packed) == b"code" * 1000
    is_x86 = python_platform in ("linux-x86_64", "win-amd64")
    assert (filters_for(python_platform)[0]["id"] == lzma.FILTER_X86) == is_x86
