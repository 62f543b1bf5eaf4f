"""The component of every part of a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from .component import Component
from .contents import INNER
from .licences import Finder, component_of, components, finders
from .settings import Settings
from .sources import recorded


def parts_of(
    folder: Path, executable: Path, work: Path, settings: Settings, given: Mapping[str, Path]
) -> dict[str, Component]:
    """The component of each file below the bundle's inner folder, of the executable and of each module in it; but for
    what is the developer's own. Raises `LicencesMissing`."""
    found = recorded(work / "sources.json")
    inner = folder / INNER
    files = {name: source for name, source in found.files.items() if (inner / name).exists()}
    made = {executable.name: _bootloader(), "base_library.zip": Path(os.__file__)}
    modules = {name: source for name, source in found.modules.items() if not source.is_relative_to(work)}
    sources = {**modules, **files, **made}
    asked = finders(settings.paths)
    own = {name for name, source in sources.items() if name not in given and _is_own(source, settings, asked)}
    return components({name: source for name, source in sources.items() if name not in own}, given, asked)


def _bootloader() -> Path:
    spec = find_spec("PyInstaller")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def _is_own(source: Path, settings: Settings, asked: Iterable[Finder]) -> bool:
    """Whether a file lies where the developer's modules or data are, and is of no package that somebody published."""
    places = [*settings.paths, *(place for place, _ in settings.data)]
    return any(source.is_relative_to(place) for place in places) and component_of(source, asked) is None
