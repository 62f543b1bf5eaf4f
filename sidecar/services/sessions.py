"""Sessions: the tables that are loaded, each under one id, and the memory that they take together."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

from msgspec import Struct

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from .allocations import give_back, is_shared
from .cache import Cache
from .claims import Claim as Claim  # for those who hold one
from .table import Table

Notify = Callable[[str, dict[str, Any]], None]

REMEMBERED_EVICTIONS = 1024
"""Sessions that are known to have been evicted; of older ones a request hears only that there is none."""


class Column(Struct):
    """One column as a host sees it; `dtype` is Arrow's name of the type (`int64`, `timestamp[us, tz=UTC]`)."""

    name: str
    dtype: str
    nullable: bool


class Session(NamedTuple):
    """A loaded table and where it came from. Never changed: a new load under the same id makes a new session."""

    id: str
    path: str
    filename: str
    source: str
    format: str
    mode: str
    table: Table
    warnings: list[str]

    def columns(self) -> list[Column]:
        """The table's columns, in order."""
        return [Column(field.name, str(field.type), field.nullable) for field in self.table.schema]


class SessionInfo(Struct):
    """One line of `sessions/list`; `bytes` is the memory that it takes, `cached_bytes` the part of it that could be
    made again: row orders, and pieces of a lazy table."""

    session: str
    path: str
    filename: str
    rows: int
    columns: int
    source: str
    format: str
    mode: str
    bytes: int
    cached_bytes: int


class ListParams(Struct, forbid_unknown_fields=True):
    """`sessions/list` takes none."""


class ListResult(Struct):
    """Every session, in the order of their first load; `bytes` is their sum, with what work under way takes and what
    it still holds of tables that were closed or replaced."""

    sessions: list[SessionInfo]
    bytes: int
    memory_limit_bytes: int | None


class CloseParams(Struct, forbid_unknown_fields=True):
    """Which session to close."""

    session: str


class CloseResult(Struct):
    """The closed session, and the bytes that it took."""

    session: str
    bytes: int


