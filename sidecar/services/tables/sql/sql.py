"""tables/sql: a query over all sessions becomes a session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pyarrow as pa
from msgspec import Struct

from ....protocol.errors import SidecarError
from ....protocol.methods import Context
from ...load.load import LoadResult, load_result
from ...sessions import Session, Sessions
from ...table import EagerTable
from .column_types import sql_type, unsupported
from .faults import Known, invalid_query
from .growth import Growth
from .query_text import QueryText
from .scan import NO_TYPE, Scans

LABEL = "<sql>"


class SqlParams(Struct, forbid_unknown_fields=True):
    """One query. It may name every session by its id, and those in `tables` (name to session) by these names too.
    `session` is where the result goes, minted where none is given; it may be one that the query reads."""

    query: str
    tables: dict[str, str] = {}
    session: str | None = None
    label: str | None = None


class Sql:
    """The method `tables/sql`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def sql(self, params: SqlParams, context: Context) -> LoadResult:
        """Run the query over the tables as they are now, then put the result in place in a single step.

        Raises `invalid_query`, `unknown_session` (of an alias), `unsupported_type`, `memory_limit`, `invalid_file`,
        `file_changed`.
        """
        query = QueryText(params.query)
        label = params.label or LABEL
        known = {**{id: id for id in self._sessions.ids()}, **params.tables}
        sources = {name: self._sessions.get(known[name]) for name in {*_named(query, known), *params.tables}}
        with self._sessions.claim(label, params.session) as claim:
            scans = Scans(context, claim, Growth(self._sessions, claim))
            try:
                data = _run(query, sources, Known([*known], _columns(sources)), scans, context)
            finally:
                scans.close()
            table = EagerTable(data)
            claim.hold(table.bytes)
            session = Session(
                id=params.session or uuid4().hex,
                path=label,
                filename=label,
                source="sql",
                format="sql",
                mode="eager",
                table=table,
                warnings=[],
            )
            result = load_result(session)
            context.commit()
            self._sessions.put(session, claim)
        return result


def _named(query: QueryText, known: Iterable[str]) -> list[str]:
    """The names that the query has in it, and so may mean. Polars takes `T` for `t` where there is no `T`; where
    several differ in case alone it would take any of them."""
    by_case: dict[str, list[str]] = {}
    for name in known:
        by_case.setdefault(name.lower(), []).append(name)
    found: dict[str, None] = {}
    for name in query.names:
        alike = by_case.get(name.lower(), [])
        found.update(dict.fromkeys([name] if name in alike else alike if len(alike) == 1 else []))
    return [*found]


_FILE_SCAN = re.compile(r"^\s*(?!PYTHON )\w+ SCAN \[", re.MULTILINE)
"""In the plan, a file that Polars would read: a second line, behind the text that `QueryText` accepts."""


def _columns(sources: dict[str, Session]) -> list[str]:
    return [name for source in sources.values() for name in source.table.schema.names]


def _run(query: QueryText, sources: dict[str, Session], known: Known, scans: Scans, context: Context) -> pa.Table:
    from ...polars import pl, to_arrow

    with _faults(query, sources, known, scans):
        frames = {name: scans.frame(source.id, source.table) for name, source in sources.items()}
        frame = pl.SQLContext(frames=frames, register_globals=False, eager=False).execute(query.plain)
        if _FILE_SCAN.search(frame.explain(optimized=False)):
            raise query.invalid("table_function", "a query reads sessions, and no files", 0)
        schema = to_arrow(pl.DataFrame(schema=frame.collect_schema())).schema
        parts: list[pa.Table] = []
        size = 0
        for batch in frame.collect_batches(maintain_order=True, engine="streaming"):
            context.check()
            parts.append(to_arrow(batch).cast(schema))
            size += parts[-1].nbytes
            scans.hold_result(size)
    return pa.concat_tables(parts) if parts else schema.empty_table()


@contextmanager
def _faults(query: QueryText, sources: dict[str, Session], known: Known, scans: Scans) -> Iterator[None]:
    """Errors of Polars made ours. Its panics derive from BaseException and would end the thread."""
    from ...polars import pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OverflowError) as fault:
        if isinstance(scans.fault, SidecarError):
            raise scans.fault from None
        raise _without_type(query, sources.values()) or invalid_query(fault, query, known) from None


def _without_type(query: QueryText, sources: Iterable[Session]) -> SidecarError | None:
    """A query that names a column without a type may have failed for what stands in for it."""
    names = query.names
    for source in sources:
        for field in source.table.schema:
            if field.name in names and sql_type(field.type) is None:
                return unsupported(field.name, field.type, source.id, NO_TYPE)
    return None
