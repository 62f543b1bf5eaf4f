"""Sessions: the tables that are loaded, each under one id, and the memory that they take together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from msgspec import Struct

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from .table import Table


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
    """One line of `sessions/list`; `bytes` is the memory that the table takes."""

    session: str
    path: str
    filename: str
    rows: int
    columns: int
    source: str
    format: str
    mode: str
    bytes: int


class ListParams(Struct, forbid_unknown_fields=True):
    """`sessions/list` takes none."""


class ListResult(Struct):
    """Every session, in the order of their first load; `bytes` is their sum, with loads under way."""

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


class Claim:
    """Memory that a load is taking; part of the total until the load ends."""

    def __init__(self, sessions: Sessions, label: str) -> None:
        self._sessions = sessions
        self.label = label
        self.bytes = 0

    def hold(self, size: int) -> None:
        """The load holds, or is about to hold, `size` bytes. Raises `memory_limit`."""
        self._sessions._hold(self, size)


class Sessions:
    """The registry. Its methods may be called from any thread; each takes effect at once or not at all.

    `on_drop(table)` is called when a table is closed or replaced, for whoever keeps something derived from it.
    """

    def __init__(self, memory_limit_bytes: int | None = None) -> None:
        self.memory_limit_bytes = memory_limit_bytes
        self.on_drop: Callable[[Table], None] = lambda _table: None
        self._lock = Lock()
        self._sessions: dict[str, Session] = {}
        self._claims: list[Claim] = []

    def get(self, id: str) -> Session:
        """The session, or `unknown_session`."""
        try:
            return self._sessions[id]
        except KeyError:
            known = list(self._sessions)
            raise SidecarError("unknown_session", f"there is no session {id!r}", session=id, sessions=known) from None

    @property
    def free_bytes(self) -> int | None:
        """What sessions and work may still take; None where there is no limit."""
        if self.memory_limit_bytes is None:
            return None
        with self._lock:
            return max(0, self.memory_limit_bytes - self._total())

    def put(self, session: Session, claim: Claim | None = None) -> None:
        """Make `session` the one under its id, in one step; from there on its memory is no longer the claim's."""
        with self._lock:
            if claim is not None:
                claim.bytes = 0
            old = self._sessions.get(session.id)
            self._sessions[session.id] = session
        if old is not None:
            self.on_drop(old.table)

    @contextmanager
    def claim(self, label: str) -> Iterator[Claim]:
        """Account for a load from here to the end of the block. `label` names it in a refusal."""
        claim = Claim(self, label)
        with self._lock:
            self._claims.append(claim)
        try:
            yield claim
        finally:
            with self._lock:
                self._claims.remove(claim)

    def list_sessions(self, _params: ListParams, _context: Context) -> ListResult:
        """`sessions/list`."""
        with self._lock:
            infos = [_info(session) for session in self._sessions.values()]
            return ListResult(infos, self._total(), self.memory_limit_bytes)

    def close_session(self, params: CloseParams, context: Context) -> CloseResult:
        """`sessions/close`: forget the table and give its memory back to the system."""
        session = self.get(params.session)
        context.commit()
        with self._lock:
            self._sessions.pop(session.id, None)
        size = session.table.bytes
        self.on_drop(session.table)
        del session
        _release_unused()
        return CloseResult(params.session, size)

    def _hold(self, claim: Claim, size: int) -> None:
        with self._lock:
            limit = self.memory_limit_bytes
            others = self._total() - claim.bytes
            if limit is not None and others + size > limit:
                raise SidecarError(
                    "memory_limit",
                    f"{claim.label} takes {size} bytes, {others} are taken already, the limit is {limit}: "
                    "close a session or raise the limit",
                    bytes=size,
                    taken_bytes=others,
                    memory_limit_bytes=limit,
                    sessions=[
                        {"session": s.id, "path": s.path, "bytes": s.table.bytes} for s in self._sessions.values()
                    ],
                )
            claim.bytes = size

    def _total(self) -> int:
        return sum(s.table.bytes for s in self._sessions.values()) + sum(c.bytes for c in self._claims)


def _info(session: Session) -> SessionInfo:
    table = session.table
    return SessionInfo(
        session.id,
        session.path,
        session.filename,
        table.rows,
        len(table.schema),
        session.source,
        session.format,
        session.mode,
        table.bytes,
    )


def _release_unused() -> None:
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
