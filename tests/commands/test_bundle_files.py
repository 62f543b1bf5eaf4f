"""`doctor` of a frozen executable looks at its files: what is missing, and what was changed."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from sidecar.commands.bundle_files import Damaged, check_files

FILES = {"arrow-sidecar": b"program", "_internal/libarrow.so": b"library"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle of two files."""
    (tmp_path / "_internal").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    files = [
        {"path": name, "size": len(content), "sha256": sha256(content).hexdigest()} for name, content in FILES.items()
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    return tmp_path


def test_as_it_was_built(folder: Path) -> None:
    assert [*check_files(str(folder))] == [("files", "2 of 2 are as they were built")]


def test_what_was_changed_is_named(folder: Path) -> None:
    (folder / "arrow-sidecar").write_bytes(b"program and signature")
    assert [*check_files(str(folder))] == [
        ("files", "1 of 2 are as they were built"),
        ("files", "arrow-sidecar was changed since: by a signature, or it is damaged"),
    ]


def test_what_is_missing_is_a_failure(folder: Path) -> None:
    (folder / "_internal" / "libarrow.so").unlink()
    with pytest.raises(Damaged, match=r"^_internal/libarrow\.so is missing \("):
        [*check_files(str(folder))]


def test_what_is_shorter_is_a_failure(folder: Path) -> None:
    (folder / "arrow-sidecar").write_bytes(b"progra")
    with pytest.raises(Damaged, match=r"^arrow-sidecar is shorter than it was built \("):
        [*check_files(str(folder))]


def test_what_cannot_be_read_is_named_and_hides_nothing(folder: Path) -> None:
    """A folder in its place is what root cannot read either."""
    path = folder / "_internal" / "libarrow.so"
    path.unlink()
    path.mkdir()
    (path / "large").write_bytes(bytes(8))
    (folder / "arrow-sidecar").write_bytes(b"program and signature")
    findings = check_files(str(folder))
    assert next(findings) == ("files", "0 of 2 are as they were built")
    assert next(findings) == ("files", "arrow-sidecar was changed since: by a signature, or it is damaged")
    with pytest.raises(Damaged, match=r"^_internal/libarrow\.so is unreadable: Is a directory \("):
        next(findings)


BAD_MANIFESTS = {
    "empty": "",
    "cut off": "{",
    "a list": "[]",
    "files by name": '{"files": {}}',
    "nothing listed": '{"files": []}',
    "no size": '{"files": [{"path": "a", "sha256": "b"}]}',
    "no text": "\udcff",
}


@pytest.mark.parametrize("text", BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_bad_manifest_is_damage(folder: Path, text: str) -> None:
    path = folder / "manifest.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(Damaged, match=r"manifest\.json is no manifest: "):
        [*check_files(str(folder))]


def test_without_a_manifest_nothing_is_known(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert [*check_files(str(folder))] == [
        ("files", "not checked: there is no manifest.json beside the executable"),
    ]
