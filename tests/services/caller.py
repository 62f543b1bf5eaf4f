"""Calls the handlers in this process, without wire or threads, and encodes tables for them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidecar.app import Options, methods
from sidecar.protocol.errors import Cancelled, SidecarError
from sidecar.protocol.methods import convert
from sidecar.protocol.streams import Paused, StreamInfo, Turns
from sidecar.wire.limits import GIB
from sidecar.wire.payload import Payload


class RecordingContext:
    """A call's context that writes down what it was told, and is cancelled at a chosen moment.

    `cancel_after` counts looks at cancellation: 0 is cancelled from the start, None never.
    """

    def __init__(self, cancel_after: int | None = None) -> None:
        self.cancel_after = cancel_after
        self.looks = 0
        self.commits = 0
        self.lanes_left = 0
        self.progress_calls: list[tuple[int, int | None, str]] = []
        self.logs: list[tuple[str, str, dict[str, Any]]] = []
        self.id: int | str = 1
        self.deadline: float | None = None
        self.max_payload_bytes = 2 * GIB

    @property
    def cancelled(self) -> bool:
        return self.cancel_after is not None and self.looks >= self.cancel_after

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled
        self.looks += 1

    def commit(self) -> None:
        self.check()
        self.commits += 1

    def leave_lane(self) -> None:
        self.lanes_left += 1

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        self.check()
        self.progress_calls.append((done, total, unit))

    def log(self, level: str, message: str, extra: dict[str, Any]) -> None:
        self.logs.append((level, message, extra))

    def open_stream(self, id: str, turns: Turns, credit_bytes: int, outputs: int = 0, inputs: int = 0) -> None:
        raise AssertionError("streams are tested with the real server")

    def pause(self, stream: str) -> Paused:
        raise AssertionError("streams are tested with the real server")

    def drain(self, stream: str, method: str) -> Paused:
        raise AssertionError("streams are tested with the real server")

    def streams(self) -> list[StreamInfo]:
        return []


class Caller:
    """One set of services, as a host sees it."""

    def __init__(self, **options: Any) -> None:
        self.methods = methods(Options(**options))

    def call(self, name: str, params: dict[str, Any], context: RecordingContext | None = None) -> Any:
        method = self.methods[name]
        return method.handler(convert(params, method.params), context or RecordingContext())

    def is_cheap(self, name: str, params: dict[str, Any]) -> bool:
        method = self.methods[name]
        return method.is_cheap(convert(params, method.params))

    def error(self, name: str, params: dict[str, Any], context: RecordingContext | None = None) -> SidecarError:
        """The error that the call must end with; that it can cross the wire is checked too."""
        with pytest.raises(SidecarError) as caught:
            self.call(name, params, context)
        fault = caught.value
        assert fault.kind in fault.to_object().data.values()
        json.dumps(fault.to_object().data)
        assert fault.message
        return fault

    def load(self, **params: Any) -> Any:
        return self.call("load", params)

    def load_error(self, **params: Any) -> SidecarError:
        return self.error("load", params)

    def load_table(self, table: pa.Table, session: str = "s", **params: Any) -> Any:
        return self.load(arrow_ipc=arrow_payload(stream_bytes(table)), session=session, **params)

    def rows(self, session: str = "s", **params: Any) -> pa.Table:
        """A page, decoded; checked to be as long as the answer says."""
        answer = self.call("tables/rows", {"session": session, **params})
        page = decode(answer)
        if page.num_columns:
            assert page.num_rows == answer.stop - answer.start
        return page

    def json_rows(self, session: str = "s", **params: Any) -> list[dict[str, Any]]:
        answer = self.call("tables/rows", {"session": session, "format": "json", **params})
        return json.loads(bytes(answer.rows))

    def rows_error(self, session: str = "s", **params: Any) -> SidecarError:
        return self.error("tables/rows", {"session": session, **params})

    def sessions(self) -> dict[str, Any]:
        return {info.session: info for info in self.call("sessions/list", {}).sessions}

    def taken_bytes(self) -> int:
        return self.call("sessions/list", {}).bytes


def decode(answer: Any) -> pa.Table:
    if answer.format == "parquet":
        table = pq.read_table(pa.BufferReader(answer.rows.data))
    else:
        table = pa.ipc.open_stream(answer.rows.data).read_all()
    table.validate(full=True)
    return table


def arrow_payload(data: bytes) -> Payload:
    return Payload("arrow", data)


def parquet_payload(data: bytes) -> Payload:
    return Payload("parquet", data)


def stream_bytes(table: pa.Table, rows_per_batch: int | None = None, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows_per_batch)
    return sink.getvalue().to_pybytes()


def file_bytes(table: pa.Table, rows_per_batch: int | None = None, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows_per_batch)
    return sink.getvalue().to_pybytes()


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()
