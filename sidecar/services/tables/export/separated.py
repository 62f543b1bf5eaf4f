"""CSV and TSV as RFC 4180 has them, but with line feeds: what is text is quoted, whatever it says."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...plain import value_type
from .forms import is_number, json_texts, plain_column

if TYPE_CHECKING:
    import polars as pl

BOM = "\ufeff"


class SeparatedWriter:
    """Values between separators, the names of the columns in the first line.

    A null is nothing, an empty string is `""`. Values of strings, binary and nested columns always stand in quotes, so
    that no reader takes the text `007` for a number; values of other types never do. No value is changed: a text that
    begins with `=` stays as it is.
    """

    def __init__(self, schema: pa.Schema, format: str, separator: str) -> None:
        self._format = format
        self._separator = separator
        self._line = separator.join(self._name(name) for name in schema.names) + "\n"

    def write(self, step: pa.Table) -> list[Any]:
        """The lines of a step."""
        head, self._line = self._line.encode(), ""
        if not step.num_rows:
            return [head]
        from ...polars import pl

        fields = [self._field(field, column) for field, column in zip(step.schema, step.columns, strict=True)]
        frame = pl.DataFrame([field.alias(str(place)) for place, field in enumerate(fields)])
        lines = BytesIO()
        frame.write_csv(lines, include_header=False, separator=self._separator, quote_style="never")
        return [head, lines.getbuffer()] if head else [lines.getbuffer()]

    def finish(self) -> list[Any]:
        """The header, where there was no row."""
        return [self._line.encode()]

    def _field(self, field: pa.Field, column: pa.ChunkedArray) -> pl.Series:
        from ...polars import pl, series

        plain = plain_column(field.name, column, self._format)
        values = json_texts(field.name, column) if plain is None else series(plain)
        if is_number(value_type(field.type)):
            return values
        quoted = pl.lit('"') + values.cast(pl.String).str.replace_all('"', '""', literal=True) + pl.lit('"')
        return pl.select(quoted).to_series()

    def _name(self, name: str) -> str:
        """In quotes where it must be: a name that begins with a byte order mark would lose it."""
        is_odd = not name or name != name.strip() or name.startswith(BOM)
        if is_odd or any(letter in name for letter in ('"', "\n", "\r", self._separator)):
            return '"' + name.replace('"', '""') + '"'
        return name
