"""A record batch and what travels with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from .values.arrays import exact_array


@dataclass(frozen=True)
class AnnotatedBatch:
    """One batch of a stream. `custom_metadata` are texts by name, or None."""

    batch: pa.RecordBatch
    custom_metadata: dict[str, str] | None = None

    @classmethod
    def from_pydict(
        cls, data: Mapping[str, Any], schema: pa.Schema | None = None, custom_metadata: dict[str, str] | None = None
    ) -> AnnotatedBatch:
        """A batch of columns, each a list or an array; without `schema` Arrow finds the types out. Raises
        `ValueError` for a value that a type of the schema would change."""
        if schema is None:
            return cls(pa.RecordBatch.from_pydict(dict(data)), custom_metadata)
        columns = [exact_array(data[field.name], field.type) for field in schema]
        return cls(pa.RecordBatch.from_arrays(columns, schema=schema), custom_metadata)


def checked_metadata(metadata: Any) -> dict[str, str]:
    """The metadata of a batch. Raises `TypeError` for what is no dict of texts."""
    if not isinstance(metadata, Mapping) or any(
        not isinstance(text, str) for pair in metadata.items() for text in pair
    ):
        raise TypeError(f"custom metadata is a dict of texts by name, not {metadata!r:.200}")
    return dict(metadata)
