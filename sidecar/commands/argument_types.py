"""What the words of a command line stand for. Each raises `ArgumentTypeError`, which says what was wrong."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from argparse import ArgumentTypeError
    from collections.abc import Callable

MAX_COUNT = 2**63 - 1
"""The largest number that an option takes: what an int64 holds."""

MAX_PROCESS_ID = 2**31 - 1

MAX_SHOWN = 40
"""Characters: a longer number is none, and is quoted as far as this. Python's `int` refuses more than 4300 digits."""

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size(text: str) -> int:
    """A count of bytes: `1048576`, `512k`, `64M`, `2G` (powers of 1024)."""
    number, unit = text.rstrip("kKmMgG"), text[-1:].lower()
    factor = _UNITS.get(unit if unit.isalpha() else "")
    if factor is None or not number.isdecimal() or len(text) - len(number) > 1:
        raise _mistake(f"{text!r} is no size: give bytes, or a number with k, M or G")
    if not _is_within(number, 0, MAX_COUNT // factor):
        raise _mistake(f"{_shown(text)} is more than {MAX_COUNT} bytes")
    return int(number) * factor


def size_from(least_bytes: int) -> Callable[[str], int]:
    """A count of bytes that is not below `least_bytes`."""

    def bounded(text: str) -> int:
        number = size(text)
        if number < least_bytes:
            raise _mistake(f"{text!r} is too small: give {least_bytes} bytes or more")
        return number

    return bounded


def count(text: str) -> int:
    """A number of 0 or more."""
    if not _is_within(text, 0, MAX_COUNT):
        raise _mistake(f"{_shown(text)} is no number from 0 to {MAX_COUNT}")
    return int(text)


def rounds(text: str) -> int:
    """A number from 1 to 1000."""
    if not _is_within(text, 1, 1000):
        raise _mistake(f"{_shown(text)} is no number from 1 to 1000")
    return int(text)


def process_id(text: str) -> int:
    """A process, or 0 for none."""
    if not _is_within(text, 0, MAX_PROCESS_ID):
        raise _mistake(f"{_shown(text)} is no process id: give a number from 0 to {MAX_PROCESS_ID}")
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


def _is_within(text: str, least: int, most: int) -> bool:
    """Whether these are the digits of a number in this range."""
    return text.isdecimal() and len(text) <= MAX_SHOWN and least <= int(text) <= most


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")


def _mistake(message: str) -> ArgumentTypeError:
    """What argparse prints. `serve` reads its options without it, as it takes 9 ms of a start (see `serve_options`)."""
    from argparse import ArgumentTypeError

    return ArgumentTypeError(message)
