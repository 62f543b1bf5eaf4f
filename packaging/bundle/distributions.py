"""Which Python distribution a file belongs to, and what that says of its licence."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .component import Component, read, states_terms

ENVIRONMENTS = ("site-packages", "dist-packages")


class Distributions:
    """Those in some folders, `sys.path` by default, by the files that they have installed."""

    def __init__(self, folders: Iterable[str] | None = None) -> None:
        self._folders = list(sys.path if folders is None else folders)
        self._components: dict[str, Component] = {}

    def component_of(self, source: Path) -> Component | None:
        """The distribution that installed a file, or that is developed in a folder above it (an editable one)."""
        found = self._by_file.get(_key(source)) or self._editable(source)
        if found is None:
            return None
        if found.name not in self._components:
            self._components[found.name] = component(found)
        return self._components[found.name]

    @cached_property
    def _all(self) -> list[Distribution]:
        """The first of each name is what is imported."""
        by_name: dict[str, Distribution] = {}
        for found in Distribution.discover(path=self._folders):
            by_name.setdefault(found.name, found)
        return [by_name[name] for name in sorted(by_name)]

    @cached_property
    def _by_file(self) -> dict[str, Distribution]:
        owners: dict[str, Distribution] = {}
        for distribution in self._all:
            for path in _files(distribution):
                owners.setdefault(_key(path), distribution)
        return owners

    @cached_property
    def _by_folder(self) -> dict[Path, Distribution]:
        folders = ((_editable_folder(distribution), distribution) for distribution in self._all)
        return {folder: distribution for folder, distribution in folders if folder is not None}

    def _editable(self, source: Path) -> Distribution | None:
        """What an environment within such a folder has installed is not of the project."""
        path = source.resolve()
        if any(part in ENVIRONMENTS for part in path.parts):
            return None
        return next((self._by_folder[parent] for parent in path.parents if parent in self._by_folder), None)


def component(distribution: Distribution) -> Component:
    """Its name, version, licence, and all texts in it: of itself, and of native code that it has built in."""
    base = Path(os.path.normpath(str(distribution.locate_file(""))))
    found: dict[str, str] = {}
    for parts in sorted((Path(os.path.relpath(path, base)).parts for path in _files(distribution)), key=_own_first):
        path = base.joinpath(*parts)
        if path.is_file() and _is_licence(parts):
            found.setdefault(read(path), _title(parts))
    texts = tuple((title, text) for text, title in found.items() if text)
    return Component(distribution.name, distribution.version, licence(distribution), (*texts, *_built_in(distribution)))


def licence(distribution: Distribution) -> str:
    """Its SPDX expression; else what it says in one line (the field often is the whole text); else its classifiers."""
    metadata: Any = distribution.metadata
    free = (metadata.get("License") or "").strip()
    one_line = "" if "\n" in free else free
    classifiers = (line for line in metadata.get_all("Classifier", ()) if line.startswith("License :: "))
    return metadata.get("License-Expression") or one_line or ", ".join(line.split(" :: ")[-1] for line in classifiers)


def _files(distribution: Distribution) -> Iterator[Path]:
    """What was installed; not what `SOURCES.txt` lists, in the folder of a project that somebody works on."""
    if not any(distribution.read_text(record) for record in ("RECORD", "installed-files.txt")):
        return
    for path in distribution.files or ():
        yield Path(os.path.normpath(str(distribution.locate_file(path))))


def _own_first(parts: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    return not parts[0].endswith(".dist-info"), parts


def _is_licence(parts: tuple[str, ...]) -> bool:
    """What lies in the folder that the metadata has for licences (PEP 639), or has such a name."""
    is_in_folder = parts[0].endswith(".dist-info") and parts[1:2] == ("licenses",)
    return is_in_folder or states_terms(Path(*parts))


def _title(parts: tuple[str, ...]) -> str:
    """By its path within the distribution, without the metadata's own folder."""
    is_metadata = parts[0].endswith(".dist-info")
    return "/".join(parts[1 + (parts[1] == "licenses") :] if is_metadata else parts)


def _built_in(distribution: Distribution) -> Iterator[tuple[str, str]]:
    """What a CycloneDX bill of materials lists: in wheels made of Rust, the crates, whose texts they do not ship."""
    for path in sorted(_files(distribution)):
        if path.parent.name == "sboms" and path.suffix == ".json":
            parts = json.loads(path.read_text(encoding="utf-8")).get("components", ())
            lines = sorted({f"{part['name']} {part.get('version', '')}: {_declared(part)}" for part in parts})
            yield path.name, "\n".join(["Built in, as its bill of materials declares it:", *lines])


def _declared(part: dict[str, Any]) -> str:
    found = [item.get("expression") or item.get("license", {}) for item in part.get("licenses", ())]
    names = [item if isinstance(item, str) else item.get("id") or item.get("name", "") for item in found]
    return ", ".join(names) or "no licence declared"


def _editable_folder(distribution: Distribution) -> Path | None:
    """By the record of its origin that pip writes (PEP 610)."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(urlsplit(origin["url"]).path)).resolve()


def _key(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
