"""What is to be built."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
"""The project."""

PACKAGING = ROOT / "packaging"


class Settings(NamedTuple):
    """One executable."""

    name: str = "arrow-sidecar"
    """That of the executable, and the first part of its folder's name."""

    services: tuple[str, ...] = ()
    """`module:factory` of what it always mounts."""

    includes: tuple[str, ...] = ()
    """Modules that are imported by name only, `serve --service` among them, so that no analysis finds them."""

    data: tuple[tuple[str, str], ...] = ()
    """Files or folders, and the folders within the bundle that they go to."""

    paths: tuple[str, ...] = ()
    """Folders in which modules are looked for, before the installed ones."""

    @property
    def modules(self) -> list[str]:
        """Those that a developer has added."""
        return [*(spec.partition(":")[0] for spec in self.services), *self.includes]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Settings:
        """From what JSON makes of `_asdict`."""
        return cls(**{**fields, "data": tuple((source, place) for source, place in fields["data"])})
