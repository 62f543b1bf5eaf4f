"""The module `sidecar_build` of a frozen executable: what it was built of."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import PyInstaller

from .exclusions import required_distributions
from .settings import Settings

TEMPLATE = '''"""What this executable was built of."""

from sidecar.version import Build

BUILD = Build(id={id!r}, name={name!r}, services={services!r}, libraries={libraries!r})
STARTS_ITSELF = {starts_itself!r}
'''


def written(analysis: Any, settings: Settings, folder: Path) -> Path:
    """The module's file in `folder`, for what an analysis of PyInstaller's has found."""
    module = folder / "sidecar_build.py"
    fields = {"name": settings.name, "services": settings.services, "libraries": libraries()}
    starts_itself = any(name == "multiprocessing" for name, _source, _kind in analysis.pure)
    text = TEMPLATE.format(id=build_id(analysis, fields), starts_itself=starts_itself, **fields)
    module.write_text(text, encoding="utf-8")
    return module


def libraries() -> dict[str, str]:
    """The versions of what the sidecar requires, by name."""
    found = {}
    for name in sorted(required_distributions("arrow-sidecar") - {"arrow-sidecar"}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # required on other systems only
            continue
    return found


def build_id(analysis: Any, fields: dict[str, Any]) -> str:
    """16 hex digits of every file that gets in, under its name; of the versions of Python and PyInstaller, which make
    the rest; and of `fields`. The folder of the build is not in it."""
    digest = hashlib.sha256(repr((platform.python_version(), PyInstaller.__version__, sorted(fields.items()))).encode())
    entries = [*analysis.scripts, *analysis.pure, *analysis.binaries, *analysis.datas]
    for name, source, kind in sorted(entries):
        if name == "base_library.zip":  # PyInstaller makes it of Python's own modules
            continue
        if kind == "SYMLINK":
            digest.update(f"{name}\0{source}\n".encode())
            continue
        with open(source, "rb") as file:
            content = hashlib.file_digest(file, "sha256")
        digest.update(f"{name}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
