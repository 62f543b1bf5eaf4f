"""What the executable is frozen for, by the names that Rust, Electron and Python have for it."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from typing import NamedTuple

from .faults import BuildFault


class Target(NamedTuple):
    """One operating system on one processor."""

    rust: str
    """Rust's target triple, which names the folder of the bundle."""
    electron: str
    """`process.platform` and `process.arch` of Node, joined by `-`."""
    python: str
    """What `sysconfig.get_platform()` says, without its version of the operating system."""


TARGETS = (
    Target("x86_64-unknown-linux-gnu", "linux-x64", "linux-x86_64"),
    Target("aarch64-unknown-linux-gnu", "linux-arm64", "linux-aarch64"),
    Target("x86_64-apple-darwin", "darwin-x64", "macosx-x86_64"),
    Target("aarch64-apple-darwin", "darwin-arm64", "macosx-arm64"),
    Target("x86_64-pc-windows-msvc", "win32-x64", "win-amd64"),
    Target("aarch64-pc-windows-msvc", "win32-arm64", "win-arm64"),
)


class UnsupportedTarget(BuildFault):
    """This Python runs on nothing in `TARGETS`."""

    def __init__(self, found: str) -> None:
        supported = ", ".join(target.rust for target in TARGETS)
        super().__init__(
            f"This Python is for {found}. The executable can be frozen for {supported}. A bundle is made of the Python "
            "that builds it: run the build on the system that the bundle is for, with a 64-bit Python made for it."
        )


def this_target() -> Target:
    """Of the running interpreter, which is what gets frozen. Raises `UnsupportedTarget`."""
    return target_of(sysconfig.get_platform(), platform.machine(), _is_glibc(), sys.maxsize > 2**32)


def target_of(python_platform: str, machine: str, is_glibc: bool, is_64_bit: bool) -> Target:
    """Of what an interpreter says of itself: `sysconfig.get_platform()`, `platform.machine()`, its C library and size.

    On Linux the platform is what the kernel says: a 32-bit Python on a 64-bit kernel has the name of a 64-bit one, and
    musl's that of glibc's. On macOS the platform of a universal2 Python is not what it runs as: the machine is.
    """
    system, _, rest = python_platform.partition("-")
    if not is_64_bit:
        raise UnsupportedTarget(f"{python_platform}, 32 bits")
    if system == "linux" and not is_glibc:
        raise UnsupportedTarget(f"{python_platform} with a C library other than glibc, such as musl")
    processor = rest.rpartition("-")[2]
    name = f"{system}-{machine if processor == 'universal2' else processor}"
    found = next((target for target in TARGETS if target.python == name), None)
    if found is None:
        raise UnsupportedTarget(python_platform)
    return found


def _is_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))  # type: ignore[attr-defined,unused-ignore]  # not on Windows
    except (AttributeError, ValueError):  # Windows has no such call, other C libraries no such name
        return False
