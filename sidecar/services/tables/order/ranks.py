"""Ranks: integers that sort as the values of a dictionary do, so that no value is spelled out once a row."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ... import compute as pc
from ...plain import is_text, large_type, storage, value_type
from ...table import Table
from ..filters.value_tests import Known, of_storage

RANK_BYTES = 8


def has_ranks(table: Table, index: int) -> bool:
    """Whether a column has `Ranks`: it has long values in dictionaries that are all at hand. Polars sorts such a column
    by a copy of each row's value (measured, 100 000 rows of one value of 20 kB: more than 8 GB)."""
    dtype = table.schema.field(index).type
    value, is_any = value_type(dtype), pa.types
    is_bytes = is_any.is_binary(value) or is_any.is_large_binary(value) or is_any.is_fixed_size_binary(value)
    return not table.is_lazy and pa.types.is_dictionary(of_storage(dtype)) and (is_text(value) or bool(is_bytes))


class Ranks:
    """The place of each value among all values of a column that `has_ranks`, sorted by code point or by byte."""

    def __init__(self, table: Table, index: int) -> None:
        dictionaries: list[pa.Array] = []
        for chunk in storage(table.select([index]).column(0)).chunks:
            if not any(chunk.dictionary is known or chunk.dictionary.equals(known) for known in dictionaries[-1:]):
                dictionaries.append(chunk.dictionary)
        dtype = large_type(value_type(table.schema.field(index).type))
        values = _values(dictionaries, dtype)
        self.values: pa.Array = values.take(pc.sort_indices(values))
        self._known = Known(lambda column: _places(column.combine_chunks(), self.values))

    def __call__(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """The ranks of some rows; null for nulls."""
        chunks = storage(column).chunks
        return pa.chunked_array([self._known.of(c.dictionary).take(c.indices) for c in chunks], pa.int64())


class OrderedRanks:
    """What an ordered dictionary is sorted by: it says the order of its values itself. Each chunk may have its own, so
    values are ranked in the order in which they come up in the table."""

    def __init__(self, dtype: pa.DictionaryType) -> None:
        self._values = pa.array([], _known_to_arrow(dtype.value_type))

    def __call__(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """The ranks of the next rows."""
        return pa.chunked_array([self._ranked(chunk) for chunk in column.chunks], pa.int64())

    def _ranked(self, chunk: pa.DictionaryArray) -> pa.Array:
        values = chunk.dictionary.cast(self._values.type)
        if not values.equals(self._values):
            self._values = pc.unique(pa.concat_arrays([self._values, values.drop_null()]))
        return _places(values, self._values).take(chunk.indices)


def _values(dictionaries: Sequence[pa.Array], dtype: pa.DataType) -> pa.Array:
    """The different values of all, without null."""
    plain = [storage(pa.chunked_array([values])).cast(dtype).combine_chunks() for values in dictionaries]
    return pc.unique(pa.concat_arrays([pa.array([], dtype), *plain])).drop_null()


def _places(values: pa.Array, among: pa.Array) -> pa.Array:
    """Where each value is; null for null."""
    plain = storage(pa.chunked_array([values])).cast(among.type).combine_chunks()
    return pc.index_in(plain, among, skip_nulls=True).cast(pa.int64())


def _known_to_arrow(dtype: pa.DataType) -> pa.DataType:
    """Arrow finds no values of 16 bits."""
    return pa.float32() if pa.types.is_float16(dtype) else dtype
