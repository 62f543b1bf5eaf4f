"""The licences of all that is in a bundle: no file without a component, no component without its text."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from . import interpreter, system
from .component import Component, read, texts_of
from .distributions import Distributions
from .faults import BuildFault
from .settings import ROOT

Finder = Callable[[Path], Component | None]

RULE = "=" * 100
HEAD = """Licences of what is in this bundle

The table lists its components. Below it are their licences and notices, each text once.

"""


class LicencesMissing(BuildFault):
    """Files for which no licence was found. `problems` has a line for each component or file."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "The bundle needs the licence of everything in it, and has not got these:\n"
            + "".join(f"  {problem}\n" for problem in problems)
            + "Save the text of each in a file and say so: --licence NAME=FILE, where NAME is a file or folder of the "
            "bundle, a module or package, or a component, as listed here."
        )


def finders(folders: Iterable[str] = ()) -> tuple[Finder, ...]:
    """Who is asked for the component of a file, in this order: an environment lies within folders of Python's.
    `folders` are asked for distributions before those of `sys.path`."""
    return (project, Distributions([*folders, *sys.path]).component_of, interpreter.component_of, system.component_of)


def project(source: Path) -> Component | None:
    """This project, installed or not."""
    if not any(source.resolve().is_relative_to(ROOT.resolve() / folder) for folder in ("sidecar", "packaging")):
        return None
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Component(about["name"], about["version"], about["license"], texts_of([ROOT / "LICENSE"], ROOT))


def component_of(source: Path, asked: Iterable[Finder] | None = None) -> Component | None:
    """The component that a file on the build machine belongs to; None if nobody knows it."""
    return next(filter(None, (find(source) for find in (finders() if asked is None else asked))), None)


def components(
    sources: Mapping[str, Path], given: Mapping[str, Path] | None = None, asked: Iterable[Finder] | None = None
) -> dict[str, Component]:
    """The component of everything in a bundle: `sources` has the file that each path or module was made of.

    What the build itself generates is named by what it was generated of: the bootloader for the executable, a module
    of the standard library for PyInstaller's archive of those. `given` has licences by a file or folder of the bundle,
    a module or package, or the name of a component that ships none. Raises `LicencesMissing`.
    """
    given = given or {}
    asked = tuple(finders() if asked is None else asked)
    found = {name: _chosen(name, source, given, asked) for name, source in sorted(sources.items())}
    named = {component.name for component in found.values() if component is not None}
    problems = [*_mistaken(given, {*sources, *named}), *_problems(sources, found)]
    if problems:
        raise LicencesMissing(problems)
    return {name: component for name, component in found.items() if component is not None}


def _chosen(name: str, source: Path, given: Mapping[str, Path], asked: Iterable[Finder]) -> Component | None:
    """What is given comes on top of what a component has itself. Of two that cover a name, it is the nearer one."""
    found = component_of(source, asked)
    keys = (key for key in sorted(given, reverse=True) if _covers(key, name) or (found and found.name == key))
    key = next(keys, None)
    if key is None:
        return found
    known = found or Component(key, "", "", ())
    return known._replace(texts=(*known.texts, *texts_of([given[key]], given[key].parent)))


def _covers(key: str, name: str) -> bool:
    return name == key or name.startswith((f"{key}/", f"{key}."))


def _mistaken(given: Mapping[str, Path], names: Iterable[str]) -> Iterator[str]:
    """A mistyped name is not taken for a licence that was given."""
    for key, file in given.items():
        if not any(_covers(key, name) for name in names):
            yield f"{key}: is not in the bundle, and {file} is given as its licence"
        elif not file.is_file() or not read(file):
            yield f"{key}: {file}, given as its licence, is not there or is empty"


def _problems(sources: Mapping[str, Path], found: Mapping[str, Component | None]) -> Iterator[str]:
    silent: dict[Component, list[str]] = {}
    for name, component in found.items():
        if component is None:
            yield f"{name}: of no known package, made of {sources[name]}"
        elif not component.texts:
            silent.setdefault(component, []).append(name)
    for component, names in silent.items():
        yield f"{component.name} {component.version}: has no text of its licence; of it are {', '.join(names)}"


def notice(components: Iterable[Component]) -> str:
    """THIRD_PARTY_LICENSES.txt: a table of the components, and then each text once, under all that it is of."""
    listed = sorted(components, key=lambda component: (component.name.lower(), component))
    owners: dict[str, dict[str, None]] = {}  # which keeps the order, as a set does not
    for component in listed:
        for title, text in component.texts:
            owners.setdefault(text, {})[f"{component.name}: {title}"] = None
    sections = (f"{RULE}\n{chr(10).join(names)}\n{RULE}\n\n{text}\n" for text, names in owners.items())
    return HEAD + _table(listed) + "\n" + "\n\n".join(sections)


def _table(listed: Iterable[Component]) -> str:
    told = ((it.name, it.version, it.licence or "see below") for it in listed)
    rows = [("Component", "Version", "Licence"), *dict.fromkeys(told)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "".join(f"{name:{widths[0]}}  {version:{widths[1]}}  {licence}\n" for name, version, licence in rows)
