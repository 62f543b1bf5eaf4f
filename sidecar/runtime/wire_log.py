"""The product's own log records, on their way to the host."""

from __future__ import annotations

import logging

from .server import Server


class WireLog(logging.Handler):
    """Sends the product's own log records to the host."""

    def __init__(self, server: Server) -> None:
        super().__init__(logging.INFO)
        self._server = server

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._server.log(record.levelname.lower(), record.getMessage())
