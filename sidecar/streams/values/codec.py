"""What every codec of a type hint is: the two written forms of its values, and how it refuses what is none."""

from __future__ import annotations

import reprlib
from typing import Any

import pyarrow as pa

from ...wire.payload import Payload

shown = reprlib.repr  # of bounded length and depth, whatever the value is


class InvalidValue(ValueError):
    """A value that is not what its type hint says: the message names where it stands and what was expected."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        self.reason = reason


class UnsupportedHint(TypeError):
    """A type hint that has no serialized form. `place` is the `Class.field` that has it, where there is one."""

    def __init__(self, hint: Any, instead: str, place: str = "") -> None:
        super().__init__(f"{place + ': ' if place else ''}{hint_name(hint)} cannot be serialized; {instead}")
        self.hint = hint
        self.instead = instead
        self.place = place


class Codec:
    """How the values of one type hint are written and read.

    `arrow` and `nullable` are what an Arrow field needs, `kind` is the JSON kind of the values' usual form, and
    `escapes` says that some values need a string in its place (NaN, integers beyond 2^53 - 1).
    """

    arrow: pa.DataType
    nullable = False
    kind = "string"
    escapes = False
    name = ""

    def to_arrow(self, value: Any, where: str) -> Any:
        """The value as `pa.array([...], type=self.arrow)` takes it. Raises `InvalidValue`."""
        raise NotImplementedError

    def from_arrow(self, value: Any, where: str) -> Any:
        """The value of what `.as_py()` gave. Raises `InvalidValue`."""
        raise NotImplementedError

    def to_json(self, value: Any, where: str) -> Any:
        """The value as it stands in a JSON message, binary values as `Payload`. Raises `InvalidValue`."""
        raise NotImplementedError

    def from_json(self, value: Any, where: str) -> Any:
        """The value of what stood in a JSON message. Raises `InvalidValue`."""
        raise NotImplementedError

    def matches(self, value: Any) -> bool:
        """Whether the value is of this very type, so that nothing would be converted: a union asks."""
        raise NotImplementedError

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        """Raises `InvalidValue` for data of another Arrow type: nothing is cast without a word."""
        if stored != self.arrow:
            raise InvalidValue(where, f"Arrow type {self.arrow} expected, not {stored}")

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of the JSON form, with the Arrow type at `x-arrow`."""
        return {**self.schema(), "x-arrow": str(self.arrow)}

    def schema(self) -> dict[str, Any]:
        """The standard keywords of `json_schema`."""
        raise NotImplementedError

    def usual_schema(self) -> dict[str, Any]:
        """`json_schema` without the strings that `escapes` speaks of."""
        made = self.json_schema()
        if self.escapes:
            made["type"] = made["type"][0]
            made.pop("pattern", None)
        return made

    def refusal(self, value: Any, where: str, why: str = "") -> InvalidValue:
        """The error for a value that is none of these."""
        return InvalidValue(where, f"{self.name} expected, not {shown(value)}{f' ({why})' if why else ''}")

    def __repr__(self) -> str:
        return f"<codec of {self.name} as {self.arrow}>"


class Scalar(Codec):
    """A codec whose Arrow form is the value itself, once it is checked."""

    def check(self, value: Any, where: str) -> Any:
        """The value, of the exact Python type. Raises `InvalidValue`."""
        raise NotImplementedError

    def to_arrow(self, value: Any, where: str) -> Any:
        return self.check(value, where)

    def from_arrow(self, value: Any, where: str) -> Any:
        return self.check(value, where)

    def to_json(self, value: Any, where: str) -> Any:
        return self.check(value, where)

    def from_json(self, value: Any, where: str) -> Any:
        return self.check(value, where)


def kind_of(form: Any) -> str:
    """The JSON kind of a value in a message; `binary` for what travels beside it."""
    for kind, types in _KINDS:
        if isinstance(form, types):
            return kind
    return "other"


_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("boolean", (bool,)),  # before numbers: a bool is an int
    ("number", (int, float)),
    ("string", (str,)),
    ("array", (list,)),
    ("object", (dict,)),
    ("binary", (Payload, bytes)),
    ("null", (type(None),)),
)


def hint_name(hint: Any) -> str:
    """A type hint as its author wrote it, nearly."""
    if isinstance(hint, type) and not getattr(hint, "__args__", None):
        return hint.__qualname__
    return repr(hint).replace("typing.", "")


def description(cls: type) -> dict[str, str]:
    """Title and description of a class's schema. The docstring that `@dataclass` makes up says nothing new."""
    text = vars(cls).get("__doc__")
    if not text or text.startswith(f"{cls.__name__}(") or text == "An enumeration.":
        return {"title": cls.__name__}
    return {"title": cls.__name__, "description": " ".join(text.split())}
