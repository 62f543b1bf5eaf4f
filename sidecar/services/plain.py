"""Tables in plain types: those that can be sliced, gathered, joined and sent to any Arrow reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from ..protocol.errors import SidecarError
from . import compute as pc

VIEW_BYTES = 16
"""One value of a string or binary view column: its length, and its first bytes or all of them."""


def plain(table: pa.Table) -> pa.Table:
    """The table with strings and bytes for their views, lists for list views, and run-end encoding spelled out,
    inside nested types too. The indices of a dictionary are widened where its chunks together need that.

    Raises `unsupported_type`, and `ArrowInvalid` for a column whose data is not what its type says.
    """
    check_schema(table.schema)
    columns = [_plain_column(field, column) for field, column in zip(table.schema, table.columns, strict=True)]
    if all(new is old for new, old in zip(columns, table.columns, strict=True)):
        return table
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(fields, table.schema.metadata))


def expansion_bytes(table: pa.Table) -> int:
    """What `plain` adds at least: 480 bytes of run ends may stand for 200 M rows, and views of lists may overlap."""
    return sum(_expansion(column) for column in table.columns)


def _expansion(column: pa.ChunkedArray) -> int:
    dtype = column.type
    if pa.types.is_run_end_encoded(dtype):
        return len(column) * width_bits(dtype.value_type) // 8
    if pa.types.is_list_view(dtype) or pa.types.is_large_list_view(dtype):
        column.validate(full=True)
        values = sum(pc.sum(pc.list_value_length(chunk)).as_py() or 0 for chunk in column.chunks)
        return int(values) * width_bits(dtype.value_type) // 8
    return 0


def width_bits(dtype: pa.DataType) -> int:
    """What one value takes at least: nothing in a struct or a column of nulls, an offset in a list or a string."""
    if pa.types.is_null(dtype) or pa.types.is_struct(dtype) or pa.types.is_fixed_size_list(dtype):
        return 0
    try:
        return int(dtype.bit_width)
    except ValueError:
        return 32


def check_schema(schema: pa.Schema) -> None:
    """Raises `unsupported_type`, and `UnicodeDecodeError` for a name that is not UTF-8: here and not where a host
    asks for the columns."""
    for field in schema:
        _ = field.name, str(field.type)
        if holds(field.type, _is_unwrapped):
            raise _unsupported(field)


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """What a column of `dtype` is held as; the type itself in nearly every case."""
    if _is_plain(dtype):
        return dtype
    return next(convert(dtype) for is_kind, convert in _TYPES if is_kind(dtype))


def value_type(dtype: pa.DataType) -> pa.DataType:
    """The type of the values in an extension or dictionary column."""
    if isinstance(dtype, pa.BaseExtensionType):
        return value_type(dtype.storage_type)
    return value_type(dtype.value_type) if pa.types.is_dictionary(dtype) else dtype


def is_text(dtype: pa.DataType) -> bool:
    """Whether values are strings."""
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def has_order(dtype: pa.DataType) -> bool:
    """Whether values of a type can be compared: not nested ones, and none that Polars does not have."""
    types, dtype = pa.types, value_type(dtype)
    if types.is_decimal(dtype):
        return not types.is_decimal256(dtype) and 0 <= dtype.scale <= dtype.precision
    is_empty = types.is_fixed_size_binary(dtype) and dtype.byte_width == 0
    return not (types.is_nested(dtype) or types.is_interval(dtype) or is_empty)


def storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of an extension type as what it is stored as; any other as it is."""
    if not isinstance(column.type, pa.BaseExtensionType):
        return column
    return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)


def decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A dictionary column as its values; any other as it is. Not with a cast, which has none for nested values."""
    if not pa.types.is_dictionary(column.type):
        return column
    wanted = large_type(column.type.value_type)  # the values of all rows may be more than 32 bits count
    return pa.chunked_array([chunk.dictionary.cast(wanted).take(chunk.indices) for chunk in column.chunks], wanted)


def large_type(dtype: pa.DataType) -> pa.DataType:
    """The type that counts with 64 bits where `dtype`, of strings or bytes, does with 32."""
    if pa.types.is_string(dtype):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary(dtype) else dtype


def check_valid(data: pa.Table) -> None:
    """Bytes of a host's may claim to be Arrow and point anywhere, so nothing is computed from data before this.

    A page costs 7 µs, a whole table of 741 MB 60 ms (measured). Raises `invalid_file`, which names the column.
    """
    try:
        data.validate(full=True)
    except pa.ArrowException as fault:
        name = next(name for name in data.column_names if not _is_valid(data.column(name)))
        raise SidecarError("invalid_file", f"column {name!r} is no valid Arrow data: {fault}", column=name) from None


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _plain_column(field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    dtype = field.type
    try:
        if not _is_plain(dtype):
            column.validate(full=True)
            column = pa.chunked_array([_plain_array(chunk) for chunk in column.chunks], plain_type(dtype))
        return _with_wide_indices(_without_null_values(column)) if pa.types.is_dictionary(dtype) else column
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError):
        raise _unsupported(field) from None


def _unsupported(field: pa.Field) -> SidecarError:
    message = f"column {field.name!r} is of type {field.type}, which cannot be held"
    return SidecarError("unsupported_type", message, column=field.name, dtype=str(field.type))


def holds(dtype: pa.DataType, is_kind: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type or any type within it is of a kind."""
    if is_kind(dtype):
        return True
    if isinstance(dtype, pa.BaseExtensionType):
        return holds(dtype.storage_type, is_kind)
    if pa.types.is_dictionary(dtype):
        return holds(dtype.value_type, is_kind)
    return any(holds(dtype.field(index).type, is_kind) for index in range(dtype.num_fields))


