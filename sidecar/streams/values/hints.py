"""The type hints of a dataclass's fields, as objects."""

from __future__ import annotations

import sys
import typing
from dataclasses import Field, fields
from types import FunctionType, SimpleNamespace
from typing import Any

from .codec import UnsupportedHint

_FIELDS = "__dataclass_fields__"


def field_hints(cls: type) -> dict[str, Any]:
    """Each field's hint by name, forward references resolved. Raises `UnsupportedHint`, which names the field."""
    return {field.name: _resolved(cls, field) for field in fields(cls)}


def _resolved(cls: type, field: Field[Any]) -> Any:
    owner = [base for base in cls.__mro__ if vars(base).get(_FIELDS, {}).get(field.name) is field][-1]
    one = SimpleNamespace(__annotations__={field.name: field.type})
    far = _globals(owner)
    try:
        return typing.get_type_hints(one, far, {**_names(owner), **far}, include_extras=True)[field.name]
    except NameError as fault:
        instead = f"{fault}: define it in the module {owner.__module__}, outside of functions and of TYPE_CHECKING"
    except Exception as fault:  # evaluating an annotation may raise anything
        instead = str(fault)
    raise UnsupportedHint(field.type, instead, f"{cls.__name__}.{field.name}")


def _names(owner: type) -> dict[str, Any]:
    """What the class's body names, itself too. Neither fields nor methods: in `date: date = TODAY` and beside a method
    `list` the hints mean the types."""
    fields_too = vars(owner)[_FIELDS]
    own = {name: one for name, one in vars(owner).items() if name not in fields_too and not hasattr(one, "__get__")}
    return {owner.__name__: owner, **own}


def _globals(owner: type) -> dict[str, Any]:
    """The names of the module that the class stands in; of its methods' where it was made by `exec`."""
    found: dict[str, Any] = {}
    for function in vars(owner).values():
        if isinstance(function, FunctionType) and function.__module__ == owner.__module__:
            found |= function.__globals__
    module = sys.modules.get(owner.__module__)
    return {**found, **vars(module)} if module is not None else found