class Sessions:
    """The registry. Its methods may be called from any thread; each takes effect at once or not at all.

    Where a claim would go beyond the limit, first the caches let go of what could be made again. If `evicts`, then the
    sessions follow that have gone unnamed the longest; `notify` tells of each. Only if that is not enough, and then
    nothing is let go, the claim is refused.
    """

    def __init__(
        self,
        memory_limit_bytes: int | None = None,
        evicts: bool = False,
        notify: Notify = lambda *_: None,
        on_freed: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_freed` is called where memory became free that the allocators may keep."""
        self.memory_limit_bytes = memory_limit_bytes
        self._evicts = evicts
        self._notify = notify
        self.on_freed = on_freed
        self._lock = Lock()  # taken before that of a cache, never after
        self._sessions: dict[str, Session] = {}
        self._uses: dict[str, None] = {}  # the same ids, the least recently named first
        self._evicted: dict[str, None] = {}
        self._caches: list[Cache] = []
        self._claims: list[Claim] = []
        self._leaving: list[weakref.ref[Table]] = []

    def register(self, cache: Cache) -> None:
        """What `cache` keeps of tables is part of the total from here on, within the limit, and goes with them."""
        cache.free_bytes = lambda: self.free_bytes
        self._caches.append(cache)

    def get(self, id: str) -> Session:
        """The session, which is now the most recently named; or `unknown_session`."""
        with self._lock:
            session = self._sessions.get(id)
            if session is not None:
                self._touch(id)
                return session
            known, was_evicted = list(self._sessions), id in self._evicted
        if was_evicted:
            message = f"session {id!r} was evicted: load it again"
            raise SidecarError("unknown_session", message, session=id, sessions=known, evicted=True)
        raise SidecarError("unknown_session", f"there is no session {id!r}: load it first", session=id, sessions=known)

    def ids(self) -> list[str]:
        """The ids of all sessions."""
        with self._lock:
            return [*self._sessions]

    @property
    def free_bytes(self) -> int | None:
        """What sessions and work may still take; None where there is no limit."""
        return self._free_bytes(self._total)

    def bytes_beside(self, claim: Claim) -> int:
        """What all sessions and work take, but for `claim`."""
        with self._lock:
            return self._total() - claim.bytes

    def put(self, session: Session, claim: Claim | None = None) -> None:
        """Make `session` the one under its id, in one step; from there on its memory is no longer the claim's."""
        with self._lock:
            if claim is not None:
                claim.bytes = 0
            old = self._sessions.get(session.id)
            self._sessions[session.id] = session
            self._touch(session.id)
            self._evicted.pop(session.id, None)
            if old is not None:
                self._leaving.append(weakref.ref(old.table))
        if old is not None:
            self._forget([old])

    @contextmanager
    def claim(self, label: str, session: str | None = None) -> Iterator[Claim]:
        """Account for work from here to the end of the block. `label` names it in a refusal; `session`, which it will
        replace, is not evicted for it."""
        claim = Claim(self, label, session)
        with self._lock:
            self._claims.append(claim)
        try:
            yield claim
        finally:
            with self._lock:
                self._claims.remove(claim)
            self.on_freed()

    def list_sessions(self, _params: ListParams, _context: Context) -> ListResult:
        """`sessions/list`."""
        with self._lock:
            infos = [self._info(session) for session in self._sessions.values()]
            return ListResult(infos, self._total(), self.memory_limit_bytes)

    def close_session(self, params: CloseParams, context: Context) -> CloseResult:
        """`sessions/close`: forget the table and give its memory back to the system."""
        session = self.get(params.session)
        context.commit()
        with self._lock:
            size = self._info(session).bytes
            if self._sessions.get(session.id) is session:  # not evicted, nor replaced, meanwhile
                self._drop(session)
        self._forget([session])
        self.on_freed()
        return CloseResult(params.session, size)

    def _info(self, session: Session) -> SessionInfo:
        table = session.table
        cached = sum(cache.bytes_of(table.owner) for cache in self._caches)
        size = table.bytes + cached
        return SessionInfo(*session[:3], table.rows, len(table.schema), *session[3:6], size, cached)

    def _touch(self, id: str) -> None:
        self._uses.pop(id, None)
        self._uses[id] = None

    def _drop(self, session: Session) -> None:
        """Its table counts until nobody holds it any more: work under way goes on with it."""
        del self._sessions[session.id], self._uses[session.id]
        self._leaving.append(weakref.ref(session.table))

    def _forget(self, sessions: list[Session]) -> None:
        for session in sessions:
            for cache in self._caches:
                cache.forget(session.table.owner.number)

    def _free_bytes(self, taken: Callable[[], int]) -> int | None:
        if self.memory_limit_bytes is None:
            return None
        with self._lock:
            return max(0, self.memory_limit_bytes - taken())

    def _total(self) -> int:
        return self._fixed() + sum(cache.bytes for cache in self._caches)

    def _fixed(self) -> int:
        """What cannot be made again."""
        leaving = [table for ref in self._leaving if (table := ref()) is not None]
        self._leaving = [weakref.ref(table) for table in leaving]
        tables = [session.table for session in self._sessions.values()]
        return sum(table.bytes for table in (*tables, *leaving)) + sum(claim.bytes for claim in self._claims)

    def _hold(self, claim: Claim, size: int) -> None:
        values: list[Any] = []  # what caches let go of: not freed under the lock, as that takes time
        with self._lock:
            limit = self.memory_limit_bytes
            evicted = [] if limit is None else self._make_room(claim, size, limit, values)
            claim.bytes = size
        told = list(map(_sized, evicted))
        values.clear()
        if evicted:
            evicted.clear()
            give_back()  # at once: the work that needs it goes on
        for params in told:
            self._notify("sessions/evicted", {**params, "reason": "memory_limit"})

    def _make_room(self, claim: Claim, size: int, limit: int, values: list[Any]) -> list[Session]:
        """The sessions that are evicted for it."""
        others = self._fixed() - claim.bytes
        evicted = self._least_used(others + size - limit)
        if evicted is None:
            raise self._refused(claim.label, size, others)
        for session in evicted:
            self._drop(session)
            self._evicted[session.id] = None
        for id in list(self._evicted)[:-REMEMBERED_EVICTIONS]:
            del self._evicted[id]
        self._forget(evicted)
        room = limit - size - others + sum(session.table.bytes for session in evicted)
        for cache in self._caches:
            values += cache.shrink(room)
            room -= cache.bytes
        return evicted

    def _least_used(self, needed: int) -> list[Session] | None:
        """As few sessions as bring so many bytes, the least recently named first; None where all do not bring them.
        One that work reads is not among them, for that would free nothing, nor one that a load is about to replace."""
        if needed <= 0:
            return []
        if not self._evicts:
            return None
        targets = {claim.session for claim in self._claims}
        found: list[Session] = []
        for session in map(self._sessions.__getitem__, self._uses):
            if session.table.bytes and session.id not in targets and not is_shared(session, "table"):
                found.append(session)
                needed -= session.table.bytes
                if needed <= 0:
                    return found
        return None

    def _refused(self, label: str, size: int, others: int) -> SidecarError:
        return SidecarError(
            "memory_limit",
            f"{label} takes {size} bytes, {others} are taken already, the limit is {self.memory_limit_bytes}: "
            "close a session or raise the limit",
            bytes=size,
            taken_bytes=others,
            memory_limit_bytes=self.memory_limit_bytes,
            sessions=list(map(_sized, self._sessions.values())),
        )


def _sized(session: Session) -> dict[str, Any]:
    return {"session": session.id, "path": session.path, "bytes": session.table.bytes}
