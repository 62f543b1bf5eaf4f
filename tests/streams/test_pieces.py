"""Pieces: all of one direction, in order, are one Arrow IPC stream; each is read alone, and none can be misread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.streams.pieces import SMALL_BYTES, PieceReader, PieceWriter, read_schema, schema_payload
from sidecar.wire.payload import Payload

PLAIN = pa.schema([("id", pa.int64()), ("name", pa.string())])
NAMES = pa.dictionary(pa.int8(), pa.string())
CODED = pa.schema([("name", NAMES), ("place", pa.dictionary(pa.int32(), pa.string()))])
NESTED = pa.schema([("names", pa.list_(NAMES)), ("at", pa.struct([("x", pa.float64())]))])


def plain(*ids: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": ids, "name": [str(id) for id in ids]}, PLAIN)


def coded(*names: str | None) -> pa.RecordBatch:
    """Each batch with dictionaries of its own."""
    return pa.RecordBatch.from_pydict({"name": names, "place": [f"{name} place" for name in names]}, CODED)


def nested(*names: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"names": [names, [], None], "at": [{"x": 1.0}, None, {"x": None}]}, NESTED)


STREAMS: dict[str, list[pa.RecordBatch]] = {
    "one": [plain(1, 2)],
    "several": [plain(1), plain(2, 3), plain(4)],
    "no rows": [plain(), plain(1), plain()],
    "no columns": [pa.RecordBatch.from_pylist([], schema=pa.schema([]))] * 2,
    "large": [plain(*range(50_000)), plain(1), plain(*range(50_000))],
    "slices": [plain(*range(10)).slice(3, 4), plain(*range(10)).slice(9)],
    "dictionaries": [coded("a", "b"), coded("a", "b")],
    "dictionaries that grow": [coded("a"), coded("a", "b"), coded("a", "b", "c")],
    "dictionaries that are replaced": [coded("a", None), coded("x", "y", "z"), coded("a"), coded()],
    "dictionaries inside": [nested("a"), nested("b", "c"), nested()],
    "large dictionaries": [coded(*[str(number) for number in range(100)])] * 3,
}


def pieces(batches: list[pa.RecordBatch], with_schema: bool, metadata: Any = None) -> list[Payload]:
    writer = PieceWriter(batches[0].schema, with_schema)
    return [Payload("arrow", b"".join(writer.write(batch, metadata))) for batch in batches]


def read_all(reader: PieceReader, sent: list[Payload]) -> list[pa.RecordBatch]:
    return [batch for piece in sent for batch, _ in reader.read(piece)]


@pytest.mark.parametrize("batches", STREAMS.values(), ids=STREAMS)
def test_from_the_sidecar(batches: list[pa.RecordBatch]) -> None:
    """The schema goes ahead, alone."""
    ahead = schema_payload(batches[0].schema)
    assert read_schema(ahead).equals(batches[0].schema)
    got = read_all(PieceReader(ahead), pieces(batches, with_schema=False))
    assert [one.to_pydict() for one in got] == [one.to_pydict() for one in batches]
    assert all(one.schema.equals(batches[0].schema) for one in got)


@pytest.mark.parametrize("batches", STREAMS.values(), ids=STREAMS)
def test_from_the_host(batches: list[pa.RecordBatch]) -> None:
    """The first piece begins with the schema."""
    reader = PieceReader()
    assert reader.schema is None
    got = read_all(reader, pieces(batches, with_schema=True))
    assert [one.to_pydict() for one in got] == [one.to_pydict() for one in batches]
    assert reader.schema.equals(batches[0].schema)


@pytest.mark.parametrize("batches", STREAMS.values(), ids=STREAMS)
def test_together_they_are_one_arrow_stream(batches: list[pa.RecordBatch]) -> None:
    """Which any Arrow reads."""
    whole = b"".join(bytes(piece.data) for piece in pieces(batches, with_schema=True))
    read = pa.ipc.open_stream(whole + b"\xff\xff\xff\xff\0\0\0\0")
    assert [one.to_pydict() for one in read] == [one.to_pydict() for one in batches]


@pytest.mark.parametrize("batches", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("count", [2, 3])
def test_several_in_one_payload(batches: list[pa.RecordBatch], count: int) -> None:
    """As they come where the host reads slowly."""
    sent = pieces(batches, with_schema=True)
    joined = [
        Payload("arrow", b"".join(bytes(piece.data) for piece in sent[at : at + count]))
        for at in range(0, len(sent), count)
    ]
    assert [one.to_pydict() for one in read_all(PieceReader(), joined)] == [one.to_pydict() for one in batches]


def test_any_arrow_writer_will_do_for_a_host() -> None:
    """Messages as another library cuts them: schema, then batches, with its own alignment."""
    batches = STREAMS["dictionaries that are replaced"]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    whole = sink.getvalue().to_pybytes()[:-8]
    (sent,) = [Payload("arrow", whole)]
    assert [one.to_pydict() for one in read_all(PieceReader(), [sent])] == [one.to_pydict() for one in batches]
    schema_bytes = batches[0].schema.serialize().size
    apart = [Payload("arrow", whole[:schema_bytes]), Payload("arrow", whole[schema_bytes:])]
    assert len(read_all(PieceReader(), apart)) == len(batches)


@pytest.mark.parametrize("metadata", [None, {"a": "b"}, {"größe": "€" * 100, "": ""}], ids=["none", "one", "several"])
def test_metadata(metadata: dict[str, str] | None) -> None:
    """Of each batch, and of it alone."""
    writer, reader = PieceWriter(PLAIN, with_schema=True), PieceReader()
    got: list[Any] = []
    for given in (metadata, None, metadata):
        got += reader.read(Payload("arrow", b"".join(writer.write(plain(1), given))))
    assert [found for _, found in got] == [metadata, None, metadata]


# -- what is no stream -------------------------------------------------------------------------------------------


def refusal(read: Iterator[Any]) -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        list(read)
    assert caught.value.kind == "invalid_input"
    return caught.value


@pytest.mark.parametrize("name", ["one", "dictionaries", "dictionaries inside", "no rows"])
@pytest.mark.parametrize("position", [0, -1], ids=["the first", "a later one"])
def test_cut_at_each_byte(name: str, position: int) -> None:
    """Wherever it ends, it is refused or, between two messages, fewer batches; never other ones."""
    sent = pieces(STREAMS[name] * 2, with_schema=True)
    whole = bytes(sent[position].data)
    expected = STREAMS[name][position].to_pydict()
    refused = 0
    for size in range(len(whole)):
        reader = PieceReader()
        before = sent[:position] if position else []
        read_all(reader, before)
        try:
            got = [batch.to_pydict() for batch, _ in reader.read(Payload("arrow", whole[:size]))]
        except SidecarError:
            refused += 1
        else:
            assert got in ([], [expected])
    assert refused > len(whole) * 0.9


def flipped(data: bytes, place: int) -> bytes:
    damaged = bytearray(data)
    damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


@pytest.mark.parametrize("name", ["one", "dictionaries", "dictionaries inside"])
def test_damaged_at_each_bit(name: str) -> None:
    """A host's bytes may claim to be Arrow and point anywhere: every value can be read, or it is refused."""
    (sent,) = pieces(STREAMS[name][:1], with_schema=True)
    whole = bytes(sent.data)
    for place in range(0, len(whole) * 8, 3):
        try:
            for batch, _ in PieceReader().read(Payload("arrow", flipped(whole, place))):
                batch.to_pydict()
        except SidecarError:
            continue
        except (UnicodeDecodeError, ValueError, OverflowError):
            continue  # values that Arrow has and Python has not, in a schema of the damage's making


