"""Row orders, each computed once: every later page is a gather."""

from __future__ import annotations

from threading import Event, Lock

import pyarrow as pa

from ....protocol.methods import Work
from ...cache import Cache
from ...sessions import Sessions
from ...table import Table
from ..view import View
from .ordering import row_order

CACHE_BYTES = 256 * 1024 * 1024
"""Row orders that are kept over all sessions: 4 bytes a row."""

WAIT_S = 0.05
"""How often one who waits for an order that another call computes looks whether it is cancelled itself."""


class RowOrders:
    """Row orders by table and view. Those who need the same one at the same time share one computation."""

    def __init__(self, max_bytes: int = CACHE_BYTES, sessions: Sessions | None = None) -> None:
        """`sessions` account for the memory that the work takes."""
        self.cache = Cache(max_bytes)
        self._sessions = sessions or Sessions()
        self._lock = Lock()
        self._under_way: dict[tuple[int, bytes], Event] = {}

    def has(self, table: Table, view: View) -> bool:
        """Whether `get` would answer at once."""
        return self.cache.has(table.owner, view.key())

    def get(self, table: Table, view: View, work: Work) -> pa.Array:
        """As `row_order`."""
        key = table.owner.number, view.key()
        while True:
            with self._lock:
                order = self.cache.get(table.owner, key[1])  # kept before it is no longer under way
                if order is not None:
                    return order
                event = self._under_way.get(key)
                if event is None:
                    event = self._under_way[key] = Event()
                    break
            while not event.wait(WAIT_S):  # if the other call fails or is cancelled, this one computes it
                work.check()
        try:
            with self._sessions.claim("the order of the rows") as claim:
                order = row_order(table, view, work, claim)
            work.check()  # nobody waits for it any more: it is not kept
            self.cache.keep(table.owner, key[1], order, order.nbytes)
            return order
        finally:
            with self._lock:
                del self._under_way[key]
            event.set()
