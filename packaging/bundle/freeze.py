"""PyInstaller, run in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from .faults import BuildFault
from .settings import PACKAGING, ROOT, Settings

TOOLS = {"linux": ("strip", "readelf", "nm"), "darwin": ("strip", "otool")}
"""Programs of the system that a build takes. On Debian they are in the package binutils."""


def freeze(settings: Settings, work: Path, epoch_s: int) -> Path:
    """The folder that PyInstaller makes, below `work`. Raises `BuildFault`, with the end of what PyInstaller said."""
    description = work / "settings.json"
    description.write_text(json.dumps(settings._asdict()), encoding="utf-8")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean"]
    folders = ["--distpath", str(work / "dist"), "--workpath", str(work)]
    spec = [str(PACKAGING / "arrow-sidecar.spec"), "--", str(description)]
    log = work / "pyinstaller.log"
    with log.open("wb") as output:
        arguments = [*command, *folders, *spec]
        ended = subprocess.run(arguments, cwd=ROOT, env=_environment(work, epoch_s), stdout=output, stderr=output)
    if ended.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        raise BuildFault("\n".join([f"PyInstaller ended with exit code {ended.returncode}. It said:", *said]))
    return work / "dist" / "bundle"


def check_tools() -> None:
    """Raise `BuildFault` where something is missing that a build takes."""
    _need_a_plain_python()
    if find_spec("PyInstaller") is None:
        raise BuildFault(
            f"PyInstaller is not installed for {sys.executable}: run `make frozen` once, and then .venv/bin/python "
            "packaging/build.py"
        )
    missing = [tool for tool in TOOLS.get(sys.platform, ()) if shutil.which(tool) is None]
    if missing:
        raise BuildFault(f"{', '.join(missing)} cannot be found: install binutils (on macOS: xcode-select --install)")


def _need_a_plain_python() -> None:
    """A framework is a folder of links, which a bundle must not have."""
    if sysconfig.get_config_var("PYTHONFRAMEWORK"):
        raise BuildFault(f"{sys.executable} is a framework build, as python.org's are: use pyenv's or uv's Python")


def own_environment() -> dict[str, str]:
    """The variables of this process, without a person's settings of Python and PyInstaller."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYINSTALLER"))}


def _environment(work: Path, epoch_s: int) -> dict[str, str]:
    """What two builds need to be the same: sets in one order, one time stamp."""
    return {
        **own_environment(),
        "PYTHONHASHSEED": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
        "SOURCE_DATE_EPOCH": str(epoch_s),
    }
