"""Installed distributions that are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Call with a name, lines of metadata, files by path; returns the environment's folder, the same for all."""

    def install(name: str, metadata: str = "", files: Mapping[str, str] | None = None) -> Path:
        site = tmp_path / "site-packages"
        info = f"{name}-1.0.dist-info"
        all_files = {
            f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}",
            **(files or {}),
        }
        for path, text in all_files.items():
            file = site / path.replace("INFO", info)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        record = [path.replace("INFO", info) for path in all_files]
        (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in [*record, f"{info}/RECORD"]))
        return site

    return install
