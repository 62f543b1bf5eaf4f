"""Batches in the schema of their stream: by name, in order, and converted where nothing is lost."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.streams.schemas import Form

WANTED = pa.schema([pa.field("a", pa.int32(), nullable=False), ("b", pa.string())])
RIGHT = pa.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", None]}, WANTED)


def conform(batch: pa.RecordBatch, schema: pa.Schema, kind: str, exact: bool = False) -> pa.RecordBatch:
    return Form(schema, kind, exact).conform(batch)


def made(**columns: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


FITS = {
    "the same": RIGHT,
    "another order": made(b=["x", None], a=[1, 2]),
    "a wider type": made(a=pa.array([1, 2], pa.int64()), b=["x", None]),
    "whole fractions": made(a=[1.0, 2.0], b=["x", None]),
    "an unsigned type": made(a=pa.array([1, 2], pa.uint8()), b=["x", None]),
    "a large string": made(a=[1, 2], b=pa.array(["x", None], pa.large_string())),
    "a dictionary": made(a=[1, 2], b=pa.array(["x", None]).dictionary_encode()),
    "a schema with metadata": RIGHT.replace_schema_metadata({"k": "v"}),
    "a slice": pa.RecordBatch.from_pydict({"a": [0, 1, 2], "b": ["", "x", None]}, WANTED).slice(1),
}


@pytest.mark.parametrize("exact", [False, True], ids=["output", "input"])
@pytest.mark.parametrize("batch", FITS.values(), ids=FITS)
def test_fits(batch: pa.RecordBatch, exact: bool) -> None:
    got = conform(batch, WANTED, "invalid_output", exact)
    assert got.equals(RIGHT)
    assert got.schema.equals(WANTED)


def test_what_fits_already_is_not_made_anew() -> None:
    assert conform(RIGHT, WANTED, "invalid_output") is RIGHT


def test_large_columns_are_not_copied() -> None:
    column = pa.array(range(100_000), pa.int32())
    batch = made(b=[None] * 100_000, a=column)
    got = conform(batch, WANTED, "invalid_output")
    assert got.column("a").buffers()[1].address == column.buffers()[1].address


@pytest.mark.parametrize(
    ("column", "type"),
    [
        (pa.array([1.0, 2.0]), pa.int64()),
        (pa.array([1]), pa.float64()),
        (pa.array([1, None], pa.int8()), pa.int64()),
        (pa.array(["x"]), pa.large_string()),
        (pa.array([b"x"]), pa.string()),
        (pa.array([[1]], pa.list_(pa.int32())), pa.list_(pa.int64())),
        (pa.array([1], pa.timestamp("s")), pa.timestamp("us")),
    ],
    ids=str,
)
def test_what_is_cast_keeps_its_values(column: pa.Array, type: pa.DataType) -> None:
    got = conform(made(c=column), pa.schema([("c", type)]), "invalid_input").column(0)
    assert got.type == type
    assert got.cast(column.type) == column


@pytest.mark.parametrize(
    ("column", "type"),
    [
        (pa.array([1.5]), pa.int64()),
        (pa.array([300]), pa.int8()),
        (pa.array([-1]), pa.uint32()),
        (pa.array([2**53 + 1]), pa.float64()),
        (pa.array(["x"]), pa.int64()),
        (pa.array([b"\xff"]), pa.string()),
        (pa.array([1_500], pa.timestamp("ms")), pa.timestamp("s")),
        (pa.array([[1.5]]), pa.list_(pa.int64())),
        (pa.array([{"a": 1}]), pa.int64()),
    ],
    ids=str,
)
def test_what_would_lose_is_refused(column: pa.Array, type: pa.DataType) -> None:
    with pytest.raises(SidecarError) as caught:
        conform(made(c=column), pa.schema([("c", type)]), "invalid_input")
    fault = caught.value
    assert fault.kind == "invalid_input"
    assert fault.data == {"column": "c", "expected": str(type), "got": str(column.type)}
    assert "'c'" in fault.message


def test_a_column_of_nulls_fits_any_type() -> None:
    got = conform(made(c=[None, None]), pa.schema([("c", pa.list_(pa.string()))]), "invalid_input").column(0)
    assert got == pa.array([None, None], pa.list_(pa.string()))


MISSING = {"one missing": made(a=[1]), "none of them": made(c=[1]), "no columns": made()}


@pytest.mark.parametrize("batch", MISSING.values(), ids=MISSING)
def test_a_missing_column_names_both_sides(batch: pa.RecordBatch) -> None:
    with pytest.raises(SidecarError) as caught:
        conform(batch, WANTED, "invalid_output")
    assert caught.value.data == {
        "expected": ["a: int32", "b: string"],
        "got": [f"{field.name}: {field.type}" for field in batch.schema],
    }
    assert "['a', 'b']" in caught.value.message


def test_one_more_column() -> None:
    batch = made(a=[1, 2], b=["x", None], c=[0, 0])
    assert conform(batch, WANTED, "invalid_output").equals(RIGHT)
    with pytest.raises(SidecarError) as caught:
        conform(batch, WANTED, "invalid_input", exact=True)
    assert caught.value.data["got"] == ["a: int64", "b: string", "c: int64"]


def test_a_name_twice() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * 3, names=["a", "a", "b"])
    with pytest.raises(SidecarError, match="'a', 'a', 'b'"):
        conform(batch, WANTED, "invalid_output")


@pytest.mark.parametrize("type", [pa.int32(), pa.int64(), pa.null()], ids=str)
def test_nulls_where_there_may_be_none(type: pa.DataType) -> None:
    """Whether it must be cast or not."""
    batch = made(a=pa.array([None, None], type), b=["x", "y"])
    with pytest.raises(SidecarError, match="'a' has nulls") as caught:
        conform(batch, WANTED, "invalid_input")
    assert caught.value.data == {"column": "a"}


def test_nulls_where_there_may_be_none_inside_the_schema_of_the_batch() -> None:
    """Arrow does not look when such a batch is made."""
    batch = pa.RecordBatch.from_arrays([pa.array([None], pa.int32()), pa.array(["x"])], schema=WANTED)
    with pytest.raises(SidecarError, match="'a' has nulls"):
        conform(batch, WANTED, "invalid_input")
