"""The two versions: of the product, and of the protocol that it speaks."""

from __future__ import annotations

import os

VERSION = "0.1.0"

with open(os.path.join(os.path.dirname(__file__), "PROTOCOL_VERSION"), encoding="ascii") as _file:
    PROTOCOL_VERSION = _file.read().strip()

PROTOCOL_MAJOR = int(PROTOCOL_VERSION.partition(".")[0])
