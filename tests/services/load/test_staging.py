"""Staged batches: few chunks of many, nothing of a payload that is not needed, an account of what is really held."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.services.allocations import allocated_bytes
from sidecar.services.load.staging import CHUNK_BYTES, FAN_IN, Staging
from sidecar.services.plain import decoded, plain
from sidecar.services.sessions import Sessions
from sidecar.streams.pieces import PieceReader
from sidecar.wire.payload import Payload

MIB = 1024 * 1024


def pieces(batches: list[pa.RecordBatch], per_piece: int = 1, **options: Any) -> Iterator[Payload]:
    """An IPC stream of the batches, cut behind every so many of them; each piece in memory of its own."""
    sink = pa.BufferOutputStream()
    ends = [0]
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for number, batch in enumerate(batches, 1):
            writer.write_batch(batch)
            if number % per_piece == 0 or number == len(batches):
                ends.append(sink.tell())
    whole = sink.getvalue()
    for start, stop in pairwise(ends):
        yield Payload("arrow", memoryview(pa.py_buffer(bytes(whole[start:stop]))))


def staged(batches: list[pa.RecordBatch], per_piece: int = 1, **options: Any) -> Staging:
    """All of them, read as a host's input is."""
    with Sessions().claim("test") as claim:
        staging, reader = Staging(claim), PieceReader()
        for piece in pieces(batches, per_piece, **options):
            for batch, _ in reader.read(piece):
                staging.add(batch, piece)
                assert claim.bytes == staging.bytes
        return staging


def same(staging: Staging, batches: list[pa.RecordBatch]) -> bool:
    """Whether the table is the one that a load of one frame makes."""
    made, expected = plain(staging.table()), plain(pa.Table.from_batches(batches))
    made.validate(full=True)
    assert made.schema.equals(expected.schema, check_metadata=True)
    return made.num_rows == expected.num_rows and [*map(decoded, made.columns)] == [*map(decoded, expected.columns)]


def numbers(rows: int, start: int = 0) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(range(start, start + rows), pa.int64())})


def words(*values: str, index: Any = None, dictionary: list[str] | None = None) -> pa.RecordBatch:
    dictionary = dictionary or sorted({*values})
    indices = pa.array([dictionary.index(value) for value in values], index or pa.int8())
    return pa.record_batch({"d": pa.DictionaryArray.from_arrays(indices, dictionary)})


def is_near(staging: Staging) -> bool:
    """Whether the account is within a tenth of what the table really keeps."""
    real = allocated_bytes(staging.table().columns)
    return abs(staging.bytes - real) <= real / 10 + 256


def test_many_small_batches_are_few_chunks() -> None:
    batches = [numbers(10, 10 * at) for at in range(FAN_IN**2 + 100)]
    staging = staged(batches)
    waiting = sum(map(len, staging._levels))
    assert waiting < 3 * FAN_IN
    assert same(staging, batches)
    assert staging.table().column(0).num_chunks == 1
    assert is_near(staging)


def test_chunks_are_made_where_enough_is_there() -> None:
    rows = CHUNK_BYTES // 8 // 4
    batches = [numbers(rows, rows * at) for at in range(10)]
    staging = staged(batches)
    assert same(staging, batches)
    assert staging.table().column(0).num_chunks == 3
    assert is_near(staging)


