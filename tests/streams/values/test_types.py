"""The codec of every type hint: exact round trips in Arrow and JSON, what is refused and where, and JSON Schema."""

from __future__ import annotations

import collections.abc
import enum
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypeVar
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest

from sidecar.streams.values.arrays import arrow_array
from sidecar.streams.values.codec import Codec
from sidecar.streams.values.types import ArrowType, InvalidValue, UnsupportedHint, codec
from sidecar.wire.payload import Payload, find


class Color(enum.Enum):
    """What a light shows."""

    RED = "r"
    GREEN = "g"
    ROT = "r"  # noqa: PIE796  # an alias


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(enum.StrEnum):
    YES = "yes"


class Swapped(enum.Enum):
    A = "B"
    B = "A"


class Perm(enum.Flag):
    R = 1
    W = 2
    X = 4


class IntPerm(enum.IntFlag):
    R = 1
    W = 2


class Conforming(enum.Flag, boundary=enum.CONFORM):
    R = 1


@dataclass
class Inner:
    """A plain
    dataclass."""

    a: int
    b: float = 2.0


@dataclass
class Derived(Inner):
    c: int = 0


@dataclass(frozen=True)
class Frozen:
    x: str = "q"
    inner: Inner | None = field(default=None, hash=False)


@dataclass
class Other:
    x: str = "q"


Meters = NewType("Meters", float)
AWARE = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
BATCH = pa.record_batch({"a": [1, None], "b": pa.array(["x", "y"]).dictionary_encode()})
BATCH = BATCH.replace_schema_metadata({"k": "v"})
WEST = timezone(timedelta(hours=-1))
RUN_ENDS = ArrowType(pa.run_end_encoded(pa.int32(), pa.int64()))
SOME_UUID = UUID("12345678-1234-5678-1234-567812345678")


def through_arrow(made: Codec, value: Any) -> Any:
    """Written to an Arrow IPC stream and read from it."""
    schema = pa.schema([pa.field("value", made.arrow, made.nullable)])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([arrow_array([made.to_arrow(value, "v")], made.arrow)], schema=schema))
    batch = pa.ipc.open_stream(sink.getvalue()).read_next_batch()
    batch.validate(full=True)
    made.check_stored(batch.schema.field(0).type, "v")
    return made.from_arrow(batch.column(0)[0].as_py(), "v")


def through_json(made: Codec, value: Any) -> Any:
    """Through real JSON text, with the payloads beside it, as a message has them."""
    form = {"params": made.to_json(value, "v")}
    payloads = list(find(form))
    text = msgspec.json.encode(form, enc_hook=lambda _: None) if payloads else msgspec.json.encode(form)
    read = msgspec.json.decode(text)
    for path, payload in payloads:
        place = read
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = payload
    return made.from_json(read["params"], "v")


