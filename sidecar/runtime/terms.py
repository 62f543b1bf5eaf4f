"""What the host said of itself in `initialize`; until then, what is assumed of it."""

from __future__ import annotations

from ..protocol.methods import InitializeParams
from ..wire.limits import Limits


class Terms:
    """`limits` is the largest frame that the host takes, `debug` whether it wants tracebacks."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.debug = False

    def accept(self, params: InitializeParams) -> None:
        """Take over what the host said."""
        limits = params.limits
        self.debug = params.debug
        self.limits = Limits(
            limits.max_header_bytes or self.limits.max_header_bytes,
            limits.max_payload_bytes or self.limits.max_payload_bytes,
        )
