"""The Python host: starts a sidecar, speaks to it, stops it.

with Host.spawn() as host:
    loaded = host.load(path="flights.parquet")
    page = host.tables.rows(loaded.session, 0, 100, sort=[Sort("dep_delay", descending=True)])
    print(page.table)
"""

from ..protocol.errors import SidecarError
from ..services.filters import Filter
from ..services.ordering import Sort
from .calls import Call, CallTimeout, Progress
from .faults import HandshakeFailed, HostFault, ProtocolViolation, SidecarGone, SpawnFailed
from .host import Host
from .nouns import Page

__all__ = [
    "Call",
    "CallTimeout",
    "Filter",
    "HandshakeFailed",
    "Host",
    "HostFault",
    "Page",
    "Progress",
    "ProtocolViolation",
    "SidecarError",
    "SidecarGone",
    "Sort",
    "SpawnFailed",
]
