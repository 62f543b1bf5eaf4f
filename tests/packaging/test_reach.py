"""What a service brings with it: what its own code mentions, and not half of the standard library."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bundle.reach import reached, without


class Edge(NamedTuple):
    """As PyInstaller's graph has it."""

    conditional: bool = False
    function: bool = False
    tryexcept: bool = False


ALWAYS, IN_A_FUNCTION, TRIED = Edge(), Edge(function=True), Edge(tryexcept=True)

GRAPH: dict[str, dict[str, Edge]] = {
    "service": {"ssl": IN_A_FUNCTION, "helper": ALWAYS, "json": ALWAYS, "sidecar": ALWAYS, "pyarrow.dataset": ALWAYS},
    "helper": {"numpy": TRIED, "difflib": ALWAYS},
    "numpy": {"numpy.linalg": ALWAYS},
    "ssl": {"_ssl": ALWAYS, "asyncio": IN_A_FUNCTION},
    "server": {"http.server": ALWAYS},
    "http.server": {"html": ALWAYS, "shutil": ALWAYS},
    "html": {"html.entities": ALWAYS},
    "archive": {"shutil": ALWAYS, "xml.etree": IN_A_FUNCTION},
    "shutil": {"bz2": TRIED},
    "json": {"doctest": IN_A_FUNCTION},
    "difflib": {"doctest": IN_A_FUNCTION},
    "sidecar": {"multiprocessing": ALWAYS},
    "pyarrow.dataset": {"pyarrow.fs": ALWAYS, "pyarrow._s3fs": TRIED},
}


class Node(NamedTuple):
    """A module."""

    identifier: str


class Graph:
    """The part of PyInstaller's graph that is used."""

    def find_node(self, name: str) -> Node | None:
        return Node(name) if name in GRAPH else None

    def outgoing(self, node: Node) -> list[Node]:
        return [Node(name) for name in GRAPH.get(node.identifier, ())]

    def edgeData(self, node: Node, other: Node) -> Edge:  # noqa: N802
        return GRAPH[node.identifier][other.identifier]


class Analysis:
    """What PyInstaller makes of a script."""

    def __init__(self, script: str) -> None:
        self.script = Path(script).read_text(encoding="utf-8")
        self.graph = Graph()


OUT = {"ssl", "_ssl", "asyncio", "doctest", "multiprocessing", "pyarrow.dataset", "pyarrow.fs", "pyarrow._s3fs"}
OUT |= {"http", "html.entities", "xml", "tarfile", "bz2"}


def test_it_follows_what_is_the_service_s(tmp_path: Path) -> None:
    analyses: list[Analysis] = []

    def analyse(script: str) -> Any:
        analyses.append(Analysis(script))
        return analyses[0]

    found = reached(analyse, ["service"], OUT, tmp_path)
    assert analyses[0].script == "import service\n"
    assert found >= {
        *("service", "helper", "numpy", "numpy.linalg", "json", "difflib", "sidecar"),
        *("ssl", "_ssl", "pyarrow.dataset", "pyarrow.fs"),
        *("_hashlib", "pyarrow._dataset", "pyarrow._dataset_parquet"),  # which come with these
    }
    assert found.isdisjoint({"asyncio", "doctest", "multiprocessing", "pyarrow._s3fs"})


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("server", {"server", "http.server", "html", "html.entities", "shutil"}),
        ("archive", {"archive", "shutil", "tarfile", "bz2", "lzma", "xml.etree", "pyexpat"}),
    ],
    ids=["by the standard library", "with what a service imports itself"],
)
def test_what_comes_along(module: str, expected: set[str], tmp_path: Path) -> None:
    """The archives of `shutil` come with one that a service imports, not with that of `http.server`."""
    assert reached(Analysis, [module], OUT, tmp_path) == expected


@pytest.mark.parametrize(
    ("let_in", "expected"),
    [
        ({"ssl"}, {"a", "a.b", "c"}),
        ({"a.b.d"}, {"c", "ssl"}),
        (set(), {"a", "a.b", "c", "ssl"}),
    ],
    ids=["one", "with the packages that it is in", "none"],
)
def test_what_is_let_in(let_in: set[str], expected: set[str]) -> None:
    assert without({"a", "a.b", "c", "ssl"}, let_in) == expected
