"""`arrow-sidecar doctor`: what this installation is, and whether a sidecar works on this machine.

Each line is printed as it is found, and what a line needs is imported for it: a damaged library may end the process.
"""

from __future__ import annotations

import os
import sys

from ..version import PROTOCOL_VERSION, VERSION

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXIT_INTERNAL = 70

_LIBRARIES = ("pyarrow", "polars", "msgspec")
_SUSPECT_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "APPDIR",
)

Line = tuple[str, str]


class _Failed(Exception):
    """What does not work, by the name of its line, and how that showed."""

    def __init__(self, name: str, message: object) -> None:
        super().__init__(str(message))
        self.name = name


def doctor(libraries: Mapping[str, str]) -> int:
    """Print one line a finding. Returns 0 if a sidecar could be started and did its work, otherwise 70.

    `libraries` are the versions that are frozen in; none, and they are those that are installed.
    """
    try:
        for line in _findings(libraries):
            _print(*line)
    except _Failed as fault:
        _print(fault.name, f"FAILED: {fault}")
        return EXIT_INTERNAL
    except ImportError as fault:
        _print("libraries", f"FAILED: {fault} (the installation is incomplete: install again)")
        return EXIT_INTERNAL
    print("all is well", flush=True)
    return 0


def _print(name: str, value: str) -> None:
    print(f"{name:<22} {value}", flush=True)


def _findings(libraries: Mapping[str, str]) -> Iterator[Line]:
    yield "arrow-sidecar", f"{VERSION}, protocol {PROTOCOL_VERSION}"
    yield "python", f"{sys.version.split()[0]} ({sys.executable})"
    yield from _files()
    yield "system", _system()
    yield from (libraries or _installed()).items()
    yield from _environment()
    yield from _process()


def _files() -> Iterator[Line]:
    """Those of a frozen executable, before any of them is imported."""
    if getattr(sys, "frozen", False):
        from .bundle_files import Damaged, check_files

        try:
            yield from check_files(os.path.dirname(os.path.realpath(sys.executable)))
        except Damaged as fault:
            raise _Failed("files", fault) from None


def _system() -> str:
    import platform

    return platform.platform()


def _installed() -> dict[str, str]:
    from importlib.metadata import version  # a frozen executable has none

    return {library: version(library) for library in _LIBRARIES}


def _environment() -> Iterator[Line]:
    from .sizes import size_text

    for name in _SUSPECT_VARIABLES:
        if name in os.environ:
            yield "environment", f"{name}={os.environ[name]} (may reach into the sidecar)"
    pipe_max = "/proc/sys/fs/pipe-max-size"
    if os.path.exists(pipe_max):
        with open(pipe_max, encoding="ascii") as file:
            yield "largest pipe", size_text(int(file.read()))


def _process() -> Iterator[Line]:
    from ..client import HostFault, SidecarError
    from .trial import trial

    try:
        yield from trial()
    except (HostFault, SidecarError) as fault:
        raise _Failed("sidecar", fault) from None
