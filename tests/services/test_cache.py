"""The cache: within its budget, the least recently used goes first, and nothing is left of an owner that is gone."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from threading import Barrier, Thread
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sidecar.services.cache import Cache, Owner

MAX_BYTES = 100


def kept(cache: Cache, owner: Owner, keys: str) -> str:
    """Which of some keys are there."""
    return "".join(key for key in keys if cache.has(owner, key))


def test_the_least_recently_used_goes_first() -> None:
    cache, owner = Cache(MAX_BYTES), Owner()
    for key in "abcd":
        cache.keep(owner, key, key.upper(), 25)
    assert cache.get(owner, "a") == "A"
    cache.keep(owner, "e", "E", 30)
    assert kept(cache, owner, "abcde") == "ade"
    assert cache.bytes == cache.bytes_of(owner) == 80


def test_what_is_larger_than_the_budget_is_not_kept_and_drops_nothing_else() -> None:
    cache, owner = Cache(MAX_BYTES), Owner()
    cache.keep(owner, "a", "A", MAX_BYTES)
    cache.keep(owner, "b", "B", MAX_BYTES + 1)
    assert kept(cache, owner, "ab") == "a"


def test_a_new_value_takes_the_place_of_the_old() -> None:
    cache, owner = Cache(MAX_BYTES), Owner()
    cache.keep(owner, "a", "old", 60)
    cache.keep(owner, "a", "new", 70)
    assert (cache.get(owner, "a"), cache.bytes, cache.bytes_of(owner)) == ("new", 70, 70)


def test_owners_share_the_budget_and_not_the_keys() -> None:
    cache, first, second = Cache(MAX_BYTES), Owner(), Owner()
    cache.keep(first, "a", 1, 60)
    cache.keep(second, "a", 2, 40)
    assert (cache.get(first, "a"), cache.get(second, "a")) == (1, 2)
    cache.keep(second, "b", 3, 40)
    assert (cache.bytes_of(first), cache.bytes_of(second)) == (0, 80)


def test_what_is_free_bounds_it_too_and_drops_no_more_than_needed() -> None:
    cache, owner = Cache(MAX_BYTES), Owner()
    free = 50
    cache.free_bytes = lambda: free - cache.bytes
    for key in "abc":
        cache.keep(owner, key, key, 20)
    assert kept(cache, owner, "abc") == "bc"
    cache.keep(owner, "d", "d", 51)
    assert kept(cache, owner, "abcd") == "bc"


def test_shrinking_returns_what_it_let_go_of() -> None:
    cache, owner = Cache(MAX_BYTES), Owner()
    for key in "abcd":
        cache.keep(owner, key, key.upper(), 25)
    assert cache.shrink(60) == ["A", "B"]
    assert cache.shrink(60) == []
    assert cache.shrink(0) == ["C", "D"]
    assert (cache.bytes, cache.bytes_of(owner)) == (0, 0)


def test_a_forgotten_owner_may_keep_again() -> None:
    """Work under way on a table that was closed still computes its order."""
    cache, owner, other = Cache(MAX_BYTES), Owner(), Owner()
    cache.keep(owner, "a", 1, 10)
    cache.keep(other, "a", 2, 10)
    cache.forget(owner.number)
    assert (cache.bytes, cache.get(other, "a")) == (10, 2)
    cache.keep(owner, "a", 3, 10)
    assert (cache.get(owner, "a"), cache.bytes) == (3, 20)
    del owner
    assert cache.bytes == 10


def test_an_owner_that_garbage_collection_ends_is_forgotten() -> None:
    cache, owner = Cache(MAX_BYTES), Owner()
    cache.keep(owner, "a", 1, 10)
    owner.itself = owner  # type: ignore[attr-defined]
    del owner
    gc.collect()
    assert cache.bytes == 0


def test_an_owner_is_watched_once_by_each_cache_that_keeps_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[tuple[object, object]] = []
    finalize = weakref.finalize

    def watch(owner: Owner, forget: Any, number: int) -> Any:
        watched.append((forget.__self__, number))
        return finalize(owner, forget, number)

    monkeypatch.setattr(weakref, "finalize", watch)
    caches, owner = (Cache(MAX_BYTES), Cache(MAX_BYTES)), Owner()
    for turn in range(1000):
        for cache in caches:
            cache.keep(owner, turn, turn, 1)
    assert watched == [(cache, owner.number) for cache in caches]
    assert [cache.bytes_of(owner) for cache in caches] == [MAX_BYTES, MAX_BYTES]
    del owner
    assert [cache.bytes for cache in caches] == [0, 0]
    assert [len(cache._bytes_of) for cache in caches] == [0, 0]


class EndsAnOwner:
    """A key whose comparison ends an owner: as garbage collection may, inside of any locked call."""

    def __init__(self) -> None:
        self.owners: list[Owner] = []

    def __hash__(self) -> int:
        self.owners.clear()
        return 1


def test_an_owner_may_end_inside_of_a_locked_call() -> None:
    cache, lasting, ending, key = Cache(MAX_BYTES), Owner(), Owner(), EndsAnOwner()
    gone = weakref.ref(ending)
    cache.keep(ending, "a", 1, 10)
    key.owners.append(ending)
    del ending
    cache.get(lasting, key)
    assert gone() is None
    assert cache.shrink(MAX_BYTES) == [1]  # at the next use
    assert cache.bytes == 0


class Model(RuleBasedStateMachine):
    """The cache beside an ordered dict that does the same."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache(MAX_BYTES)
        self.owners = [Owner() for _ in range(3)]
        self.model: OrderedDict[tuple[int, str], tuple[int, int]] = OrderedDict()
        self.count = 0

    places: ClassVar[dict[str, Any]] = {"owner": st.integers(0, 2), "key": st.sampled_from("abcd")}

    @rule(**places, size=st.integers(0, MAX_BYTES + 10))
    def keep(self, owner: int, key: str, size: int) -> None:
        self.count += 1
        self.cache.keep(self.owners[owner], key, self.count, size)
        self.model.pop((owner, key), None)
        if size <= MAX_BYTES:
            self.model[owner, key] = self.count, size
            self._shrink(MAX_BYTES)

    @rule(**places)
    def get(self, owner: int, key: str) -> None:
        expected = self.model.get((owner, key))
        assert self.cache.get(self.owners[owner], key) == (expected[0] if expected else None)
        if expected:
            self.model.move_to_end((owner, key))

    @rule(size=st.integers(0, MAX_BYTES))
    def shrink(self, size: int) -> None:
        assert self.cache.shrink(size) == self._shrink(size)

    @rule(owner=st.integers(0, 2), is_gone=st.booleans())
    def forget(self, owner: int, is_gone: bool) -> None:
        if is_gone:
            self.owners[owner] = Owner()
        else:
            self.cache.forget(self.owners[owner].number)
        for place in [place for place in self.model if place[0] == owner]:
            del self.model[place]

    @invariant()
    def same(self) -> None:
        assert self.cache.bytes == sum(size for _, size in self.model.values()) <= MAX_BYTES
        for number, owner in enumerate(self.owners):
            places = [place for place in self.model if place[0] == number]
            assert self.cache.bytes_of(owner) == sum(self.model[place][1] for place in places)
            assert all(self.cache.has(owner, key) == ((number, key) in self.model) for key in "abcd")

    def _shrink(self, size: int) -> list[Any]:
        dropped = []
        while sum(size for _, size in self.model.values()) > size:
            dropped.append(self.model.popitem(last=False)[1][0])
        return dropped


TestModel = Model.TestCase


def test_threads_leave_the_sums_right() -> None:
    cache, start = Cache(MAX_BYTES), Barrier(4)
    shared = Owner()

    def work(number: int) -> None:
        start.wait()
        for turn in range(500):
            owner = Owner() if turn % 3 else shared
            cache.keep(owner, turn % 7, turn, (turn * number) % 40)
            cache.get(shared, turn % 5)
            if turn % 50 == 0:
                cache.shrink(30)

    threads = [Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.shrink(MAX_BYTES)
    assert cache.bytes == cache.bytes_of(shared) <= MAX_BYTES
    cache.shrink(0)
    assert (cache.bytes, cache.bytes_of(shared)) == (0, 0)
