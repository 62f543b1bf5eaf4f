"""What waits is counted, bounded, and given back; one is always taken."""

from __future__ import annotations

import pytest

from sidecar.runtime.pending import REQUEST_BYTES, Pending
from sidecar.wire.framing import Refused


class Watched(Pending):
    """Notes whether anybody else could take something while it is looked whether there is room."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.locked: list[bool] = []

    def check(self, frame_bytes: int) -> None:
        self.locked.append(self._lock.locked())
        super().check(frame_bytes)
        self.locked.append(self._lock.locked())


def test_one_is_always_taken() -> None:
    pending = Pending(1)
    pending.take(10**9)
    with pytest.raises(Refused, match="the limit is 1"):
        pending.take(0)
    pending.remove(10**9)
    pending.take(10**9)


@pytest.mark.parametrize(("more", "is_taken"), [(99, True), (100, True), (101, False)])
def test_the_bound_counts_every_frame_and_request(more: int, is_taken: bool) -> None:
    pending = Pending(2 * REQUEST_BYTES + 200)
    pending.take(100)
    if is_taken:
        pending.check(more)
        pending.take(more)
        return
    for take in (pending.check, pending.take):
        with pytest.raises(Refused):
            take(more)
    pending.take(100)  # what was refused was not counted


def test_room_is_looked_for_and_taken_under_one_lock() -> None:
    """Streams and requests take from several threads: none may come between."""
    pending = Watched(1)
    pending.take(10)
    assert pending.locked == [True, True]
    with pytest.raises(Refused):
        pending.take(10)
    assert not pending._lock.locked()
    pending.remove(10)
