"""From a type hint to its codec."""

from __future__ import annotations

import collections.abc
import operator
import types
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from functools import lru_cache, reduce
from typing import Annotated, Any, Final, ForwardRef, Literal, NewType, TypeVar, Union
from uuid import UUID

import pyarrow as pa

from .annotated import ArrowType, annotated
from .arrow_values import BatchCodec, SchemaCodec, TableCodec
from .codec import Codec, InvalidValue, UnsupportedHint
from .containers import DictCodec, ListCodec, NullableCodec, SetCodec, TupleCodec
from .enums import EnumCodec, FlagCodec, LiteralCodec
from .plain_json import PlainCodec
from .scalars import BoolCodec, BytesCodec, DecimalCodec, FloatCodec, IntCodec, NoneCodec, StrCodec, UuidCodec
from .structs import struct_codec
from .times import DateCodec, DatetimeCodec, TimeCodec, TimedeltaCodec
from .unions import UnionCodec

__all__ = ["ArrowType", "Codec", "InvalidValue", "UnsupportedHint", "codec"]


def codec(hint: Any) -> Codec:
    """The codec of a type hint, made once. Raises `UnsupportedHint`, a `TypeError`, that says what to use instead."""
    try:
        hash(hint)
    except TypeError:
        return _build(hint)
    return _cached(hint, repr(hint))  # `Literal[1, 2]` equals `Literal[2, 1]`, but its schema is another


@lru_cache(maxsize=4096)
def _cached(hint: Any, _written: str) -> Codec:
    return _build(hint)


def _build(hint: Any) -> Codec:
    if isinstance(hint, typing.Hashable) and hint in _SIMPLE:
        return _SIMPLE[hint]
    underlying = _underlying(hint)
    if underlying is not hint:
        return codec(underlying)
    build = _GENERIC.get(typing.get_origin(hint))
    if build is not None:
        return build(hint, typing.get_args(hint))
    return _of_class(hint)


def _underlying(hint: Any) -> Any:
    """What a NewType, an alias, Final, or an Annotated that says nothing to us stands for."""
    if isinstance(hint, NewType):
        return hint.__supertype__
    if type(hint).__name__ == "TypeAliasType":  # `type Name = ...` of Python 3.12
        return hint.__value__
    if typing.get_origin(hint) is Final:
        return typing.get_args(hint)[0]
    return hint


def _of_class(hint: Any) -> Codec:
    if not isinstance(hint, type):
        raise UnsupportedHint(hint, _instead(hint))
    if issubclass(hint, Flag):
        return FlagCodec(hint)
    if issubclass(hint, Enum):
        return EnumCodec(hint)
    if is_dataclass(hint):
        return struct_codec(hint, codec)
    raise UnsupportedHint(hint, _instead(hint))


def _annotated(hint: Any, args: tuple[Any, ...]) -> Codec:
    chosen = [note.type for note in hint.__metadata__ if isinstance(note, ArrowType)]
    inner = codec(args[0])
    if not chosen:
        return inner
    if isinstance(inner, NullableCodec):
        return NullableCodec(annotated(_without_none(args[0]), inner.inner, chosen[-1]))
    return annotated(args[0], inner, chosen[-1])


def _without_none(hint: Any) -> Any:
    rest = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    return rest[0] if len(rest) == 1 else hint


def _union(hint: Any, args: tuple[Any, ...]) -> Codec:
    made = [codec(arg) for arg in args if arg not in (None, type(None))]
    nullable = len(made) < len(args) or any(one.nullable for one in made)
    branches = [one.inner if isinstance(one, NullableCodec) else one for one in made]
    if any(isinstance(one, PlainCodec) and one.kind == "any" for one in branches):
        if len(branches) > 1:
            raise UnsupportedHint(hint, "Any takes the other types too: write Any alone")
        return branches[0]
    one = branches[0] if len(branches) == 1 else UnionCodec(branches)
    return NullableCodec(one) if nullable else one


def _literal(_hint: Any, args: tuple[Any, ...]) -> Codec:
    values = tuple(value for value in args if value is not None)
    if not values:
        return codec(None)
    of = reduce(operator.or_, dict.fromkeys(map(type, values)))
    made = LiteralCodec(codec(of), values)
    return NullableCodec(made) if len(values) < len(args) else made


