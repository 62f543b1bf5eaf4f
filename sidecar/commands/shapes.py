"""The JSON Schemas that `describe` gives, read into the few shapes that values of a service have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Anything(NamedTuple):
    """Any JSON."""


class Null(NamedTuple):
    """Null alone: what a method that returns nothing returns."""


class Truth(NamedTuple):
    """A boolean."""


class Integer(NamedTuple):
    """An integer; where it `escapes`, a string of digits beyond 2^53 - 1. `arrow` is Arrow's name of the type."""

    arrow: str
    escapes: bool


class Real(NamedTuple):
    """A float; where it `escapes`, NaN and the infinities are strings."""

    arrow: str
    escapes: bool


class Text(NamedTuple):
    """A string; `format` is JSON Schema's, or empty."""

    arrow: str
    format: str


class Binary(NamedTuple):
    """Bytes beside the message: `bytes`, or a whole Arrow IPC stream as `arrow`."""

    payload: str


class Choice(NamedTuple):
    """One of some values, each in JSON text; `name` is that of an enumeration, empty for a Literal."""

    name: str
    doc: str
    values: tuple[str, ...]


class Flags(NamedTuple):
    """Names joined by `|`."""

    name: str
    doc: str
    names: tuple[str, ...]


class Listing(NamedTuple):
    """A list, or a set."""

    item: Any
    is_set: bool


class Fixed(NamedTuple):
    """A tuple."""

    items: tuple[Any, ...]


class Mapping(NamedTuple):
    """An object of any keys."""

    item: Any


class Pairs(NamedTuple):
    """A dict whose keys are no strings: a list of pairs."""

    key: Any
    item: Any


class Nullable(NamedTuple):
    """The shape, or null."""

    inner: Any


class Either(NamedTuple):
    """A union: `plain` branches stand as they are, `tagged` ones as `{"name": value}`. `arrow` names all branches, the
    plain ones first."""

    arrow: str
    plain: tuple[Any, ...]
    tagged: tuple[tuple[str, Any], ...]


class Field(NamedTuple):
    """One field of a record or one parameter; `default` is JSON text, None where there is none to show."""

    name: str
    shape: Any
    is_required: bool
    default: str | None


class Record(NamedTuple):
    """A dataclass, or the parameters of a method."""

    name: str
    doc: str
    fields: tuple[Field, ...]


Shape = (
    Anything
    | Null
    | Truth
    | Integer
    | Real
    | Text
    | Binary
    | Choice
    | Flags
    | Listing
    | Fixed
    | Mapping
    | Pairs
    | Nullable
    | Either
    | Record
)


def read(schema: dict[str, Any]) -> Shape:
    """The shape of a schema. What it does not know is `Anything`: a later sidecar may say more."""
    if "enum" in schema:
        values = tuple(json.dumps(value) for value in schema["enum"])
        return Choice(schema.get("title", ""), schema.get("description", ""), values)
    if "anyOf" in schema or "oneOf" in schema:
        return _union(schema)
    kind = schema.get("type", "any")
    reader = _READERS.get(kind[0] if isinstance(kind, list) else kind)
    return Anything() if reader is None else reader(schema)


def _union(schema: dict[str, Any]) -> Shape:
    branches = schema.get("anyOf") or schema["oneOf"]
    if len(branches) == 2 and branches[1].get("type") == "null":
        return Nullable(read(branches[0]))
    plain = tuple(read(branch) for branch in branches if not _is_tagged(branch))
    tagged = tuple((name, read(inner)) for b in branches if _is_tagged(b) for name, inner in b["properties"].items())
    return Either(schema.get("x-arrow", ""), plain, tagged)


def _is_tagged(branch: dict[str, Any]) -> bool:
    return branch.get("additionalProperties") is False and "title" not in branch


def _integer(schema: dict[str, Any]) -> Shape:
    return Integer(schema.get("x-arrow", "int64"), isinstance(schema["type"], list))


