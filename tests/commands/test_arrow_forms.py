"""Arrow types by their names, and JSON rows as Arrow: whatever prints a value, reads it back."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pyarrow as pa
import pytest

from sidecar.commands.arrow_forms import batch_of, header_batch
from sidecar.commands.arrow_names import arrow_type
from sidecar.commands.mistake import Mistake
from sidecar.commands.outputs import rows
from sidecar.streams.values.types import ArrowType, codec
from sidecar.wire.payload import Payload

TYPES = [
    pa.null(),
    pa.bool_(),
    pa.uint8(),
    pa.int64(),
    pa.float16(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.binary(16),
    pa.date32(),
    pa.date64(),
    pa.time32("s"),
    pa.time64("ns"),
    pa.timestamp("us"),
    pa.timestamp("ns", "Europe/Paris"),
    pa.timestamp("ms", "+05:30"),
    pa.duration("us"),
    pa.decimal128(10, 2),
    pa.decimal256(40, -2),
    pa.dictionary(pa.int16(), pa.string()),
    pa.dictionary(pa.int32(), pa.string(), ordered=True),
    pa.list_(pa.int64()),
    pa.list_(pa.field("item", pa.string(), nullable=False)),
    pa.large_list(pa.list_(pa.bool_())),
    pa.map_(pa.string(), pa.list_(pa.int8())),
    pa.struct([]),
    pa.struct([pa.field("a b", pa.int64(), nullable=False), pa.field("c", pa.struct([pa.field("d", pa.date32())]))]),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_type_is_found_by_its_name(dtype: pa.DataType) -> None:
    assert arrow_type(str(dtype)) == dtype


@pytest.mark.parametrize("name", ["", "integer", "list<", "list<item>", "struct<a>", "int64 and more"])
def test_what_is_no_name_of_a_type(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        arrow_type(name)


VALUES = {
    "integers beyond 2^53": (pa.int64(), [2**62, -1, None]),
    "floats": (pa.float64(), [1.5, float("inf"), None]),
    "bytes": (pa.binary(), [b"\x00\xff", b"", None]),
    "decimals": (pa.decimal128(20, 3), [Decimal("12345678901234567.125")]),
    "timestamps": (pa.timestamp("us"), [datetime(2026, 1, 2, 3, 4, 5, 6)]),
    "timestamps of nanoseconds": (pa.timestamp("ns", "UTC"), pa.array([1, 2**60], pa.timestamp("ns", "UTC"))),
    "dates": (pa.date32(), [date(2026, 1, 2)]),
    "times": (pa.time64("us"), [time(23, 59, 59, 7), time(0, 0)]),
    "times of seconds": (pa.time32("s"), [time(1, 2, 3)]),
    "durations": (pa.duration("ms"), [timedelta(seconds=-1.5)]),
    "dictionaries": (pa.dictionary(pa.int16(), pa.string()), pa.array(["a", "b", "a"]).dictionary_encode()),
    "lists of dates": (pa.list_(pa.date32()), [[date(2026, 1, 2), None], []]),
    "structs": (pa.struct([("n", pa.int64()), ("t", pa.timestamp("s"))]), [{"n": 2**60, "t": datetime(2026, 1, 2)}]),
}


@pytest.mark.parametrize(("dtype", "values"), VALUES.values(), ids=VALUES)
def test_rows_are_read_as_they_are_printed(dtype: pa.DataType, values: Any) -> None:
    column = values.cast(dtype) if isinstance(values, pa.Array) else pa.array(values, dtype)
    batch = pa.record_batch([column], ["v"])
    assert batch_of(rows(["v"], pa.Table.from_batches([batch])), batch.schema).equals(batch)


@pytest.mark.parametrize(
    ("row", "dtype", "words"),
    [
        ({"w": 1}, pa.int64(), "there is no column 'w' .columns: v: int64"),
        ({"v": "x"}, pa.int64(), "column 'v' is int64"),
        ({"v": 300}, pa.int8(), "column 'v' is int8"),
        ({"v": 1.5}, pa.int64(), "column 'v' is int64"),
        ({"v": True}, pa.float64(), "true is none"),
        ({"v": 1}, pa.bool_(), "1 is none"),
        ({"v": 1e300}, pa.float32(), "is none"),
        ({"v": [1.5]}, pa.list_(pa.int8()), "1.5 is none"),
        ({"v": 5}, pa.date32(), "5 is none"),
        ({"v": 1}, pa.string(), "1 is none"),
        ({"v": "%"}, pa.binary(), "column 'v' is binary"),
        ({"v": "24:00:00"}, pa.time64("us"), "23:59:59"),
        ({"v": "00:00:00.5"}, pa.time32("s"), "more digits"),
        ({"v": "5 s"}, pa.duration("ms"), "'90 ms'"),
        ({"v": "soon"}, pa.timestamp("us"), "column 'v' is timestamp"),
        ({"v": "1.255"}, pa.decimal128(10, 2), "column 'v' is decimal128"),
        ({"v": {"b": 1}}, pa.struct([("a", pa.int64())]), "no field 'b'"),
    ],
    ids=str,
)
def test_rows_that_do_not_fit(row: Any, dtype: pa.DataType, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        batch_of([row], pa.schema([("v", dtype)]))


def test_a_column_that_may_not_be_null() -> None:
    with pytest.raises(Mistake, match="column 'v' may not be null"):
        batch_of([{}], pa.schema([pa.field("v", pa.int64(), nullable=False)]))


class Color(Enum):
    """For a header."""

    RED = 1


HEADERS = {
    "int": (int, 2**60),
    "float": (float, float("-inf")),
    "bytes": (bytes, b"\x00\xff"),
    "uuid": (UUID, UUID(int=7)),
    "naive datetime": (datetime, datetime(2026, 1, 2, 3, 4, 5, 6)),
    "timedelta": (timedelta, timedelta(hours=3)),
    "time": (time, time(1, 2, 3)),
    "decimal": (Decimal, Decimal("1.50")),
    "enum": (Color, Color.RED),
    "any": (Any, {"a": [1, None]}),
    "bare list": (list, [1, "a"]),
    "set": (set[str], {"a", "b"}),
    "tuple": (tuple[int, str], (1, "a")),
    "dict": (dict[str, int], {"a": 1}),
    "dict of dates": (dict[date, int], {date(2026, 1, 2): 1}),
    "optional": (list[int | None], [1, None]),
    "union": (int | str, "7"),
    "escaped union": (int | str, 2**60),
    "tagged union": (int | float, 1.5),
    "narrow int": (Annotated[int, ArrowType(pa.uint8())], 7),
    "table": (pa.Table, pa.table({"a": [1]})),
}


@pytest.mark.parametrize(("hint", "value"), HEADERS.values(), ids=HEADERS)
def test_a_header_becomes_the_row_that_its_type_is_kept_as(hint: Any, value: Any) -> None:
    made = codec(hint)
    batch = header_batch(made.to_json(value, ""), made.json_schema())
    expected = pa.array([made.to_arrow(value, "")], made.arrow)
    column = batch.to_struct_array() if pa.types.is_struct(made.arrow) else batch.column(0)
    assert column.cast(made.arrow).equals(expected)


def test_a_payload_in_pieces_of_memory() -> None:
    batch = header_batch(Payload("bytes", memoryview(b"abc")), codec(bytes).json_schema())
    assert batch.to_pydict() == {"value": [b"abc"]}
