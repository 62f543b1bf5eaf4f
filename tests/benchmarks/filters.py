"""The first page of 256 rows and 8 columns of a filter or a search that is new, of 1 M and of 10 M rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from sidecar.client import Filter, Host, Search
from sidecar.client.tables import Page
from sidecar.services.polars import pl

from .data import ipc, table
from .harness import Line, at_most, in_turns

PAGE_ROWS = 256
REACH = 1.3
SEARCHED = ["id", "amount", "flag", "city", "name"]


class Case(NamedTuple):
    """What is asked, in a form for each number, so that no answer is known already; and the same of Polars."""

    what: str
    params: Any
    expression: Any


def _text(text: str, ignore_case: bool = False) -> Any:
    """What Polars does to search five columns of several types."""
    found = [
        column.str.contains("(?i)" + text) if ignore_case else column.str.contains(text, literal=True)
        for column in (pl.col(name).cast(pl.String) for name in SEARCHED)
    ]
    return pl.any_horizontal(*found)


CASES = [
    Case("number >", lambda n: {"filter": [Filter("amount", "gt", 9000 + n)]}, lambda n: pl.col("amount") > 9000 + n),
    Case(
        "string =", lambda n: {"filter": [Filter("city", "eq", f"city-{n}")]}, lambda n: pl.col("city") == f"city-{n}"
    ),
    Case(
        "contains",
        lambda n: {"filter": [Filter("name", "contains", f"{n:03}7")]},
        lambda n: pl.col("name").str.contains(f"{n:03}7", literal=True),
    ),
    Case(
        "contains, ignore case",
        lambda n: {"filter": [Filter("name", "contains", f"E-{n:03}", ignore_case=True)]},
        lambda n: pl.col("name").str.contains(f"(?i)E-{n:03}"),
    ),
    Case(
        "regex",
        lambda n: {"filter": [Filter("name", "regex", f"{n}7+8")]},
        lambda n: pl.col("name").str.contains(f"{n}7+8"),
    ),
    Case("search 5 columns", lambda n: {"search": Search(f"{n:03}77", SEARCHED)}, lambda n: _text(f"{n:03}77")),
    Case("search 5, letters", lambda n: {"search": Search(f"me-{n:03}", SEARCHED)}, lambda n: _text(f"me-{n:03}")),
    Case(
        "search 5, ignore case",
        lambda n: {"search": Search(f"ME-{n:03}", SEARCHED, ignore_case=True)},
        lambda n: _text(f"ME-{n:03}", ignore_case=True),
    ),
]


def lines(quick: bool) -> list[Line]:
    """Each case through the pipe against Polars in this process, which has the table as its own already."""
    found: list[Line] = []
    for rows in (100_000, 1_000_000) if quick else (1_000_000, 10_000_000):
        with Host.spawn() as host:
            data = table(rows)
            session = host.load(arrow=ipc(data)).session
            frame = pl.DataFrame(pl.from_arrow(data))
            found += [_line(host, session, frame, case, 3 if quick else 9) for case in CASES]
    return found


def _line(host: Host, session: str, frame: pl.DataFrame, case: Case, rounds: int) -> Line:
    here, there = _numbers(), _numbers()

    def reference() -> None:
        frame.filter(case.expression(next(here)))

    def ours() -> Page:
        return host.tables.rows(session, 0, PAGE_ROWS, **case.params(next(there)))

    reference()
    ours()
    return at_most(f"{case.what}, first page of {_count(frame.height)}", in_turns(reference, ours, rounds), REACH)


def _numbers() -> Iterator[int]:
    return count(100)


def _count(rows: int) -> str:
    return f"{rows // 1_000_000} M" if rows >= 1_000_000 else f"{rows // 1000} k"
