"""Tables on their way to the sidecar."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa

from ..wire.payload import Payload


def sources(path: Any, arrow: Any, parquet: Any) -> dict[str, Any]:
    """Those that are given, as parameters of `load`."""
    params: dict[str, Any] = {}
    if path is not None:
        params["path"] = os.path.abspath(os.fsdecode(path)) if path else ""
    if arrow is not None:
        params["arrow_ipc"] = Payload("arrow", ipc_bytes(arrow))
    if parquet is not None:
        params["parquet"] = Payload("parquet", parquet)
    return params


def ipc_bytes(arrow: Any) -> Any:
    """Arrow IPC stream bytes of a table; bytes as they are."""
    if isinstance(arrow, pa.RecordBatch):
        arrow = pa.Table.from_batches([arrow])
    if not isinstance(arrow, pa.Table):
        try:
            return memoryview(arrow)
        except TypeError:
            raise TypeError(f"arrow= takes a pyarrow Table or RecordBatch, or IPC bytes, not {type(arrow)}") from None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    return sink.getvalue()
