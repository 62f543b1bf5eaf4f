"""The collector: what a turn may emit, and when it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from sidecar import CallContext, OutputCollector, SidecarError
from sidecar.protocol.streams import Kind
from sidecar.streams.pieces import PieceReader, schema_payload
from sidecar.wire.payload import Payload

SCHEMA = pa.schema([pa.field("id", pa.int32(), nullable=False), ("name", pa.string())])


class Recorder:
    """The runtime's half of a stream: keeps what is sent."""

    cancelled = False
    deadline = None

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._reader = PieceReader(schema_payload(SCHEMA))

    def emit(self, piece: list[Any]) -> None:
        (batch,) = self._reader.read(Payload("arrow", b"".join(piece)))
        self.sent.append(batch)

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        self.sent.append((level, message, extra))

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        self.sent.append((done, total, unit, message))

    def rows(self) -> list[Any]:
        """What the batches hold; messages as they are."""
        return [item if len(item) != 2 else item[0].to_pydict() for item in self.sent]


def collector(kind: Kind = "producer") -> tuple[OutputCollector, Recorder]:
    recorder = Recorder()
    out = OutputCollector(kind, SCHEMA, recorder, CallContext(recorder, "Service.method", "s", None))
    out.begin_turn()
    return out, recorder


def refusal(call: Callable[[], object]) -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        call()
    assert caught.value.kind == "invalid_output"
    return caught.value


ROW = {"id": [1], "name": ["a"]}
RIGHT = pa.RecordBatch.from_pydict(ROW, SCHEMA)

FITTING: dict[str, Callable[[OutputCollector], None]] = {
    "a batch": lambda out: out.emit(RIGHT),
    "a batch of a wider type": lambda out: out.emit(pa.RecordBatch.from_pydict(ROW)),
    "in another order": lambda out: out.emit(pa.RecordBatch.from_pydict({"name": ["a"], "id": [1]})),
    "with more columns": lambda out: out.emit(pa.RecordBatch.from_pydict({**ROW, "more": [None]})),
    "columns of lists": lambda out: out.emit_pydict(ROW),
    "columns of arrays": lambda out: out.emit_pydict({"id": pa.array([1]), "name": pa.array(["a"])}),
    "columns, more of them": lambda out: out.emit_pydict({"more": [2], **ROW}),
    "arrays": lambda out: out.emit_arrays([pa.array([1]), pa.array(["a"])]),
    "lists for arrays": lambda out: out.emit_arrays([[1], ["a"]]),
    "arrays that are cast": lambda out: out.emit_arrays([pa.array([1.0]), pa.array(["a"], pa.large_string())]),
}


@pytest.mark.parametrize("emit", FITTING.values(), ids=FITTING)
@pytest.mark.parametrize("kind", ["producer", "exchange"])
def test_what_fits(kind: Kind, emit: Callable[[OutputCollector], None]) -> None:
    out, recorder = collector(kind)
    emit(out)
    assert not out.end_turn()
    ((batch, metadata),) = recorder.sent
    assert batch.equals(RIGHT)
    assert batch.schema.equals(SCHEMA)
    assert metadata is None


UNFIT: dict[str, tuple[Callable[[OutputCollector], None], str]] = {
    "a column is missing": (
        lambda out: out.emit(pa.RecordBatch.from_pydict({"id": [1]})),
        r"\['id'\], the stream \['id', 'name'\]",
    ),
    "a column is there twice": (
        lambda out: out.emit(pa.RecordBatch.from_arrays([pa.array([1])] * 3, ["id", "id", "name"])),
        "'id', 'id', 'name'",
    ),
    "a fraction": (lambda out: out.emit(pa.RecordBatch.from_pydict({"id": [1.5], "name": ["a"]})), "'id' is double"),
    "a number too large": (
        lambda out: out.emit(pa.RecordBatch.from_pydict({"id": [2**40], "name": ["a"]})),
        "'id' is int64",
    ),
    "a null": (lambda out: out.emit(pa.RecordBatch.from_pydict({"id": [None], "name": ["a"]})), "'id' has nulls"),
    "a null in a dict": (lambda out: out.emit_pydict({"id": [None], "name": ["a"]}), "'id' has nulls"),
    "a table": (lambda out: out.emit(pa.table(ROW)), "not Table"),
    "a dict to emit": (lambda out: out.emit(ROW), "not dict"),  # type: ignore[arg-type]
    "columns that are missing": (lambda out: out.emit_pydict({"x": [1]}), r"\['id', 'name'\] are missing"),
    "columns of another length": (lambda out: out.emit_pydict({"id": [1, 2], "name": ["a"]}), "do not fit"),
    "columns of another type": (lambda out: out.emit_pydict({"id": ["a"], "name": ["a"]}), "'id', of int32"),
    "a column that overflows": (lambda out: out.emit_pydict({"id": [2**70], "name": ["a"]}), "'id', of int32"),
    "a column that is no column": (lambda out: out.emit_pydict({"id": 3, "name": ["a"]}), "'id', of int32"),
    "rows to emit_pydict": (lambda out: out.emit_pydict([ROW]), "by name, not list"),  # type: ignore[arg-type]
    "too few arrays": (lambda out: out.emit_arrays([pa.array([1])]), r"1 arrays make no batch of \['id', 'name'\]"),
    "arrays of two lengths": (lambda out: out.emit_arrays([pa.array([1, 2]), pa.array(["a"])]), "2 arrays"),
}


