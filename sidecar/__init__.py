"""Arrow Sidecar: DataFrames for desktop apps, from a Python child process over stdin and stdout.

What service authors use is here: `from sidecar import Sidecar, Stream, ProducerState, …`. `sidecar.client` is the
host's side, `sidecar.testing` the pytest fixtures, `sidecar.app` the process itself.

A name is imported when it is first used: the process greets its host before anything heavy.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: `typing` takes 8 ms to import, before hello
if TYPE_CHECKING:
    from typing import Any

    from .client.session import StreamSession as StreamSession
    from .mount import Sidecar as Sidecar
    from .pipe import serve_pipe as serve_pipe
    from .protocol.errors import Cancelled as Cancelled
    from .protocol.errors import SidecarError as SidecarError
    from .streams.batch import AnnotatedBatch as AnnotatedBatch
    from .streams.collector import OutputCollector as OutputCollector
    from .streams.context import CallContext as CallContext
    from .streams.context import Level as Level
    from .streams.contract import ContractError as ContractError
    from .streams.service import ServiceError as ServiceError
    from .streams.state import (
        ExchangeState as ExchangeState,
    )
    from .streams.state import (
        ProducerState as ProducerState,
    )
    from .streams.state import (
        StreamState as StreamState,
    )
    from .streams.stream import Stream as Stream
    from .streams.values.dataclass import ArrowSerializableDataclass as ArrowSerializableDataclass
    from .streams.values.types import ArrowType as ArrowType
    from .streams.values.types import InvalidValue as InvalidValue

_HOMES = {
    "AnnotatedBatch": "streams.batch",
    "ArrowSerializableDataclass": "streams.values.dataclass",
    "ArrowType": "streams.values.types",
    "CallContext": "streams.context",
    "Cancelled": "protocol.errors",
    "ContractError": "streams.contract",
    "ExchangeState": "streams.state",
    "InvalidValue": "streams.values.types",
    "Level": "streams.context",
    "OutputCollector": "streams.collector",
    "ProducerState": "streams.state",
    "ServiceError": "streams.service",
    "Sidecar": "mount",
    "SidecarError": "protocol.errors",
    "Stream": "streams.stream",
    "StreamSession": "client.session",
    "StreamState": "streams.state",
    "serve_pipe": "pipe",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sidecar' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
