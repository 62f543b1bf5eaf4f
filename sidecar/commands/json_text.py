"""JSON that a person wrote: what it says twice or too large is a slip, and not a value."""

from __future__ import annotations

import json
from math import isinf
from typing import Any


class Refused(ValueError):
    """JSON whose value would be another than what was written; the text is for people."""


def read(text: str | bytes) -> Any:
    """The value of a text. Raises `Refused`, and `ValueError` or `RecursionError` for what is no JSON."""
    return json.loads(text, parse_constant=_constant, parse_float=_number, object_pairs_hook=_object)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise Refused(f"the number {text:.40} is too large")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"the key {twice!r} is there twice")
    return made
