"""The Python host: starts a sidecar, speaks to it, stops it.

with Host.spawn() as host:
    loaded = host.load(path="flights.parquet")
    page = host.tables.rows(loaded.session, 0, 100, sort=[Sort("dep_delay", descending=True)])
    print(page.table)
"""

from ..protocol.errors import SidecarError
from ..services.tables.filters.filters import Filter
from ..services.tables.filters.search import Search
from ..services.tables.order.ordering import Sort
from ..streams.stream import Checkpoint
from .calls import Call, CallTimeout, Progress, ServiceLog
from .faults import HandshakeFailed, HostFault, ProtocolViolation, SidecarGone, SpawnFailed
from .host import Host
from .inbox import StreamEnded
from .session import StreamSession
from .tables import Page

__all__ = [
    "Call",
    "CallTimeout",
    "Checkpoint",
    "Filter",
    "HandshakeFailed",
    "Host",
    "HostFault",
    "Page",
    "Progress",
    "ProtocolViolation",
    "Search",
    "ServiceLog",
    "SidecarError",
    "SidecarGone",
    "Sort",
    "SpawnFailed",
    "StreamEnded",
    "StreamSession",
]
