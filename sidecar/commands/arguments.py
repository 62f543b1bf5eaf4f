"""`k=v` of a command line, as parameters of a method."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from ..wire.payload import Payload
from . import shapes
from .mistake import Mistake
from .shapes import Field, Record

MAX_SAFE_INTEGER = 2**53 - 1


def find_method(described: dict[str, Any], name: str) -> dict[str, Any]:
    """The method of this name, which may lack the service if it is the only one. Raises `Mistake`."""
    methods = {method["name"]: method for service in described["services"] for method in service["methods"]}
    found = [full for full in methods if name in (full, full.partition(".")[2])]
    if name in methods or len(found) == 1:
        return methods[name if name in methods else found[0]]  # type: ignore[no-any-return]
    if found:
        raise Mistake(f"{name!r} is a method of several services: {', '.join(found)}")
    hint = "; METHOD stands before its parameters" if "=" in name else ""
    raise Mistake(f"there is no method {name!r} (methods: {', '.join(methods) or 'none'}){hint}")


def parameters(method: dict[str, Any], pairs: Sequence[str]) -> dict[str, Any]:
    """The parameters that the pairs give. Raises `Mistake`: no pair, an unknown name, a name twice, one missing, and a
    value that its schema does not read; whether it takes it, the sidecar says."""
    record = shapes.record(method["params"], method["name"])
    fields = {field.name: field for field in record.fields}
    given: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise Mistake(f"{pair!r} is no parameter: write NAME=VALUE ({_takes(record)})")
        if name not in fields:
            raise Mistake(f"{record.name} has no parameter {name!r} ({_takes(record)})")
        if name in given:
            raise Mistake(f"the parameter {name!r} is given twice")
        given[name] = value(fields[name], text)
    for field in record.fields:
        if field.is_required and field.name not in given:
            raise Mistake(f"{record.name} needs the parameter {field.name!r} ({_takes(record)})")
    return given


def _takes(record: Record) -> str:
    return f"parameters: {', '.join(map(shapes.field_text, record.fields)) or 'none'}"


def value(field: Field, text: str) -> Any:
    """The value that a text stands for: a text parameter takes it as it is, others are JSON; `@FILE` is what is in
    a file, and `@@` begins a text with an @. Raises `Mistake`."""
    is_nullable = isinstance(field.shape, shapes.Nullable)
    inner = field.shape.inner if isinstance(field.shape, shapes.Nullable) else field.shape
    if is_nullable and text == "null":
        return None
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@"):
        data = _file(field, text[1:])
        if isinstance(inner, shapes.Binary):
            return Payload(inner.payload, data)
        text = _decoded(field, data)
    if isinstance(inner, shapes.Binary):
        return _base64(field, text)
    if _is_text(inner):
        return text
    return _json(field, inner, text)


def _base64(field: Field, text: str) -> str:
    try:
        base64.b64decode(text.encode(), validate=True)
    except ValueError:
        raise Mistake(f"{field.name}={text:.80}: {field.name} is bytes: base64, or @FILE") from None
    return text


def _is_text(shape: Any) -> bool:
    if isinstance(shape, shapes.Choice):
        return all(value.startswith('"') for value in shape.values)
    return isinstance(shape, shapes.Text | shapes.Flags)


def _json(field: Field, shape: Any, text: str) -> Any:
    if isinstance(shape, shapes.Real) and text in ("NaN", "Infinity", "-Infinity"):
        return text
    try:
        made = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        if isinstance(shape, shapes.Either) and any(map(_is_text, shape.plain)):
            return text
        quoted = "; a text is written in quotes" if isinstance(shape, shapes.Anything | shapes.Either) else ""
        raise Mistake(f"{field.name}={text:.80}: {field.name} is {shapes.text(field.shape)}{quoted}") from None
    return _safe(made) if isinstance(shape, shapes.Integer) else made


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _safe(number: Any) -> Any:
    is_large = type(number) is int and abs(number) > MAX_SAFE_INTEGER
    return str(number) if is_large else number


def _file(field: Field, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise Mistake(f"{field.name}=@{path}: {reason}") from None


def _decoded(field: Field, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        raise Mistake(f"{field.name} is text, and the file is no UTF-8: {fault.reason} at {fault.start}") from None
