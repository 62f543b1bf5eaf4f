"""A page in the form that the host asked for."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from ...protocol.errors import SidecarError
from ...protocol.methods import Context
from ...wire.payload import Payload
from .. import compute as pc
from ..json_rows import json_rows
from ..plain import holds

PageFormat = Literal["arrow", "parquet", "json"]


def arrow_page(page: pa.Table, _context: Context) -> Payload:
    """An IPC stream."""
    page = compact_dictionaries(page)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, page.schema) as writer:
        writer.write_table(page)
    return Payload("arrow", sink.getvalue())


def parquet_page(page: pa.Table, _context: Context) -> Payload:
    """A Parquet file. Raises `unencodable_column`."""
    import pyarrow.parquet as pq

    for field in page.schema:
        if holds(field.type, is_list_of_none):
            raise _unencodable(f"it reads no column {field.name!r} of type {field.type}")
    page = _without_odd_dictionaries(compact_dictionaries(page))
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(page, sink, compression="zstd")
    except (pa.ArrowException, OSError) as fault:
        raise _unencodable(fault) from None
    return Payload("parquet", sink.getvalue())


def is_list_of_none(dtype: pa.DataType) -> bool:
    """Lists of the fixed size 0: Arrow writes them so that it cannot read them, and aborts on some (pyarrow 26)."""
    return bool(pa.types.is_fixed_size_list(dtype) and dtype.list_size == 0)


def _unencodable(reason: object) -> SidecarError:
    return SidecarError("unencodable_column", f"Parquet cannot hold this page: {reason}", format="parquet")


ENCODERS: dict[PageFormat, Any] = {"arrow": arrow_page, "parquet": parquet_page, "json": json_rows}


def compact_dictionaries(page: pa.Table) -> pa.Table:
    """A page with one dictionary a column, and in it no value that none of its rows has: else each page of a column
    with a million categories carries them all. The values stay in their order, which may mean something."""
    for index, field in enumerate(page.schema):
        if pa.types.is_dictionary(field.type):
            page = page.set_column(index, field, _compacted(page.column(index)))
    return page


def _compacted(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if len(array.dictionary) <= len(array):
        return array
    used = pc.unique(array.indices.drop_null())
    used = used.take(pc.sort_indices(used))
    indices = pc.index_in(array.indices, value_set=used).cast(array.indices.type)
    return pa.DictionaryArray.from_arrays(indices, array.dictionary.take(used), ordered=array.type.ordered)


def _without_odd_dictionaries(page: pa.Table) -> pa.Table:
    """Parquet has no dictionaries of nested values, nor any with a null in them."""
    for index, field in enumerate(page.schema):
        if not pa.types.is_dictionary(field.type):
            continue
        array = page.column(index).combine_chunks()
        if pa.types.is_nested(field.type.value_type) or array.dictionary.null_count:
            decoded = field.with_type(field.type.value_type)
            page = page.set_column(index, decoded, array.dictionary.take(array.indices))
    return page
