"""Any table, exported in any format and loaded back, has the values that it had: exactly, or in the words that the
format has for them."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.wire.payload import Payload
from tests.services.caller import Caller

TEXTS = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('",\n\r\t\ufeff =0')), max_size=6)
NAMES = TEXTS.map(lambda name: name.replace('"', "'").replace("\0", "0"))
"""Of what is loaded back: of a name Polars (2.1) reads a quote twice that was written twice, as RFC 4180 says, and it
gives none to Arrow that has a zero in it."""

VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pa.float64(), st.floats()),
    "string": (pa.string(), TEXTS),
    "bool": (pa.bool_(), st.booleans()),
}
MORE: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "small": (pa.float32(), st.floats(width=32)),
    "unsigned": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "decimal": (pa.decimal128(20, 3), st.decimals(-(10**16), 10**16, places=3)),
    "bytes": (pa.binary(), st.binary(max_size=4)),
    "time": (pa.timestamp("ms", "UTC"), st.integers(0, 4 * 10**12)),
    "list": (pa.list_(pa.int32()), st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=3)),
    "category": (pa.string(), st.sampled_from(["low", "mid,", 'h"igh'])),
}
ALL = {**VALUES, **MORE}


def tables(
    columns: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]], names: st.SearchStrategy[str] = TEXTS
) -> st.SearchStrategy[pa.Table]:
    """Tables of some of the columns, under any names, in chunks."""

    def build(kinds: list[str], names: list[str], rows: list[dict[str, Any]], chunk: int) -> pa.Table:
        made = {}
        for name, kind in zip(names, kinds, strict=False):
            array = pa.array([row[kind] for row in rows], columns[kind][0])
            made[name] = array.dictionary_encode() if kind == "category" else array
        table = pa.table(made)
        parts = [table.slice(start, chunk) for start in range(0, len(rows), chunk)]
        return pa.concat_tables(parts) if parts else table

    nullable = {kind: st.one_of(st.none(), values) for kind, (_, values) in columns.items()}
    count = len(columns)
    return st.builds(
        build,
        st.lists(st.sampled_from(list(columns)), min_size=1, max_size=count),
        st.lists(names, min_size=count, max_size=count, unique=True),
        st.lists(st.fixed_dictionaries(nullable), max_size=12),
        st.integers(1, 12),
    )


def exported(table: pa.Table, format: str, **params: Any) -> tuple[Caller, bytes]:
    caller = Caller()
    caller.load_table(table)
    answer = caller.call("tables/export", {"session": "s", "format": format, **params})
    data = b"".join(bytes(memoryview(buffer)) for buffer in answer.data.buffers)
    assert len(data) == answer.bytes
    return caller, data


def same(value: Any, other: Any) -> bool:
    """Equal, and of floats the same one: NaN is itself, and -0.0 is not 0.0."""
    if isinstance(value, float) and isinstance(other, float):
        return (math.isnan(value) and math.isnan(other)) or (value, math.copysign(1, value)) == (
            other,
            math.copysign(1, other),
        )
    return type(value) is type(other) and value == other


@settings(deadline=None)
@given(tables(ALL), st.sampled_from(["arrow_file", "arrow_stream", "parquet"]))
def test_binary_formats_give_back_types_and_values(table: pa.Table, format: str) -> None:
    caller, data = exported(table, format)
    kind = "parquet" if format == "parquet" else "arrow"
    caller.load(**{"parquet" if kind == "parquet" else "arrow_ipc": Payload(kind, data)}, session="back")
    found = caller.rows("back")
    assert found.schema.equals(table.schema)
    for column, other in zip(found.columns, table.columns, strict=True):
        assert all(map(same, column.to_pylist(), other.to_pylist()))


@settings(deadline=None)
@given(tables(VALUES, NAMES), st.sampled_from(["csv", "tsv"]))
def test_separated_values_give_back_the_basic_types(tmp_path_factory: Any, table: pa.Table, format: str) -> None:
    """A column without a value has no type in a text."""
    caller, data = exported(table, format)
    path = tmp_path_factory.mktemp("round") / f"table.{format}"
    path.write_bytes(data)
    caller.load(path=str(path), session="back")
    found = caller.rows("back")
    assert found.column_names == table.column_names
    assert found.num_rows == table.num_rows
    for column, other in zip(found.columns, table.columns, strict=True):
        assert all(map(same, column.to_pylist(), other.to_pylist())), (column.type, other.type)


@settings(deadline=None)
@given(tables(ALL), st.sampled_from(["json", "ndjson"]))
def test_json_gives_back_the_words_of_a_page(table: pa.Table, format: str) -> None:
    """By the standard library: whatever reads JSON finds the values of a page in JSON, in as many rows."""
    caller, data = exported(table, format)
    lines = data.decode()[:-1].split("\n") if data else []
    rows = [json.loads(line) for line in lines] if format == "ndjson" else json.loads(data)
    assert repr(rows) == repr(caller.json_rows())


@settings(deadline=None)
@given(tables({key: VALUES[key] for key in ("string", "bool")}, NAMES), st.sampled_from(["json", "ndjson"]))
def test_json_gives_back_text(tmp_path_factory: Any, table: pa.Table, format: str) -> None:
    """Through the sidecar's own reading; numbers that JSON cannot hold exactly are texts in it."""
    caller, data = exported(table, format)
    if not table.num_rows:
        return
    path = tmp_path_factory.mktemp("round") / f"table.{format}"
    path.write_bytes(data)
    caller.load(path=str(path), session="back")
    assert caller.rows("back").to_pylist() == table.to_pylist()
