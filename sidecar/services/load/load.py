"""load: a table from exactly one source becomes a session."""

from __future__ import annotations

import os
from typing import Any, Literal
from uuid import uuid4

import pyarrow as pa
from msgspec import Struct

from ...protocol.errors import SidecarError
from ...protocol.methods import Context
from ...wire.payload import Payload
from ..lazy import piece_cache
from ..paths import PathPolicy
from ..sessions import Claim, Column, Session, Sessions
from ..table import EagerTable, Table
from . import readers
from .formats import Format, detect
from .incoming import METHOD, Incoming, unique_names
from .lazy_files import OPENERS, open_lazy
from .source import INLINE, Source

SOURCES = ("path", "arrow_ipc", "parquet", "arrow_ipc_b64", "parquet_b64", "stream")


class LoadParams(Struct, forbid_unknown_fields=True):
    """Exactly one source; `session` is minted where none is given; `format` overrules what the content says."""

    path: str | None = None
    arrow_ipc: Payload | None = None
    parquet: Payload | None = None
    arrow_ipc_b64: str | None = None
    parquet_b64: str | None = None
    stream: str | None = None
    label: str | None = None
    session: str | None = None
    mode: Literal["eager", "lazy"] = "eager"
    format: Format | None = None


class LoadResult(Struct):
    """`rows` and `columns` of the table; `source` is the parameter that it came by, `bytes` the memory it takes."""

    session: str
    path: str
    filename: str
    rows: int
    columns: list[Column]
    source: str
    format: str
    mode: str
    bytes: int
    warnings: list[str]


class Load:
    """The method `load`."""

    def __init__(self, sessions: Sessions, paths: PathPolicy) -> None:
        self._sessions = sessions
        self._pieces = piece_cache(sessions.memory_limit_bytes)
        sessions.register(self._pieces)
        self._paths = paths

    def load(self, params: LoadParams, context: Context) -> LoadResult:
        """Read the table, then put it in place of the session's old one in a single step.

        Whatever goes wrong before that step leaves the old session as it was and makes no new one.
        """
        kind, value = _only_source(params)
        if kind == "stream":
            return self._load_stream(params, value, context)
        label = params.label or (value if kind == "path" else INLINE)
        warnings: list[str] = []
        source = self._open(kind, value)
        format_ = params.format or detect(source, warnings)
        _check_kind(source, kind, format_)
        with self._sessions.claim(label, params.session) as claim:
            table = self._read(source, format_, params.mode, claim, context, warnings)
            session = Session(
                id=params.session or uuid4().hex,
                path=label,
                filename=_filename(kind, value, params.label),
                source=kind,
                format=format_,
                mode=params.mode,
                table=table,
                warnings=warnings,
            )
            result = load_result(session)
            context.commit()
            self._sessions.put(session, claim)
        return result

    def _load_stream(self, params: LoadParams, stream: str, context: Context) -> LoadResult:
        """The table that came through a stream of `load/stream`, once all of it is staged that was sent before."""
        _check_stream(params)
        incoming: Incoming = context.drain(stream, METHOD).turns.exchange
        with incoming.loading(stream, params.session) as (table, claim, warnings):
            label = params.label or incoming.label
            session = Session(
                id=params.session or uuid4().hex,
                path=label or INLINE,
                filename=_filename("stream", stream, label),
                source="stream",
                format="arrow_stream",
                mode="eager",
                table=table,
                warnings=warnings,
            )
            result = load_result(session)
            context.commit()
            self._sessions.put(session, claim)
        return result

    def _open(self, kind: str, value: Any) -> Source:
        if kind == "path":
            return Source.from_path(self._paths.resolve(value), lambda real: self._paths.check(real, value))
        if isinstance(value, Payload):
            return Source.from_payload(kind, value)
        return Source.from_base64(kind, value)

    def _read(
        self, source: Source, format_: Format, mode: str, claim: Claim, context: Context, warnings: list[str]
    ) -> Table:
        if mode == "lazy":
            return open_lazy(source, format_, context, self._pieces)
        data = readers.read(source, format_, claim, context)
        if format_ in ("csv", "tsv"):
            _warn_of_renamed(data, warnings)
        table = EagerTable(unique_names(data, warnings))
        claim.hold(table.bytes)
        return table


def _only_source(params: LoadParams) -> tuple[str, Any]:
    given = [name for name in SOURCES if getattr(params, name) is not None]
    if not given:
        raise SidecarError("source_missing", f"give exactly one of {', '.join(SOURCES)}", sources=list(SOURCES))
    if len(given) > 1:
        raise SidecarError("source_conflict", f"give one of {' and '.join(given)}, not all", sources=given)
    return given[0], getattr(params, given[0])


_KINDS: dict[str, frozenset[Format]] = {
    "arrow_ipc": frozenset({"arrow_file", "arrow_stream"}),
    "parquet": frozenset({"parquet"}),
}


def _check_kind(source: Source, kind: str, format_: Format) -> None:
    """Bytes must be what their parameter says."""
    if source.size == 0:
        raise SidecarError("empty_file", f"{source.name} is empty", source=kind, path=source.path)
    accepted = _KINDS.get(kind.removesuffix("_b64"))
    if accepted is not None and format_ not in accepted:
        raise source.invalid(f"the content is {format_}", kind.removesuffix("_b64"))


def _check_stream(params: LoadParams) -> None:
    """A stream has batches of Arrow's, and they are in memory already."""
    if params.mode == "lazy":
        message = "what comes through a stream is in memory: load it with mode eager"
        raise SidecarError("lazy_unsupported", message, format="arrow_stream", formats=list(OPENERS))
    if params.format not in (None, "arrow_stream"):
        message = f"a stream holds Arrow record batches, which are no {params.format}"
        raise SidecarError("invalid_file", message, source="stream", path=None, format=params.format)


def _filename(kind: str, value: Any, label: str | None) -> str:
    if kind == "path":
        return str(os.path.basename(value))
    return os.path.basename(label) if label else INLINE


def _warn_of_renamed(table: pa.Table, warnings: list[str]) -> None:
    """Polars makes the names of a text unique by itself: `a`, `a_duplicated_0`."""
    names = {*table.column_names}
    for name in table.column_names:
        first, mark, number = name.rpartition("_duplicated_")
        if mark and number.isdecimal() and first in names:
            warnings.append(f"a second column named {first!r} is called {name!r}")


def load_result(session: Session) -> LoadResult:
    """What is answered of a session that was made."""
    return LoadResult(
        session.id,
        session.path,
        session.filename,
        session.table.rows,
        session.columns(),
        session.source,
        session.format,
        session.mode,
        session.table.bytes,
        session.warnings,
    )
