"""What the tables of a query are called."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from .mistake import Mistake

_NAMED = re.compile(r"([^\W\d]\w*)=(.+)", re.DOTALL)


class NamedFile(NamedTuple):
    """A file and the table that it is; `is_renamed` where that is not simply its stem."""

    name: str
    path: str
    is_renamed: bool


def named_files(arguments: Iterable[str]) -> list[NamedFile]:
    """`FILE` is called after its stem, `NAME=FILE` is NAME. Of two with the same stem, the second is `stem_2`.

    Raises `Mistake` for a name that is given twice.
    """
    given = [_given(argument) for argument in arguments]
    taken: set[str] = set()  # in lower case: SQL takes `T` for `t`
    for name, _ in given:
        if name.lower() in taken:
            raise Mistake(f"two tables are named {name!r}: give each a name of its own")
        taken |= {name.lower()} if name else set()
    return [_named(name, path, taken) for name, path in given]


def identifier(stem: str) -> str:
    """A name that SQL takes without quotes: letters, digits and `_` stay, anything else is `_`; before a digit at the
    start there is one too. (A word of SQL, such as `order`, needs its quotes.)"""
    composed = unicodedata.normalize("NFC", stem)  # macOS has é as two characters
    name = "".join(character if character.isalpha() or character in "0123456789" else "_" for character in composed)
    return f"_{name}" if not name or name[0].isdecimal() else name


def _given(argument: str) -> tuple[str, str]:
    match = _NAMED.fullmatch(argument)
    if match is None or os.path.exists(argument):  # `a=b.csv` may be a file
        return "", argument
    return match[1], match[2]


def _named(name: str, path: str, taken: set[str]) -> NamedFile:
    if name:
        return NamedFile(name, path, is_renamed=False)
    stem = os.path.splitext(os.path.basename(path))[0]
    first = name = identifier(stem)
    number = 2
    while name.lower() in taken:
        name, number = f"{first}_{number}", number + 1
    taken.add(name.lower())
    return NamedFile(name, path, is_renamed=name != stem)
