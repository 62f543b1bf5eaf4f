"""Which characters a stream can show. It imports nothing that a damaged installation could miss."""

from __future__ import annotations

import os
import sys
from typing import IO


def encoding_of(stream: IO[str] | None) -> str:
    """Python takes the locale `C` for UTF-8, and writes so into `LC_CTYPE`. To whoever asked for it, it means ASCII."""
    if os.name == "posix":
        own = {} if sys.flags.utf8_mode and os.environ.get("LC_CTYPE") == "C.UTF-8" else {"LC_CTYPE"}
        asked = [os.environ.get(name) for name in ("LC_ALL", *own, "LANG")]
        if next(filter(None, asked), None) in ("C", "POSIX"):
            return "ascii"
    return getattr(stream, "encoding", None) or "utf-8"
