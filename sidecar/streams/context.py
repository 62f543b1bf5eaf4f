"""What the author's code may ask of the call or the stream that it serves."""

from __future__ import annotations

import time
from enum import StrEnum
from logging import LoggerAdapter, getLogger
from typing import TYPE_CHECKING, Any, Protocol

from ..protocol.errors import Cancelled


class Level(StrEnum):
    """How much a log message matters to the host, the most first."""

    EXCEPTION = "exception"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"
    TRACE = "trace"


class Reporter(Protocol):
    """The way to the host, of a call or of a stream."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this any more."""

    @property
    def deadline(self) -> float | None:
        """On the clock of `time.monotonic`."""

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        """Send a log message."""

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Send progress."""


if TYPE_CHECKING:
    Logger = LoggerAdapter[Any]
else:
    Logger = LoggerAdapter


class CallContext:
    """`ctx` of an implementation's methods and of a state's turns. `implementation` is the object that was mounted,
    `method` the `Service.method` that is served, `request_id` the id of the request or of the stream."""

    def __init__(self, host: Reporter, method: str, request_id: int | str, implementation: object) -> None:
        self._host = host
        self.method = method
        self.request_id = request_id
        self.implementation = implementation

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this any more. Long work looks now and then, and returns."""
        return self._host.cancelled

    def check(self) -> None:
        """Raise `Cancelled` if so."""
        if self._host.cancelled:
            raise Cancelled

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline, 0 after it; None where the host set none."""
        deadline = self._host.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def progress(self, done: int, total: int | None = None, unit: str = "rows", message: str = "") -> None:
        """Tell the host how far the work is: at most 20 times a second are sent. Raises `Cancelled` as `check` does."""
        self._host.progress(done, total, unit, message)

    def client_log(self, level: str, message: str, **extra: Any) -> None:
        """Send a message to the host, at once. `level` is one of `Level`, `extra` any JSON."""
        self._host.log(Level(level.lower()).value, message, extra)

    @property
    def logger(self) -> Logger:
        """The process's own log, with method and request: it goes to standard error, and to the host as `log`."""
        logger = getLogger(f"sidecar.service.{self.method.partition('.')[0]}")
        return LoggerAdapter(logger, {"method": self.method, "request_id": self.request_id})
