"""Which files may be read: allow lists of both sources, links and dots resolved, and nothing told about the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services.load.source import Source
from sidecar.services.paths import PathPolicy

from .caller import Caller


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """`open/` with a file, `closed/` with another, and links between the two."""
    for name in ("open", "closed", "open/sub", "opener"):
        (tmp_path / name).mkdir()
    for name in ("open/a.csv", "open/sub/b.csv", "closed/secret.csv", "opener/c.csv"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "open/out.csv").symlink_to(tmp_path / "closed/secret.csv")
    (tmp_path / "open/outdir").symlink_to(tmp_path / "closed")
    (tmp_path / "closed/in.csv").symlink_to(tmp_path / "open/a.csv")
    (tmp_path / "open/loop.csv").symlink_to(tmp_path / "open/loop.csv")
    (tmp_path / "open/dangling.csv").symlink_to(tmp_path / "open/nothing.csv")
    return tmp_path


def kind_of(policy: PathPolicy, path: str) -> str:
    """The error's kind, or `ok`."""
    try:
        policy.resolve(path)
    except SidecarError as error:
        return error.kind
    return "ok"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("open/a.csv", "ok", id="in it"),
        pytest.param("open/sub/b.csv", "ok", id="below it"),
        pytest.param("open/sub/../a.csv", "ok", id="dots that stay inside"),
        pytest.param("closed/../open/a.csv", "ok", id="dots that come in"),
        pytest.param("closed/in.csv", "ok", id="a link that comes in"),
        pytest.param("open/../closed/secret.csv", "path_not_allowed", id="dots that go out"),
        pytest.param("open/out.csv", "path_not_allowed", id="a link that goes out"),
        pytest.param("open/outdir/secret.csv", "path_not_allowed", id="a linked directory that goes out"),
        pytest.param("open/sub/../../closed/secret.csv", "path_not_allowed", id="in and out again"),
        pytest.param("closed/secret.csv", "path_not_allowed", id="elsewhere"),
        pytest.param("opener/c.csv", "path_not_allowed", id="a name that begins alike"),
        pytest.param("open/missing.csv", "file_not_found", id="missing in it"),
        pytest.param("open/dangling.csv", "file_not_found", id="a link to nothing"),
        pytest.param("open/a.csv/x", "file_not_found", id="below a file"),
        pytest.param("open/loop.csv", "invalid_path", id="a loop of links"),
        pytest.param("open/" + "x" * 5000, "invalid_path", id="a name too long"),
        pytest.param("open", "not_a_file", id="the directory itself"),
        pytest.param("open/sub", "not_a_file", id="a directory below"),
        pytest.param("/dev/zero", "path_not_allowed", id="a device"),
    ],
)
def test_a_list_of_directories_lets_in_what_lies_below(yard: Path, path: str, kind: str) -> None:
    assert kind_of(PathPolicy([str(yard / "open")]), str(yard / path)) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("", "invalid_path", id="empty"),
        pytest.param("a\0b", "invalid_path", id="NUL"),
        pytest.param("\ud800.csv", "invalid_path", id="not encodable"),
        pytest.param("/dev/zero", "not_a_file", id="a device"),
        pytest.param("/no/such/file", "file_not_found", id="missing"),
        pytest.param("/", "not_a_file", id="the root"),
    ],
)
def test_what_is_no_readable_file_is_refused_without_a_list_too(path: str, kind: str) -> None:
    assert kind_of(PathPolicy(), path) == kind


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert kind_of(PathPolicy(), str(tmp_path / "pipe.csv")) == "not_a_file"


