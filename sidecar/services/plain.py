"""Tables in plain types: those that can be sliced, gathered, joined and sent to any Arrow reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ..protocol.errors import SidecarError


def plain(table: pa.Table) -> pa.Table:
    """The table with strings and bytes for their views, lists for list views, and run-end encoding spelled out,
    inside nested types too. The indices of a dictionary are widened where its chunks together need that.

    Raises `unsupported_type`, and `ArrowInvalid` for a column whose data is not what its type says.
    """
    columns = [_plain_column(field, column) for field, column in zip(table.schema, table.columns, strict=True)]
    if all(new is old for new, old in zip(columns, table.columns, strict=True)):
        return table
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(fields, table.schema.metadata))


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """What a column of `dtype` is held as; the type itself in nearly every case."""
    for is_kind, convert in _TYPES:
        if is_kind(dtype):
            return convert(dtype)
    return dtype


def check_valid(data: pa.Table | pa.ChunkedArray) -> None:
    """Bytes of a host's may claim to be Arrow and point anywhere, so nothing is computed from data before this.

    A page costs 7 µs, a whole table of 741 MB 60 ms (measured). Raises `invalid_file`.
    """
    try:
        data.validate(full=True)
    except pa.ArrowException as fault:
        raise SidecarError("invalid_file", f"the table holds invalid Arrow data: {fault}", format="arrow") from None


def _plain_column(field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    wanted = plain_type(field.type)
    try:
        if wanted != field.type:
            column.validate(full=True)
            return pa.chunked_array([_plain_array(chunk) for chunk in column.chunks], wanted)
        return _with_wide_indices(column) if pa.types.is_dictionary(wanted) else column
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError):
        raise SidecarError(
            "unsupported_type",
            f"column {field.name!r} is of type {field.type}, which cannot be held",
            column=field.name,
            dtype=str(field.type),
        ) from None


def _with_wide_indices(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each chunk may have a dictionary of its own, and all together more values than the indices can count. Such
    chunks could never be joined."""
    if sum(len(chunk.dictionary) for chunk in column.chunks) <= _index_count(column.type):
        return column
    if all(chunk.dictionary.equals(column.chunk(0).dictionary) for chunk in column.chunks):
        return column
    column.validate(full=True)
    wide = pa.dictionary(pa.int64(), column.type.value_type, column.type.ordered)
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int64()), chunk.dictionary, ordered=column.type.ordered)
        for chunk in column.chunks
    ]
    joined = pa.chunked_array(chunks, wide).unify_dictionaries()
    if len(joined.chunk(0).dictionary) <= _index_count(column.type):
        return column
    return joined


def _index_count(dtype: pa.DictionaryType) -> int:
    return int(2 ** (dtype.index_type.bit_width - pa.types.is_signed_integer(dtype.index_type)))


def _plain_array(array: pa.Array) -> pa.Array:
    wanted = plain_type(array.type)
    if wanted == array.type:
        return array
    if isinstance(array, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(wanted, _plain_array(array.storage))
    if isinstance(array, pa.RunEndEncodedArray):
        return _plain_array(pc.run_end_decode(array))
    if isinstance(array, pa.ListViewArray | pa.LargeListViewArray):
        return _spelled_out(array, wanted)
    if isinstance(array, pa.StructArray):
        children = [_plain_array(array.field(index)) for index in range(array.type.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    if isinstance(array, pa.DictionaryArray):
        values = _plain_array(array.dictionary)
        return pa.DictionaryArray.from_arrays(array.indices, values, ordered=array.type.ordered)
    if pa.types.is_nested(array.type):
        return _with_plain_values(array, wanted)
    return array.cast(wanted)


def _spelled_out(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Not with a cast: that one takes the offsets of 32-bit views for those of lists (pyarrow 26), without an error."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    return pa.LargeListArray.from_arrays(offsets, _plain_array(array.flatten()), wanted, mask=array.is_null())


def _with_plain_values(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """A list, map or list of fixed size around other values: its own buffers stay."""
    own_buffers = array.buffers()[: array.type.num_buffers]
    return pa.Array.from_buffers(
        wanted, len(array), own_buffers, offset=array.offset, children=[_plain_array(array.values)]
    )


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))


def _plain_extension(dtype: pa.DataType) -> pa.DataType:
    """Of the extension types only JSON can say by itself how it is held."""
    storage = plain_type(dtype.storage_type)
    return pa.json_(storage) if isinstance(dtype, pa.JsonType) and storage != dtype.storage_type else dtype


def _plain_map(dtype: pa.MapType) -> pa.DataType:
    return pa.map_(_plain_field(dtype.key_field), _plain_field(dtype.item_field), dtype.keys_sorted)


_TYPES: Sequence[tuple[Callable[[pa.DataType], bool], Callable[..., pa.DataType]]] = (
    (lambda dtype: isinstance(dtype, pa.BaseExtensionType), _plain_extension),
    (pa.types.is_string_view, lambda _: pa.large_string()),
    (pa.types.is_binary_view, lambda _: pa.large_binary()),
    (pa.types.is_run_end_encoded, lambda dtype: plain_type(dtype.value_type)),
    (pa.types.is_list_view, lambda dtype: pa.large_list(_plain_field(dtype.value_field))),
    (pa.types.is_large_list_view, lambda dtype: pa.large_list(_plain_field(dtype.value_field))),
    (pa.types.is_list, lambda dtype: pa.list_(_plain_field(dtype.value_field))),
    (pa.types.is_large_list, lambda dtype: pa.large_list(_plain_field(dtype.value_field))),
    (pa.types.is_fixed_size_list, lambda dtype: pa.list_(_plain_field(dtype.value_field), dtype.list_size)),
    (pa.types.is_map, _plain_map),
    (pa.types.is_struct, lambda dtype: pa.struct([_plain_field(field) for field in dtype])),
    (
        pa.types.is_dictionary,
        lambda dtype: pa.dictionary(dtype.index_type, plain_type(dtype.value_type), dtype.ordered),
    ),
)
