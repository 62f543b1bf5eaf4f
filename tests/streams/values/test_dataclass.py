"""`ArrowSerializableDataclass`: its forms, other versions of a class, damaged bytes, and classes of every making."""

from __future__ import annotations

import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar, dataclass, field, make_dataclass
from datetime import date
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import pyarrow as pa
import pytest

from sidecar.streams.values.arrow_values import stream_bytes
from sidecar.streams.values.dataclass import ArrowSerializableDataclass
from sidecar.streams.values.types import InvalidValue
from sidecar.wire.payload import Payload

Base = ArrowSerializableDataclass


@dataclass
class Part(Base):
    n: int = 7
    tags: list[str] = field(default_factory=list)


@dataclass
class State(Base):
    count: int
    label: str = "none"
    parts: dict[str, Part] = field(default_factory=dict)
    choice: int | str | None = None
    raw: bytes = b"\0"
    batch: pa.RecordBatch | None = None


STATE = State(2**60, "x", {"a": Part(1, ["t"]), "b": Part()}, "7", b"\xff", pa.record_batch({"a": [1, 2]}))

FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[type[Any], Any], Any]]] = {
    "arrow": (lambda value: value.serialize_to_bytes(), lambda cls, data: cls.deserialize_from_bytes(data)),
    "json": (lambda value: value.to_json_value(), lambda cls, data: cls.from_json_value(data)),
    "compact": (lambda value: value.to_compact(), lambda cls, data: cls.from_compact(data)),
}
Write = Callable[[Any], Any]
Read = Callable[[type[Any], Any], Any]
every_form = pytest.mark.parametrize(("write", "read"), FORMS.values(), ids=FORMS)


@every_form
def test_a_state_comes_back(write: Write, read: Read) -> None:
    assert read(State, write(STATE)) == STATE
    assert read(State, write(State(1))) == State(1)


@every_form
def test_what_is_read_is_nothing_of_what_was_written(write: Write, read: Read) -> None:
    @dataclass
    class Loose(Base):
        any: Any
        items: list[Any]

    state = Loose({"a": [1]}, [[2]])
    copy = read(Loose, write(state))
    state.any["a"].append(9)
    state.items[0].append(9)
    assert copy == Loose({"a": [1]}, [[2]])


def test_the_schema() -> None:
    expected = pa.schema([pa.field("n", pa.int64(), False), pa.field("tags", pa.list_(pa.utf8()), False)])
    assert Part.arrow_schema() == expected
    assert expected == Part.ARROW_SCHEMA
    assert expected == Part().ARROW_SCHEMA


def test_the_bytes_are_a_whole_stream_of_one_row() -> None:
    table = pa.ipc.open_stream(Part(3, ["a"]).serialize_to_bytes()).read_all()
    assert table.schema == Part.arrow_schema()
    assert table.to_pylist() == [{"n": 3, "tags": ["a"]}]


@pytest.mark.parametrize("made", [bytes, bytearray, memoryview, pa.py_buffer], ids=lambda made: made.__name__)
def test_any_buffer_is_read(made: Callable[[bytes], Any]) -> None:
    assert State.deserialize_from_bytes(made(STATE.serialize_to_bytes())) == STATE
    assert State.from_compact(made(STATE.to_compact())) == STATE


def test_binary_values_are_payloads_in_json() -> None:
    form = STATE.to_json_value()
    assert form["raw"] == Payload("bytes", b"\xff")
    assert form["batch"].type == "arrow"
    assert form["count"] == str(2**60)


def test_a_small_state_is_small_and_says_its_defaults() -> None:
    @dataclass
    class Flat(Base):
        offset: int = 0
        total: float = 0.0
        label: str = ""

    assert len(Flat(1_000_000, 0.5, "running").to_compact()) < 60
    assert msgspec.msgpack.decode(Flat().to_compact()) == {"offset": 0, "total": 0.0, "label": ""}


def test_no_fields_at_all() -> None:
    @dataclass
    class Empty(Base):
        pass

    for write, read in FORMS.values():
        assert read(Empty, write(Empty())) == Empty()
        assert read(Empty, write(STATE)) == Empty()


# -- other versions of a class -----------------------------------------------------------------------------------


@dataclass
class Old(Base):
    count: int
    gone: str
    part: Part


@dataclass
class New(Base):
    part: Part
    added: int = 5
    items: list[int] = field(default_factory=lambda: [1])
    count: int = 0


