"""When this process passed each phase of its start, as `stats` and `doctor --startup` tell it.

Imported before anything else of ours, so that the first phase is what the interpreter took.
"""

from __future__ import annotations

from time import perf_counter

STARTED = "started"
WIRE = "wire"
HELLO = "hello"
LIBRARIES = "libraries"
SERVING = "serving"
WARMED = "warmed"

PHASES = (STARTED, WIRE, HELLO, LIBRARIES, SERVING, WARMED)
"""In the order in which they are passed: the first line of ours; the wire is claimed; hello is written; the libraries
that every request needs are imported; requests are read; what most hosts need next is imported too."""

_passed_at: dict[str, float] = {STARTED: perf_counter()}


def passed(phase: str) -> None:
    """Note that `phase` is over."""
    _passed_at[phase] = perf_counter()


def passed_at_ms() -> list[tuple[str, float]]:
    """What was passed so far and when, in milliseconds since the first phase."""
    return [(phase, 1000 * (at_s - _passed_at[STARTED])) for phase, at_s in [*_passed_at.items()]]
