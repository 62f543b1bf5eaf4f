"""A page as JSON: every value exact, as a number only where a host's numbers can hold it."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services.json_rows import json_rows
from tests.services.caller import RecordingContext

D = decimal.Decimal
SAFE = 2**53 - 1


def shown(values: pa.Array | pa.ChunkedArray) -> list[Any]:
    return [row["v"] for row in json.loads(bytes(json_rows(pa.table({"v": values}), RecordingContext())))]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(pa.array([True, None, False]), [True, None, False], id="booleans"),
        pytest.param(pa.array([0, -1, None], pa.int8()), [0, -1, None], id="integers"),
        pytest.param(pa.array([SAFE, -SAFE]), [SAFE, -SAFE], id="the last safe integers"),
        pytest.param(pa.array([SAFE + 1, -SAFE - 1]), [str(SAFE + 1), str(-SAFE - 1)], id="the first unsafe ones"),
        pytest.param(pa.array([2**64 - 1, 1], pa.uint64()), [str(2**64 - 1), 1], id="uint64"),
        pytest.param(
            pa.array([1.5, math.nan, math.inf, -math.inf, None]),
            [1.5, "NaN", "Infinity", "-Infinity", None],
            id="floats",
        ),
        pytest.param(pa.array([0.1, 1e300]), [0.1, 1e300], id="floats in full"),
        pytest.param(pa.array([1.5, None], pa.float16()), [1.5, None], id="half floats"),
        pytest.param(
            pa.array(["", None, 'a"\n\u2028\U0001f600\x00']), ["", None, 'a"\n\u2028\U0001f600\x00'], id="strings"
        ),
        pytest.param(pa.array([b"\xff\x00", b"", None]), ["/wA=", "", None], id="binary"),
        pytest.param(pa.array([b"ab"], pa.binary(2)), ["YWI="], id="fixed binary"),
        pytest.param(pa.array([D("1.10"), None]), ["1.10", None], id="decimals"),
        pytest.param(pa.array([D("9" * 60)], pa.decimal256(60, 0)), ["9" * 60], id="wide decimals"),
        pytest.param(pa.array([dt.date(2020, 2, 29), None]), ["2020-02-29", None], id="dates"),
        pytest.param(pa.array([1], pa.timestamp("ns")), ["1970-01-01 00:00:00.000000001"], id="nanoseconds"),
        pytest.param(pa.array([0], pa.timestamp("s", "UTC")), ["1970-01-01 00:00:00Z"], id="time zone"),
        pytest.param(pa.array([1], pa.time64("ns")), ["00:00:00.000000001"], id="times"),
        pytest.param(pa.array([-90, None], pa.duration("s")), ["-90 s", None], id="durations"),
        pytest.param(pa.array([2**63 - 1], pa.duration("ns")), [f"{2**63 - 1} ns"], id="long durations"),
        pytest.param(pa.nulls(2), [None, None], id="nulls"),
        pytest.param(pa.array([[1, SAFE + 1], None, []]), [[1, str(SAFE + 1)], None, []], id="lists"),
        pytest.param(pa.array([[math.nan], [None]]), [["NaN"], [None]], id="lists of floats"),
        pytest.param(pa.array([[D("1.10")]], pa.list_(pa.decimal128(5, 2))), [["1.10"]], id="lists of decimals"),
        pytest.param(
            pa.array([[1]], pa.list_(pa.timestamp("ns"))), [["1970-01-01 00:00:00.000000001"]], id="lists of times"
        ),
        pytest.param(pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [[1, 2]], id="fixed lists"),
        pytest.param(
            pa.array([{"a": SAFE + 1, "b": dt.date(2020, 1, 1), "c": b"\x00"}, None]),
            [{"a": str(SAFE + 1), "b": "2020-01-01", "c": "AA=="}, None],
            id="structs",
        ),
        pytest.param(pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8())), [[["a", 1]], None], id="maps"),
        pytest.param(
            pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.string(), pa.timestamp("ns", "+01:00"))),
            [[["a", "1970-01-01 01:00:00.000000001+0100"], ["b", None]], None, []],
            id="maps of times",
        ),
        pytest.param(
            pa.array([[0, 0], [1, None], None, [2, 3]], pa.list_(pa.time64("ns"), 2)).slice(1),
            [["00:00:00.000000001", None], None, ["00:00:00.000000002", "00:00:00.000000003"]],
            id="fixed lists of times",
        ),
        pytest.param(pa.array([[90], None], pa.list_(pa.duration("s"))), [["90 s"], None], id="lists of durations"),
        pytest.param(
            pa.StructArray.from_arrays(
                [pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"\0" * 16], pa.binary(16)))], ["id"]
            ),
            [{"id": "AAAAAAAAAAAAAAAAAAAAAA=="}],
            id="extensions in structs as alone",
        ),
        pytest.param(pa.array(["x", None]).dictionary_encode(), ["x", None], id="dictionaries"),
        pytest.param(
            pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([SAFE + 1, 1])),
            [str(SAFE + 1), 1],
            id="of numbers",
        ),
        pytest.param(
            pa.DictionaryArray.from_arrays(pa.array([1, None]), pa.array([{"a": 1}, {"a": 2}])),
            [{"a": 2}, None],
            id="of structs",
        ),
        pytest.param(
            pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None])), ['{"a":1}', None], id="JSON"
        ),
        pytest.param(pa.chunked_array([[1], [], [2]]), [1, 2], id="chunks"),
    ],
)
def test_values(values: pa.Array, expected: list[Any]) -> None:
    assert shown(values) == expected


def test_a_time_that_no_calendar_has_keeps_its_number() -> None:
    assert str(2**62) in shown(pa.array([2**62], pa.int64()).view(pa.timestamp("s")))[0]


def test_binary_survives_whole() -> None:
    data = bytes(range(256)) * 3
    assert base64.b64decode(shown(pa.array([data]))[0]) == data


def test_rows_are_objects_with_the_columns_in_order() -> None:
    table = pa.table({"b": [1, 2], "a": ["x", None], "": [None, True]})
    text = bytes(json_rows(table, RecordingContext())).decode()
    assert text == '[{"b":1,"a":"x","":null},{"b":2,"a":null,"":true}]'


@pytest.mark.parametrize("rows", [0, 3])
def test_shapes_without_cells(rows: int) -> None:
    table = pa.table({"a": pa.array(range(rows), pa.int8())})
    assert json.loads(bytes(json_rows(table.select([]), RecordingContext()))) == [{}] * rows
    assert len(json.loads(bytes(json_rows(table, RecordingContext())))) == rows


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([0], pa.timestamp("ns", "No/Such")), id="an unknown time zone"),
        pytest.param(
            pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), id="an object with one name twice"
        ),
    ],
)
def test_what_has_no_form_is_refused_by_name(values: pa.Array) -> None:
    with pytest.raises(SidecarError) as caught:
        json_rows(pa.table({"fine": [1], "v": values}), RecordingContext())
    error = caught.value
    assert (error.kind, error.data["column"], error.data["dtype"]) == ("unencodable_column", "v", str(values.type))
