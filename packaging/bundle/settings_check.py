"""What a developer asks for, looked at before anything is frozen: what cannot be imported cannot be in a bundle."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .data import check_data
from .faults import BuildFault
from .freeze import own_environment
from .settings import ROOT, Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

TAKEN = {
    **dict.fromkeys(sys.stdlib_module_names - {"test"}, "Python's own"),
    **dict.fromkeys(("sidecar", "sidecar_build"), "the sidecar's"),
}

MOUNTED = "mounted"
TIMEOUT_S = 60

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
print({MOUNTED!r})
"""


def check_settings(settings: Settings) -> None:
    """Import and mount what is named, in a process of its own. Raises `BuildFault`, with what that says."""
    if not NAME.fullmatch(settings.name):
        raise BuildFault(f"--name {settings.name!r}: write it with letters, digits, '.', '_' and '-'")
    for folder in settings.paths:
        if not os.path.isdir(folder):
            raise BuildFault(f"--path {folder}: there is no such folder")
        _check_names(Path(folder))
    check_data(settings.data)
    if "sidecar_build" in settings.modules:
        raise BuildFault("sidecar_build is a module that the build makes: give yours another name")
    if settings.modules:
        _mount(settings)


def _check_names(folder: Path) -> None:
    """Modules of a `--path` come before the standard library and what is installed. `test` is in no bundle."""
    for path in sorted(folder.iterdir()):
        is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
        if is_module and path.stem in TAKEN and path.parent.resolve() != ROOT.resolve():
            raise BuildFault(f"--path {folder}: {path.name} would take the place of {TAKEN[path.stem]}: rename it")


def _mount(settings: Settings) -> None:
    paths = [str(ROOT), *settings.paths]
    script = MOUNT.format(paths=paths, includes=settings.includes, services=settings.services, MOUNTED=MOUNTED)
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=own_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0 and not done.stdout.endswith(f"{MOUNTED}\n"):
        raise BuildFault(f"{', '.join(settings.modules)}: what is imported ends the process")
    if done.returncode:
        raise BuildFault(done.stderr.strip() + _hint(done.stderr, settings))


def _hint(said: str, settings: Settings) -> str:
    if "needs a module" in said:
        return f": install it, {sys.executable} -m pip install NAME"
    if "there is no module" in said:
        return f" (looked for in {', '.join(settings.paths)} and among what is installed; see --path)"
    return ""