END_MARKER = b"\xff\xff\xff\xff\0\0\0\0"


def bytes_of(batch: pa.RecordBatch) -> bytes:
    return bytes(pieces([batch], with_schema=True)[0].data)


WRONG = {
    "empty": b"",
    "an end marker": END_MARKER,
    "an end marker after a batch": bytes_of(plain(1))[PLAIN.serialize().size :] + END_MARKER,
    "an old end marker": b"\0\0\0\0",
    "a schema": PLAIN.serialize().to_pybytes(),
    "a schema and a batch": bytes_of(plain(1)),
    "another schema": bytes_of(coded("a")),
    "text": b"this is not an Arrow stream, but long enough for one",
    "a length without end": b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    "a batch of another schema": bytes_of(pa.RecordBatch.from_pydict({"x": [1]}))[
        pa.schema([("x", pa.int64())]).serialize().size :
    ],
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_cannot_follow(data: bytes) -> None:
    reader = PieceReader()
    read_all(reader, pieces([plain(1)], with_schema=True))
    refusal(reader.read(Payload("arrow", data)))


@pytest.mark.parametrize("name", ["empty", "an end marker", "an old end marker", "text", "a length without end"])
def test_what_cannot_begin(name: str) -> None:
    refusal(PieceReader().read(Payload("arrow", WRONG[name])))


def test_a_dictionary_batch_that_was_never_sent() -> None:
    """The second piece alone: its batch points into dictionaries of the first."""
    batches = STREAMS["dictionaries"]
    same = [batches[0], batches[0]]
    first, second = pieces(same, with_schema=True)
    assert len(second.data) < len(first.data)
    refusal(PieceReader(schema_payload(CODED)).read(second))


def test_values_that_point_outside() -> None:
    """A batch that is right in form: only its values show what it is."""
    written = bytes_of(pa.RecordBatch.from_pydict({"id": [1], "name": ["eleven char"]}, PLAIN))
    right, outside = (b"\0\0\0\0" + end.to_bytes(4, "little") for end in (11, 1000))
    head, _, tail = written.rpartition(right)
    assert tail.startswith(b"eleven char")
    assert "1000" in refusal(PieceReader().read(Payload("arrow", head + outside + tail))).message


def test_text_that_is_none() -> None:
    column = pa.array([b"\xff"]).view(pa.string())
    sent = pieces([pa.RecordBatch.from_arrays([pa.array([1]), column], schema=PLAIN)], with_schema=True)
    refusal(PieceReader().read(sent[0]))


@pytest.mark.parametrize("with_schema", [True, False], ids=["from the host", "from the sidecar"])
def test_dictionaries_are_replaced(with_schema: bool) -> None:
    """And never extended, which not every reader of Arrow knows: also where a delta would do."""
    batches = STREAMS["dictionaries that grow"]
    sent = b"".join(bytes(piece.data) for piece in pieces(batches, with_schema))
    whole = sent if with_schema else bytes(schema_payload(CODED).data) + sent
    reader = pa.ipc.open_stream(whole + END_MARKER)
    assert [one.to_pydict() for one in reader] == [one.to_pydict() for one in batches]
    stats = reader.stats
    assert (stats.num_dictionary_deltas, stats.num_replaced_dictionaries) == (0, 4)
    assert stats.num_dictionary_batches == 6


# -- copies ------------------------------------------------------------------------------------------------------


def address(buffer: Any) -> int:
    found: int = pa.py_buffer(buffer).address
    return found


def test_large_columns_are_not_copied_to_be_written() -> None:
    batch = plain(*range(50_000))
    written = PieceWriter(PLAIN, with_schema=False).write(batch, None)
    columns = {buffer.address for column in batch.columns for buffer in column.buffers() if buffer is not None}
    assert columns <= {address(buffer) for buffer in written}


def test_large_columns_are_not_copied_to_be_read() -> None:
    (sent,) = pieces([plain(*range(50_000))], with_schema=True)
    data = pa.py_buffer(sent.data)
    ((batch, _),) = PieceReader().read(Payload("arrow", data))
    for column in batch.columns:
        for buffer in column.buffers():
            assert buffer is None or data.address <= buffer.address < data.address + data.size


def test_small_batches_are_one_buffer() -> None:
    writer = PieceWriter(PLAIN, with_schema=True)
    assert [len(writer.write(plain(1), None)) for _ in range(3)] == [1, 1, 1]
    assert len(writer.write(plain(*range(SMALL_BYTES)), None)) > 1


def test_what_was_read_is_forgotten() -> None:
    """A reader that waits for more must not keep the last payload."""
    data = bytearray(pieces([plain(*range(5000))], with_schema=True)[0].data)
    reader = PieceReader()
    for batch, _ in reader.read(Payload("arrow", data)):
        del batch
    data.append(0)  # raises BufferError while a view of it is held
