"""Names of generated code: in the case that a language has, unique, and no word of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable


def pascal(text: str) -> str:
    """`Counter.add_all` becomes `CounterAddAll`; capitals within a word stay."""
    words = re.findall(r"[^\W_]+", text)
    name = "".join(word[0].upper() + word[1:] for word in words)
    return name if name and not name[0].isdigit() else f"V{name}"


def snake(text: str) -> str:
    """`maxRows` becomes `max_rows`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()


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
