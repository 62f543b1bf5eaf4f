"""load/stream: a table larger than a frame comes as an exchange of record batches, and `load` takes it from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import pyarrow as pa
from msgspec import Struct

from ...protocol.errors import SidecarError
from ...protocol.methods import Context, Work
from ...wire.payload import Payload
from ..plain import plain
from ..sessions import Claim, Sessions
from ..table import EagerTable
from .source import INLINE
from .staging import Staging

METHOD = "load/stream"

STAGED = pa.schema([pa.field("rows", pa.int64(), nullable=False), pa.field("bytes", pa.int64(), nullable=False)])
"""The answer to each batch, one row: what is staged so far."""


class StreamParams(Struct, forbid_unknown_fields=True):
    """`label` is what `load` shows as the path, where it has none of its own."""

    label: str | None = None


class Incoming:
    """An exchange that keeps what it takes until a `load` makes a session of it. Implements `producers.Exchange`."""

    schema = STAGED

    def __init__(self, sessions: Sessions, label: str | None) -> None:
        self.label = label
        self._claimed = ExitStack()
        self._claim = self._claimed.enter_context(sessions.claim(label or INLINE))
        self._staging = Staging(self._claim)
        self._lock = Lock()  # two requests may want to load it
        self._is_loaded = False

    def take(self, batch: pa.RecordBatch, piece: Payload, work: Work) -> pa.RecordBatch:
        """Stage a batch. Raises `invalid_input`, `unsupported_type`, `memory_limit`, and `Cancelled`."""
        if self._is_loaded:
            raise SidecarError(
                "invalid_input", "the table was loaded: close the stream, and open one for another table"
            )
        with _typed_faults():
            self._staging.add(batch, piece)
        work.check()
        return pa.RecordBatch.from_pydict({"rows": [self._staging.rows], "bytes": [self._staging.bytes]}, STAGED)

    @contextmanager
    def loading(self, stream: str, session: str | None) -> Iterator[tuple[EagerTable, Claim, list[str]]]:
        """The table, what it has claimed, and warnings, to be loaded under `session`. Once the block ends well they are
        no longer here; else all stays as it was. Raises `empty_file`, `unknown_stream`, `memory_limit`."""
        with self._lock:
            warnings: list[str] = []
            self._claim.session = session
            yield self._table(stream, warnings), self._claim, warnings
            self._is_loaded = True
            self._staging.clear()

    def close(self) -> None:
        """Let go of what is staged."""
        self._staging.clear()
        self._claimed.close()

    def _table(self, stream: str, warnings: list[str]) -> EagerTable:
        if self._is_loaded:
            message = f"the table of stream {stream!r} was loaded already: open another one"
            raise SidecarError("unknown_stream", message, stream=stream)
        if self._staging.schema is None:
            message = f"no batch came through stream {stream!r}: send one, which may have no rows"
            raise SidecarError("empty_file", message, source="stream", path=None)
        with _typed_faults():
            table = unique_names(plain(self._staging.table()), warnings)
        made = EagerTable(table)
        self._claim.hold(made.bytes)
        return made


class Uploads:
    """The method `load/stream`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def open(self, params: StreamParams, _context: Context) -> Incoming:
        """Begin to take a table."""
        return Incoming(self._sessions, params.label)


@contextmanager
def _typed_faults() -> Iterator[None]:
    try:
        yield
    except MemoryError as fault:
        raise SidecarError("memory_limit", f"the batches take more memory than there is: {fault}") from None
    except (pa.ArrowException, ValueError) as fault:
        raise SidecarError("invalid_input", f"a batch cannot be held: {fault}") from None


def unique_names(table: pa.Table, warnings: list[str]) -> pa.Table:
    """A column is addressed by its name, so of two with one name the second is renamed, and said to be."""
    taken = {*table.column_names}
    names: list[str] = []
    seen: set[str] = set()
    for name in table.column_names:
        new, count = name, 2
        while new in seen or (new != name and new in taken):
            new, count = f"{name}_{count}", count + 1
        if new != name:
            warnings.append(f"a second column named {name!r} is called {new!r}")
        seen.add(new)
        names.append(new)
    return table.rename_columns(names) if len(taken) < len(names) else table