def test_a_large_batch_stays_where_it_lies() -> None:
    batch = numbers(CHUNK_BYTES // 8)
    (piece,) = pieces([batch])
    with Sessions().claim("test") as claim:
        staging = Staging(claim)
        ((taken, _),) = PieceReader().read(piece)
        staging.add(taken, piece)
        memory = pa.py_buffer(piece.data)
        address = staging.table().column(0).chunk(0).buffers()[1].address
        assert memory.address <= address < memory.address + memory.size
        assert staging.bytes == piece.size


@pytest.mark.parametrize("per_piece", [2, 5], ids=["two in a piece", "five in a piece"])
def test_large_batches_that_share_a_payload_are_copied(per_piece: int) -> None:
    """Each would keep all of it."""
    batches = [numbers(CHUNK_BYTES // 8) for _ in range(5)]
    staging = staged(batches, per_piece)
    assert same(staging, batches)
    assert is_near(staging)


def test_small_and_large_keep_their_order() -> None:
    sizes = [10, CHUNK_BYTES // 8, 3, 4, CHUNK_BYTES // 8, 1]
    batches = [numbers(size, 1000 * at) for at, size in enumerate(sizes)]
    assert same(staged(batches), batches)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_bodies(codec: str) -> None:
    batches = [numbers(CHUNK_BYTES // 8, at) for at in range(3)]
    staging = staged(batches, compression=codec)
    assert same(staging, batches)
    assert is_near(staging)
    assert staging.bytes >= 3 * CHUNK_BYTES


def test_a_body_that_is_compressed_in_part_keeps_no_payload() -> None:
    """The column of noise stays as it is in the payload, and would keep what the other one was compressed to."""
    rows = CHUNK_BYTES // 16
    noise = pa.Array.from_buffers(pa.int64(), rows, [None, pa.py_buffer(Random(7).randbytes(8 * rows))])
    batches = [pa.record_batch({"noise": noise, "regular": pa.array(range(rows))}) for _ in range(3)]
    staging = staged(batches, compression="lz4")
    assert same(staging, batches)
    assert is_near(staging)


def test_one_dictionary_for_all_batches_counts_once() -> None:
    dictionary = [f"value {at}" for at in range(50_000)]
    batches = [words("value 1", "value 49999", index=pa.int32(), dictionary=dictionary) for _ in range(200)]
    staging = staged(batches)
    assert same(staging, batches)
    assert is_near(staging)
    assert staging.bytes < 2 * MIB


@pytest.mark.parametrize("count", [3, FAN_IN + 5], ids=["few", "more than are joined at once"])
def test_dictionaries_that_are_replaced(count: int) -> None:
    """Each has 20 values of its own: the indices, of 8 bits, become wide where all together are more than 128."""
    batches = [words(*(f"{at}-{value}" for value in range(20))) for at in range(count)]
    staging = staged(batches)
    assert same(staging, batches)
    assert is_near(staging)


def test_wide_indices_come_late_and_go_on() -> None:
    large = CHUNK_BYTES
    batches = [
        words(*["a"] * 1, dictionary=["a"]),
        pa.record_batch(
            {"d": pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()).take(pa.array([0] * large)), ["b"])}
        ),
        *(words(*(f"{at}-{value}" for value in range(20))) for at in range(FAN_IN)),
        words("last"),
    ]
    staging = staged(batches)
    assert same(staging, batches)


NESTED = pa.struct([("d", pa.dictionary(pa.int8(), pa.string()))])


def nested(at: int) -> pa.RecordBatch:
    inner = words(*(f"{at}-{value}" for value in range(20))).column(0)
    return pa.record_batch({"s": pa.StructArray.from_arrays([inner], fields=list(NESTED))})


def test_inner_dictionaries_that_cannot_be_joined_stay_apart() -> None:
    """Arrow has no wider indices for them."""
    batches = [nested(at) for at in range(FAN_IN + 10)]
    staging = staged(batches)
    assert same(staging, batches)
    assert is_near(staging)
    assert staging.table().column(0).num_chunks == len(batches)


def test_a_wide_table_has_larger_chunks() -> None:
    """Not one of 4 MiB with so many columns that each of them has a few hundred bytes."""
    batches = [pa.record_batch({f"c{at}": pa.array([1.0] * 10) for at in range(3000)}) for _ in range(30)]
    staging = staged(batches)
    assert same(staging, batches)
    assert staging.table().column(0).num_chunks == 1


@pytest.mark.parametrize(
    "batch",
    [
        pa.record_batch({"v": pa.array(["a", None, "a longer string than a view has"], pa.string_view())}),
        pa.record_batch({"r": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, None]))}),
        pa.record_batch({"l": pa.array([[1], None, [2, 3]], pa.list_view(pa.int64()))}),
        pa.record_batch(
            {"u": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])}
        ),
        pa.record_batch({"z": pa.nulls(3)}),
        numbers(3).select([]),
        numbers(0),
    ],
    ids=["views", "runs", "list views", "a union", "nulls", "no columns", "no rows"],
)
def test_types(batch: pa.RecordBatch) -> None:
    batches = [batch] * (FAN_IN + 2)
    staging = staged(batches)
    assert same(staging, batches)
    assert staging.rows == len(batches) * batch.num_rows


def test_what_a_batch_becomes_is_claimed_before_it_is() -> None:
    """12 bytes of run ends stand for 800 MB."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([100_000_000], pa.int32()), pa.array([1]))
    (piece,) = pieces([pa.record_batch({"r": runs})])
    with Sessions(MIB).claim("runs") as claim:
        ((batch, _),) = PieceReader().read(piece)
        with pytest.raises(SidecarError) as caught:
            Staging(claim).add(batch, piece)
    assert caught.value.kind == "memory_limit"
    assert "runs" in caught.value.message


def test_cleared() -> None:
    staging = staged([numbers(10)])
    staging.clear()
    assert (staging.rows, staging.bytes) == (0, 0)
