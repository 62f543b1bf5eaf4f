"""What one stream has for its host, in order: batches, which go out together where the host reads slowly, and
messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition
from typing import Any, NamedTuple

from ..protocol.messages import Notification
from ..wire.framing import encode
from ..wire.limits import MIB
from ..wire.payload import Payload
from .terms import Terms

FRAME_BYTES = 256 * 1024
"""Batches are put into one frame up to this size; a larger one has a frame of its own."""


MAX_OUTBOX_BYTES = 4 * MIB
"""What a stream runs ahead of the writer, whatever its credit. Once it is there, half of it has to leave first."""


class _Item(NamedTuple):
    buffers: list[Any]
    size: int
    is_batch: bool


class Outbox:
    """A source of the writer's. Everything in it has its credit. `changed` is the condition, and with it the lock, of
    the stream; `on_room` is called under it when a frame is written."""

    def __init__(self, stream: str, changed: Condition, on_room: Callable[[], None], terms: Terms) -> None:
        self.stream = stream
        self._terms = terms
        self._changed = changed
        self._on_room = on_room
        self._items: deque[_Item] = deque()
        self._in_flight_bytes = 0
        self._is_offered = False
        self.bytes = 0
        self.has_room = True

    def add_batch(self, piece: list[Any], size: int) -> bool:
        """Take a batch, under the lock; True if the writer is to be told, without it."""
        return self._add(_Item(piece, size, True))

    def add_message(self, parts: list[Any]) -> bool:
        """Take a whole frame; as `add_batch`."""
        return self._add(_Item(parts, sum(map(len, parts)), False))

    def _add(self, item: _Item) -> bool:
        self._items.append(item)
        self.bytes += item.size
        self.has_room = self.has_room and self.bytes < MAX_OUTBOX_BYTES
        is_new, self._is_offered = not self._is_offered, True
        return is_new

    def drop_batches(self) -> int:
        """Forget the batches that are not on their way, under the lock; returns how many."""
        kept = deque(item for item in self._items if not item.is_batch)
        dropped = [item for item in self._items if item.is_batch]
        self._items = kept
        self.bytes -= sum(item.size for item in dropped)
        self._look_for_room()
        return len(dropped)

    def take(self) -> tuple[list[Any], bool]:
        """The next frame, and whether there are more."""
        with self._changed:
            parts = self._take() if self._items else []
            self._is_offered = bool(self._items)
            return parts, self._is_offered

    def sent(self) -> None:
        """It is written."""
        with self._changed:
            self.bytes -= self._in_flight_bytes
            self._in_flight_bytes = 0
            self._look_for_room()

    def _look_for_room(self) -> None:
        if self.bytes and (self.has_room or self.bytes > MAX_OUTBOX_BYTES // 2):
            return
        self.has_room = True
        self._on_room()
        self._changed.notify_all()

    def _take(self) -> list[Any]:
        first = self._items.popleft()
        self._in_flight_bytes += first.size  # `sent` may be late: another thread may write meanwhile
        size = first.size
        if not first.is_batch:
            return first.buffers
        buffers = list(first.buffers)
        limit = min(FRAME_BYTES, self._terms.limits.max_payload_bytes)
        while self._items and self._items[0].is_batch and size + self._items[0].size <= limit:
            item = self._items.popleft()
            buffers += item.buffers
            size += item.size
        self._in_flight_bytes += size - first.size
        if len(buffers) > 1 and size <= FRAME_BYTES:
            buffers = [b"".join(buffers)]  # 20 µs at most, where a system call takes no more than 1024 parts
        batches = Payload("arrow", buffers)
        return encode(Notification("streams/data", {"stream": self.stream, "batches": batches}))