def same(one: Any, other: Any) -> bool:
    """Equal, of the same type, down to NaN and the sign of zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pa.RecordBatch | pa.Table | pa.Schema):
        return bool(one.equals(other, check_metadata=True))
    if isinstance(one, set | frozenset):
        return one == other
    return repr(one) == repr(other)


VALUES: list[tuple[Any, Any]] = [
    *((int, value) for value in (0, -1, 2**53 - 1, 2**53, -(2**53), 2**63 - 1, -(2**63))),
    *((float, value) for value in (0.0, -0.0, 0.1, 5e-324, 1.7e308, math.nan, math.inf, -math.inf)),
    *((str, value) for value in ("", "\0", "é😀", "NaN", "12")),
    (bool, True),
    (bytes, b""),
    (bytes, bytes(range(256))),
    (None, None),
    (list[int], []),
    (list[list[int | None]], [[1, None], []]),
    (list[Color], [Color.RED, Color.GREEN]),
    (list[Inner | None], [None, Inner(1)]),
    (list[float], [math.nan, -0.0]),
    (list[bytes], [b"", b"x"]),
    (list[pa.Schema], [BATCH.schema]),
    (dict[str, int], {"a": 1, "": 2**62}),
    (dict[int, str], {1: "a", 2**60: "b"}),
    (dict[Color, Inner], {Color.GREEN: Inner(1, math.inf)}),
    (dict[Frozen, dict[str, Color]], {Frozen("k"): {"z": Color.RED}}),
    (dict[str, dict[int, list[Color]]], {"a": {1: [Color.RED]}}),
    (dict[tuple[int, int], bool], {(1, 2): True}),
    (dict[str, Inner | None], {"a": None, "b": Inner(0)}),
    (dict[UUID, bytes], {SOME_UUID: b"1"}),
    (set[str], {"a", "b"}),
    (set[tuple[int, str]], {(1, "a"), (2, "b")}),
    (frozenset[Color], frozenset({Color.RED, Color.GREEN})),
    (frozenset[int], frozenset({1, 2**60, -5})),
    (tuple[int, str], (1, "a")),
    (tuple[()], ()),
    (tuple[Color, ...], (Color.RED, Color.RED)),
    (tuple[int | None, tuple[bool, ...]], (None, (True,))),
    (Color, Color.RED),
    (Color, Color.ROT),
    (Level, Level.HIGH),
    (Word, Word.YES),
    (Swapped, Swapped.A),
    (Perm, Perm.R | Perm.X),
    (Perm, Perm(0)),
    (IntPerm, IntPerm(9)),
    (IntPerm, IntPerm(2**80)),
    (IntPerm, ~IntPerm.R),
    (dict[Perm, int], {Perm.R | Perm.W: 1}),
    (Optional[int], None),  # noqa: UP045
    (int | None, 0),
    (str | None, ""),
    (Inner | None, None),
    (tuple[Color, list[Color]] | None, None),
    (list[tuple[Color] | None], [None, (Color.RED,), None]),
    (dict[str, tuple[int, tuple[Color] | None] | None], {"a": None, "b": (1, None)}),
    (list[int] | None, []),
    (Literal["a", "b"], "b"),
    (Literal[1, True, "1", None], True),
    (Literal[1, True, "1", None], 1),
    (Literal[1, True, "1", None], "1"),
    (Literal[1, None], None),
    (Literal[2**60], 2**60),
    (Literal[Color.RED, "RED"], Color.RED),
    (Literal[Color.RED, "RED"], "RED"),
    (Literal[b"x"], b"x"),
    *((int | str | None, value) for value in (5, 2**60, str(2**60), "", None)),
    *((float | str, value) for value in (1.5, math.nan, "NaN")),
    *((int | float, value) for value in (1, 1.0, math.inf)),
    *((bool | int, value) for value in (True, 1, 0, False)),
    *((bytes | str, value) for value in (b"x", "eA==")),
    *((Inner | Frozen | int, value) for value in (Inner(1), Frozen(), 2**60)),
    *((Inner | Derived, value) for value in (Inner(1), Derived(1))),
    *((Inner | str, value) for value in (Inner(1), "a")),
    *((list[int] | list[float] | list[str], value) for value in ([], [1], [1.0], ["1"])),
    *((list[int] | dict[str, int], value) for value in ([1], {"a": 1})),
    *((datetime | date | str, value) for value in (datetime(2024, 1, 1), date(2024, 1, 1), "2024-01-01")),
    (list[Inner | Other], [Inner(1), Other()]),
    (Any, {"a": [1, None, 2.5, "x", True], "": {}}),
    (Any, None),
    (Any | None, {"int": 1}),
    (list, [1, "a", None]),
    (dict, {"a": {}}),
    (datetime, datetime(2024, 2, 29, 23, 59, 59, 999999)),
    (datetime, datetime.min),
    (datetime, datetime.max),
    (datetime, datetime(1900, 1, 1, tzinfo=UTC)),
    (list[datetime | None], [datetime(2024, 1, 1), None, datetime(2024, 1, 1, tzinfo=UTC)]),
    (date, date.min),
    (date, date.max),
    (time, time.max),
    (time, time(1, 2)),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (timedelta, timedelta(microseconds=2**63 - 1)),
    (timedelta, timedelta(days=-106_751_991)),
    *((Decimal, Decimal(text)) for text in ("1.00", "-0", "1E+400", "NaN", "sNaN", "-Infinity", "0." + "1" * 100)),
    (UUID, SOME_UUID),
    (list[UUID], [SOME_UUID]),
    (Meters, 1.5),
    (Annotated[int, "a note"], 1),
    (Annotated[int, ArrowType(pa.uint8())], 255),
    (Annotated[int, ArrowType(pa.uint64())], 2**64 - 1),
    (Annotated[int | None, ArrowType(pa.int8())], None),
    (list[Annotated[int, ArrowType(pa.int16())]], [-(2**15)]),
    (Annotated[list[int], ArrowType(pa.large_list(pa.int8()))], [1, -128]),
    (Annotated[float, ArrowType(pa.float32())], 1.5),
    (Annotated[float, ArrowType(pa.float32())], math.nan),
    (Annotated[str, ArrowType(pa.dictionary(pa.int8(), pa.utf8()))], "x"),
    (Annotated[bytes, ArrowType(pa.binary(2))], b"ab"),
    (Annotated[Decimal, ArrowType(pa.decimal128(10, 2))], Decimal("1.50")),
    (Annotated[datetime, ArrowType(pa.timestamp("s"))], datetime(2024, 1, 1)),
    (Annotated[datetime, ArrowType(pa.timestamp("us", "UTC"))], datetime(2024, 1, 1, tzinfo=UTC)),
    (Annotated[datetime | None, ArrowType(pa.timestamp("ns", "UTC"))], datetime(2024, 1, 1, tzinfo=UTC)),
    (Annotated[time, ArrowType(pa.time32("s"))], time(1, 2, 3)),
    (Annotated[timedelta, ArrowType(pa.duration("s"))], timedelta(days=3)),
    (Inner, Inner(1)),
    (Frozen, Frozen("a", Inner(2, -0.0))),
    (pa.RecordBatch, BATCH),
    (pa.RecordBatch, BATCH.slice(1)),
    (pa.RecordBatch, BATCH.slice(0, 0)),
    (pa.Table, pa.Table.from_batches([BATCH, BATCH])),
    (pa.Table, BATCH.schema.empty_table()),
    (pa.Schema, BATCH.schema),
    (pa.Schema, pa.schema([])),
]
ROWS = [pytest.param(hint, value, id=f"{hint}={value!r}"[:70].replace("\n", " ")) for hint, value in VALUES]


@pytest.mark.parametrize(("hint", "value"), ROWS)
def test_a_value_comes_back_exactly(hint: Any, value: Any) -> None:
    made = codec(hint)
    assert same(through_arrow(made, value), value)
    assert same(through_json(made, value), value)


TAKEN = {
    "an int for a float": (float, 1, 1.0),
    "a bytearray": (bytes, bytearray(b"x"), b"x"),
    "a memoryview": (bytes, memoryview(b"xyz")[::2], b"xz"),
    "an enum's member for an int": (int, Level.HIGH, 2),
    "an enum's member for a str": (str, Word.YES, "yes"),
    "an int for a float of a union": (float | str, 1, 1.0),
    "an aware datetime in another zone": (datetime, AWARE, AWARE.astimezone(UTC)),
    "an aware datetime for a column in UTC": (
        Annotated[datetime, ArrowType(pa.timestamp("us", "UTC"))], AWARE, AWARE.astimezone(UTC),
    ),
    "a subclass of dict": (dict[str, int], collections.OrderedDict(a=1), {"a": 1}),
    "a float that float32 rounds": (Annotated[float, ArrowType(pa.float32())], 0.1, 0.10000000149011612),
    "a decimal of fewer digits": (
        Annotated[Decimal, ArrowType(pa.decimal128(10, 2))], Decimal("1.5"), Decimal("1.5"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("hint", "given", "expected"), TAKEN.values(), ids=TAKEN)
def test_what_else_is_taken(hint: Any, given: Any, expected: Any) -> None:
    made = codec(hint)
    read = through_arrow(made, given)
    assert (type(read), read) == (type(expected), expected)
    read = through_json(made, given)
    assert (type(read), read) == (type(expected), expected)


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "a bool for an int": (int, True, "S.f: int expected, not True"),
    "a float for an int": (int, 1.0, "S.f: int expected, not 1.0"),
    "2**63": (int, 2**63, "S.f: int expected, not 9223372036854775808 (beyond the range of int64)"),
    "-2**63-1": (int, -(2**63) - 1, "beyond the range of int64"),
    "None for an int": (int, None, "S.f: int expected, not None"),
    "None for a list": (list[int], None, "S.f: list[int] expected, not None"),
    "None for a dataclass": (Inner, None, "S.f: Inner expected, not None"),
    "None for a union": (int | str, None, "S.f: int | str expected, not None"),
    "None in a list": (list[str], ["", None], "S.f[1]: str expected, not None"),
    "None in a map": (dict[str, int], {"k": None}, "S.f['k']: int expected, not None"),
    "None for a dict": (dict, None, "S.f: dict expected"),
    "an int for a bool": (bool, 1, "S.f: bool expected, not 1"),
    "a bool for a float": (float, True, "S.f: float expected, not True"),
    "an int no float holds": (float, 2**53 + 1, "no float holds that integer exactly"),
    "an int beyond all floats": (float, 10**400, "beyond the largest float"),
    "a str for a float": (float, "NaN?", "S.f: float expected"),
    "a lone surrogate": (str, "a\ud800", "S.f: str expected, not 'a\\ud800' (a lone surrogate at 1)"),
    "a lone surrogate in a key": (dict[str, int], {"\ud800": 1}, "a lone surrogate"),
    "bytes for a str": (str, b"x", "S.f: str expected, not b'x'"),
    "a str for bytes": (bytes, 1, "S.f: bytes expected, not 1"),
    "a tuple for a list": (list[int], (1,), "S.f: list[int] expected, not (1,)"),
    "a list for a tuple": (tuple[Inner, ...], {1}, "S.f: tuple[Inner, ...] expected, not {1}"),
    "a tuple too short": (tuple[int, int], (1,), "S.f: tuple[int, int] expected, not (1,)"),
    "an item of a tuple": (tuple[int, str], (1, 2), "S.f[1]: str expected, not 2"),
    "a list for a set": (set[int], 5, "S.f: set[int] expected, not 5"),
    "a key": (dict[str, int], {1: 1}, "S.f key 1: str expected, not 1"),
    "deep within": (list[dict[str, Inner]], [{"k": Inner("x")}], "S.f[0]['k'].a: int expected, not 'x'"),  # type: ignore[arg-type]
    "another enum": (Color, Level.LOW, "S.f: Color expected, not <Level.LOW: 1>"),
    "another flag": (Perm, IntPerm.R, "S.f: Perm expected"),
    "no literal": (Literal["a", 1], True, "S.f: Literal['a', 1] expected, not True"),
    "no branch": (int | list[str], [1], "S.f: int | list[str] expected, not [1]"),
    "a subclass": (Inner, Derived(1), "what Derived adds to it would be lost"),
    "NaN in Any": (Any, {"a": [math.nan]}, "S.f['a'][0]: a plain JSON value expected (NaN"),
    "a large int in Any": (Any, [2**53], "S.f[0]: a plain JSON value expected (an integer beyond"),
    "a tuple in Any": (Any, (1,), "S.f: a plain JSON value expected, not (1,)"),
    "an int key in Any": (Any, {1: 1}, "S.f: a plain JSON value expected (a key is a str), not 1"),
    "a list for dict": (dict, [], "S.f: dict expected, not []"),
    "a date for a datetime": (datetime, date(2024, 1, 1), "S.f: datetime expected"),
    "a datetime for a date": (date, datetime(2024, 1, 1), "S.f: date expected"),
    "an aware time": (time, time(1, tzinfo=UTC), "its time zone would be lost"),
    "out of range in UTC": (datetime, datetime.max.replace(tzinfo=WEST), "out of range in UTC"),
    "a timedelta too long": (timedelta, timedelta.max, "beyond 64 bits of microseconds"),
    "a timedelta too negative": (timedelta, timedelta(microseconds=-(2**63)), "beyond 64 bits"),
    "a float for a Decimal": (Decimal, 1.5, "S.f: Decimal expected, not 1.5"),
    "a str for a UUID": (UUID, 5, "S.f: UUID expected, not 5"),
    "beyond uint8": (Annotated[int, ArrowType(pa.uint8())], 256, "beyond the range of uint8"),
    "below uint64": (Annotated[int, ArrowType(pa.uint64())], -1, "beyond the range of uint64"),
    "in a list of int8": (Annotated[list[int], ArrowType(pa.list_(pa.int8()))], [300], "300"),
    "beyond float32": (Annotated[float, ArrowType(pa.float32())], 1e300, "it would come back as inf"),
    "a zero without its sign": (
        Annotated[Decimal, ArrowType(pa.decimal128(5, 2))], Decimal("-0.00"), "it would come back as Decimal('0.00')",
    ),
    "the second of two equal times": (datetime, datetime(2024, 1, 1, fold=1), "its fold would be lost"),
    "the second of two equal times of day": (time, time(1, fold=1), "its fold would be lost"),
    "a digit too many": (Annotated[Decimal, ArrowType(pa.decimal128(5, 2))], Decimal("0.001"), "S.f: Decimal as"),
    "a naive one in UTC": (
        Annotated[datetime, ArrowType(pa.timestamp("us", "UTC"))], datetime(2024, 1, 1), "one with a time zone",
    ),
    "an aware one without": (
        Annotated[datetime, ArrowType(pa.timestamp("us"))], AWARE, "one without a time zone",
    ),
    "microseconds in seconds": (
        Annotated[datetime, ArrowType(pa.timestamp("s"))], datetime(2024, 1, 1, 0, 0, 0, 1), "S.f: datetime as",
    ),
    "bytes of another width": (Annotated[bytes, ArrowType(pa.binary(2))], b"abc", "S.f: bytes as"),
    "a table for a batch": (pa.RecordBatch, pa.table(BATCH), "S.f: RecordBatch expected"),
}  # fmt: skip


@pytest.mark.parametrize(("hint", "value", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_value_is_refused_by_both_forms_with_its_place(hint: Any, value: Any, message: str) -> None:
    for write in (codec(hint).to_arrow, codec(hint).to_json):
        with pytest.raises(InvalidValue) as caught:
            write(value, "S.f")
        assert str(caught.value).startswith("S.f")
        assert message in str(caught.value)


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(InvalidValue) as caught:
        codec(int).to_arrow("x" * 1_000_000, "S.f")
    assert len(str(caught.value)) < 100


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("name", ["to_arrow", "to_json", "from_json"])
def test_a_value_nested_too_deeply_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="nested too deeply"):
        getattr(codec(Any), name)(nested(100_000), "S.f")


JSON_FORMS: dict[str, tuple[Any, Any, Any]] = {
    "a safe int": (int, 2**53 - 1, 2**53 - 1),
    "an int beyond": (int, 2**53, "9007199254740992"),
    "NaN": (float, math.nan, "NaN"),
    "Infinity": (float, -math.inf, "-Infinity"),
    "bytes": (bytes, b"x", Payload("bytes", b"x")),
    "an enum": (Color, Color.RED, "RED"),
    "flags": (Perm, Perm.R | Perm.X, "R|X"),
    "no flag": (Perm, Perm(0), "0"),
    "a leftover": (IntPerm, IntPerm(9), "R|8"),
    "text keys": (dict[str, Color], {"a": Color.RED}, {"a": "RED"}),
    "other keys": (dict[int, str], {1: "a"}, [[1, "a"]]),
    "a set in order": (set[int], {3, 1, 2}, [1, 2, 3]),
    "a tuple": (tuple[int, str], (1, "a"), [1, "a"]),
    "a naive datetime": (datetime, datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),
    "an aware datetime": (datetime, AWARE, "2024-02-29T06:30:00.000001Z"),
    "a timedelta": (timedelta, timedelta(seconds=1), 1_000_000),
    "a decimal": (Decimal, Decimal("1.00"), "1.00"),
    "a dataclass": (Inner, Inner(1), {"a": 1, "b": 2.0}),
    "an untagged union": (int | str, 5, 5),
    "its large int": (int | str, 2**53, {"int": "9007199254740992"}),
    "a tagged union": (Inner | Other, Inner(1), {"Inner": {"a": 1, "b": 2.0}}),
    "of one kind": (int | float, 1, {"int": 1}),
}


@pytest.mark.parametrize(("hint", "value", "form"), JSON_FORMS.values(), ids=JSON_FORMS)
def test_the_form_in_json(hint: Any, value: Any, form: Any) -> None:
    written = codec(hint).to_json(value, "v")
    assert (type(written), written) == (type(form), form)


JSON_TAKEN: dict[str, tuple[Any, Any, Any]] = {
    "digits for an int": (int, "12", 12),
    "-0": (int, "-0", 0),
    "an int for a float": (float, 2**53 + 1, float(2**53)),
    "base64": (bytes, "eHk=", b"xy"),
    "a payload of another type": (bytes, Payload("parquet", bytearray(b"x")), b"x"),
    "an enum's value": (Color, "g", Color.GREEN),
    "an int enum's value": (Level, 2, Level.HIGH),
    "the name before the value": (Swapped, "A", Swapped.A),
    "an alias": (Color, "ROT", Color.RED),
    "bits": (Perm, 5, Perm.R | Perm.X),
    "milliseconds": (datetime, "2024-01-02T03:04:05.678Z", datetime(2024, 1, 2, 3, 4, 5, 678000, UTC)),
    "an offset": (datetime, "2024-01-02T03:04:05+01:00", datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC)),
    "an int for a Decimal": (Decimal, 5, Decimal(5)),
    "a tag that is not needed": (int | str, {"str": "a"}, "a"),
    "an unknown field": (Inner, {"a": 1, "z": 1}, Inner(1)),
}


@pytest.mark.parametrize(("hint", "form", "value"), JSON_TAKEN.values(), ids=JSON_TAKEN)
def test_what_else_is_taken_in_json(hint: Any, form: Any, value: Any) -> None:
    read = codec(hint).from_json(form, "v")
    assert (type(read), read) == (type(value), value)


STREAM = codec(pa.RecordBatch).to_json(BATCH, "v").data
TWO_BATCHES = codec(pa.Table).to_json(pa.Table.from_batches([BATCH, BATCH]), "v").data
JSON_REFUSED: dict[str, tuple[Any, Any]] = {
    "2**63 in digits": (int, str(2**63)),
    "5000 digits": (int, "9" * 5000),
    "a sign": (int, "+1"),
    "a leading zero": (int, "01"),
    "other digits": (int, "١"),  # noqa: RUF001
    "space": (int, " 1"),
    "a fraction": (int, 1.5),
    "a number's text": (float, "1.5"),
    "nan in lower case": (float, "nan"),
    "no base64": (bytes, "x"),
    "no ASCII": (bytes, "é"),
    "a typed array": (bytes, Payload("int8", b"x")),
    "no name": (Color, "BLUE"),
    "True for 1": (Level, True),
    "1.0 for 1": (Level, 1.0),
    "a list for an enum": (Color, ["r"]),
    "bits that there are not": (Perm, 8),
    "bits that would be dropped": (Conforming, 3),
    "negative bits": (Perm, -1),
    "a name of no flag": (Perm, "R|Q"),
    "an empty flag": (Perm, ""),
    "a key twice": (dict[int, int], [[1, 1], [1, 2]]),
    "a pair of three": (dict[int, int], [[1, 1, 1]]),
    "an object for pairs": (dict[int, int], {"1": 1}),
    "a key that cannot be hashed": (dict[Inner, int], [[{"a": 1}, 1]]),
    "an item twice": (set[int], [1, 1]),
    "an item that cannot be hashed": (set[Inner], [{"a": 1}]),
    "a list too long": (tuple[int], [1, 2]),
    "nanoseconds": (datetime, "2024-01-02T03:04:05.123456789Z"),
    "a day alone": (datetime, "2024-01-02"),
    "a week": (date, "2024-W01-1"),
    "no such day": (date, "2023-02-29"),
    "other digits in a date": (date, "２０２４-01-02"),  # noqa: RUF001
    "an offset of a time": (time, "01:02:03Z"),
    "a float for a timedelta": (timedelta, 1.5),
    "a float for a Decimal": (Decimal, 1.5),
    "an underscore": (Decimal, "1_0"),
    "no digits": (Decimal, "x"),
    "a UUID in braces": (UUID, "{12345678-1234-5678-1234-567812345678}"),
    "a UUID without hyphens": (UUID, "12345678123456781234567812345678"),
    "a list for a UUID": (UUID, []),
    "no tag": (int | float, 1),
    "another tag": (int | float, {"str": 1}),
    "two tags": (int | float, {"int": 1, "float": 1.0}),
    "a missing field": (Inner, {"b": 1.0}),
    "a list for a dataclass": (Inner, []),
    "null": (Inner, None),
    "a payload in Any": (Any, {"a": Payload("bytes", b"")}),
    "no stream": (pa.RecordBatch, Payload("arrow", b"nonsense")),
    "no bytes": (pa.Table, Payload("arrow", b"")),
    "half a stream": (pa.Table, Payload("arrow", STREAM[: len(STREAM) // 2])),
    "bytes behind it": (pa.Table, Payload("arrow", STREAM + STREAM)),
    "two batches for one": (pa.RecordBatch, Payload("arrow", TWO_BATCHES)),
    "batches in a schema": (pa.Schema, Payload("arrow", STREAM)),
}


@pytest.mark.parametrize(("hint", "form"), JSON_REFUSED.values(), ids=JSON_REFUSED)
def test_what_is_refused_in_json(hint: Any, form: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^S\.f"):
        codec(hint).from_json(form, "S.f")


class Point(NamedTuple):
    x: int


class NotDecorated(Inner):
    d: int


@dataclass
class Holder:
    inner: Inner
    bad: collections.abc.Sequence[int]


@dataclass
class Outer:
    holder: list[Holder]


UNSUPPORTED: dict[str, tuple[Any, str]] = {
    "bare tuple": (tuple, "tuple cannot be serialized; use tuple[T, ...]"),
    "bare set": (set, "use set[T]"),
    "object": (object, "use Any"),
    "complex": (complex, "use tuple[float, float]"),
    "Sequence": (collections.abc.Sequence[int], "use list[T]"),
    "Mapping": (collections.abc.Mapping[str, int], "use dict[K, V]"),
    "a callable": (collections.abc.Callable[[], None], "keep it out of the fields"),
    "a class": (Point, "put @dataclass on it"),
    "a TypeVar": (TypeVar("T"), "use the type that it stands for"),
    "a string": ("Inner", "use the class itself"),
    "Any and more": (int | Any, "write Any alone"),
    "a key that may be None": (dict[int | None, int], "a key may not be None"),
    "an Arrow array": (pa.Array, "use pa.RecordBatch"),
    "Arrow text for an int": (Annotated[int, ArrowType(pa.utf8())], "no value of it has the Arrow type string"),
    "what pyarrow cannot make": (Annotated[list[int], RUN_ENDS], "pyarrow"),
    "a field": (Outer, "Holder.bad: collections.abc.Sequence[int] cannot"),
    "a subclass without the decorator": (NotDecorated, "NotDecorated is no dataclass: put @dataclass on it"),
}  # fmt: skip


@pytest.mark.parametrize(("hint", "message"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_a_hint_without_a_form_says_what_to_use(hint: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        codec(hint)
    assert message in str(caught.value)


def test_an_unsupported_hint_is_a_type_error_of_its_own() -> None:
    with pytest.raises(UnsupportedHint) as caught:
        codec(list[complex])
    assert caught.value.hint is complex


@pytest.mark.parametrize(
    ("hint", "arrow"),
    [
        (int, pa.int64()),
        (list[float], pa.list_(pa.float64())),
        (dict[str, int], pa.map_(pa.utf8(), pa.int64())),
        (set[str], pa.list_(pa.utf8())),
        (Color, pa.dictionary(pa.int16(), pa.utf8())),
        (Inner, pa.struct([pa.field("a", pa.int64(), False), pa.field("b", pa.float64(), False)])),
        (Inner | None, codec(Inner).arrow),
        (str | int, pa.struct([("int", pa.int64()), ("str", pa.utf8())])),
        (UUID, pa.binary(16)),
        (timedelta, pa.duration("us")),
        (Annotated[int, ArrowType(pa.uint8())], pa.uint8()),
    ],
    ids=str,
)
def test_the_arrow_type(hint: Any, arrow: pa.DataType) -> None:
    assert codec(hint).arrow == arrow


def schema_nodes(schema: Any) -> Any:
    """Every schema within a schema."""
    yield schema
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        for child in schema.get(keyword, ()):
            yield from schema_nodes(child)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from schema_nodes(schema[keyword])
    for child in schema.get("properties", {}).values():
        yield from schema_nodes(child)


@pytest.mark.parametrize("hint", list(dict.fromkeys(hint for hint, _ in VALUES)), ids=str)
def test_every_node_of_a_schema_names_its_arrow_type(hint: Any) -> None:
    made = codec(hint).json_schema()
    assert msgspec.json.decode(msgspec.json.encode(made)) == made
    assert all("x-arrow" in node for node in schema_nodes(made))


def test_the_schema_of_a_dataclass() -> None:
    @dataclass
    class Query:
        """What to
        look for."""

        text: str
        colors: list[Color] = field(default_factory=list)
        limit: int | None = 10
        key: bytes = b"x"
        id: UUID = field(default_factory=lambda: SOME_UUID)

    made = codec(Query).json_schema()
    assert (made["title"], made["description"], made["required"]) == ("Query", "What to look for.", ["text"])
    defaults = {name: node.get("default", "none") for name, node in made["properties"].items()}
    assert defaults == {"text": "none", "colors": [], "limit": 10, "key": "none", "id": "none"}
    assert made["properties"]["colors"]["items"] == {
        "enum": ["RED", "GREEN"],
        "title": "Color",
        "description": "What a light shows.",
        "x-arrow": "dictionary<values=string, indices=int16, ordered=0>",
    }


def test_the_docstring_that_dataclass_makes_is_no_description() -> None:
    assert "description" not in codec(Other).json_schema()


def test_a_schema_keeps_the_written_order_of_a_literal() -> None:
    assert codec(Literal["b", "a"]).json_schema()["enum"] == ["b", "a"]
    assert codec(Literal["a", "b"]).json_schema()["enum"] == ["a", "b"]


def test_a_codec_is_made_once() -> None:
    assert codec(list[Inner]) is codec(list[Inner])
