"""What a developer asks for, looked at before anything is frozen: what cannot be imported cannot be in a bundle."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from .faults import BuildFault
from .settings import ROOT, Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

MOUNT = """
import sys
from importlib import import_module
from sidecar.mount import MountError, Sidecar
paths, includes, services = {paths!r}, {includes!r}, {services!r}
sys.path[:0] = paths
for name in includes:
    try:
        import_module(name)
    except ModuleNotFoundError as fault:
        sys.exit(f"--include {{name}}: there is no module {{fault.name!r}}")
try:
    Sidecar().including(services)
except MountError as fault:
    sys.exit(str(fault))
"""


def check_settings(settings: Settings) -> None:
    """Import and mount what is named, in a process of its own. Raises `BuildFault`, with what that says."""
    if not NAME.fullmatch(settings.name):
        raise BuildFault(f"--name {settings.name!r}: write it with letters, digits, '.', '_' and '-'")
    for folder in settings.paths:
        if not os.path.isdir(folder):
            raise BuildFault(f"--path {folder}: there is no such folder")
    if settings.modules:
        _mount(settings)


def _mount(settings: Settings) -> None:
    paths = [*settings.paths, str(ROOT)]
    script = MOUNT.format(paths=paths, includes=settings.includes, services=settings.services)
    done = subprocess.run([sys.executable, "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise BuildFault(done.stderr.strip() + _hint(done.stderr, settings))


def _hint(said: str, settings: Settings) -> str:
    if "needs a module" in said:
        return f": install it, {sys.executable} -m pip install NAME"
    if "there is no module" in said:
        return f" (looked for in {', '.join(settings.paths)} and among what is installed; see --path)"
    return ""
