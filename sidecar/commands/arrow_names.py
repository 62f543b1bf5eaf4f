"""Arrow types by the names that Arrow itself prints, nested ones too: `struct<a: int64 not null>`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa

_SIMPLE = re.compile(r"[a-z_0-9]+(\[[^\[\]]*\])?(\(\d+, -?\d+\))?")
_ZONED = re.compile(r"timestamp\[(\w+), tz=(.*)\]")
_DECIMAL = re.compile(r"(decimal\d+)\((\d+), (-?\d+)\)")
_DICTIONARY = re.compile(r", indices=(\w+), ordered=([01])>")
_WIDE = re.compile(r"fixed_size_binary\[(\d+)\]")
_LISTS: dict[str, Callable[[Any], Any]] = {"list": pa.list_, "large_list": pa.large_list}
_ALIASES = {"halffloat": "float16", "date32[day]": "date32", "date64[ms]": "date64"}


def arrow_type(name: str) -> pa.DataType:
    """The type of this name. Raises `ValueError` for one that is not known."""
    reader = _Reader(name)
    dtype = reader.type()
    if reader.rest:
        raise ValueError(f"{name} is no Arrow type")
    return dtype


class _Reader:
    """Takes types from the front of `rest`."""

    def __init__(self, rest: str) -> None:
        self.rest = rest

    def type(self) -> pa.DataType:
        for name, make in _LISTS.items():
            if self._skip(f"{name}<"):
                return make(self._fields(">")[0])
        if self._skip("struct<"):
            return pa.struct(self._fields(">"))
        if self._skip("map<"):
            return self._map()
        if self._skip("dictionary<values="):
            return self._dictionary()
        return _simple(self._match(_SIMPLE).group())

    def _map(self) -> pa.DataType:
        key = self.type()
        self._need(", ")
        item = self.type()
        self._need(">")
        return pa.map_(key, item)

    def _dictionary(self) -> pa.DataType:
        values = self.type()
        indices, ordered = self._match(_DICTIONARY).groups()
        return pa.dictionary(_simple(indices), values, ordered == "1")

    def _fields(self, end: str) -> list[pa.Field]:
        fields: list[pa.Field] = []
        while not self._skip(end):
            if fields:
                self._need(", ")
            name = self._match(re.compile(r"(.+?): ", re.DOTALL)).group(1)
            dtype = self.type()
            fields.append(pa.field(name, dtype, nullable=not self._skip(" not null")))
        return fields

    def _skip(self, text: str) -> bool:
        found = self.rest.startswith(text)
        self.rest = self.rest[len(text) :] if found else self.rest
        return found

    def _need(self, text: str) -> None:
        if not self._skip(text):
            raise ValueError(f"{text!r} expected before {self.rest!r}")

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.rest)
        if match is None:
            raise ValueError(f"{self.rest!r} is no Arrow type")
        self.rest = self.rest[match.end() :]
        return match


def _simple(name: str) -> pa.DataType:
    if match := _ZONED.fullmatch(name):
        return pa.timestamp(*match.groups())
    if match := _WIDE.fullmatch(name):
        return pa.binary(int(match[1]))
    if match := _DECIMAL.fullmatch(name):
        return getattr(pa, match[1])(int(match[2]), int(match[3]))
    return pa.type_for_alias(_ALIASES.get(name, name))
