"""What a developer's service reaches by itself, and so gets in although it stays out otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .cython import imports
from .exclusions import COMES_WITH
from .lean import is_library


def reached(analyse: Callable[[str], Any], modules: list[str], stay_out: set[str], folder: Path) -> set[str]:
    """The names of all modules that `modules` import, and those import in turn. `analyse` is PyInstaller's analysis of
    a script.

    Everything that a service's own code and its dependencies mention counts, within functions too. Of the libraries
    that stay out and of the standard library it is what they import whenever they are imported, and what `COMES_WITH`
    has: half of the standard library mentions `doctest` and `multiprocessing` somewhere. The other libraries need
    nothing more than every bundle has.
    """
    script = folder / "reach.py"
    script.write_text("".join(f"import {module}\n" for module in modules), encoding="utf-8")
    graph = analyse(str(script)).graph
    found: set[str] = set()
    waiting = [*modules, *_with(modules)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_from(graph, name, name in modules or not is_library(name), stay_out))
    return found


def parents(name: str) -> set[str]:
    """A module, and the packages that it is in."""
    return {name.rsplit(".", count)[0] for count in range(name.count(".") + 1)}


def without(stay_out: set[str], let_in: Iterable[str]) -> set[str]:
    """`stay_out`, but for modules that are let in and the packages that these are in."""
    return stay_out.difference(*map(parents, let_in))


def _from(graph: Any, name: str, is_own: bool, stay_out: set[str]) -> Iterator[str]:
    """Where it leads from a module."""
    if is_own:
        others = [*_imported(graph, name, whenever=False)]
        yield from [*others, *_with(others)]
    elif not stay_out.isdisjoint(parents(name)):
        yield from [*_imported(graph, name, whenever=True), *_with([name])]
    elif name.partition(".")[0] in sys.stdlib_module_names:
        yield from _imported(graph, name, whenever=True)


def _with(names: Iterable[str]) -> Iterator[str]:
    for parent in set().union(*map(parents, names)):
        yield from COMES_WITH.get(parent, ())


def _imported(graph: Any, name: str, whenever: bool) -> Iterator[str]:
    yield from imports([name]) if name.startswith("pyarrow._") else ()
    node = graph.find_node(name)
    for other in () if node is None else graph.outgoing(node):
        if not (whenever and _is_optional(graph.edgeData(node, other))):
            yield other.identifier


def _is_optional(edge: Any) -> bool:
    return any(getattr(edge, kind, False) for kind in ("conditional", "function", "tryexcept"))
