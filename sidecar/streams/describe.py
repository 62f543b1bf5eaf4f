"""describe: every method of the mounted services, in words and in schemas."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from ..protocol.errors import SidecarError
from ..protocol.methods import Context
from ..wire.payload import find
from .service import REQUIRED, Method, Service
from .values.codec import Codec


class DescribeParams(Struct, forbid_unknown_fields=True):
    """`service` is one alone; null for all."""

    service: str | None = None


class ColumnDescription(Struct):
    """One field of an Arrow schema; `dtype` is Arrow's name of the type."""

    name: str
    dtype: str
    nullable: bool


class MethodDescription(Struct):
    """One method. `kind` is `unary`, `producer`, `exchange`, or `stream` where the Protocol leaves open which. `params`
    is the JSON Schema of the parameters, `result` of what a unary method returns, `header` of a stream's header; the
    other schemas are Arrow's, and null where only the open stream tells them."""

    name: str
    doc: str
    kind: str
    params: dict[str, Any]
    result: dict[str, Any] | None
    has_header: bool
    header: dict[str, Any] | None
    header_schema: list[ColumnDescription] | None
    output_schema: list[ColumnDescription] | None
    input_schema: list[ColumnDescription] | None


class ServiceDescription(Struct):
    """One service and its methods, in the order of the Protocol."""

    name: str
    doc: str
    methods: list[MethodDescription]


class DescribeResult(Struct):
    """The services, in the order in which they were mounted."""

    services: list[ServiceDescription]


class Description:
    """What `describe` says."""

    def __init__(self, services: dict[str, Service]) -> None:
        self._services = services

    def describe(self, params: DescribeParams, _context: Context) -> DescribeResult:
        """`describe`. Raises `invalid_params` for a service that there is not."""
        if params.service is None:
            return DescribeResult([describe_service(service) for service in self._services.values()])
        service = self._services.get(params.service)
        if service is None:
            names = list(self._services)
            raise SidecarError("invalid_params", f"there is no service {params.service!r}", expected=names)
        return DescribeResult([describe_service(service)])


def describe_service(service: Service) -> ServiceDescription:
    """All of one service."""
    return ServiceDescription(service.name, service.doc, [_describe(method) for method in service.methods.values()])


def written(services: dict[str, Service]) -> str:
    """The descriptions as one text, for a digest; empty where there are none."""
    described = [describe_service(service) for service in services.values()]
    return msgspec.json.encode(described, order="sorted").decode() if described else ""


def _describe(method: Method) -> MethodDescription:
    header = method.header
    return MethodDescription(
        name=method.full_name,
        doc=method.doc,
        kind=method.kind,
        params=_params_schema(method),
        result=None if method.result is None else method.result.json_schema(),
        has_header=header is not None,
        header=None if header is None else header.json_schema(),
        header_schema=None if header is None else _header_columns(header),
        output_schema=_columns(getattr(method.state, "output_schema", None)),
        input_schema=_columns(getattr(method.state, "input_schema", None)),
    )


def _params_schema(method: Method) -> dict[str, Any]:
    properties, required = {}, []
    for parameter in method.parameters:
        schema = parameter.codec.json_schema()
        if parameter.default is REQUIRED:
            required.append(parameter.name)
        else:
            form = parameter.codec.to_json(parameter.default, parameter.name)
            if not any(True for _ in find({"default": form})):  # bytes have no place in a schema
                schema["default"] = form
        properties[parameter.name] = schema
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _header_columns(header: Codec) -> list[ColumnDescription] | None:
    return _columns(pa.schema(list(header.arrow))) if pa.types.is_struct(header.arrow) else None


def _columns(schema: Any) -> list[ColumnDescription] | None:
    """Of a state's attribute, which may be a field of that name: its default, or what `__slots__` put there."""
    if not isinstance(schema, pa.Schema):
        return None
    return [ColumnDescription(field.name, str(field.type), field.nullable) for field in schema]
