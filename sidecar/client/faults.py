"""Why a sidecar cannot be spoken to, as the host sees it.

HostFault
  SpawnFailed         the executable could not be started
  HandshakeFailed     it was started, but no hello came that this host understands
  ProtocolViolation   it sent what is no frame or no answer
  SidecarGone         it ended, or closed its output
SidecarError          a request that it answered with an error; the line is fine (`protocol.errors`)
"""

from __future__ import annotations


class HostFault(Exception):
    """The sidecar is of no more use. `stderr_tail` is the last that it wrote to standard error."""

    def __init__(self, message: str, stderr_tail: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.stderr_tail = stderr_tail
        self.exit_code = exit_code

    def __str__(self) -> str:
        tail = f"\nlast lines of its standard error:\n{self.stderr_tail}" if self.stderr_tail else ""
        return self.message + tail


class SpawnFailed(HostFault):
    """No process: a wrong path, no permission, another machine's executable."""


class HandshakeFailed(HostFault):
    """No hello in time, something else in its place, or a version that does not fit."""


class ProtocolViolation(HostFault):
    """Bytes that are no frame, or a response to no request."""


class SidecarGone(HostFault):
    """The process ended; every open call gets this."""
