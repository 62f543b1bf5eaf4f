"""What a token keeps of a stream, written and read: its state, the state's class, its schemas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..protocol.errors import SidecarError
from ..wire.payload import Payload
from .pieces import read_schema
from .state import StreamState
from .tokens import Token
from .values.codec import InvalidValue
from .values.dataclass import ArrowSerializableDataclass


def write_state(state: StreamState) -> bytes:
    """The state in its compact form. Raises `not_serializable`."""
    name = type(state).__qualname__
    if "<locals>" in name:  # each call of the function makes another class, of which none may exist when it resumes
        message = f"the state {name} cannot be kept in a token: move its class out of the function, into the module"
        raise SidecarError("not_serializable", message)
    try:
        return state.to_compact()
    except (InvalidValue, TypeError) as fault:
        raise SidecarError("not_serializable", f"the state cannot be kept in a token: {fault}") from None


def read_state(token: Token) -> StreamState:
    """The state of a token, made anew. Raises `not_serializable` where its class is gone, or has changed too much."""
    cls = _state_type(token.state_type)
    if cls is None:
        message = f"the token's state is a {token.state_type}, which this sidecar does not have"
        raise SidecarError("not_serializable", message)
    try:
        return cls.from_compact(token.state)
    except (InvalidValue, TypeError) as fault:
        raise SidecarError("not_serializable", f"the token's state cannot be made again: {fault}") from None


def type_name(cls: type) -> str:
    """`module:qualname`, by which a later process finds the class."""
    module = cls.__module__
    if module == "__main__":  # so that `python counter.py serve` and `--service counter:make` resume each other's
        module = Path(getattr(sys.modules[module], "__file__", None) or module).stem
    return f"{module}:{cls.__qualname__}"


def _state_type(name: str) -> type[StreamState] | None:
    """The class of this name, the newest where a module was loaded twice. Nothing is imported for a token."""
    todo: list[Any] = [StreamState]
    found = None
    while todo:
        cls = todo.pop()
        todo += reversed(cls.__subclasses__())
        if type_name(cls) == name and issubclass(cls, ArrowSerializableDataclass):
            found = cls
    return found


def schema_bytes(schema: pa.Schema | None) -> bytes:
    """A schema message; empty for no schema."""
    return b"" if schema is None else schema.serialize().to_pybytes()


def schema_of(data: bytes) -> pa.Schema | None:
    """What `schema_bytes` was given."""
    return read_schema(Payload("arrow", data)) if data else None
