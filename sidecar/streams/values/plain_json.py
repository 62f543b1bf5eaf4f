"""The codec of values that have no type of their own: Any, a bare list, a bare dict."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pyarrow as pa

from ...wire.limits import MAX_SAFE_INTEGER
from .codec import Codec, InvalidValue, shown

_EXPECTED = "a plain JSON value"


class PlainCodec(Codec):
    """Any, list and dict: null, booleans, numbers, strings, lists and dicts of those; utf8 JSON text in Arrow.

    Without a type nothing says that the string `NaN` was a number, so what JSON cannot hold exactly is refused.
    """

    arrow = pa.utf8()

    def __init__(self, wanted: type = object) -> None:
        self.wanted = wanted
        self.nullable = wanted is object
        self.kind = "array" if wanted is list else "object" if wanted is dict else "any"
        self.name = "Any" if wanted is object else wanted.__name__

    def check(self, value: Any, where: str) -> Any:
        """A copy of the value. Raises `InvalidValue`, which names the place within it."""
        if not isinstance(value, self.wanted):
            raise self.refusal(value, where)
        try:
            return _copy(value, where)
        except RecursionError:
            raise InvalidValue(where, f"{_EXPECTED} expected, this one is nested too deeply") from None

    def to_arrow(self, value: Any, where: str) -> str:
        try:
            return msgspec.json.encode(self.check(value, where)).decode()
        except RecursionError:
            raise InvalidValue(where, f"{_EXPECTED} expected, this one is nested too deeply") from None

    def from_arrow(self, value: Any, where: str) -> Any:
        if value is None and self.nullable:
            return None
        try:
            return self.check(msgspec.json.decode(value), where)
        except (TypeError, msgspec.MsgspecError, RecursionError):
            raise self.refusal(value, where, "JSON text") from None

    def to_json(self, value: Any, where: str) -> Any:
        return self.check(value, where)

    def from_json(self, value: Any, where: str) -> Any:
        return self.check(value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, self.wanted)

    def schema(self) -> dict[str, Any]:
        return {} if self.wanted is object else {"type": self.kind}


def _copy(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {_key(key, where): _copy(item, f"{where}[{shown(key)}]") for key, item in value.items()}
    if type(value) is list:
        return [_copy(item, f"{where}[{index}]") for index, item in enumerate(value)]
    _check_scalar(value, where)
    return value


def _key(key: Any, where: str) -> str:
    if type(key) is not str:
        raise _refusal(key, where, " (a key is a str)")
    _check_scalar(key, where)
    return key


def _check_scalar(value: Any, where: str) -> None:
    if type(value) is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        raise _refusal(value, where, " (an integer beyond 2^53 - 1 needs the type int)")
    if type(value) is float and not math.isfinite(value):
        raise _refusal(value, where, " (NaN and the infinities need the type float)")
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _refusal(value, where, " (a lone surrogate)") from None
    elif value is not None and type(value) not in (bool, int, float):
        raise _refusal(value, where, "")


def _refusal(value: Any, where: str, why: str) -> InvalidValue:
    return InvalidValue(where, f"{_EXPECTED} expected{why}, not {shown(value)}")
