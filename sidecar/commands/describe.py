"""`arrow-sidecar describe`: the services of a sidecar, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from . import shapes
from .mistake import Mistake
from .outputs import plain, write
from .target import Target, spawned


def describe(target: Target, service: str | None, format: str) -> None:
    """Print what there is. Raises `Mistake`."""
    with spawned(target) as host:
        described = {"methods_digest": host.methods_digest, **plain(host.call("describe", {}))}
    services = described["services"]
    if service is not None:
        described["services"] = [one for one in services if one["name"] == service]
        if not described["services"]:
            names = ", ".join(one["name"] for one in services) or "none"
            raise Mistake(f"there is no service {service!r} (services: {names})")
    write(f"{_text(described, format)}\n")


def _text(described: dict[str, Any], format: str) -> str:
    if format == "json":
        return msgspec.json.format(msgspec.json.encode(described)).decode()
    if format == "typescript":
        from .typescript import typescript

        return typescript(described).rstrip("\n")
    if format == "rust":
        from .rust import rust

        return rust(described).rstrip("\n")
    return "\n".join(table(described))


def table(described: dict[str, Any]) -> Iterator[str]:
    """Each service with its doc, then one block a method."""
    if not described["services"]:
        yield "no services are mounted"
    for index, service in enumerate(described["services"]):
        if index:
            yield ""
        yield service["name"]
        yield from (f"  {line}".rstrip() for line in service["doc"].splitlines())
        for method in service["methods"]:
            yield ""
            yield from _method(method)
        yield from _types(service)


def _types(service: dict[str, Any]) -> Iterator[str]:
    """The dataclasses that the methods name."""
    forms = [(method["params"], method["result"], method["header"]) for method in service["methods"]]
    found = [one for form in forms for schema in form if schema for one in shapes.records(shapes.read(schema))]
    for record in dict.fromkeys(one for one in found if one.name):
        yield ""
        yield f"{record.name}  (dataclass)"
        yield from (f"  {line}" for line in record.doc.splitlines()[:1])
        yield from (f"    {shapes.field_text(field)}" for field in record.fields)


def _method(method: dict[str, Any]) -> Iterator[str]:
    yield f"{method['name']}  ({method['kind']})"
    for line in method["doc"].splitlines()[:1]:
        yield f"  {line}"
    for field in shapes.record(method["params"], "").fields:
        yield f"    {shapes.field_text(field)}"
    if method["kind"] == "unary":
        yield f"  returns  {shapes.text(shapes.read(method['result']))}"
    if method["header"] is not None:
        yield f"  header   {shapes.text(shapes.read(method['header']))}"
    for label, columns in (("input", method["input_schema"]), ("output", method["output_schema"])):
        if columns is not None:
            yield f"  {label.ljust(7)}  {', '.join(map(_column, columns)) or 'no columns'}"


def _column(column: dict[str, Any]) -> str:
    return f"{column['name']}: {column['dtype']}{'' if column['nullable'] else ' not null'}"
