"""What Polars says of a query that it refuses, as an error that points at the place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ....protocol.errors import SidecarError
from ...spelling import did_you_mean, suggestions
from .query_text import QueryText, Reason

_SYNTAX = re.compile(
    r"^sql parser error: (?P<what>.*?)(?: at Line: (?P<line>\d+), Column: (?P<column>\d+))?$", re.DOTALL
)
_TABLE = re.compile(r"^relation '(?P<name>.*)' was not found")
_COLUMN = (
    re.compile(r"^unable to find column \"(?P<name>.*?)\"; valid columns: \[(?P<valid>.*)\]"),
    re.compile(r"^no column named '(?P<name>.*?)' found"),
    re.compile(r"^no table or struct column named '(?P<name>.*?)' found"),
)
_FUNCTION = re.compile(r"^unsupported function '(?P<name>.*?)'")
_DUPLICATE = re.compile(r"duplicate output name '(?P<name>.*?)'")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
_NAMED = re.compile(r"col(?:umn)?(?:\(\"| '|: )([^\"'\n]+?)(?:\"\)|'|\b)")


class Known(NamedTuple):
    """What a query may name: the tables, and the columns of those that it names."""

    tables: Sequence[str]
    columns: Sequence[str]


def invalid_query(fault: BaseException, query: QueryText, known: Known) -> SidecarError:
    """The error of Polars as `invalid_query`."""
    text = str(fault).strip()
    for explain in (_syntax, _unknown_table, _unknown_column, _unknown_function, _duplicate):
        found = explain(text, query, known)
        if found is not None:
            return found
    reason = " ".join(text.partition("\n\n")[0].split()) or type(fault).__name__  # the plan comes after a blank line
    return query.invalid("evaluation", f"the query cannot be run: {reason}", _mentioned(text, query))


def _syntax(text: str, query: QueryText, _known: Known) -> SidecarError | None:
    found = _SYNTAX.match(text.partition("\n")[0])
    if found is None:
        return None
    at = query.offset(int(found["line"]), int(found["column"])) if found["line"] else len(query.text.rstrip())
    return query.invalid("syntax", f"the query is no SQL: {found['what']}", at)


def _unknown_table(text: str, query: QueryText, known: Known) -> SidecarError | None:
    found = _TABLE.match(text)
    return None if found is None else _unknown("table", found["name"], query, known.tables)


def _unknown_column(text: str, query: QueryText, known: Known) -> SidecarError | None:
    for pattern in _COLUMN:
        found = pattern.match(text)
        if found is not None:
            valid = _QUOTED.findall(found["valid"]) if "valid" in found.groupdict() else known.columns
            return _unknown("column", _unescaped(found["name"]), query, [_unescaped(name) for name in valid])
    return None


def _unknown_function(text: str, query: QueryText, _known: Known) -> SidecarError | None:
    found = _FUNCTION.match(text)
    if found is None:
        return None
    name = found["name"]
    return query.invalid("function", f"there is no function {name!r}", query.find(name, before="("), name=name)


def _duplicate(text: str, query: QueryText, _known: Known) -> SidecarError | None:
    found = _DUPLICATE.search(text.partition("\n")[0])
    if found is None:
        return None
    name = found["name"]
    places = [token.start for token in query.tokens if token.is_name and token.name == name]
    message = f"two columns of the result are named {name!r}: name one of them with AS"
    return query.invalid("duplicate", message, places[1] if len(places) > 1 else None, name=name)


def _unknown(reason: Reason, name: str, query: QueryText, known: Sequence[str]) -> SidecarError:
    close = suggestions(name, known)
    at = query.find(name)
    if at is None and "." in name:  # of a table, Polars says all parts
        at = query.find(name.partition(".")[0])
    message = f"there is no {reason} {name!r}{did_you_mean(close)}"
    return query.invalid(reason, message, at, name=name, known=known, suggestions=close)


def _mentioned(text: str, query: QueryText) -> int | None:
    """The place of a column that the message speaks of: the best guess where Polars tells none."""
    places: Callable[[str], int | None] = query.find
    return next((at for name in _NAMED.findall(text) if (at := places(name)) is not None), None)


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)
