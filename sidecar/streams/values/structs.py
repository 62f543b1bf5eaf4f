"""The codec of a dataclass: its fields by name, in every form, with those of other versions of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import pyarrow as pa

from ...wire.payload import find
from .codec import Codec, InvalidValue, UnsupportedHint, description
from .hints import field_hints

Build = Callable[[Any], Codec]

_BUILDING: ContextVar[tuple[type, ...]] = ContextVar("dataclasses whose codecs are being built", default=())
_RESTORING: ContextVar[bool] = ContextVar("whether every field gets the value that was written", default=False)


@contextmanager
def restoring() -> Iterator[None]:
    """Within it `from_json` gives each field the value that was written, whatever `__post_init__` made of it: a state
    goes on as it was. Outside of it the class has the last word on what a host sent."""
    token = _RESTORING.set(True)
    try:
        yield
    finally:
        _RESTORING.reset(token)


def struct_codec(cls: type, build: Build) -> StructCodec:
    """The codec of a dataclass. Raises `TypeError` that names the field which has none."""
    check_dataclass(cls)
    building = _BUILDING.get()
    if cls in building:
        raise UnsupportedHint(cls, "it holds itself, which no Arrow type can: keep a list, and indices into it")
    token = _BUILDING.set((*building, cls))
    try:
        hints = field_hints(cls)
        return StructCodec(cls, {name: _built(cls, name, hint, build) for name, hint in hints.items()})
    finally:
        _BUILDING.reset(token)


def _built(cls: type, name: str, hint: Any, build: Build) -> Codec:
    try:
        return build(hint)
    except UnsupportedHint as fault:
        if fault.place:
            raise
        raise UnsupportedHint(fault.hint, fault.instead, f"{cls.__name__}.{name}") from None


def check_dataclass(cls: type) -> None:
    """Raises `TypeError` for a class that is no dataclass, or has fields of which `@dataclass` knows nothing."""
    if not isinstance(cls, type) or not is_dataclass(cls) or _undecorated(cls):
        raise TypeError(f"{getattr(cls, '__qualname__', cls)} is no dataclass: put @dataclass on it")
    if not _is_called(cls):
        return
    missing = [name for name, needed in _parameters(cls).items() if needed and name not in _init_fields(cls)]
    if missing:
        names = ", ".join(f"{cls.__name__}.{name}" for name in missing)
        raise TypeError(f"{names}: __init__ needs it, but it is no field and so is not kept; give it a default")


def _undecorated(cls: type) -> bool:
    """Whether a subclass of a dataclass names fields and lacks the decorator that would make them some."""
    if "__dataclass_fields__" in vars(cls):
        return False
    try:
        own = inspect.get_annotations(cls)
    except NameError:  # Python 3.14 resolves them here
        return True
    return bool(set(own) - set(cls.__dataclass_fields__))  # type: ignore[attr-defined]  # a dataclass


def _init_fields(cls: Any) -> set[str]:
    return {field.name for field in fields(cls) if field.init}


def _parameters(cls: type) -> dict[str, bool]:
    """What `__init__` takes by name, and whether it cannot do without."""
    _, *given = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return {
        one.name: one.default is one.empty for one in given if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    }


def _is_called(cls: Any) -> bool:
    """Whether `__init__` takes the fields, as the one that `@dataclass` makes. Else an object is made without it."""
    return bool(cls.__dataclass_params__.init) and _init_fields(cls) <= _parameters(cls).keys()


class StructCodec(Codec):
    """A dataclass: a struct. Fields that it does not know are ignored, those that are missing take their default."""

    kind = "object"

    def __init__(self, cls: type, codecs: dict[str, Codec]) -> None:
        self.cls: Any = cls
        self.codecs = codecs
        self.is_called = _is_called(cls)
        self.fields: dict[str, Field[Any]] = {field.name: field for field in fields(cls)}
        self.arrow = pa.struct([pa.field(name, codec.arrow, codec.nullable) for name, codec in codecs.items()])
        self.name = cls.__name__

    def to_arrow(self, value: Any, where: str) -> dict[str, Any]:
        return {name: codec.to_arrow(part, f"{where}.{name}") for name, codec, part in self._parts(value, where)}

    def to_json(self, value: Any, where: str) -> dict[str, Any]:
        return {name: codec.to_json(part, f"{where}.{name}") for name, codec, part in self._parts(value, where)}

    def _parts(self, value: Any, where: str) -> Iterator[tuple[str, Codec, Any]]:
        if type(value) is not self.cls:
            derived = isinstance(value, self.cls)
            raise self.refusal(value, where, f"what {type(value).__name__} adds to it would be lost" if derived else "")
        for name, codec in self.codecs.items():
            try:
                part = getattr(value, name)
            except AttributeError:
                raise InvalidValue(f"{where}.{name}", f"{codec.name} expected, but it was never set") from None
            yield name, codec, part

    def from_arrow(self, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise self.refusal(value, where)
        read = {
            name: codec.from_arrow(value[name], f"{where}.{name}")
            for name, codec in self.codecs.items()
            if name in value
        }
        return self._made(read, where, exact=True)

    def from_json(self, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise self.refusal(value, where)
        read = {
            name: codec.from_json(value[name], f"{where}.{name}")
            for name, codec in self.codecs.items()
            if name in value
        }
        return self._made(read, where, exact=_RESTORING.get())

    def _made(self, read: dict[str, Any], where: str, *, exact: bool) -> Any:
        """An object of the class, by its own `__init__`: what that sets beside the fields is set then."""
        for name, field in self.fields.items():
            if name not in read and field.init and not _has_default(field):
                raise InvalidValue(f"{where}.{name}", f"missing, and {self.name}.{name} has no default")
        if self.is_called:
            made = self._called({name: part for name, part in read.items() if self.fields[name].init}, where)
        else:
            made = self.cls.__new__(self.cls)
            read = {**self._defaults(read), **read}
        for name, part in read.items():
            if exact or not self.is_called or not self.fields[name].init:
                object.__setattr__(made, name, part)  # frozen ones too
        return made

    def _called(self, arguments: dict[str, Any], where: str) -> Any:
        try:
            return self.cls(**arguments)
        except Exception as fault:
            raise InvalidValue(where, f"{self.name} refuses these values: {fault}") from fault

    def _defaults(self, read: dict[str, Any]) -> dict[str, Any]:
        """Of a class that has no `__init__` of `@dataclass`'s."""
        made: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name not in read and field.default_factory is not MISSING:
                made[name] = field.default_factory()
            elif name not in read and field.default is not MISSING:
                made[name] = field.default
        return made

    def matches(self, value: Any) -> bool:
        return type(value) is self.cls

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        if not pa.types.is_struct(stored):
            raise InvalidValue(where, f"Arrow type {self.arrow} expected, not {stored}")
        for field in stored:
            if field.name in self.codecs:
                self.codecs[field.name].check_stored(field.type, f"{where}.{field.name}")

    def schema(self) -> dict[str, Any]:
        properties = {
            name: {**codec.json_schema(), **_default(self.fields[name], codec)} for name, codec in self.codecs.items()
        }
        required = [name for name, field in self.fields.items() if field.init and not _has_default(field)]
        return {"type": "object", **description(self.cls), "properties": properties, "required": required}


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _default(field: Field[Any], codec: Codec) -> dict[str, Any]:
    """The default, where it has a JSON form. Of factories only the empty containers: others may differ each time."""
    factory = field.default_factory
    if factory is not MISSING and factory not in (list, dict, set, frozenset, tuple):
        return {}
    value = factory() if factory is not MISSING else field.default
    if value is MISSING:
        return {}
    try:
        form = codec.to_json(value, "")
    except InvalidValue:
        return {}
    return {} if any(True for _ in find({"default": form})) else {"default": form}
