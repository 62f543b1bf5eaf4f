"""Codecs of enumerations by the names of their members, of flags, and of literals."""

from __future__ import annotations

from enum import Enum, Flag
from typing import Any

import pyarrow as pa

from .codec import Codec, description, kind_of


class EnumCodec(Codec):
    """Enum, IntEnum, StrEnum: the member's name, dictionary(int16, utf8). Read by name, then by value."""

    arrow = pa.dictionary(pa.int16(), pa.utf8())

    def __init__(self, cls: type[Enum]) -> None:
        self.cls = cls
        self.name = cls.__name__

    def to_arrow(self, value: Any, where: str) -> str:
        if not isinstance(value, self.cls):
            raise self.refusal(value, where)
        return value.name

    def from_arrow(self, value: Any, where: str) -> Enum:
        if isinstance(value, str) and value in self.cls.__members__:
            return self.cls.__members__[value]
        for member in self.cls:
            if type(member.value) is type(value) and member.value == value:
                return member
        raise self.refusal(value, where, f"one of {', '.join(self.cls.__members__)}")

    def to_json(self, value: Any, where: str) -> str:
        return self.to_arrow(value, where)

    def from_json(self, value: Any, where: str) -> Enum:
        return self.from_arrow(value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, self.cls)

    def schema(self) -> dict[str, Any]:
        return {"enum": [member.name for member in self.cls], **description(self.cls)}


class FlagCodec(Codec):
    """Flag, IntFlag: utf8, the names of the bits that are set, `READ|WRITE`. Bits without a name stand as one number
    at the end, and no bits at all are `0`."""

    arrow = pa.utf8()

    def __init__(self, cls: type[Flag]) -> None:
        self.cls = cls
        self.name = cls.__name__
        self._bits = {name: flag.value for name, flag in cls.__members__.items()}

    def to_arrow(self, value: Any, where: str) -> str:
        if not isinstance(value, self.cls):
            raise self.refusal(value, where)
        left, names = value.value, []
        for flag in self.cls:  # the canonical ones: of one bit each
            if flag.value & value.value:
                names.append(str(flag.name))
                left &= ~flag.value
        return "|".join([*names, str(left)] if left or not names else names)

    def from_arrow(self, value: Any, where: str) -> Flag:
        if not isinstance(value, str):
            raise self.refusal(value, where)
        bits = 0
        for name in value.split("|"):
            if name not in self._bits and not (name.isascii() and name.isdigit() and len(name) < 1000):
                raise self.refusal(value, where, f"names of {', '.join(self._bits)}")
            bits |= self._bits[name] if name in self._bits else int(name)
        return self._flag(bits, value, where)

    def _flag(self, bits: int, value: Any, where: str) -> Flag:
        """What the class makes of the bits: its boundary may refuse some, drop some, or answer with a bare int."""
        try:
            made = self.cls(bits)
        except ValueError:
            raise self.refusal(value, where, "bits that it has not") from None
        if not isinstance(made, self.cls) or made.value != bits:
            raise self.refusal(value, where, "bits that it has not")
        return made

    def to_json(self, value: Any, where: str) -> str:
        return self.to_arrow(value, where)

    def from_json(self, value: Any, where: str) -> Flag:
        if type(value) is int and value >= 0:
            return self._flag(value, value, where)
        return self.from_arrow(value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, self.cls)

    def schema(self) -> dict[str, Any]:
        flags = [flag.name for flag in self.cls]
        one = "|".join(["[0-9]+", *self._bits])
        return {"type": "string", "pattern": rf"^({one})(\|({one}))*$", "x-flags": flags, **description(self.cls)}


class LiteralCodec(Codec):
    """Literal: the form of its values' type, or of the union of their types; nothing but those values."""

    def __init__(self, inner: Codec, values: tuple[Any, ...]) -> None:
        self.inner = inner
        self.values = values
        self.arrow = inner.arrow
        self.kind = inner.kind
        self.escapes = inner.escapes
        self.name = f"Literal[{', '.join(map(repr, values))}]"

    def _checked(self, value: Any, original: Any, where: str) -> Any:
        if not self.matches(value):
            raise self.refusal(original, where)
        return value

    def to_arrow(self, value: Any, where: str) -> Any:
        return self.inner.to_arrow(self._checked(value, value, where), where)

    def from_arrow(self, value: Any, where: str) -> Any:
        return self._checked(self.inner.from_arrow(value, where), value, where)

    def to_json(self, value: Any, where: str) -> Any:
        return self.inner.to_json(self._checked(value, value, where), where)

    def from_json(self, value: Any, where: str) -> Any:
        return self._checked(self.inner.from_json(value, where), value, where)

    def matches(self, value: Any) -> bool:
        return any(type(value) is type(allowed) and value == allowed for allowed in self.values)

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        self.inner.check_stored(stored, where)

    def schema(self) -> dict[str, Any]:
        forms = [self.inner.to_json(value, "") for value in self.values]
        if any(kind_of(form) == "binary" for form in forms):  # bytes have no place in a schema
            return self.inner.schema()
        return {"enum": forms}

    def usual_schema(self) -> dict[str, Any]:
        made = self.json_schema()
        if "enum" in made:
            made["enum"] = [form for form in made["enum"] if kind_of(form) == self.kind]
        return made
