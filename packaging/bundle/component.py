"""What a bundle is made of: components, each with the texts of its licence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Component(NamedTuple):
    """One part that somebody made and licensed."""

    name: str
    version: str
    licence: str
    """An SPDX expression, or what the component says itself in a line; "" if it says nothing."""
    texts: tuple[tuple[str, str], ...]
    """Title and text of each file that states the terms; empty if none was found."""


TITLES = re.compile(r"(un)?licen[cs]es?|copying|copyright|notices?|third[-_]?part(y|ies)\w*", re.IGNORECASE)


def states_terms(path: Path) -> bool:
    """By its name: LICENSE-MIT, COPYING.RUNTIME, NOTICE.txt, THIRD_PARTY_NOTICES; not `licenses.py`."""
    found = TITLES.match(path.name)
    is_word = found is not None and not path.name[found.end() :][:1].isalnum()
    return is_word and path.suffix not in (".py", ".pyc", ".pyi", ".json", ".so", ".pyd")


def texts_of(paths: Iterable[Path], base: Path) -> tuple[tuple[str, str], ...]:
    """Of the files that are there, titled by their paths within `base`, each text once."""
    found: dict[str, str] = {}
    for path in sorted(paths):
        if path.is_file():
            found.setdefault(read(path), path.relative_to(base).as_posix())
    return tuple((title, text) for text, title in found.items() if text)


def read(path: Path) -> str:
    """A text whoever wrote it, without what differs between systems: ends of lines, and blank lines at its end."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
