"""The start of a sidecar, and what it says first."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from ..runtime import platform
from .faults import SpawnFailed


class Hello(msgspec.Struct):
    """What the sidecar says of itself before anything else."""

    protocol_version: str
    version: str
    build_id: str
    pid: int
    features: list[str]
    limits: dict[str, int | None]
    methods_digest: str | None


def default_command() -> list[str]:
    """The sidecar of this installation. `-P` keeps a folder named `sidecar` in the current directory out of it,
    `-B` has Python write no bytecode: a sidecar writes no file. A frozen executable is its own sidecar."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-B", "-P", "-m", "sidecar"]


def start(arguments: list[str], env: dict[str, str] | None) -> subprocess.Popen[bytes]:
    """The process, its three streams as pipes. Raises `SpawnFailed`."""
    pipe = subprocess.PIPE
    group = platform.own_group()
    try:
        return subprocess.Popen(arguments, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=env, **group)
    except OSError as fault:
        raise SpawnFailed(f"{arguments[0]} cannot be started: {fault.strerror or fault}") from None
