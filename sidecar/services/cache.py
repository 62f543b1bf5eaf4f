"""What is derived from tables and could be made again: kept within a budget of bytes, the least recently used goes
first."""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from collections.abc import Hashable
from itertools import count
from threading import Lock
from typing import Any, NamedTuple

_numbers = count()


class _Entry(NamedTuple):
    value: Any
    bytes: int


class Owner:
    """Whatever something is kept of. Its number is never used again, as its id would be."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self._known_to: set[int] = set()

    def tell(self, cache: Cache) -> None:
        """Have `cache` forget what it has of this, once this is gone."""
        if id(cache) not in self._known_to:
            self._known_to.add(id(cache))
            weakref.finalize(self, cache.forget, self.number)


class Cache:
    """Values by owner and key. All methods may be called from any thread."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, Hashable], _Entry] = OrderedDict()
        self._bytes_of: dict[int, int] = {}
        self._gone: deque[int] = deque()

    def bytes_of(self, owner: Owner) -> int:
        """What is kept of one owner."""
        return self._bytes_of.get(owner.number, 0)

    def has(self, owner: Owner, key: Hashable) -> bool:
        """Whether `get` would find it."""
        return (owner.number, key) in self._kept

    def get(self, owner: Owner, key: Hashable) -> Any:
        """The value, which is now the most recently used; None if it is not kept."""
        with self._lock:
            entry = self._kept.get((owner.number, key))
            if entry is None:
                return None
            self._kept.move_to_end((owner.number, key))
            return entry.value

    def keep(self, owner: Owner, key: Hashable, value: Any, size: int) -> None:
        """Keep a value of `size` bytes, as long as there is room."""
        owner.tell(self)
        with self._lock:
            self._drop_gone()
            self._drop((owner.number, key))
            if size > self.max_bytes:
                return
            self._kept[owner.number, key] = _Entry(value, size)
            self._bytes_of[owner.number] = self.bytes_of(owner) + size
            self.bytes += size
            self._shrink(self.max_bytes)

    def shrink(self, max_bytes: int) -> None:
        """Let go of values until so many bytes are left."""
        with self._lock:
            self._drop_gone()
            self._shrink(max_bytes)

    def forget(self, number: int) -> None:
        """The owner of this number is gone. Garbage collection may say so at any point of any other call, so that
        nothing waits here; what is kept of it goes when the cache is used next, or now if it is free."""
        self._gone.append(number)
        if self._lock.acquire(blocking=False):
            try:
                self._drop_gone()
            finally:
                self._lock.release()

    def _shrink(self, max_bytes: int) -> None:
        while self.bytes > max_bytes and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop_gone(self) -> None:
        while self._gone:
            number = self._gone.popleft()
            for key in [key for key in self._kept if key[0] == number]:
                self._drop(key)
            self._bytes_of.pop(number, None)

    def _drop(self, key: tuple[int, Hashable]) -> None:
        entry = self._kept.pop(key, None)
        if entry is not None:
            self._bytes_of[key[0]] -= entry.bytes
            self.bytes -= entry.bytes
