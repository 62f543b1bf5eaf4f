"""Properties of states: any dataclass of any nested hints comes back from every form, and from forms that dataclasses
with more, fewer or reordered fields wrote."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.streams.values.dataclass import ArrowSerializableDataclass
from sidecar.streams.values.types import InvalidValue
from sidecar.wire.payload import Payload, attach, describe, find

Base = ArrowSerializableDataclass


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


class Perm(enum.IntFlag):
    R = 1
    W = 2
    X = 8


@dataclass(frozen=True)
class Point(Base):
    x: int
    name: str = "origin"


# -- hints, each with a strategy of its values -------------------------------------------------------------------

Typed = tuple[Any, st.SearchStrategy[Any]]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
int64s = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53, -(2**53), 0])
points = st.builds(Point, int64s, text)
batches = st.lists(st.none() | int64s, max_size=3).map(
    lambda items: pa.record_batch({"a": pa.array(items, pa.int64()), "b": pa.array([str(i) for i in items])})
)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def unfolded(value: Any) -> Any:
    """Arrow has no fold: a naive value that has one is refused."""
    return value.replace(fold=0)


HASHABLE: list[Typed] = [
    (int, int64s),
    (str, text),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=8)),
    (Color, st.sampled_from(Color)),
    (Perm, st.integers(0, 63).map(Perm)),
    (Literal["a", 1, True], st.sampled_from(["a", 1, True])),
    (
        datetime,
        st.datetimes().map(unfolded) | st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)),
    ),
    (date, st.dates()),
    (time, st.times().map(unfolded)),
    (timedelta, st.timedeltas(timedelta(days=-106_751_991), timedelta(days=106_751_991))),
    (UUID, st.uuids()),
    (Point, points),
    (int | str, int64s | text),
    (int | bool | Color, int64s | st.booleans() | st.sampled_from(Color)),
    (Point | int, points | int64s),
]
SCALARS: list[Typed] = [
    *HASHABLE,
    (float, st.floats()),
    (int | float, int64s | st.floats()),
    (float | str | bytes, st.floats() | text | st.binary(max_size=3)),
    (Decimal, st.decimals()),
    (Any, plain_json),
    (pa.RecordBatch, batches),
    (pa.Schema, batches.map(lambda batch: batch.schema)),
]


def containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Hints that hold other hints."""
    keys = st.sampled_from(HASHABLE)
    return st.one_of(
        inner.map(lambda t: (list[t[0]], st.lists(t[1], max_size=3))),  # type: ignore[misc]
        inner.map(lambda t: (t[0] | None, st.none() | t[1])),
        inner.map(lambda t: (tuple[t[0], ...], st.lists(t[1], max_size=3).map(tuple))),  # type: ignore[misc]
        st.tuples(inner, inner).map(lambda t: (tuple[t[0][0], t[1][0]], st.tuples(t[0][1], t[1][1]))),  # type: ignore[misc]
        st.tuples(keys, inner).map(
            lambda t: (dict[t[0][0], t[1][0]], st.dictionaries(t[0][1], t[1][1], max_size=3))  # type: ignore[misc]
        ),
        keys.map(lambda t: (set[t[0]], st.sets(t[1], max_size=3))),  # type: ignore[misc]
        keys.map(lambda t: (frozenset[t[0]], st.frozensets(t[1], max_size=3))),  # type: ignore[misc]
        st.lists(inner, min_size=1, max_size=3).map(nested_class),
    )


def nested_class(members: list[Typed]) -> Typed:
    """A dataclass with those fields, and a strategy of its objects."""
    cls = make_dataclass("Nested", [(f"f{index}", hint) for index, (hint, _) in enumerate(members)])
    return cls, st.builds(cls, *(values for _, values in members))


hints: st.SearchStrategy[Typed] = st.recursive(st.sampled_from(SCALARS), containers, max_leaves=4)
names = st.from_regex(r"[a-z][a-z_0-9]{0,6}[a-z]_", fullmatch=True)  # no keyword ends so


