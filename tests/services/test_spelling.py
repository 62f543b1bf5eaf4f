"""A name that there is not: what was meant, or what there is."""

from __future__ import annotations

import pytest

from sidecar.services.spelling import suggestions, unknown_column

MESSAGES = {
    "close": ("degree", ["city", "degrees"], "there is no column 'degree': did you mean 'degrees'?"),
    "in another case": ("CITY", ["city", "degrees"], "there is no column 'CITY': did you mean 'city'?"),
    "two": ("nam", ["name", "names"], "there is no column 'nam': did you mean 'name' or 'names'?"),
    "none close": ("x", ["city", "degrees"], "there is no column 'x': there are 'city', 'degrees'"),
    "no column": ("x", [], "there is no column 'x': the table has none"),
    "many": (
        "x",
        [f"column {i}" for i in range(5000)],
        f"there is no column 'x': there are {', '.join(repr(f'column {i}') for i in range(8))} and 4,992 more",
    ),
}


@pytest.mark.parametrize(("name", "known", "message"), MESSAGES.values(), ids=MESSAGES)
def test_the_message(name: str, known: list[str], message: str) -> None:
    error = unknown_column(name, known)
    assert (error.kind, error.message) == ("unknown_column", message)
    assert error.data == {"column": name, "columns": known}


def test_whose_column_it_is() -> None:
    error = unknown_column("ident", ["id"], "left")
    assert error.message == "there is no column 'ident' in session 'left': there are 'id'"
    assert error.data == {"column": "ident", "columns": ["id"], "session": "left"}


def test_names_that_are_very_long_are_not_compared() -> None:
    assert suggestions("x" * 100_000, ["x" * 100_001, "y"]) == []