def test_a_relative_path_is_meant_from_the_working_directory(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(yard / "open")
    policy = PathPolicy(["."])
    assert policy.resolve("a.csv") == os.path.realpath(yard / "open/a.csv")
    monkeypatch.chdir(yard)
    assert kind_of(policy, "closed/secret.csv") == "path_not_allowed"
    assert kind_of(policy, "open/a.csv") == "ok"


def test_an_allowed_directory_may_itself_be_a_link(yard: Path) -> None:
    (yard / "door").symlink_to(yard / "open")
    policy = PathPolicy([str(yard / "door")])
    assert kind_of(policy, str(yard / "door/a.csv")) == "ok"
    assert kind_of(policy, str(yard / "open/a.csv")) == "ok"


def test_an_unreadable_file_is_told_from_a_missing_one(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # for root every file is readable
    assert kind_of(PathPolicy(), str(yard / "open/a.csv")) == "permission_denied"
    assert kind_of(PathPolicy(), str(yard / "open/missing.csv")) == "file_not_found"


def test_a_file_behind_a_closed_directory(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_stat = os.stat

    def closed_stat(path: str, *args: object, **kwargs: object) -> os.stat_result:
        if str(path).endswith("a.csv"):
            raise PermissionError(13, "Permission denied")
        return real_stat(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", closed_stat)
    assert kind_of(PathPolicy(), str(yard / "open/a.csv")) == "permission_denied"


@pytest.mark.parametrize("name", ["secret.csv", "missing.csv", "", "in.csv/x"])
def test_outside_of_the_list_nothing_tells_whether_a_file_exists(yard: Path, name: str) -> None:
    path = str(yard / "closed" / name)
    with pytest.raises(SidecarError) as caught:
        PathPolicy([str(yard / "open/sub")]).resolve(path)
    error = caught.value
    assert (error.kind, error.data) == ("path_not_allowed", {"path": path})
    assert error.message == f"{path} is not in an allowed directory"


def test_two_lists_only_narrow_each_other(yard: Path) -> None:
    caller = Caller(allow_paths=[str(yard / "open"), str(yard / "closed")])
    assert caller.load(path=str(yard / "closed/secret.csv")).rows == 1
    answer = caller.call("initialize", {"protocol_version": "1.0", "allow_paths": [str(yard / "open"), "/etc"]})
    assert answer.allow_paths == [
        [os.path.realpath(yard / "open"), os.path.realpath(yard / "closed")],
        [os.path.realpath(yard / "open"), os.path.realpath("/etc")],
    ]
    assert caller.load(path=str(yard / "open/a.csv")).rows == 1
    assert caller.load_error(path=str(yard / "closed/secret.csv")).kind == "path_not_allowed"
    assert caller.load_error(path="/etc/passwd").kind == "path_not_allowed"


def test_initialize_alone_restricts_and_an_empty_list_allows_none(yard: Path) -> None:
    caller = Caller()
    caller.call("initialize", {"protocol_version": "1.0", "allow_paths": []})
    assert caller.load_error(path=str(yard / "open/a.csv")).kind == "path_not_allowed"


@pytest.mark.parametrize("name", ["*.csv", "?.csv", "[ab].csv", "a*"])
@pytest.mark.parametrize("extension", ["csv", "ndjson"])
def test_a_name_is_never_a_pattern_for_other_files(tmp_path: Path, name: str, extension: str) -> None:
    text = {"csv": "a\n{}\n", "ndjson": '{{"a":{}}}\n'}[extension]
    for index, other in enumerate(["a.csv", "b.csv", "ab.csv"]):
        (tmp_path / other).write_text(text.format(100 + index))
    (tmp_path / name).write_text(text.format(7))
    caller = Caller()
    caller.load(path=str(tmp_path / name), session="s", format=extension)
    assert caller.json_rows() == [{"a": 7}]


def test_a_link_put_in_place_after_the_check_is_not_followed(tmp_path: Path) -> None:
    """What was opened is looked at again: the name may have come to lead elsewhere meanwhile."""
    allowed, secret = tmp_path / "allowed", tmp_path / "secret.parquet"
    allowed.mkdir()
    secret.write_bytes(b"secret")
    (allowed / "x").symlink_to(secret)
    policy = PathPolicy([str(allowed)])
    with pytest.raises(SidecarError) as refused:
        Source.from_path(str(allowed / "x"), lambda real: policy.check(real, "x"))
    assert (refused.value.kind, refused.value.data["path"]) == ("path_not_allowed", "x")
