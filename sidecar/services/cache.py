"""What is derived from tables and could be made again: kept within a budget of bytes, the least recently used goes
first."""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
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
    """Values by owner and key, of at most `max_bytes`, and as many as `free_bytes` leaves room for. All methods may be
    called from any thread."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.free_bytes: Callable[[], int | None] = lambda: None
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
        free = self.free_bytes()  # not under the lock: whoever knows may be about to ask this cache to shrink
        with self._lock:
            self._drop_gone()
            limit = self.max_bytes if free is None else min(self.max_bytes, self.bytes + free)
            dropped = self._drop((owner.number, key))
            if size > limit:
                return
            self._kept[owner.number, key] = _Entry(value, size)
            self._bytes_of[owner.number] = self.bytes_of(owner) + size
            self.bytes += size
            dropped += self._shrink(limit)
        del dropped  # no sooner: to free memory takes time

    def shrink(self, max_bytes: int) -> list[Any]:
        """Let go of values until at most so many bytes are left. Returns them, to be freed where it suits."""
        with self._lock:
            return self._drop_gone() + self._shrink(max_bytes)

    def forget(self, number: int) -> None:
        """The owner of this number is gone. Garbage collection may say so at any point of any other call, so that
        nothing waits here; what is kept of it goes when the cache is used next, or now if it is free."""
        self._gone.append(number)
        if self._lock.acquire(blocking=False):
            try:
                dropped = self._drop_gone()
            finally:
                self._lock.release()
            del dropped

    def _shrink(self, max_bytes: int) -> list[Any]:
        values: list[Any] = []
        while self.bytes > max_bytes and self._kept:
            values += self._drop(next(iter(self._kept)))
        return values

    def _drop_gone(self) -> list[Any]:
        values: list[Any] = []
        while self._gone:
            number = self._gone.popleft()
            for key in [key for key in self._kept if key[0] == number]:
                values += self._drop(key)
            self._bytes_of.pop(number, None)
        return values

    def _drop(self, key: tuple[int, Hashable]) -> list[Any]:
        """The value that was there, if any."""
        entry = self._kept.pop(key, None)
        if entry is None:
            return []
        self._bytes_of[key[0]] -= entry.bytes
        self.bytes -= entry.bytes
        return [entry.value]
