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
    files = [{"path": name, "sha256": sha256(content).hexdigest()} for name, content in FILES.items()]
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
    with pytest.raises(Damaged, match=r"^missing: _internal/libarrow\.so "):
        [*check_files(str(folder))]


def test_without_a_manifest_nothing_is_known(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert [*check_files(str(folder))] == [
        ("files", "not checked: there is no manifest.json beside the executable"),
    ]
