"""Text in the cells of a terminal: how wide it is, how it is cut, and that nothing in it steers the terminal.

A file may hold anything, escape sequences among it. Whatever is not printed as itself is written as `\\x1b` or
`\\u202e`, so that it can neither move the cursor nor turn the order of what follows.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

MAX_MARKS = 8
"""Combining marks on one character. No script has more; a text that piles up thousands would draw over its lines."""

_JOINERS = "\u200c\u200d"
"""Format characters that are part of words and of emoji: the zero width joiner and non-joiner."""


def printable(text: str, encoding: str = "utf-8") -> str:
    """`text` on one line, with an escape for each character that steers a terminal or that `encoding` does not have."""
    if text.isascii() and text.isprintable():
        return text
    parts: list[str] = []
    marks = MAX_MARKS  # a mark that nothing stands before would go to the neighbouring cell
    for character in text:
        is_mark = _cells(character) == 0
        marks = marks + 1 if is_mark else 0
        is_shown = _is_shown(character) and marks <= MAX_MARKS and _has(encoding, character)
        parts.append(character if is_shown else _escape(character))
    return "".join(parts)


def width(text: str) -> int:
    """The cells that a printable text takes: two for a wide character, none for a mark on another."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def clip(text: str, cells: int, ellipsis: str = "…") -> str:
    """A printable text in so many cells: what does not fit is cut, and the cut is marked."""
    if width(text) <= cells:
        return text
    room = cells - width(ellipsis)
    if room < 0:
        return ellipsis[:cells]
    end = 0
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        end += 1
    return text[:end] + ellipsis


def pad(text: str, cells: int, is_right: bool = False) -> str:
    """A printable text with spaces to so many cells, on the left of what stands on the right."""
    spaces = " " * (cells - width(text))
    return spaces + text if is_right else text + spaces


@lru_cache(4096)
def _cells(character: str) -> int:
    """As terminals count: by Unicode's East Asian width; marks, joiners and the vowels within a Hangul syllable add
    nothing."""
    if unicodedata.category(character) in ("Mn", "Me") or character in _JOINERS or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _is_shown(character: str) -> bool:
    is_space = unicodedata.category(character) == "Zs"
    return character.isprintable() or is_space or character in _JOINERS


@lru_cache(4096)
def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named is not None:
        return named
    point = ord(character)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