@every_form
def test_fields_come_and_go_and_move(write: Write, read: Read) -> None:
    assert read(New, write(Old(3, "x", Part(2, ["t"])))) == New(Part(2, ["t"]), count=3)


@every_form
def test_nested_classes_change_too(write: Write, read: Read) -> None:
    def versions(*names: str) -> type[Any]:
        inner = make_dataclass("Inner", [(name, int, field(default=9)) for name in names])
        fields = [("one", inner), ("many", list[inner]), ("maybe", inner | None), ("by_name", dict[str, inner])]
        return make_dataclass("Outer", fields, bases=(Base,), namespace={"Inner": inner})

    old, new = versions("a", "b"), versions("c", "b")
    values = [old.Inner(1, 2) for _ in range(4)]
    read_back = read(new, write(old(values[0], [values[1]], values[2], {"k": values[3]})))
    expected = new.Inner(9, 2)
    assert read_back == new(expected, [expected], expected, {"k": expected})


@every_form
def test_a_default_that_changed_does_not_change_an_old_state(write: Write, read: Read) -> None:
    before = make_dataclass("S", [("n", int, field(default=1))], bases=(Base,))
    after = make_dataclass("S", [("n", int, field(default=2))], bases=(Base,))
    assert read(after, write(before())).n == 1


@every_form
def test_a_missing_field_without_a_default_is_named(write: Write, read: Read) -> None:
    with pytest.raises(InvalidValue, match=r"^State\.count: missing, and State\.count has no default"):
        read(State, write(Part()))


OTHER_TYPES: dict[str, tuple[Any, Any, Any]] = {
    "int to str": (int, 1, str),
    "str to int": (str, "x", int),
    "float to int": (float, 1.0, int),
    "bool to int": (bool, True, int),
    "optional to plain": (int | None, None, int),
    "list to str": (list[int], [1], str),
    "list of others": (list[int], [1], list[str]),
    "map of others": (dict[str, int], {"a": 1}, dict[str, str]),
    "map to list": (dict[str, int], {"a": 1}, list[int]),
    "tuple of fewer": (tuple[int, int], (1, 2), tuple[int]),
    "dataclass to text": (Part, Part(), str),
    "a field within": (Part, Part(), make_dataclass("Part", [("n", str)])),
    "bytes to a number": (bytes, b"x", int),
    "a branch that went": (int | str, "x", int | bool),
}


@every_form
@pytest.mark.parametrize(("before", "value", "after"), OTHER_TYPES.values(), ids=OTHER_TYPES)
def test_a_field_of_another_type_is_refused(write: Write, read: Read, before: Any, value: Any, after: Any) -> None:
    old, new = (make_dataclass("S", [("f", hint)], bases=(Base,)) for hint in (before, after))
    with pytest.raises(InvalidValue, match=r"^S\.f"):
        read(new, write(old(value)))


ARROW_CASTS: dict[str, tuple[Any, Any, Any]] = {
    "int to float": (int, 1, float),
    "empty lists": (list[int], [], list[str]),
    "null": (int | None, None, str | None),
}


@pytest.mark.parametrize(("before", "value", "after"), ARROW_CASTS.values(), ids=ARROW_CASTS)
def test_arrow_data_is_never_cast(before: Any, value: Any, after: Any) -> None:
    old, new = (make_dataclass("S", [("f", hint)], bases=(Base,)) for hint in (before, after))
    with pytest.raises(InvalidValue, match=r"^S\.f.*Arrow type"):
        new.deserialize_from_bytes(old(value).serialize_to_bytes())


# -- damage ------------------------------------------------------------------------------------------------------


def of_rows(*values: Part) -> bytes:
    schema = Part.arrow_schema()
    rows = [{"n": value.n, "tags": value.tags} for value in values]
    return stream_bytes(schema, [pa.RecordBatch.from_pylist(rows, schema=schema)])


ROW = pa.RecordBatch.from_pylist([{"n": 1, "tags": []}], schema=Part.arrow_schema())
PART = Part(1, ["a"]).serialize_to_bytes()
BAD_ARROW: dict[str, Any] = {
    "nothing": b"",
    "no Arrow": b"nonsense" * 100,
    "no row": of_rows(),
    "two rows": of_rows(Part(), Part()),
    "two batches": stream_bytes(Part.arrow_schema(), [ROW, ROW]),
    "no batch": stream_bytes(Part.arrow_schema(), []),
    "twice": PART + PART,
    "more behind it": PART + b"\0",
    "the end behind the end": PART + PART[-8:],
    "a str": "text",
    "None": None,
    "a name twice": stream_bytes(
        pa.schema([("n", pa.int64()), ("n", pa.int64())]),
        [pa.RecordBatch.from_arrays([pa.array([1])] * 2, ["n", "n"])],
    ),
}


