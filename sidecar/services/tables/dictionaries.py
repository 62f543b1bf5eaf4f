"""Dictionary columns: what is asked of a value is asked once for each value of the dictionary, not once a row."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ..plain import storage
from .plan import Made


def of_storage(dtype: pa.DataType) -> pa.DataType:
    """What an extension type is stored as; any other type as it is."""
    return dtype.storage_type if isinstance(dtype, pa.BaseExtensionType) else dtype


def by_value(made: Made, of_null: bool | None = None) -> Made:
    """`made`, which makes a boolean of each value, for columns of any type: of a dictionary each value is asked once.
    `of_null` is the answer for the rows of a dictionary column that are null."""

    def of_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
        column = storage(column)
        if not pa.types.is_dictionary(column.type):
            return made(column)
        return pa.chunked_array([of_chunk(chunk) for chunk in column.chunks], pa.bool_())

    def of_chunk(chunk: pa.DictionaryArray) -> pa.Array:
        found = of_column(pa.chunked_array([chunk.dictionary])).combine_chunks().take(chunk.indices)
        return found if of_null is None else pc.fill_null(found, of_null)

    return of_column