def _tuple(hint: Any, args: tuple[Any, ...]) -> Codec:
    if len(args) == 2 and args[1] is Ellipsis:
        return ListCodec(codec(args[0]), tuple)
    if not args and hint is typing.Tuple:  # noqa: UP006
        raise UnsupportedHint(hint, _INSTEAD[tuple])
    return TupleCodec([codec(arg) for arg in args])


def _dict(hint: Any, args: tuple[Any, ...]) -> Codec:
    if not args:
        return _SIMPLE[dict]
    key = codec(args[0])
    if key.nullable:
        raise UnsupportedHint(hint, "a key may not be None: use a list of tuples")
    return DictCodec(key, codec(args[1]))


def _items(made: type, of: Callable[[Codec, type], Codec]) -> Callable[[Any, tuple[Any, ...]], Codec]:
    def build(hint: Any, args: tuple[Any, ...]) -> Codec:
        if args:
            return of(codec(args[0]), made)
        if made is list:
            return _SIMPLE[list]
        raise UnsupportedHint(hint, _INSTEAD[made])

    return build


_SIMPLE: dict[Any, Codec] = {
    int: IntCodec(),
    float: FloatCodec(),
    str: StrCodec(),
    bool: BoolCodec(),
    bytes: BytesCodec(),
    None: NoneCodec(),
    type(None): NoneCodec(),
    Decimal: DecimalCodec(),
    UUID: UuidCodec(),
    datetime: DatetimeCodec(),
    date: DateCodec(),
    time: TimeCodec(),
    timedelta: TimedeltaCodec(),
    Any: PlainCodec(),
    list: PlainCodec(list),
    dict: PlainCodec(dict),
    pa.RecordBatch: BatchCodec(),
    pa.Table: TableCodec(),
    pa.Schema: SchemaCodec(),
}

_GENERIC: dict[Any, Callable[[Any, tuple[Any, ...]], Codec]] = {
    Annotated: _annotated,
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
    list: _items(list, ListCodec),
    set: _items(set, SetCodec),
    frozenset: _items(frozenset, SetCodec),
    tuple: _tuple,
    dict: _dict,
}

_INSTEAD: dict[Any, str] = {
    tuple: "use tuple[T, ...] or tuple[A, B]",
    set: "use set[T]",
    frozenset: "use frozenset[T]",
    object: "use Any",
    complex: "use tuple[float, float]",
    bytearray: "use bytes",
    memoryview: "use bytes",
    collections.abc.Sequence: "use list[T]",
    collections.abc.Iterable: "use list[T]",
    collections.abc.Mapping: "use dict[K, V]",
    collections.abc.Callable: "keep it out of the fields",
    collections.deque: "use list[T]",
    pa.Array: "use pa.RecordBatch",
    pa.ChunkedArray: "use pa.Table",
}


def _instead(hint: Any) -> str:
    known = _INSTEAD.get(typing.get_origin(hint) or hint)
    if known is not None:
        return known
    if isinstance(hint, str | ForwardRef):
        return "the name was not resolved: use the class itself"
    if isinstance(hint, TypeVar):
        return "use the type that it stands for"
    if isinstance(hint, type):
        return _instead_of_class(hint)
    return "use a type of the table in the README's part on streams, or bytes"


def _instead_of_class(cls: type) -> str:
    if cls.__name__ in ("DataFrame", "Series", "LazyFrame"):
        return "use pa.Table"
    if cls.__name__ == "ndarray":
        return "use list[T], bytes or pa.RecordBatch"
    if cls.__module__.startswith("pathlib"):
        return "use str"
    if cls.__module__.startswith(("io", "socket", "threading", "_thread", "_io", "sqlite3")):
        return "keep it out of the fields, and its name or path in one"
    base = next((base for base in _SIMPLE if isinstance(base, type) and issubclass(cls, base)), None)
    if base is not None and not issubclass(cls, dict):
        return f"use {base.__name__}"
    return "put @dataclass on it, or use bytes"
