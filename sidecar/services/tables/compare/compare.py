"""tables/compare: two sessions joined on keys; what differs becomes a session."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pyarrow as pa
from msgspec import Struct

from ....protocol.errors import SidecarError
from ....protocol.methods import Context
from ...load.load import LoadResult, load_result
from ...sessions import Claim, Session, Sessions
from ...spelling import unknown_column
from ...table import EagerTable, Table
from .cells import Cells, SharedColumn
from .differences import ComparedColumn, Counts, Differences, found_differences
from .equality import form

LABEL = "<compare>"


class CompareParams(Struct, forbid_unknown_fields=True):
    """Two sessions, whose rows belong together where all `keys` are the same. `columns` are compared, by default all
    that both have beside the keys. The result goes to `session`, minted where none is given. Rows that are the same
    are in it with `include_equal` only."""

    left: str
    right: str
    keys: list[str]
    columns: list[str] | None = None
    session: str | None = None
    label: str | None = None
    include_equal: bool = False


class CompareResult(LoadResult):
    """The session that was made, as `load` answers, and what the comparison has found. `status_column` is what the
    column with each row's status is called."""

    status_column: str
    counts: Counts
    columns_changed: list[ComparedColumn]
    left_only_columns: list[str]
    right_only_columns: list[str]


class Compare:
    """The method `tables/compare`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def compare(self, params: CompareParams, context: Context) -> CompareResult:
        """Compare the tables as they are now, then put the result in place in a single step.

        Raises `unknown_session`, `unknown_column`, `incomparable_columns`, `invalid_params`, `too_large`,
        `memory_limit`, `invalid_file`, `file_changed`.
        """
        left, right = self._sessions.get(params.left), self._sessions.get(params.right)
        keys, columns = _shared_columns(params, left, right)
        label = params.label or LABEL
        with self._sessions.claim(label, params.session) as claim:
            cells = Cells(left.table, right.table, claim, context)
            found = found_differences(left.table, right.table, keys, columns, params.include_equal, cells, context)
            session = _session(params, label, found, claim)
            result = _result(session, found, left.table, right.table)
            context.commit()
            self._sessions.put(session, claim)
        return result


def _session(params: CompareParams, label: str, found: Differences, claim: Claim) -> Session:
    table = EagerTable(found.table)
    claim.hold(table.bytes)
    id = params.session or uuid4().hex
    return Session(id, label, label, "compare", "compare", "eager", table, found.warnings)


def _result(session: Session, found: Differences, left: Table, right: Table) -> CompareResult:
    ours, theirs = left.schema.names, right.schema.names
    return CompareResult(
        **msgspec.structs.asdict(load_result(session)),
        status_column=found.status_column,
        counts=found.counts,
        columns_changed=found.columns,
        left_only_columns=[name for name in ours if name not in {*theirs}],
        right_only_columns=[name for name in theirs if name not in {*ours}],
    )


def _shared_columns(
    params: CompareParams, left: Session, right: Session
) -> tuple[list[SharedColumn], list[SharedColumn]]:
    """The keys, and the columns to compare."""
    if not params.keys:
        raise SidecarError("invalid_params", "keys names no column: by what do rows belong together?")
    keys = _shared(params.keys, left, right)
    for key in keys:
        if key.form is None or pa.types.is_nested(key.left_field.type) or pa.types.is_nested(key.right_field.type):
            raise key.incomparable("it is no key that rows could be paired by")
    names = params.columns
    if names is None:
        both = {*right.table.schema.names} - {*params.keys}
        names = [name for name in left.table.schema.names if name in both]
    columns = _shared(names, left, right)
    for column in columns:
        _check_comparable(column, params.keys)
    return keys, columns


def _check_comparable(column: SharedColumn, keys: list[str]) -> None:
    if column.name in keys:
        message = f"column {column.name!r} is a key: leave it out of columns"
        raise SidecarError("invalid_params", message, column=column.name)
    left, right = column.left_field.type, column.right_field.type
    if column.form is None and (left == right or pa.types.is_nested(left) or pa.types.is_nested(right)):
        raise column.incomparable("its values cannot be compared: name those to compare in columns")


def _shared(names: Sequence[str], left: Session, right: Session) -> list[SharedColumn]:
    found = []
    for name, ours, theirs in zip(names, _positions(names, left), _positions(names, right), strict=True):
        fields = left.table.schema.field(ours), right.table.schema.field(theirs)
        found.append(SharedColumn(name, ours, theirs, *fields, form(fields[0].type, fields[1].type)))
    return found


def _positions(names: Sequence[str], session: Session) -> list[int]:
    known = session.table.schema.names
    for place, name in enumerate(names):
        if name not in known:
            raise unknown_column(name, known, session.id)
        if name in names[:place]:
            raise SidecarError("invalid_params", f"column {name!r} is named twice", column=name)
    return [known.index(name) for name in names]
