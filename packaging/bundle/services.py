"""A developer's services, looked at before anything is frozen: what cannot be mounted here cannot be in a bundle."""

from __future__ import annotations

import subprocess
import sys

from .faults import BuildFault
from .settings import ROOT, Settings

MOUNT = """
import sys
from sidecar.mount import MountError, Sidecar
try:
    Sidecar().including(sys.argv[1:])
except MountError as fault:
    sys.exit(str(fault))
"""


def check_services(settings: Settings) -> None:
    """Mount them, in a process of its own. Raises `BuildFault`, with what mounting says."""
    if not settings.services:
        return
    command = [sys.executable, "-c", _with_paths(settings), *settings.services]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFault(f"{done.stderr.strip()} (looked for in {', '.join(settings.paths)}; see --path)")


def _with_paths(settings: Settings) -> str:
    return f"import sys\nsys.path[:0] = {[*settings.paths, str(ROOT)]!r}\n{MOUNT}"