@pytest.mark.parametrize(("emit", "words"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit(emit: Callable[[OutputCollector], None], words: str) -> None:
    """Nothing is sent, and a batch that fits may follow."""
    out, recorder = collector("exchange")
    assert re.search(words, refusal(lambda: emit(out)).message)
    out.emit_pydict(ROW)
    out.end_turn()
    assert recorder.rows() == [ROW]


BAD_METADATA = {"a number": 1, "bytes": {"a": b"b"}, "a number inside": {"a": 1}, "pairs": [("a", "b")]}


@pytest.mark.parametrize("metadata", BAD_METADATA.values(), ids=BAD_METADATA)
def test_metadata_that_is_none(metadata: Any) -> None:
    out, recorder = collector()
    with pytest.raises(TypeError, match="dict of texts"):
        out.emit_pydict(ROW, metadata)
    assert recorder.sent == []


@pytest.mark.parametrize("metadata", [None, {}, {"a": "ü"}, {"a": "", "": "b"}], ids=repr)
def test_metadata_travels(metadata: dict[str, str] | None) -> None:
    out, recorder = collector()
    out.emit(RIGHT, metadata)
    out.emit_pydict(ROW, metadata)
    out.emit_arrays(RIGHT.columns, metadata)
    assert [sent for _, sent in recorder.sent] == [metadata or None] * 3


def test_a_producer_sends_at_once() -> None:
    out, recorder = collector()
    for number in range(3):
        out.emit_pydict({"id": [number], "name": [""]})
        assert len(recorder.sent) == number + 1
    assert not out.end_turn()


def test_an_exchange_sends_when_its_turn_has_returned() -> None:
    """So that a turn that fails answers with its error alone; its messages are sent at once all the same."""
    out, recorder = collector("exchange")
    out.emit_pydict(ROW)
    out.client_log("INFO", "done", rows=1)
    assert recorder.rows() == [("info", "done", {"rows": 1})]
    assert not out.end_turn()
    assert recorder.rows()[1:] == [ROW]


def test_what_a_failed_turn_held_is_not_sent_later() -> None:
    out, recorder = collector("exchange")
    out.emit_pydict(ROW)
    out.begin_turn()
    out.emit_pydict({"id": [2], "name": [None]})
    out.end_turn()
    assert recorder.rows() == [{"id": [2], "name": [None]}]


def test_one_batch_a_turn_of_an_exchange() -> None:
    out, recorder = collector("exchange")
    for turn in range(2):
        out.emit_pydict(ROW)
        assert "second" in refusal(lambda: out.emit_pydict(ROW)).message
        out.end_turn()
        out.begin_turn()
        assert recorder.rows() == [ROW] * (turn + 1)


@pytest.mark.parametrize(("kind", "words"), [("producer", "or finish"), ("exchange", "emit one batch")])
def test_a_turn_that_puts_out_nothing(kind: Kind, words: str) -> None:
    out, _ = collector(kind)
    assert words in refusal(out.end_turn).message
    out.emit_pydict(ROW)
    out.end_turn()
    out.begin_turn()
    refusal(out.end_turn)


def test_finish() -> None:
    out, recorder = collector()
    assert not out.finished
    out.emit_pydict(ROW)
    out.finish()
    assert out.finished
    assert "after finish" in refusal(lambda: out.emit_pydict(ROW)).message
    assert out.end_turn()
    assert recorder.rows() == [ROW]


def test_an_exchange_cannot_finish() -> None:
    out, _ = collector("exchange")
    assert "ended by the host" in refusal(out.finish).message
    assert not out.finished


def test_the_schema_is_there_to_be_asked_for() -> None:
    assert collector()[0].output_schema is SCHEMA


def test_a_schema_without_columns() -> None:
    recorder = Recorder()
    recorder._reader = PieceReader(schema_payload(pa.schema([])))
    out = OutputCollector("producer", pa.schema([]), recorder, CallContext(recorder, "m", "s", None))
    out.begin_turn()
    out.emit_pydict({})
    out.emit_arrays([])
    assert recorder.rows() == [{}, {}]


CODED = pa.schema([("code", pa.dictionary(pa.int8(), pa.string()))])


class Narrow(Recorder):
    """A host that takes all but one of the batches."""

    def __init__(self, refused: int) -> None:
        super().__init__()
        self._reader = PieceReader(schema_payload(CODED))
        self._until_refusal = refused

    def emit(self, piece: list[Any]) -> None:
        self._until_refusal -= 1
        if self._until_refusal == -1:
            raise SidecarError("too_large", "culprit")
        super().emit(piece)


@pytest.mark.parametrize("refused", [0, 1, 2])
@pytest.mark.parametrize("kind", ["producer", "exchange"])
def test_dictionaries_of_a_batch_that_was_refused_are_sent_again(kind: Kind, refused: int) -> None:
    """The author catches that it is too large, and goes on with the same dictionary: the host never got it."""
    recorder = Narrow(refused)
    out = OutputCollector(kind, CODED, recorder, CallContext(recorder, "m", "s", None))
    codes = pa.array(["a", "b", "a"]).dictionary_encode().cast(CODED.field("code").type)
    kinds: list[str] = []
    for _ in range(4):
        out.begin_turn()
        try:
            out.emit_arrays([codes])
            out.end_turn()
        except SidecarError as error:
            kinds.append(error.kind)
    assert kinds == ["too_large"]
    assert recorder.rows() == [{"code": ["a", "b", "a"]}] * 3
