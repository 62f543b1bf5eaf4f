"""`k=v` of a command line, as parameters of a method."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from ..wire.limits import MAX_SAFE_INTEGER
from ..wire.payload import Payload
from . import json_text, shapes
from .mistake import Mistake
from .shapes import Field, Record


def find_method(described: dict[str, Any], name: str) -> dict[str, Any]:
    """The method of this name, which may lack the service if it is the only one. Raises `Mistake`."""
    methods = {method["name"]: method for service in described["services"] for method in service["methods"]}
    found = [full for full in methods if name in (full, full.partition(".")[2])]
    if name in methods or len(found) == 1:
        return methods[name if name in methods else found[0]]  # type: ignore[no-any-return]  # as JSON has it
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
        return _of_file(field, inner, text[1:])
    if any("\ud800" <= character <= "\udfff" for character in text):  # how Python shows bytes that are no UTF-8
        raise Mistake(f"{field.name}={text!r:.80}: this is no UTF-8")
    return _of_text(field, inner, text)


def _of_file(field: Field, inner: Any, path: str) -> Any:
    data = _file(field, path)
    if isinstance(inner, shapes.Binary):
        if inner.payload == "arrow" and not data:
            raise Mistake(f"{field.name}=@{path}: the file is empty, and no Arrow IPC stream")
        return Payload(inner.payload, data)
    try:
        return _of_text(field, inner, _decoded(field, data))
    except Mistake as fault:
        raise Mistake(f"{path}: {fault}") from None


def _of_text(field: Field, inner: Any, text: str) -> Any:
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
        made = json_text.read(text)
    except json_text.Refused as fault:
        raise Mistake(f"{field.name}={text:.80}: {fault}") from None
    except (ValueError, RecursionError):
        if isinstance(shape, shapes.Either) and any(map(_is_text, shape.plain)):
            return text
        example = f"; write it as JSON, for example {_example(field.name, shape)}"
        raise Mistake(f"{field.name}={text:.80}: {field.name} is {shapes.text(field.shape)}{example}") from None
    return _safe(made) if isinstance(shape, shapes.Integer) else made


_TEXT_EXAMPLE = "'\"a text\"'"
_EXAMPLES: dict[type, str] = {
    shapes.Integer: "3",
    shapes.Real: "1.5",
    shapes.Listing: "'[1, 2]'",
    shapes.Fixed: "'[1, 2]'",
    shapes.Pairs: "'[[1, 2]]'",
    shapes.Mapping: "'{\"a\": 1}'",
    shapes.Record: "'{\"a\": 1}'",
    shapes.Choice: "1",
}


def _example(name: str, shape: Any) -> str:
    """A pair of that kind, as it is typed in a shell; a text is the one that everybody gets wrong."""
    return f"{name}={_EXAMPLES.get(type(shape), _TEXT_EXAMPLE)}"


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