def _real(schema: dict[str, Any]) -> Shape:
    return Real(schema.get("x-arrow", "double"), isinstance(schema["type"], list))


def _text(schema: dict[str, Any]) -> Shape:
    if "x-payload" in schema:
        return Binary(schema["x-payload"])
    if "x-flags" in schema:
        return Flags(schema.get("title", ""), schema.get("description", ""), tuple(schema["x-flags"]))
    return Text(schema.get("x-arrow", "string"), schema.get("format", ""))


def _array(schema: dict[str, Any]) -> Shape:
    if "prefixItems" in schema or schema.get("maxItems") == 0:
        return Fixed(tuple(read(item) for item in schema.get("prefixItems", ())))
    item = read(schema.get("items", {}))
    if schema.get("x-map") and isinstance(item, Fixed):
        return Pairs(*item.items)
    return Listing(item, bool(schema.get("x-set")))


def _object(schema: dict[str, Any]) -> Shape:
    if "properties" in schema:
        return record(schema, schema.get("title", ""))
    further = schema.get("additionalProperties")
    return Mapping(read(further) if isinstance(further, dict) else Anything())


def record(schema: dict[str, Any], name: str) -> Record:
    """The fields of an object's schema, under a name."""
    required = schema.get("required", ())
    fields = [
        Field(key, read(inner), key in required, json.dumps(inner["default"]) if "default" in inner else None)
        for key, inner in schema["properties"].items()
    ]
    return Record(name, schema.get("description", ""), tuple(fields))


_READERS: dict[str, Callable[[dict[str, Any]], Shape]] = {
    "null": lambda _: Null(),
    "boolean": lambda _: Truth(),
    "integer": _integer,
    "number": _real,
    "string": _text,
    "array": _array,
    "object": _object,
}


def text(shape: Shape) -> str:
    """A shape as its author may have written it: `int`, `list[str]`, `Options | None`."""
    match shape:
        case Listing(item, is_set):
            return f"{'set' if is_set else 'list'}[{text(item)}]"
        case Fixed(items):
            return f"tuple[{', '.join(map(text, items)) or '()'}]"
        case Mapping(item):
            return f"dict[str, {text(item)}]"
        case Pairs(key, item):
            return f"dict[{text(key)}, {text(item)}]"
        case Nullable(inner):
            return f"{text(inner)} | None"
        case Either(_, plain, tagged):
            parts = [text(branch) for branch in plain] or [f'{{"{name}": {text(inner)}}}' for name, inner in tagged]
            return " | ".join(parts)
    return _leaf_text(shape)


def _leaf_text(shape: Shape) -> str:
    match shape:
        case Integer(arrow):
            return {"int64": "int", "duration[us]": "timedelta"}.get(arrow, f"int ({arrow})")
        case Real(arrow):
            return "float" if arrow == "double" else f"float ({arrow})"
        case Text(_, format):
            return _FORMATS.get(format, "str")
        case Binary(payload):
            return "bytes" if payload == "bytes" else "Arrow IPC"
        case Choice(_, _, values):
            return " | ".join(values)
        case Flags(name, _, names):
            return f"{name} ({'|'.join(names)})"
        case Record(name):
            return name
    return _WORDS.get(type(shape), "any")


def field_text(field: Field) -> str:
    """`b: int = 2`; `b: int = ...` where the default cannot be shown."""
    default = "" if field.is_required else f" = {field.default or '...'}"
    return f"{field.name}: {text(field.shape)}{default}"


def records(shape: Any) -> Iterator[Record]:
    """The dataclasses within a shape, each before those that it holds."""
    if isinstance(shape, Record):
        yield shape
    if isinstance(shape, tuple):
        for part in shape:
            yield from records(part)


_WORDS: dict[type, str] = {Null: "None", Truth: "bool"}
_FORMATS = {"decimal": "Decimal", "uuid": "UUID", "date-time": "datetime", "date": "date", "time": "time"}
