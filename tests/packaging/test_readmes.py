"""What the pages in packaging/ point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bundle.targets import TARGETS

PACKAGING = Path(__file__).parents[2] / "packaging"
PAGES = sorted([PACKAGING / "README.md", *PACKAGING.glob("*/README.md")])

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PACKAGING)))


@pages
def test_links_and_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#]+)|`((?:\.\./|macos/|windows/|tauri/|electron/)[\w./-]+)`", text)
    missing = [one or other for one, other in named if not (page.parent / (one or other)).exists()]
    assert missing == []


def test_the_index_has_every_target_and_folder() -> None:
    text = (PACKAGING / "README.md").read_text(encoding="utf-8")
    words = [word for target in TARGETS for word in (f"`{target.rust}`", f"`{target.electron}`")]
    folders = [f"({page.relative_to(PACKAGING).as_posix()})" for page in PAGES if page.parent != PACKAGING]
    assert [word for word in [*words, *folders] if word not in text] == []
    assert len(folders) == 4
