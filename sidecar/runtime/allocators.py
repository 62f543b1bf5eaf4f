"""Which allocators the data libraries use, and how soon those give memory back."""

from __future__ import annotations

import os
import sys

M_MMAP_THRESHOLD = -3
"""Of glibc's `malloc.h`. It grows by itself with what is freed, to 32 MiB, unless it is set."""

MAPPED_BLOCK_BYTES = 64 * 1024


def settle(is_limited: bool) -> None:
    """Have memory go back to the system where it is promised to. Called before pyarrow and Polars are imported; only a
    program that mounted services of its own has imported them already, and Arrow's pool is then changed.

    Arrow's own choice, mimalloc 3, keeps the holes that decoding leaves and what other threads freed. Measured with a
    Parquet file of 246 MB, decoded: 397 MB resident, and 79 MB after its session was closed; with glibc and a
    `malloc_trim` 263 MB and 15 MB. Its price are fresh pages: a load of 108 MB takes 110 to 140 ms instead of 80 to 95.

    Where memory `is_limited`, nothing is kept for later at all. Measured by the peak of sorting a lazy table under a
    limit of 96 MiB: up to 365 MiB with both libraries left as they are; within the limit if glibc maps what is larger
    than 64 KiB and Polars' jemalloc keeps no free pages. Sorts then take up to twice as long.
    """
    try:
        is_glibc = bool(os.confstr("CS_GNU_LIBC_VERSION"))  # type: ignore[attr-defined,unused-ignore]  # not on Windows
    except (AttributeError, ValueError):  # Windows has no such call, other C libraries no such name
        is_glibc = False
    if is_glibc and "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        _use_system_pool()
    if is_limited:
        os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
        if is_glibc:
            _map_large_blocks()


def _use_system_pool() -> None:
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # which Arrow reads at its import
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())


def _map_large_blocks() -> None:
    import ctypes

    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MAPPED_BLOCK_BYTES)
