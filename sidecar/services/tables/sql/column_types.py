"""How SQL sees the columns of a session: as values that Polars has, none of them changed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

from ....protocol.errors import SidecarError
from ...plain import decoded, storage

if TYPE_CHECKING:
    import polars as pl


def sql_type(dtype: pa.DataType) -> pa.DataType | None:
    """The type that a column is handed to Polars as; None where Polars has none for all of its values.

    Dictionaries become their values and extensions their storage. Seconds become milliseconds: Polars has none.
    """
    types = pa.types
    if isinstance(dtype, pa.BaseExtensionType):
        return sql_type(dtype.storage_type)
    if types.is_dictionary(dtype):
        return sql_type(dtype.value_type)
    if types.is_nested(dtype):
        return _nested(dtype)
    if types.is_decimal(dtype):
        is_one = not types.is_decimal256(dtype) and 0 <= dtype.scale <= dtype.precision
        return pa.decimal128(dtype.precision, dtype.scale) if is_one else None
    if types.is_timestamp(dtype):
        known = dtype.tz is None or is_known_zone(dtype.tz)
        return pa.timestamp(_unit(dtype.unit), dtype.tz) if known else None
    if types.is_duration(dtype):
        return pa.duration(_unit(dtype.unit))
    if types.is_fixed_size_binary(dtype):
        return pa.binary()
    return None if types.is_interval(dtype) else pa.date32() if types.is_date64(dtype) else dtype


def _nested(dtype: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if types.is_union(dtype) or (types.is_fixed_size_list(dtype) and dtype.list_size == 0):
        return None
    names = [dtype.field(index).name for index in range(dtype.num_fields)]
    inner = [sql_type(dtype.field(index).type) for index in range(dtype.num_fields)]
    if None in inner or len({*names}) < len(names):
        return None
    fields = [dtype.field(index).with_type(found) for index, found in enumerate(inner)]
    if types.is_map(dtype):
        return pa.map_(*sql_pair(dtype))
    if types.is_struct(dtype):
        return pa.struct(fields)
    if types.is_fixed_size_list(dtype):
        return pa.list_(fields[0], dtype.list_size)
    return pa.large_list(fields[0]) if types.is_large_list(dtype) else pa.list_(fields[0])


def sql_pair(dtype: pa.MapType) -> tuple[pa.Field, pa.Field]:
    """The key and the item of a map whose types SQL has."""
    key, item = dtype.key_field, dtype.item_field
    return key.with_type(sql_type(key.type)), item.with_type(sql_type(item.type))


def _unit(unit: str) -> str:
    return "ms" if unit == "s" else unit


@lru_cache(maxsize=256)
def is_known_zone(zone: str) -> bool:
    """Whether Polars has this time zone: it has names of the time zone database, and none like `+05:30`."""
    from ...polars import pl

    try:
        pl.from_arrow(pa.array([], pa.timestamp("us", zone)))
    except pl.exceptions.PolarsError:
        return False
    return True


def sql_column(name: str, column: pa.ChunkedArray, table: str) -> pl.Series:
    """The values of a column that `sql_type` has a type for. Raises `unsupported_type` where one has no place in
    it."""
    from ...polars import pl

    wanted = sql_type(column.type)
    try:
        values = decoded(storage(column))
        values = values if values.type == wanted else values.cast(wanted)
        made = pl.from_arrow(values)
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise unsupported(name, column.type, table, str(fault).partition("\n")[0]) from None
    assert isinstance(made, pl.Series)
    return made.alias(name)


def unsupported(name: str, dtype: pa.DataType, table: str, why: str) -> SidecarError:
    """The refusal of a query that uses a column that SQL cannot have as it is."""
    message = f"column {name!r} of session {table!r} is of type {dtype}, which a query cannot use: {why}"
    return SidecarError("unsupported_type", message, session=table, column=name, dtype=str(dtype))
