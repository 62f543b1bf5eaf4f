"""Any table, in any batches, in any pieces, is the session that a load of it in one frame makes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.protocol.methods import Work
from sidecar.streams.pieces import PieceReader
from tests.services.caller import Caller
from tests.services.load.test_incoming import Stream, load
from tests.services.load.test_staging import pieces

NUMBERS = st.integers(-(2**63), 2**63 - 1)
WORDS = st.text(max_size=30)
COLUMNS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), NUMBERS),
    "bool": (pa.bool_(), st.booleans()),
    "text": (pa.string(), WORDS),
    "view": (pa.string_view(), WORDS),
    "list": (pa.list_(pa.int64()), st.lists(NUMBERS, max_size=4)),
    "view of lists": (pa.list_view(pa.int64()), st.lists(NUMBERS, max_size=4)),
    "struct": (pa.struct({"a": pa.string(), "b": pa.int64()}), st.fixed_dictionaries({"a": WORDS, "b": NUMBERS})),
    "nothing": (pa.null(), st.none()),
    "words": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b", "c", "größe"])),
}


@st.composite
def batches(draw: st.DrawFn) -> list[pa.RecordBatch]:
    """Batches of one schema, of 0 to 20 rows each; dictionaries are those of each batch alone."""
    chosen = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4, unique=True))
    schema = pa.schema([(name, COLUMNS[name][0]) for name in chosen])
    sizes = draw(st.lists(st.integers(0, 20), min_size=1, max_size=12))
    return [pa.RecordBatch.from_arrays([draw(column(name, size)) for name in chosen], schema=schema) for size in sizes]


def column(name: str, size: int) -> st.SearchStrategy[pa.Array]:
    dtype, values = COLUMNS[name]
    return st.lists(st.none() | values, min_size=size, max_size=size).map(lambda made: pa.array(made, dtype))


class Never(Work):
    """Work that nobody cancels."""

    cancelled = False

    def check(self) -> None:
        pass

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        pass


@settings(max_examples=150, deadline=None)
@given(batches=batches(), per_piece=st.integers(1, 5), codec=st.sampled_from([None, "lz4", "zstd"]))
def test_a_stream_is_a_frame_in_parts(batches: list[pa.RecordBatch], per_piece: int, codec: str | None) -> None:
    caller = Caller()
    stream, reader = Stream(caller), PieceReader()
    for piece in pieces(batches, per_piece, compression=codec):
        for batch, _ in reader.read(piece):
            stream.exchange.take(batch, piece, Never())
    streamed = load(caller, stream)
    whole = caller.load_table(pa.Table.from_batches(batches), session="t")
    assert (streamed.rows, streamed.columns) == (whole.rows, whole.columns)
    page, expected = caller.rows("s"), caller.rows("t")
    assert page.schema.equals(expected.schema, check_metadata=True)
    assert page.to_pylist() == expected.to_pylist()
