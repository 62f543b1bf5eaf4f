"""What the words of a command line stand for. Each raises `ArgumentTypeError`, which says what was wrong."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from argparse import ArgumentTypeError

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size(text: str) -> int:
    """A count of bytes: `1048576`, `512k`, `64M`, `2G` (powers of 1024)."""
    number, unit = text.rstrip("kKmMgG"), text[-1:].lower()
    factor = _UNITS.get(unit if unit.isalpha() else "")
    if factor is None or not number.isdigit() or len(text) - len(number) > 1:
        raise _mistake(f"{text!r} is no size: give bytes, or a number with k, M or G")
    return int(number) * factor


def count(text: str) -> int:
    """A number of 0 or more."""
    if not text.isdecimal():
        raise _mistake(f"{text!r} is no number of 0 or more")
    return int(text)


def rounds(text: str) -> int:
    """A number from 1 to 1000."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise _mistake(f"{text!r} is no number from 1 to 1000")
    return int(text)


def directory(text: str) -> str:
    """The name of a directory, in UTF-8; whether there is one is seen when a file is read."""
    if not text or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _mistake(f"{text!r} is no directory")
    return text


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise _mistake(f"{text!r} is no number of seconds above 0")
    return number


def _mistake(message: str) -> ArgumentTypeError:
    """What argparse prints. `serve` reads its options without it, as it takes 9 ms of a start (see `serve_options`)."""
    from argparse import ArgumentTypeError

    return ArgumentTypeError(message)
