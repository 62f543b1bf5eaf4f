"""Codecs of single values: int, float, str, bool, None, bytes, Decimal and UUID."""

from __future__ import annotations

import base64
import binascii
import math
import operator
import re
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import pyarrow as pa

from ...wire.limits import MAX_SAFE_INTEGER
from ...wire.payload import OPAQUE_TYPES, Payload
from .codec import Codec, Scalar

DIGITS = "^-?(0|[1-9][0-9]*)$"
_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,19})")
_INT64 = pa.int64()
_NON_FINITE = {"NaN", "Infinity", "-Infinity"}


def integer_form(number: int) -> int | str:
    """An integer in JSON: beyond 2^53 - 1 a string of digits."""
    return number if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER else str(number)


class IntCodec(Scalar):
    """int: int64. A bool is none. What has `__index__` (a numpy integer) becomes an int."""

    kind = "number"
    escapes = True
    name = "int"

    def __init__(self, arrow: pa.DataType = _INT64) -> None:
        self.arrow = arrow
        bits, signed = arrow.bit_width, pa.types.is_signed_integer(arrow)
        self.range = range(-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else range(2**bits)

    def check(self, value: Any, where: str) -> int:
        if isinstance(value, bool) or not hasattr(type(value), "__index__"):
            raise self.refusal(value, where)
        number = int(operator.index(value))
        if number not in self.range:
            raise self.refusal(value, where, f"beyond the range of {self.arrow}")
        return number

    def to_json(self, value: Any, where: str) -> int | str:
        return integer_form(self.check(value, where))

    def from_json(self, value: Any, where: str) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        return self.check(value, where)

    def matches(self, value: Any) -> bool:
        return type(value) is int

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": ["integer", "string"], "pattern": DIGITS}
        if self.arrow.bit_width < 64:  # larger bounds are no exact numbers in JSON
            made |= {"minimum": self.range[0], "maximum": self.range[-1]}
        return made


class FloatCodec(Scalar):
    """float: float64. An int is taken where a float holds it exactly; in JSON, where numbers are doubles, always."""

    arrow = pa.float64()
    kind = "number"
    escapes = True
    name = "float"

    def check(self, value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refusal(value, where)
        number = self._float(value, where)
        if isinstance(value, int) and number != value:
            raise self.refusal(value, where, "no float holds that integer exactly")
        return number

    def _float(self, value: float, where: str) -> float:
        try:
            return float(value)
        except OverflowError:
            raise self.refusal(value, where, "beyond the largest float") from None

    def to_json(self, value: Any, where: str) -> float | str:
        number = self.check(value, where)
        if math.isfinite(number):
            return number
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"

    def from_json(self, value: Any, where: str) -> float:
        if isinstance(value, str) and value in _NON_FINITE:
            return float(value)
        if type(value) is int:
            return self._float(value, where)
        return self.check(value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, float)

    def schema(self) -> dict[str, Any]:
        return {"type": ["number", "string"], "pattern": "^(NaN|-?Infinity)$"}


class StrCodec(Scalar):
    """str: utf8. A lone surrogate is in no UTF-8 text."""

    arrow = pa.utf8()
    name = "str"

    def check(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise self.refusal(value, where)
        try:
            value.encode()
        except UnicodeEncodeError as fault:
            raise self.refusal(value, where, f"a lone surrogate at {fault.start}") from None
        return str.__str__(value)

    def matches(self, value: Any) -> bool:
        return type(value) is str

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class BoolCodec(Scalar):
    """bool. The int 1 is none."""

    arrow = pa.bool_()
    kind = "boolean"
    name = "bool"

    def check(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise self.refusal(value, where)
        return value

    def matches(self, value: Any) -> bool:
        return isinstance(value, bool)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class NoneCodec(Scalar):
    """None alone, as the result of a method."""

    arrow = pa.null()
    nullable = True
    kind = "null"
    name = "None"

    def check(self, value: Any, where: str) -> None:
        if value is not None:
            raise self.refusal(value, where)

    def matches(self, value: Any) -> bool:
        return value is None

    def schema(self) -> dict[str, Any]:
        return {"type": "null"}


def payload_bytes(codec: Codec, value: Any, where: str) -> Any:
    """The buffer of a binary value in a message: a payload, the bytes of a compact form, or base64 text."""
    if isinstance(value, Payload) and value.type in OPAQUE_TYPES:
        return value.data
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise codec.refusal(value, where, "a payload or base64")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise codec.refusal(value, where, "a payload or base64") from None


class BytesCodec(Scalar):
    """bytes: binary. A bytearray and a memoryview are taken, and come back as bytes."""

    arrow = pa.binary()
    kind = "binary"
    name = "bytes"

    def check(self, value: Any, where: str) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise self.refusal(value, where)
        return bytes(value)

    def to_json(self, value: Any, where: str) -> Payload:
        return Payload("bytes", self.check(value, where))

    def from_json(self, value: Any, where: str) -> bytes:
        return bytes(payload_bytes(self, value, where))

    def matches(self, value: Any) -> bool:
        return isinstance(value, bytes | bytearray | memoryview)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "contentEncoding": "base64", "x-payload": "bytes"}


class DecimalCodec(Codec):
    """Decimal: utf8, the digits as they are. No decimal type of Arrow holds every exponent, trailing zero and NaN."""

    arrow = pa.utf8()
    name = "Decimal"

    def to_arrow(self, value: Any, where: str) -> str:
        if not isinstance(value, Decimal):
            raise self.refusal(value, where)
        return str(value)

    def from_arrow(self, value: Any, where: str) -> Decimal:
        if not isinstance(value, str) or not value.isascii() or "_" in value or value != value.strip():
            raise self.refusal(value, where, "the digits as a string")
        try:
            return Decimal(value)
        except (InvalidOperation, ValueError):
            raise self.refusal(value, where, "the digits as a string") from None

    def to_json(self, value: Any, where: str) -> str:
        return self.to_arrow(value, where)

    def from_json(self, value: Any, where: str) -> Decimal:
        return Decimal(value) if type(value) is int else self.from_arrow(value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, Decimal)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "decimal"}


class UuidCodec(Codec):
    """UUID: 16 bytes in Arrow, the text of 36 characters in JSON."""

    arrow = pa.binary(16)
    name = "UUID"

    def to_arrow(self, value: Any, where: str) -> bytes:
        if not isinstance(value, UUID):
            raise self.refusal(value, where)
        return value.bytes

    def from_arrow(self, value: Any, where: str) -> UUID:
        if not isinstance(value, bytes) or len(value) != 16:
            raise self.refusal(value, where)
        return UUID(bytes=value)

    def to_json(self, value: Any, where: str) -> str:
        return str(UUID(bytes=self.to_arrow(value, where)))

    def from_json(self, value: Any, where: str) -> UUID:
        try:
            made = UUID(value)
        except (ValueError, TypeError, AttributeError):
            raise self.refusal(value, where) from None
        if value.lower() != str(made):  # braces, no hyphens: there is one way to write it
            raise self.refusal(value, where)
        return made

    def matches(self, value: Any) -> bool:
        return isinstance(value, UUID)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}
