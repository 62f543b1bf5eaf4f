"""`pyarrow.compute`, imported when something of it is first used.

It writes 300 functions with their documentation when it is imported: 29 ms, which a first load of Arrow does without.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import pyarrow.compute

    value = globals()[name] = getattr(pyarrow.compute, name)
    return value
