"""`describe` of states that have something else where the schemas of their class would be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pytest

from sidecar import CallContext, OutputCollector, ProducerState, Stream
from sidecar.streams.contract import read_protocol
from sidecar.streams.describe import ColumnDescription, describe_service, written

SCHEMA = pa.schema([pa.field("a", pa.int64(), nullable=False)])


class Base(ProducerState):
    """A state, without its turns."""

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.finish()


class WithSchema(Base):
    output_schema = SCHEMA


@dataclass(slots=True)
class WithSlots(Base):
    output_schema: str  # type: ignore[misc]


@dataclass
class WithDefault(Base):
    output_schema: str = "a: int64"  # type: ignore[misc]


COLUMNS = [ColumnDescription("a", "int64", False)]


@pytest.mark.parametrize(
    ("state", "columns"), [(Base, None), (WithSchema, COLUMNS), (WithSlots, None), (WithDefault, None)]
)
def test_the_columns_are_those_of_a_schema(state: Any, columns: Any) -> None:
    class Service(Protocol):
        def stream(self) -> Stream[Any]: ...

    Service.stream.__annotations__["return"] = Stream[state]
    service = read_protocol(Service)
    (method,) = describe_service(service).methods
    assert method.output_schema == columns
    assert "Service.stream" in written({"Service": service})
