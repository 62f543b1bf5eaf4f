"""No module of a developer's takes the place of Python's or the sidecar's, whatever lies in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundle.faults import BuildFault
from bundle.settings import ROOT, Settings
from bundle.settings_check import check_settings


@pytest.mark.parametrize("name", ["queue.py", "sidecar/__init__.py", "sidecar_build.py", "json/__init__.py"])
def test_a_module_that_would_shadow_another(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(BuildFault, match=f"{name.partition('/')[0]} would take the place of"):
        check_settings(Settings(paths=(str(tmp_path),)))


@pytest.mark.parametrize("name", ["queue.txt", "queue/notes.txt", "test/__init__.py", "queues.py"])
def test_what_shadows_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    check_settings(Settings(paths=(str(tmp_path), str(ROOT))))
