"""Names of generated code: in the case that a language has, unique, and no word of its own; and its comments."""

from __future__ import annotations

import re
from collections.abc import Iterable


def pascal(text: str) -> str:
    """`Counter.add_all` becomes `CounterAddAll`; capitals within a word stay."""
    words = filter(None, _valid(text).split("_"))
    name = "".join(word[0].upper() + word[1:] for word in words)
    return name if name.isidentifier() else f"V{name}"


def snake(text: str) -> str:
    """`maxRows` becomes `max_rows`."""
    name = _valid(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower())
    return f"v{name}" if name and not name.isidentifier() else name


def _valid(text: str) -> str:
    """`_` for what no name may have: `²` is a digit to many, and to no compiler."""
    return "".join(character if f"a{character}".isidentifier() else "_" for character in text)


def shown(text: str) -> str:
    """A comment without the marks that turn the direction of writing: compilers refuse code that looks otherwise."""
    return re.sub("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", text)


class Names:
    """The names of one scope that are taken, those of the language among them."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)

    def claim(self, wanted: str) -> str:
        """`wanted`, or with the first number behind it that is free."""
        name, count = wanted, 1
        while name in self._taken:
            count += 1
            name = f"{wanted}{count}"
        self._taken.add(name)
        return name
