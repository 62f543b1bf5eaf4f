"""One dictionary for all rows of a column: an Arrow file has room for no other, where a stream may replace it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from ....protocol.methods import Work
from ... import compute as pc
from ...table import Table

Dictionaries = dict[int, pa.Array]
"""By the column's place in the file."""


def whole_dictionaries(table: Table, columns: Sequence[int], work: Work) -> Dictionaries:
    """The values of each dictionary column: those of all its chunks, as they first come."""
    return {
        place: _whole(table, column, work)
        for place, column in enumerate(columns)
        if pa.types.is_dictionary(table.schema.field(column).type)
    }


def with_dictionaries(steps: Iterable[pa.Table], dictionaries: Dictionaries) -> Iterator[pa.Table]:
    """The same rows, each dictionary column with the dictionary that is given."""
    for step in steps:
        for place, dictionary in dictionaries.items():
            chunks = [_with(chunk, dictionary) for chunk in step.column(place).chunks]
            step = step.set_column(place, step.field(place), pa.chunked_array(chunks, step.field(place).type))
        yield step


def _whole(table: Table, column: int, work: Work) -> pa.Array:
    dtype = table.schema.field(column).type
    whole = pa.array([], dtype.value_type)
    for piece in table.pieces([column]):
        work.check()
        for chunk in piece.column(0).chunks:
            if len(whole) == 0:
                whole = chunk.dictionary
            elif not chunk.dictionary.equals(whole):
                is_new = pc.invert(pc.is_in(chunk.dictionary, whole))
                whole = pa.concat_arrays([whole, chunk.dictionary.filter(is_new)])
    return whole


def _with(array: pa.DictionaryArray, dictionary: pa.Array) -> pa.DictionaryArray:
    if array.dictionary.equals(dictionary):
        return array
    places = pc.index_in(array.dictionary, dictionary)
    indices = places.take(array.indices).cast(array.type.index_type)
    return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=array.type.ordered)
