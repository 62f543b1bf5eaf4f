"""Record batches on their way to be a table: each stays where it lies or is copied, so that no payload is kept for a
part of it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pyarrow as pa

from ...wire.payload import Payload
from .. import allocations
from ..plain import expansion_bytes, holds, plain
from ..sessions import Claim

CHUNK_BYTES = 4 * 1024 * 1024
"""A batch from this size on stays where it lies, if it has its payload nearly to itself. Smaller ones are copied into
chunks of this size: many chunks are slow to slice, and each small payload would take more than what is in it."""

BUFFER_BYTES = 8 * 1024
"""In a wide table a chunk is larger, so that a buffer has this much on average: one takes 200 bytes beside its own."""

FAN_IN = 64
"""So many small parts become one, and so many of those: 100 000 batches are copied three times, and never more than
190 of them wait."""

SLACK = 1.05
"""What a payload may be larger than what a batch has of it."""


class _Part(NamedTuple):
    """Rows in plain types, with one chunk a column. `bytes` is the memory that they keep, without `dictionaries`, which
    are sizes by address: other parts may have the same ones."""

    table: pa.Table
    bytes: int
    dictionaries: dict[int, int]


class Staging:
    """Batches of one schema, in order. `bytes` is what they take, and claimed; `rows` how many there are."""

    def __init__(self, claim: Claim) -> None:
        self.rows = 0
        self.bytes = 0
        self._claim = claim
        self._schema: pa.Schema | None = None
        self._is_plain = False
        self._chunk_bytes = CHUNK_BYTES
        self._chunks: list[_Part] = []
        self._levels: list[list[_Part]] = []  # small ones, the oldest in the last level
        self._small_bytes = 0
        self._can_join = True
        self._parts = 0
        self._dictionary_uses: Counter[int] = Counter()

    @property
    def schema(self) -> pa.Schema | None:
        """That of the batches; None before the first."""
        return self._schema

    def add(self, batch: pa.RecordBatch, piece: Payload) -> None:
        """Take a batch, which is valid and lies in `piece`. Raises `memory_limit`, `unsupported_type` and what Arrow
        does."""
        table = pa.Table.from_batches([batch])
        self._claim.hold(self.bytes + piece.size + expansion_bytes(table))
        if self._schema is None:
            self._schema = plain(table).schema
            self._is_plain = self._schema.equals(batch.schema)
            self._chunk_bytes = max(CHUNK_BYTES, BUFFER_BYTES * len(_buffers(table)))
        table = table if self._is_plain else plain(table)
        if table.num_rows:
            self._keep(table, piece)
        self.rows += table.num_rows
        self._claim.hold(self.bytes)

    def table(self) -> pa.Table:
        """All rows. The index types of dictionaries are not made plain yet."""
        assert self._schema is not None
        self._finish()
        columns = []
        for index, field in enumerate(self._schema):
            chunks = _alike([part.table.column(index).chunk(0) for part in self._chunks])
            columns.append(pa.chunked_array(chunks, chunks[0].type if chunks else field.type))
        if not columns:
            return _without_columns(self.rows, self._schema)
        fields = [field.with_type(column.type) for field, column in zip(self._schema, columns, strict=True)]
        return pa.table(columns, schema=pa.schema(fields, self._schema.metadata))

    def clear(self) -> None:
        """Let go of all of it."""
        self.rows = self.bytes = self._parts = 0
        self._chunks, self._levels, self._small_bytes = [], [], 0
        self._dictionary_uses.clear()

    # -- parts -----------------------------------------------------------------------------------------------

    def _keep(self, table: pa.Table, piece: Payload) -> None:
        buffers = _buffers(table)
        size = sum(buffer.size for buffer in buffers)
        inside = _bytes_inside(buffers, piece)
        is_small = size < self._chunk_bytes
        if inside and (is_small or inside * SLACK < piece.size):
            table, inside = self._moved(table, inside)
        part = self._part(table)
        part = self._counted(part._replace(bytes=part.bytes - inside + piece.size) if inside else part)
        if not is_small or not self._can_join:
            self._finish()
            self._chunks.append(part)
            return
        self._small_bytes += size
        self._take(0, part)
        if self._small_bytes >= self._chunk_bytes:
            self._finish()

    def _moved(self, table: pa.Table, inside: int) -> tuple[pa.Table, int]:
        """The table in memory of its own, where Arrow can copy it, and what of it still is in its payload."""
        try:
            return _joined([table]), 0
        except pa.ArrowNotImplementedError:  # a union
            self._can_join = False
            return table, inside

    def _take(self, number: int, part: _Part) -> None:
        """A small part comes to a level, which becomes one part of the next when it is full."""
        if number == len(self._levels):
            self._levels.append([])
        level = self._levels[number]
        level.append(part)
        if len(level) == FAN_IN:
            joined = self._join(level)
            if joined is None:
                self._finish()
            else:
                self._levels[number] = []
                self._take(number + 1, joined)

    def _finish(self) -> None:
        """Make a chunk of the small parts."""
        small = [part for level in reversed(self._levels) for part in level]
        self._levels, self._small_bytes = [], 0
        joined = self._join(small) if len(small) > 1 and self._can_join else None
        self._chunks += small if joined is None else [joined]

    def _join(self, parts: list[_Part]) -> _Part | None:
        """Parts as one; None where Arrow cannot join them, as inner dictionaries have too many values together."""
        try:
            joined = self._part(_joined([part.table for part in parts]))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self._can_join = False
            return None
        for part in parts:
            self._uncount(part)
        return self._counted(joined)

    # -- what they take --------------------------------------------------------------------------------------

    def _part(self, table: pa.Table) -> _Part:
        found: dict[int, int] = {}
        for column in table.columns:
            if holds(column.type, pa.types.is_dictionary):
                for dictionary in allocations.dictionaries(column.chunk(0)):
                    found.update(
                        (memory.address, memory.size) for memory in map(_whole, dictionary.buffers()) if memory
                    )
        return _Part(table, sum(buffer.size for buffer in _buffers(table)), found)

    def _counted(self, part: _Part) -> _Part:
        self.bytes += part.bytes + (self._objects_bytes(part) if self._parts else 0)
        self._parts += 1
        for address, size in part.dictionaries.items():
            self.bytes += 0 if self._dictionary_uses[address] else size
            self._dictionary_uses[address] += 1
        return part

    def _objects_bytes(self, part: _Part) -> int:
        """What its chunks take beside their buffers, as `allocated_bytes` has it: of all but the first."""
        return int(part.table.num_columns) * allocations.CHUNK_BYTES

    def _uncount(self, part: _Part) -> None:
        self._parts -= 1
        self.bytes -= part.bytes + (self._objects_bytes(part) if self._parts else 0)
        for address, size in part.dictionaries.items():
            self._dictionary_uses[address] -= 1
            if not self._dictionary_uses[address]:
                del self._dictionary_uses[address]
                self.bytes -= size


def _buffers(table: pa.Table) -> list[pa.Buffer]:
    """Those of the columns, without dictionaries."""
    return [buffer for column in table.columns for buffer in column.chunk(0).buffers() if buffer is not None]


def _whole(buffer: pa.Buffer | None) -> pa.Buffer | None:
    """The memory that a buffer is a part of, and keeps: of a dictionary the body of its message."""
    while buffer is not None and buffer.parent is not None:
        buffer = buffer.parent
    return buffer


def _bytes_inside(buffers: list[pa.Buffer], piece: Payload) -> int:
    """How much of the buffers lies in the memory of `piece`: nothing where they were compressed."""
    memory = pa.py_buffer(piece.data)
    start, stop = memory.address, memory.address + memory.size
    return sum(buffer.size for buffer in buffers if start <= buffer.address < stop)


def _joined(tables: list[pa.Table]) -> pa.Table:
    """The rows of all in memory of their own."""
    first = tables[0]
    columns = [_concatenated([table.column(index).chunk(0) for table in tables]) for index in range(first.num_columns)]
    if not columns:
        return _without_columns(sum(table.num_rows for table in tables), first.schema)
    fields = [field.with_type(column.type) for field, column in zip(first.schema, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(fields, first.schema.metadata))


def _without_columns(rows: int, schema: pa.Schema) -> pa.Table:
    """Of tables, `concat_tables` and `replace_schema_metadata` forget the rows (pyarrow 26)."""
    batch = pa.record_batch({"": pa.nulls(rows)}).select([])
    return pa.Table.from_batches([batch.replace_schema_metadata(schema.metadata)])


def _concatenated(chunks: list[pa.Array]) -> pa.Array:
    """Arrays as a new one; of dictionaries that have too many values together, with indices that can count them."""
    chunks = _alike(chunks)
    try:
        return pa.concat_arrays(chunks)
    except pa.ArrowInvalid:
        if not pa.types.is_dictionary(chunks[0].type):
            raise
        return pa.concat_arrays(_widened(chunks))


def _alike(chunks: list[pa.Array]) -> list[pa.Array]:
    """The chunks, of one type: those of a dictionary may have been given wide indices."""
    return _widened(chunks) if len({chunk.type for chunk in chunks}) > 1 else chunks


def _widened(chunks: list[pa.Array]) -> list[pa.Array]:
    return [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int64()), chunk.dictionary, ordered=chunk.type.ordered)
        for chunk in chunks
    ]
