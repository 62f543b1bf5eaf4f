"""What was meant by a name that there is not."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..protocol.errors import SidecarError

SHOWN_NAMES = 8
"""Names that a message lists; its data have them all."""

MAX_COMPARED = 100
"""Characters of names that are compared, as that takes the square of it."""


def suggestions(name: str, known: Sequence[str]) -> list[str]:
    """The names that are close to `name`, at most three in different cases."""
    lower = [one.lower() for one in known if len(one) <= MAX_COMPARED]
    close = get_close_matches(name[:MAX_COMPARED].lower(), lower, n=3)
    return [one for one in dict.fromkeys(known) if one.lower() in close]


def did_you_mean(found: Sequence[str]) -> str:
    """The end of a message; nothing where nothing is close."""
    return f": did you mean {' or '.join(map(repr, found))}?" if found else ""


def unknown_column(name: str, known: Sequence[str], session: str | None = None) -> SidecarError:
    """The error for a column that there is not; `session` is whose, where that is not plain."""
    hint = did_you_mean(suggestions(name, known)) or _those(known)
    if session is None:
        return SidecarError("unknown_column", f"there is no column {name!r}{hint}", column=name, columns=[*known])
    message = f"there is no column {name!r} in session {session!r}{hint}"
    return SidecarError("unknown_column", message, column=name, columns=[*known], session=session)


def _those(known: Sequence[str]) -> str:
    if not known:
        return ": the table has none"
    left = len(known) - SHOWN_NAMES
    more = f" and {left:,} more" if left > 0 else ""
    return f": there are {', '.join(map(repr, known[:SHOWN_NAMES]))}{more}"