def _is_unwrapped(dtype: pa.DataType) -> bool:
    """Whether it is one of the two interval types that pyarrow has no arrays for: any look at one raises KeyError."""
    return dtype.id in _UNWRAPPED


_UNWRAPPED = {pa.lib.Type_INTERVAL_MONTHS, pa.lib.Type_INTERVAL_DAY_TIME}


def _without_null_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A null among the values of a dictionary is a null of the rows: Arrow joins no dictionaries that have one."""
    column.validate()  # a dictionary may be missing
    if not any(chunk.dictionary.null_count for chunk in column.chunks):
        return column
    column.validate(full=True)
    return pa.chunked_array([_with_null_indices(chunk) for chunk in column.chunks], column.type)


def _with_null_indices(array: pa.DictionaryArray) -> pa.DictionaryArray:
    is_valid = array.dictionary.is_valid()
    places = pc.subtract(pc.cumulative_sum(is_valid.cast(pa.int64())), 1)
    indices = pc.if_else(is_valid, places, None).take(array.indices).cast(array.type.index_type)
    return pa.DictionaryArray.from_arrays(indices, array.dictionary.filter(is_valid), ordered=array.type.ordered)


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
    # Not `unify_dictionaries`: it looks at the indices of nulls, which may be anything, and crashes (pyarrow 26).
    joined = pa.chunked_array(chunks, wide).combine_chunks()
    if len(joined.dictionary) <= _index_count(column.type):
        return column
    return pa.chunked_array([joined])


def _index_count(dtype: pa.DictionaryType) -> int:
    return int(2 ** (dtype.index_type.bit_width - pa.types.is_signed_integer(dtype.index_type)))


def _plain_array(array: pa.Array) -> pa.Array:
    if _is_plain(array.type):
        return array
    wanted = plain_type(array.type)
    if isinstance(array, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(wanted, _plain_array(array.storage))
    if isinstance(array, pa.RunEndEncodedArray):
        values = pa.RunEndEncodedArray.from_arrays(array.run_ends, _plain_array(array.values))
        return pc.run_end_decode(values.slice(array.offset, len(array)))
    if isinstance(array, pa.ListViewArray | pa.LargeListViewArray):
        return _spelled_out(array, wanted)
    if isinstance(array, pa.StructArray):
        children = [_plain_array(array.field(index)) for index in range(array.type.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    if isinstance(array, pa.DictionaryArray):
        values = _plain_array(array.dictionary)
        return pa.DictionaryArray.from_arrays(array.indices, values, ordered=array.type.ordered)
    if isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):  # a map is a list too
        return _with_plain_values(array, wanted)
    return _with_empty_nulls(array).cast(wanted)


def _with_empty_nulls(array: pa.Array) -> pa.Array:
    """The views of nulls may be anything, no validation looks at them, and the cast to strings crashes on a negative
    length there (pyarrow 26)."""
    if not array.null_count:
        return array
    _, views, *data = array.buffers()
    cells = pa.Array.from_buffers(pa.binary(VIEW_BYTES), len(array), [array.buffers()[0], views], offset=array.offset)
    cells = pc.fill_null(cells, bytes(VIEW_BYTES))
    valid = pa.concat_arrays([array.is_valid(), pa.array([True])])  # a copy, whose bits begin at 0
    return pa.Array.from_buffers(array.type, len(array), [valid.buffers()[1], cells.buffers()[1], *data])


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


def _is_plain(dtype: pa.DataType) -> bool:
    if isinstance(dtype, pa.BaseExtensionType):
        return not isinstance(dtype, pa.JsonType) or _is_plain(dtype.storage_type)
    if pa.types.is_dictionary(dtype):
        return _is_plain(dtype.value_type)
    if any(is_kind(dtype) for is_kind in _NOT_PLAIN):
        return False
    return all(_is_plain(dtype.field(index).type) for index in range(dtype.num_fields))


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))


_NOT_PLAIN = (
    pa.types.is_string_view,
    pa.types.is_binary_view,
    pa.types.is_run_end_encoded,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)

_TYPES: Sequence[tuple[Callable[[pa.DataType], bool], Callable[..., pa.DataType]]] = (
    (lambda dtype: isinstance(dtype, pa.JsonType), lambda dtype: pa.json_(plain_type(dtype.storage_type))),
    (pa.types.is_string_view, lambda _: pa.large_string()),
    (pa.types.is_binary_view, lambda _: pa.large_binary()),
    (pa.types.is_run_end_encoded, lambda dtype: plain_type(dtype.value_type)),
    (pa.types.is_list_view, lambda dtype: pa.large_list(_plain_field(dtype.value_field))),
    (pa.types.is_large_list_view, lambda dtype: pa.large_list(_plain_field(dtype.value_field))),
    (pa.types.is_list, lambda dtype: pa.list_(_plain_field(dtype.value_field))),
    (pa.types.is_large_list, lambda dtype: pa.large_list(_plain_field(dtype.value_field))),
    (pa.types.is_fixed_size_list, lambda dtype: pa.list_(_plain_field(dtype.value_field), dtype.list_size)),
    (pa.types.is_map, lambda dtype: pa.map_(_plain_field(dtype.key_field), _plain_field(dtype.item_field))),
    (pa.types.is_struct, lambda dtype: pa.struct([_plain_field(field) for field in dtype])),
    (
        pa.types.is_dictionary,
        lambda dtype: pa.dictionary(dtype.index_type, plain_type(dtype.value_type), dtype.ordered),
    ),
    (lambda _: True, lambda dtype: dtype),  # a union: its columns are refused
)
