"""Codecs of what holds other values: list, tuple, set, frozenset, dict, and Optional."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from .codec import Codec, InvalidValue, shown
from .scalars import StrCodec


class NullableCodec(Codec):
    """Optional[T]: T, or null."""

    nullable = True

    def __init__(self, inner: Codec) -> None:
        self.inner = inner
        self.arrow = inner.arrow
        self.kind = inner.kind
        self.escapes = inner.escapes
        self.name = f"{inner.name} | None"

    def to_arrow(self, value: Any, where: str) -> Any:
        return None if value is None else self.inner.to_arrow(value, where)

    def from_arrow(self, value: Any, where: str) -> Any:
        return None if value is None else self.inner.from_arrow(value, where)

    def to_json(self, value: Any, where: str) -> Any:
        return None if value is None else self.inner.to_json(value, where)

    def from_json(self, value: Any, where: str) -> Any:
        return None if value is None else self.inner.from_json(value, where)

    def matches(self, value: Any) -> bool:
        return value is None or self.inner.matches(value)

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        self.inner.check_stored(stored, where)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.inner.json_schema(), {"type": "null", "x-arrow": "null"}]}


class ListCodec(Codec):
    """list[T] and tuple[T, ...]: list<T>."""

    kind = "array"

    def __init__(self, item: Codec, made: Any = list) -> None:
        self.item = item
        self.made = made
        self.arrow = pa.list_(item.arrow)
        self.name = f"{made.__name__}[{item.name}{', ...' if made is tuple else ''}]"

    def _items(self, value: Any, wanted: Any, where: str) -> Iterable[tuple[str, Any]]:
        if not isinstance(value, wanted):
            raise self.refusal(value, where)
        return ((f"{where}[{index}]", item) for index, item in enumerate(value))

    def to_arrow(self, value: Any, where: str) -> list[Any]:
        return [self.item.to_arrow(item, at) for at, item in self._items(value, self.made, where)]

    def from_arrow(self, value: Any, where: str) -> Any:
        return self.made(self.item.from_arrow(item, at) for at, item in self._items(value, list, where))

    def to_json(self, value: Any, where: str) -> list[Any]:
        return [self.item.to_json(item, at) for at, item in self._items(value, self.made, where)]

    def from_json(self, value: Any, where: str) -> Any:
        return self.made(self.item.from_json(item, at) for at, item in self._items(value, list, where))

    def matches(self, value: Any) -> bool:
        return isinstance(value, self.made) and all(map(self.item.matches, value))

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        if not pa.types.is_list(stored):
            super().check_stored(stored, where)
        self.item.check_stored(stored.value_type, f"{where}[]")

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.json_schema()}


class SetCodec(ListCodec):
    """set[T] and frozenset[T]: list<T>, written in one order however the set was made, and no item twice."""

    def to_arrow(self, value: Any, where: str) -> list[Any]:
        return _in_order(super().to_arrow(value, where))

    def to_json(self, value: Any, where: str) -> list[Any]:
        return _in_order(super().to_json(value, where))

    def from_arrow(self, value: Any, where: str) -> Any:
        return self._distinct(lambda: super(SetCodec, self).from_arrow(value, where), value, where)

    def from_json(self, value: Any, where: str) -> Any:
        return self._distinct(lambda: super(SetCodec, self).from_json(value, where), value, where)

    def _distinct(self, read: Any, value: Any, where: str) -> Any:
        try:
            made = read()
        except TypeError:
            raise self.refusal(value, where, "items that cannot be hashed") from None
        if len(made) != len(value):
            raise self.refusal(value, where, "an item twice")
        return made

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "uniqueItems": True, "x-set": True}


def _in_order(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=repr)


class TupleCodec(Codec):
    """tuple[A, B]: a struct with one field an item, named by its index; an array in JSON."""

    kind = "array"

    def __init__(self, items: list[Codec]) -> None:
        self.items = items
        self.arrow = pa.struct([pa.field(str(n), item.arrow, item.nullable) for n, item in enumerate(items)])
        self.name = f"tuple[{', '.join(item.name for item in items) or '()'}]"

    def _parts(self, value: Any, wanted: Any, where: str) -> Iterable[tuple[Codec, Any, str]]:
        if not isinstance(value, wanted) or len(value) != len(self.items):
            raise self.refusal(value, where)
        places = (f"{where}[{index}]" for index in range(len(value)))
        return zip(self.items, value, places, strict=True)

    def to_arrow(self, value: Any, where: str) -> dict[str, Any]:
        parts = self._parts(value, tuple, where)
        return {str(n): item.to_arrow(part, at) for n, (item, part, at) in enumerate(parts)}

    def from_arrow(self, value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, dict):
            raise self.refusal(value, where)
        return tuple(item.from_arrow(part, at) for item, part, at in self._parts(list(value.values()), list, where))

    def to_json(self, value: Any, where: str) -> list[Any]:
        return [item.to_json(part, at) for item, part, at in self._parts(value, tuple, where)]

    def from_json(self, value: Any, where: str) -> tuple[Any, ...]:
        return tuple(item.from_json(part, at) for item, part, at in self._parts(value, list, where))

    def matches(self, value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != len(self.items):
            return False
        return all(item.matches(part) for item, part in zip(self.items, value, strict=True))

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        names = [str(index) for index in range(len(self.items))]
        if not pa.types.is_struct(stored) or [field.name for field in stored] != names:
            raise InvalidValue(where, f"Arrow type {self.arrow} expected, not {stored}")
        for index, item in enumerate(self.items):
            item.check_stored(stored.field(index).type, f"{where}[{index}]")

    def schema(self) -> dict[str, Any]:
        count = len(self.items)
        limits: dict[str, Any] = {"type": "array", "minItems": count, "maxItems": count}
        return {**limits, "prefixItems": [item.json_schema() for item in self.items]} if count else limits


class DictCodec(Codec):
    """dict[K, V]: map<K, V>; in JSON an object where K is str, else a list of pairs."""

    def __init__(self, key: Codec, item: Codec) -> None:
        self.key = key
        self.item = item
        self.arrow = pa.map_(key.arrow, item.arrow)
        self.kind = "object" if isinstance(key, StrCodec) else "array"
        self.name = f"dict[{key.name}, {item.name}]"

    def to_arrow(self, value: Any, where: str) -> list[tuple[Any, Any]]:
        return [
            (self.key.to_arrow(key, _key_place(where, key)), self.item.to_arrow(item, f"{where}[{shown(key)}]"))
            for key, item in self._pairs(value, dict, where)
        ]

    def from_arrow(self, value: Any, where: str) -> dict[Any, Any]:
        pairs = (
            (self.key.from_arrow(key, _key_place(where, key)), self.item.from_arrow(item, f"{where}[{shown(key)}]"))
            for key, item in self._pairs(value, list, where)
        )
        return self._distinct(pairs, value, where)

    def to_json(self, value: Any, where: str) -> Any:
        pairs = [
            [self.key.to_json(key, _key_place(where, key)), self.item.to_json(item, f"{where}[{shown(key)}]")]
            for key, item in self._pairs(value, dict, where)
        ]
        return {key: item for key, item in pairs} if self.kind == "object" else pairs  # noqa: C416

    def from_json(self, value: Any, where: str) -> dict[Any, Any]:
        pairs = (
            (self.key.from_json(key, _key_place(where, key)), self.item.from_json(item, f"{where}[{shown(key)}]"))
            for key, item in self._pairs(value, dict if self.kind == "object" else list, where)
        )
        return self._distinct(pairs, value, where)

    def _pairs(self, value: Any, wanted: Any, where: str) -> Any:
        if not isinstance(value, wanted):
            raise self.refusal(value, where)
        if isinstance(value, dict):
            return value.items()
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
            raise self.refusal(value, where, "a list of pairs")
        return value

    def _distinct(self, pairs: Iterable[tuple[Any, Any]], value: Any, where: str) -> dict[Any, Any]:
        try:
            made = dict(pairs)
        except TypeError:
            raise self.refusal(value, where, "keys that cannot be hashed") from None
        if len(made) != len(value):
            raise self.refusal(value, where, "a key twice")
        return made

    def matches(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        return all(map(self.key.matches, value)) and all(map(self.item.matches, value.values()))

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        if not pa.types.is_map(stored):
            raise InvalidValue(where, f"Arrow type {self.arrow} expected, not {stored}")
        self.key.check_stored(stored.key_type, f"{where} key")
        self.item.check_stored(stored.item_type, f"{where}[]")

    def schema(self) -> dict[str, Any]:
        if self.kind == "object":
            return {"type": "object", "additionalProperties": self.item.json_schema()}
        pair = TupleCodec([self.key, self.item]).json_schema()
        return {"type": "array", "items": pair, "x-map": True}


def _key_place(where: str, key: Any) -> str:
    return f"{where} key {shown(key)}"
