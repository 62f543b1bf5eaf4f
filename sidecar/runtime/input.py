"""What the host sent to one stream and no turn has taken yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ..protocol.streams import Turns
from ..wire.payload import Payload
from .pending import Pending


class Input:
    """Pieces in order of arrival, and within the first of them the batches that are left. They count as pending until
    they are served. `head` is the next batch, None until it is fetched; `added` and `served` count pieces. `add` and
    `clear` are called under the stream's lock, the rest by the thread of its turns."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._pieces: deque[Payload] = deque()
        self._batches: Iterator[Any] | None = None
        self.head: Any = None
        self.added = self.served = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: Payload) -> None:
        """A piece came. Raises `Refused`."""
        self._pending.take(piece.size)
        self._pieces.append(piece)
        self.added += 1

    def clear(self) -> None:
        """Nobody will take the rest."""
        while self._pieces:
            self._pending.remove(self._pieces.popleft().size)

    def fetch(self, turns: Turns, served: Callable[[int], None]) -> None:
        """Bring the next batch to the head, where the pieces that are here have one. `served` is told the size of each
        piece that is done with. Raises `SidecarError` for bytes that hold no batches."""
        while self.head is None and self._pieces:
            if self._batches is None:
                self._batches = turns.read(self._pieces[0])
            self.head = next(self._batches, None)
            if self.head is None:
                self._batches = None
                size = self._pieces.popleft().size
                self._pending.remove(size)
                self.served += 1
                served(size)

    def drop(self) -> None:
        """There are no more turns: let go of the piece that was being read."""
        self._batches = self.head = None

    def take(self) -> Any:
        """The batch at the head, which is the next one's place from here on."""
        batch, self.head = self.head, None
        return batch