@pytest.mark.parametrize("data", BAD_ARROW.values(), ids=BAD_ARROW)
def test_what_is_no_stream_of_one_row_is_refused(data: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^Part"):
        Part.deserialize_from_bytes(data)


BAD_COMPACT: dict[str, Any] = {
    "nothing": b"",
    "no map": msgspec.msgpack.encode([1]),
    "two": Part().to_compact() * 2,
    "a str": "text",
    "None": None,
    "deep": b"\x91" * 100_000,
    "a length bomb": b"\xdf\xff\xff\xff\xff",
    "an extension": msgspec.msgpack.encode({"n": msgspec.msgpack.Ext(5, b"x")}),
    "a bool": msgspec.msgpack.encode({"n": True}),
}


@pytest.mark.parametrize("data", BAD_COMPACT.values(), ids=BAD_COMPACT)
def test_what_is_no_compact_form_is_refused(data: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^Part"):
        Part.from_compact(data)


@pytest.mark.parametrize("form", ["arrow", "compact"])
def test_bytes_cut_anywhere_are_refused(form: str) -> None:
    write, read = FORMS[form]
    whole = write(STATE)
    for size in range(len(whole)):
        with pytest.raises(InvalidValue):
            read(State, whole[:size])


@pytest.mark.parametrize("form", ["arrow", "compact"])
def test_flipped_bits_give_a_state_or_a_refusal(form: str) -> None:
    write, read = FORMS[form]
    whole = write(STATE)
    refused = 0
    for place in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        try:
            assert type(read(State, damaged)) is State
        except InvalidValue:
            refused += 1
    assert refused > len(whole)


def test_a_value_that_python_has_none_for() -> None:
    made = make_dataclass("Dated", [("n", date)], bases=(Base,))
    batch = pa.record_batch([pa.array([2**31 - 1], pa.int32()).cast(pa.date32())], schema=made.arrow_schema())
    with pytest.raises(InvalidValue, match=r"^Dated"):
        made.deserialize_from_bytes(stream_bytes(batch.schema, [batch]))


# -- classes of every making -------------------------------------------------------------------------------------


def test_without_the_decorator_the_error_says_what_to_do() -> None:
    class Bare(Base):
        n: int = 0

    for use in (Bare.arrow_schema, Bare().serialize_to_bytes, Bare().to_compact, lambda: Bare.from_json_value({})):
        with pytest.raises(TypeError, match="Bare is no dataclass: put @dataclass on it"):
            use()


def test_a_field_that_cannot_be_written_fails_only_then() -> None:
    @dataclass
    class Holder(Base):
        count: int
        file: io.BytesIO

    state = Holder(1, io.BytesIO(b"abc"))
    state.count += 1
    assert state.file.read() == b"abc"
    for use in (state.serialize_to_bytes, state.to_compact, state.to_json_value, Holder.arrow_schema):
        with pytest.raises(TypeError, match=r"Holder\.file: BytesIO cannot be serialized; keep it out"):
            use()


def test_a_value_that_cannot_be_written_is_named() -> None:
    @dataclass
    class Holder(Base):
        anything: Any

    with pytest.raises(InvalidValue, match=r"^Holder\.anything\['a'\]\[0\]: a plain JSON value expected, not <_io"):
        Holder({"a": [io.BytesIO()]}).to_compact()


def test_a_field_that_was_never_set_is_named() -> None:
    @dataclass
    class Late(Base):
        n: int = field(init=False)

    with pytest.raises(InvalidValue, match=r"^Late\.n: int expected, but it was never set"):
        Late().to_compact()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slotted(Base):
    LIMIT: ClassVar[int] = 3
    a: int
    seed: InitVar[int] = 4
    derived: int = field(init=False)
    hidden: str = field(default="h", repr=False, compare=True)

    def __post_init__(self, seed: int) -> None:
        object.__setattr__(self, "derived", seed * 2)


@dataclass
class Parent(Base):
    a: int
    _: KW_ONLY
    b: int = 2


@dataclass
class Child(Parent):
    c: str = "c"
    a: int = 1


class Grandchild(Child):
    """Adds methods alone, so it needs no decorator."""

    def sum(self) -> int:
        return self.a + self.b


@dataclass
class Generic(Base, ABC):
    n: int = 1

    @abstractmethod
    def work(self) -> None: ...


@dataclass
class Concrete(Generic):
    def work(self) -> None: ...


@dataclass(init=False)
class OwnInit(Base):
    n: int
    m: int = 5

    def __init__(self, text: str) -> None:
        self.n = len(text)
        self.m = 6


@dataclass
class Shadowing(Base):
    int: int = 1
    str: str | None = None

    def list(self) -> list[int]:  # type: ignore[valid-type]
        return []


OBJECTS = {
    "frozen, slots, keywords": Slotted(a=1, seed=8),
    "inherited fields": Child(a=3, c="x", b=5),
    "a subclass of methods": Grandchild(c="x"),
    "abstract": Concrete(4),
    "an __init__ of its own": OwnInit("abc"),
    "fields named as types": Shadowing(2, "a"),
}


@every_form
@pytest.mark.parametrize("value", OBJECTS.values(), ids=OBJECTS)
def test_classes_of_every_making(write: Write, read: Read, value: Any) -> None:
    read_back = read(type(value), write(value))
    assert type(read_back) is type(value)
    assert read_back == value


def test_an_abstract_class_cannot_be_read() -> None:
    with pytest.raises(InvalidValue, match="Generic refuses these values"):
        Generic.from_compact(Concrete(4).to_compact())


def test_an_init_variable_needs_a_default() -> None:
    @dataclass
    class Seeded(Base):
        n: int
        seed: InitVar[int]

    with pytest.raises(TypeError, match=r"Seeded\.seed: __init__ needs it"):
        Seeded(1, 2).to_compact()


@dataclass
class Counting(Base):
    """Does in `__post_init__` what shows how often that ran."""

    name: str
    starts: int = 0

    def __post_init__(self) -> None:
        self.name = self.name.strip()
        self.starts += 1
        self.cache: dict[str, int] = {}
        if not self.name:
            raise ValueError("a name is needed")


@pytest.mark.parametrize("form", ["arrow", "compact"])
def test_a_restored_state_is_as_it_was_and_has_what_its_init_sets_beside_the_fields(form: str) -> None:
    write, read = FORMS[form]
    restored = read(Counting, write(Counting("a")))
    assert (restored.name, restored.starts, restored.cache) == ("a", 1, {})


def test_the_class_has_the_last_word_on_what_a_host_sent() -> None:
    assert Counting.from_json_value({"name": " a "}).name == "a"
    with pytest.raises(InvalidValue, match="Counting refuses these values: a name is needed"):
        Counting.from_json_value({"name": " "})


def test_a_class_of_a_namespace_that_is_no_module() -> None:
    names: dict[str, Any] = {"dataclass": dataclass, "Base": Base, "__name__": "nowhere"}
    source = """
@dataclass
class Inner:
    n: int
@dataclass
class S(Base):
    one: Inner
    all: list["Inner"]
    def method(self): pass
"""
    exec(compile(source, "nowhere", "exec", dont_inherit=True), names)  # without the annotations of this file
    state = names["S"](names["Inner"](1), [names["Inner"](2)])
    assert names["S"].deserialize_from_bytes(state.serialize_to_bytes()) == state


def test_string_annotations_and_forward_references(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("made_for_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    source = """
from __future__ import annotations
from dataclasses import dataclass
from sidecar.streams.values.dataclass import ArrowSerializableDataclass
@dataclass
class First(ArrowSerializableDataclass):
    second: Second | None = None
    class Nested: pass
@dataclass
class Second:
    n: int = 1
"""
    exec(source, vars(module))
    state = module.First(module.Second(4))
    assert module.First.from_compact(state.to_compact()) == state


def test_a_name_that_cannot_be_resolved_is_explained() -> None:
    @dataclass
    class Hidden:
        n: int

    @dataclass
    class Uses(Base):
        hidden: Hidden

    with pytest.raises(TypeError, match=r"Uses\.hidden: .*name 'Hidden' is not defined: define it in the module"):
        Uses(Hidden(1)).to_compact()


@dataclass
class Node(Base):
    children: list[Node]


def test_a_class_that_holds_itself_is_explained() -> None:
    with pytest.raises(TypeError, match=r"Node\.children: Node cannot be serialized; it holds itself"):
        Node([]).to_compact()
