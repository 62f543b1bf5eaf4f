"""Parquet, read so that what it decodes into is claimed before it is there.

The footer says what the pages of a column chunk take, but a page of 100 bytes may name one long value of its dictionary
a million times. So where there is a memory limit, dictionaries are looked at first: a row group whose longest values
might not fit is read as indices alone, which tell exactly what the decoding will take.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from ...protocol.methods import Context
from .. import compute as pc
from ..plain import width_bits
from ..sessions import Claim
from .source import Source

STEP_ROWS = 4 * 1024 * 1024
"""Rows that are decoded in one go. Row groups have fewer as a rule, but some writers make a single one of a file, and
decoding takes 2 to 6 bytes a value beside the value."""


class _Leaf(NamedTuple):
    """One column of the file as Parquet counts them: the innermost values of a nested one."""

    number: int
    path: str
    bits: int
    """What one value takes at least."""
    may_repeat: bool
    """Whether values of any length may be named by an index, and are held as themselves."""


def open_parquet(source: Source, buffer_bytes: int = 0, **options: Any) -> Any:
    """The file's footer, read and checked. A column's part of a row group is read in one go, or through a buffer."""
    import pyarrow.parquet as pq

    options |= {"pre_buffer": buffer_bytes == 0, "buffer_size": buffer_bytes}
    return pq.ParquetFile(source.open(), page_checksum_verification=True, **options)


def read_parquet(source: Source, claim: Claim, context: Context) -> pa.Table:
    """All row groups, one after another."""
    with open_parquet(source) as file:
        metadata = file.metadata
        parts: list[pa.Table] = []
        size = rows = 0
        leaves = _leaves_of(file)
        for index in range(metadata.num_row_groups):
            claim.hold(size + _least_bytes(metadata.row_group(index), leaves))
            claim.hold(size + _decoded_bytes(source, file, index, leaves, claim.free_bytes))
            for part in _steps(source, file, index):
                parts.append(part)
                size += part.nbytes
                rows += part.num_rows
                context.progress(rows, metadata.num_rows, "rows")
            claim.hold(size)
        return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()


def _steps(source: Source, file: Any, index: int) -> Iterator[pa.Table]:
    expected = file.metadata.row_group(index).num_rows
    if expected <= STEP_ROWS:
        steps = iter([file.read_row_group(index)])
    else:
        steps = (pa.Table.from_batches([batch]) for batch in file.iter_batches(STEP_ROWS, row_groups=[index]))
    rows = 0
    for step in steps:
        rows += step.num_rows
        yield step
    if rows != expected:  # nothing else compares the two
        raise source.invalid(f"row group {index} has {rows} rows, the footer says {expected}", "parquet")


# -- what decoding takes -------------------------------------------------------------------------------------


def _leaves_of(file: Any) -> list[_Leaf]:
    schema = file.schema
    types = [leaf for field in file.schema_arrow for leaf in _leaf_types(field.type)]
    leaves = []
    for number in range(len(schema)):
        column = schema.column(number)
        is_text = column.physical_type == "BYTE_ARRAY"
        dtype = types[number] if len(types) == len(schema) else pa.binary() if is_text else pa.null()
        leaves.append(_Leaf(number, column.path, width_bits(dtype), is_text and not pa.types.is_dictionary(dtype)))
    return leaves


def _leaf_types(dtype: pa.DataType) -> list[pa.DataType]:
    if isinstance(dtype, pa.BaseExtensionType):
        return _leaf_types(dtype.storage_type)
    if pa.types.is_nested(dtype):
        return [leaf for index in range(dtype.num_fields) for leaf in _leaf_types(dtype.field(index).type)]
    return [dtype]


def _least_bytes(group: Any, leaves: list[_Leaf]) -> int:
    """Before anything is read: each value by its width, and pages as they are uncompressed."""
    widths: int = sum(group.column(leaf.number).num_values * leaf.bits // 8 for leaf in leaves)
    return max(int(group.total_byte_size), widths)


def _decoded_bytes(source: Source, file: Any, index: int, leaves: list[_Leaf], free_bytes: int | None) -> int:
    """What the row group takes once it is decoded: an upper bound, or where that would not fit, the exact figure."""
    group = file.metadata.row_group(index)
    least = _least_bytes(group, leaves)
    repeating = [leaf for leaf in leaves if leaf.may_repeat and group.column(leaf.number).has_dictionary_page]
    if free_bytes is None or not repeating:
        return least
    paths = [leaf.path for leaf in repeating]
    with open_parquet(source, read_dictionary=paths, arrow_extensions_enabled=False) as indexed:
        longest = {leaf: _longest(indexed, index, leaf) for leaf in repeating}
        bound: int = least + sum(group.column(leaf.number).num_values * length for leaf, length in longest.items())
        if bound <= least + free_bytes:
            return bound
        return least + sum(_repeated_bytes(indexed, index, leaf) for leaf in repeating)


def _longest(file: Any, index: int, leaf: _Leaf) -> int:
    """The length of the longest value in a dictionary, all of which comes with its first row."""
    batches = file.iter_batches(1, row_groups=[index], columns=[leaf.path], use_threads=False)
    first = next(batches, None)
    lengths = [pc.max(pc.binary_length(part.dictionary)).as_py() for part in _indexed(first)]
    return max((length or 0 for length in lengths), default=0)


def _repeated_bytes(file: Any, index: int, leaf: _Leaf) -> int:
    total: int = 0
    for batch in file.iter_batches(STEP_ROWS, row_groups=[index], columns=[leaf.path]):
        for part in _indexed(batch):
            lengths = pc.binary_length(part.dictionary).cast(pa.int64())
            total += pc.sum(lengths.take(part.indices)).as_py() or 0
    return total


def _indexed(batch: pa.RecordBatch | None) -> Iterator[pa.DictionaryArray]:
    """The dictionary arrays in a batch, at any depth."""
    for column in batch.columns if batch is not None else ():
        yield from _dictionaries(column)


def _dictionaries(array: pa.Array) -> Iterator[pa.DictionaryArray]:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.DictionaryArray):
        yield array
    elif isinstance(array, pa.StructArray):
        for index in range(array.type.num_fields):
            yield from _dictionaries(array.field(index))
    elif pa.types.is_nested(array.type):  # a list of any kind, or a map
        yield from _dictionaries(array.values)
