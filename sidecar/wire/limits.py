"""How big a frame may be. Checked before memory is taken, and announced in `hello`."""

from __future__ import annotations

from typing import NamedTuple

MIB = 1024 * 1024
GIB = 1024 * MIB


class Limits(NamedTuple):
    """The largest header and payload that one side accepts in a frame, in bytes.

    `max_header_bytes` bounds the `int32` size prefix; `max_payload_bytes` bounds the sum of the sizes that the
    header lists, without padding.
    """

    max_header_bytes: int = 16 * MIB
    max_payload_bytes: int = 2 * GIB


MAX_SAFE_INTEGER = 2**53 - 1
"""ECMAScript's Number.MAX_SAFE_INTEGER: a larger one would be rounded by a host that reads numbers as doubles."""
