"""What a developer's service reaches by itself, and so gets in although it stays out otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .cython import imports
from .lean import is_library


def reached(analyse: Callable[[str], Any], modules: list[str], stay_out: set[str], folder: Path) -> set[str]:
    """The names of all modules that `modules` import, and those import in turn. `analyse` is PyInstaller's analysis of
    a script.

    Everything that a service's own code and its dependencies mention counts, within functions too. What every bundle
    has needs nothing more, and of the libraries that stay out only what they import whenever they are imported: half
    of the standard library mentions `doctest` and `multiprocessing` somewhere.
    """
    script = folder / "reach.py"
    script.write_text("".join(f"import {module}\n" for module in modules), encoding="utf-8")
    graph = analyse(str(script)).graph
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            if name in modules or not is_library(name) or _is_out(name, stay_out):
                waiting.extend(_imported(graph, name))
    return found


def without(stay_out: set[str], let_in: Iterable[str]) -> set[str]:
    """`stay_out`, but for modules that are let in and the packages that these are in."""
    parents = {name.rsplit(".", count)[0] for name in let_in for count in range(name.count(".") + 1)}
    return stay_out - parents


def _is_out(name: str, stay_out: set[str]) -> bool:
    return not stay_out.isdisjoint(name.rsplit(".", count)[0] for count in range(name.count(".") + 1))


def _imported(graph: Any, name: str) -> Iterator[str]:
    yield from imports([name]) if name.startswith("pyarrow._") else ()
    node = graph.find_node(name)
    if node is None:
        return
    for other in graph.outgoing(node):
        if not is_library(name) or not _is_optional(graph.edgeData(node, other)):
            yield other.identifier


def _is_optional(edge: Any) -> bool:
    return any(getattr(edge, kind, False) for kind in ("conditional", "function", "tryexcept"))
