"""Names and comments of generated code: whatever a service is called, a compiler takes it."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.commands.identifiers import pascal, shown, snake
from sidecar.commands.rust import rust
from sidecar.commands.typescript import typescript

from .generated import described


@pytest.mark.parametrize(
    ("text", "in_pascal", "in_snake"),
    [
        ("Counter.add_all", "CounterAddAll", "counter_add_all"),
        ("maxRows", "MaxRows", "max_rows"),
        ("m²", "M", "m_"),
        ("²", "V", "_"),
        ("a-b c", "ABC", "a_b_c"),
        ("2nd", "V2nd", "v2nd"),
        ("größe", "Größe", "größe"),
    ],
)
def test_names(text: str, in_pascal: str, in_snake: str) -> None:
    assert (pascal(text), snake(text)) == (in_pascal, in_snake)
    assert in_pascal.isidentifier()
    assert in_snake.isidentifier()


TURNED = "a \u202eb\u2066 \u200fc"


def test_a_comment_reads_as_it_is_written() -> None:
    assert shown(TURNED) == "a b c"


@pytest.mark.parametrize("generate", [rust, typescript], ids=["rust", "typescript"])
def test_a_docstring_turns_no_code_around(generate: Any) -> None:
    services = described("Counter")
    services["services"][0]["methods"][0]["doc"] = TURNED
    code = generate(services)
    assert "a b c" in code
    assert not any(mark in code for mark in "\u202e\u2066\u200f")