@st.composite
def states(draw: st.DrawFn) -> Any:
    """An object of a class that was made for it."""
    members = draw(st.dictionaries(names, hints, min_size=1, max_size=5))
    cls = make_dataclass("State", [(name, hint) for name, (hint, _) in members.items()], bases=(Base,))
    return cls(**{name: draw(values) for name, (_, values) in members.items()})


# -- the forms ---------------------------------------------------------------------------------------------------


def by_message(state: Any, cls: type[Any]) -> Any:
    """As a header's text and the payloads beside it."""
    message = {"result": state.to_json_value()}
    found = list(find(message))
    text = msgspec.json.encode(message, enc_hook=lambda _: None)
    descriptors = msgspec.json.decode(msgspec.json.encode([describe(path, payload) for path, payload in found]))
    read = msgspec.json.decode(text)
    attach(read, descriptors, [memoryview(payload.data) for _, payload in found])
    return cls.from_json_value(read["result"])


FORMS: dict[str, Callable[[Any, type[Any]], Any]] = {
    "arrow": lambda state, cls: cls.deserialize_from_bytes(state.serialize_to_bytes()),
    "json values": lambda state, cls: cls.from_json_value(state.to_json_value()),
    "json": by_message,
    "compact": lambda state, cls: cls.from_compact(state.to_compact()),
}


def exactly(one: Any, other: Any) -> bool:
    """Equal all the way down, with the same types, NaN as NaN and zero with its sign."""
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(exactly(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(exactly, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(exactly(one[key], other[key]) for key in one)
    if isinstance(one, float | Decimal):
        return repr(one) == repr(other)
    return bool(one == other)


many = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@many
@given(states())
def test_a_state_comes_back_from_every_form(state: Any) -> None:
    for name, again in FORMS.items():
        assert exactly(again(state, type(state)), state), name


@many
@given(states(), st.data())
def test_fields_come_and_go_and_move(state: Any, data: st.DataObject) -> None:
    old = fields(state)
    kept = data.draw(st.permutations([f for f in old if data.draw(st.booleans())]))
    added = data.draw(st.dictionaries(names, int64s, max_size=3))
    added = {name: value for name, value in added.items() if name not in {f.name for f in old}}
    members: list[Any] = [(f.name, f.type) for f in kept]
    members += [(name, int, field(default=value)) for name, value in added.items()]
    cls = make_dataclass("State", members, bases=(Base,))
    expected = cls(**{f.name: getattr(state, f.name) for f in kept})
    for name, again in FORMS.items():
        assert exactly(again(state, cls), expected), name


@many
@given(states(), names)
def test_a_new_field_needs_a_default(state: Any, added: str) -> None:
    cls = make_dataclass("State", [("Added_" + added, int)], bases=(Base,))
    assert fields(cls)[0].default is MISSING
    for again in FORMS.values():
        with pytest.raises(InvalidValue, match=f"State.Added_{added}"):
            again(state, cls)


@many
@given(states(), st.data())
def test_damaged_bytes_give_a_state_or_a_refusal(state: Any, data: st.DataObject) -> None:
    for write, read in (("serialize_to_bytes", "deserialize_from_bytes"), ("to_compact", "from_compact")):
        damaged = bytearray(getattr(state, write)())
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        try:
            made = getattr(type(state), read)(damaged)
        except InvalidValue:
            continue
        assert type(made) is type(state)


payloads = st.builds(Payload, st.just("bytes"), st.binary())
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | payloads,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@many
@given(hints, json_like)
def test_whatever_a_host_sends_gives_a_value_or_a_refusal(typed: Typed, sent: Any) -> None:
    cls = make_dataclass("Params", [("value", typed[0])], bases=(Base,))
    try:
        read = cls.from_json_value({"value": sent})
    except InvalidValue as fault:
        assert fault.where.startswith("Params.value")  # noqa: PT017  # one of two good ends
        return
    assert exactly(cls.from_json_value(read.to_json_value()), read)
