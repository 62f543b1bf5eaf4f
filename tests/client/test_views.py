"""What a host asks of a table: a wrong type is told by name, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.client import Filter, Search, Sort
from sidecar.client.views import listed, view

WARM = Filter("degrees", "gt", 10)


def test_only_what_is_given_is_asked_for() -> None:
    assert view(None, (), (), None) == {}
    assert view((), [Sort("a")], (WARM,), "Oslo") == {
        "columns": [],
        "sort": [Sort("a")],
        "filter": [WARM],
        "search": Search("Oslo"),
    }


def test_objects_of_the_protocol_are_taken_too() -> None:
    objects = [{"column": "a"}]
    assert view(None, objects, objects, None) == {"sort": objects, "filter": objects}  # type: ignore[arg-type]


MISTAKES: dict[str, tuple[str, Any, type, str]] = {
    "a text for a list": ("columns", "city", str, "columns is a list, not 'city'"),
    "a text for sorts": ("sort", "city", Sort, "sort is a list, not 'city'"),
    "one filter": ("filter", WARM, Filter, "filter is a list, not Filter(column='degrees'"),
    "one object": ("filter", {"column": "a"}, Filter, "filter is a list, not {'column': 'a'}"),
    "texts for sorts": ("sort", ["city"], Sort, "sort is a list of Sort, not of 'city'"),
    "a sort for a filter": ("filter", [Sort("a")], Filter, "filter is a list of Filter, not of Sort(column='a'"),
    "a tuple": ("filter", [("a", "eq", 1)], Filter, "filter is a list of Filter, not of ('a', 'eq', 1)"),
    "a number": ("columns", [1], str, "columns is a list of str, not of 1"),
}


@pytest.mark.parametrize(("name", "values", "type", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_by_name(name: str, values: Any, type: type, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        listed(name, values, type)
    assert str(caught.value).startswith(message)
