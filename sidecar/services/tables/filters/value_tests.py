"""Tests of values, carried over to columns of dictionaries and of extension types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from ... import compute as pc
from ...plain import storage

Test = Callable[[pa.ChunkedArray], pa.ChunkedArray]
"""A column to a column of booleans, as long."""


def of_storage(dtype: pa.DataType) -> pa.DataType:
    """What an extension type is stored as; any other as it is."""
    return dtype.storage_type if isinstance(dtype, pa.BaseExtensionType) else dtype


def by_value(test: Test, of_null: bool | None = None) -> Test:
    """`test` for columns of any type: a dictionary has each value tested once. Rows without a value are `of_null`."""
    known = Known(lambda values: by_value(test, of_null)(values).combine_chunks())

    def tested(column: pa.ChunkedArray) -> pa.ChunkedArray:
        column = storage(column)
        if not pa.types.is_dictionary(column.type):
            return test(column)
        answers = [known.of(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
        answer = pa.chunked_array(answers, pa.bool_())
        return answer if of_null is None else pc.fill_null(answer, of_null)

    return tested


class Known:
    """The answers of the dictionary that was last asked for: a table's pieces nearly always have the same one."""

    def __init__(self, test: Callable[[pa.ChunkedArray], pa.Array]) -> None:
        self._test = test
        self._last: tuple[pa.Array, pa.Array] | None = None

    def of(self, dictionary: pa.Array) -> pa.Array:
        """What `test` says of each value."""
        last = self._last  # pieces are tested side by side
        if last is None or not _is_same(last[0], dictionary):
            last = self._last = dictionary, self._test(pa.chunked_array([dictionary]))
        return last[1]


def _is_same(one: pa.Array, other: pa.Array) -> bool:
    """Whether both lie in the same place of memory. Values that are made of others are not looked into."""
    if one.type.num_fields or pa.types.is_dictionary(one.type) or isinstance(one, pa.ExtensionArray):
        return False
    return len(one) == len(other) and one.offset == other.offset and _addresses(one) == _addresses(other)


def _addresses(array: pa.Array) -> list[Any]:
    return [buffer and buffer.address for buffer in array.buffers()]
