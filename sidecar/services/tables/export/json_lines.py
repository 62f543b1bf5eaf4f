"""NDJSON and JSON: an object a row, in the form of a JSON page."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from ....wire.limits import MAX_SAFE_INTEGER
from ...json_rows import json_objects, json_values
from .forms import is_plain_json, json_members, plain_column

if TYPE_CHECKING:
    import polars as pl

ENCODER = msgspec.json.Encoder()


class JsonWriter:
    """One object a line, with `json` as an array of them."""

    def __init__(self, schema: pa.Schema, format: str) -> None:  # noqa: ARG002 - as all writers
        self._format = format
        self._is_array = format == "json"
        self._is_first = True

    def write(self, step: pa.Table) -> list[Any]:
        """The lines of a step."""
        lines = self._lines(step)
        if not self._is_array or not step.num_rows:
            return [lines]
        start = b"[" if self._is_first else b",\n"
        self._is_first = False
        return [start, lines.rstrip(b"\n").replace(b"\n", b",\n")]

    def finish(self) -> list[Any]:
        """The end of the array."""
        if not self._is_array:
            return []
        return [b"[]\n" if self._is_first else b"]\n"]

    def _lines(self, step: pa.Table) -> bytes:
        """By Polars where it has every value's form, else put together column by column."""
        if not step.num_rows or not step.num_columns:
            return ENCODER.encode_lines(json_objects(step))  # which says what has no form, even of no rows
        from ...polars import pl

        columns = {field.name: self._native(field, step.column(place)) for place, field in enumerate(step.schema)}
        lines = BytesIO()
        found = {name: column for name, column in columns.items() if column is not None}
        if len(found) == len(columns):
            pl.DataFrame(found).write_ndjson(lines)  # of a list it would rename a column without a name
        else:
            members = [self._members(name, column, step.column(name)) for name, column in columns.items()]
            frame = pl.DataFrame({str(place): member for place, member in enumerate(members)})
            objects = pl.lit("{") + pl.concat_str(pl.all(), separator=",") + pl.lit("}")
            frame.select(objects).write_csv(lines, include_header=False, quote_style="never")
        return lines.getvalue()

    def _native(self, field: pa.Field, column: pa.ChunkedArray) -> pl.Series | None:
        """The column as Polars writes it in the form of a JSON page; None where it does not."""
        plain = plain_column(field.name, column, self._format)
        if plain is None:
            plain = column if pa.types.is_nested(column.type) else None
        if plain is None or not all(map(is_plain_json, plain.chunks)):
            return None
        from ...polars import series

        if pa.types.is_float32(plain.type):
            plain = plain.cast(pa.float64())  # a page has the digits of the double
        return series(plain)

    def _members(self, name: str, native: pl.Series | None, column: pa.ChunkedArray) -> pl.Series:
        """`"name":value` of each row."""
        if native is not None:
            return json_members(name, native)
        from ...polars import pl

        values = self._numbers(name, column)
        if values is None:
            values = pl.Series([ENCODER.encode(value).decode() for value in json_values(name, column)], dtype=pl.String)
        return pl.select(pl.lit(ENCODER.encode(name).decode() + ":") + values.fill_null("null")).to_series()

    def _numbers(self, name: str, column: pa.ChunkedArray) -> pl.Series | None:
        """Numbers among which some stand in JSON as strings; None where the column has no numbers."""
        from ...polars import pl, series

        plain = plain_column(name, column, self._format)
        if plain is None:
            return None
        number = pl.col("number")
        text = number.cast(pl.String)
        quoted = pl.lit('"') + text + pl.lit('"')
        if pa.types.is_floating(plain.type):
            numbers = series(plain.cast(pa.float64()))
            quoted = quoted.str.replace("inf", "Infinity", literal=True)
            is_odd = ~number.is_finite()
        else:
            numbers = series(plain)
            is_odd = (number > MAX_SAFE_INTEGER) | (number < -MAX_SAFE_INTEGER)
        return pl.DataFrame({"number": numbers}).select(pl.when(is_odd).then(quoted).otherwise(text)).to_series()
