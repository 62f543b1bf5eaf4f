"""Writes the golden vectors: NAME.json says what NAME.bin means. See README.md.

The bytes are made here by a writer of its own, so that they hold `sidecar.wire` to the protocol and not to itself.
Run it after a change of the protocol, and look at what changed: `python tests/vectors/generate.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# A table of id: int32 and name: utf8, the rows (1, "a"), (2, null), (3, "ß"). Committed as bytes, so that another
# release of the library that wrote them changes nothing.
ARROW = bytes.fromhex("""
    ffffffffa80000001000000000000a000c000600050008000a000000000104000c0000000800080000000400080000000400000002000000
    4400000004000000d4ffffff00000105100000001c0000000400000000000000040000006e616d6500000000040004000400000010001400
    0800060007000c00000010001000000000000102100000001c0000000400000000000000020000006964000008000c000800070008000000
    0000000120000000ffffffffc800000014000000000000000c0016000600050008000c000c00000000030400180000003000000000000000
    00000a0018000c00040008000a0000006c000000100000000300000000000000000000000500000000000000000000000000000000000000
    00000000000000000c0000000000000010000000000000000100000000000000180000000000000010000000000000002800000000000000
    0300000000000000000000000200000003000000000000000000000000000000030000000000000001000000000000000100000002000000
    030000000000000005000000000000000000000001000000010000000300000061c39f0000000000ffffffff00000000
""")

PARQUET = bytes.fromhex("""
    504152311500152415242c15061500150615061c0000000200000006010100000002000000030000001500152215222c1506150015061506
    1c000000020000000305010000006102000000c39f1504193c35001806736368656d61150400150225021802696400150c250218046e616d
    6525004c1c0000001606191c192c26001c150219250600191802696415001606164a164a2608491c150015001502003c2906192600060000
    0026001c150c192506001918046e616d6515001606164816482652491c150015001502003c16061906192602040000001692011606260816
    9201002820706172717565742d6370702d6172726f772076657273696f6e2032362e302e31192c1c00001c000000c100000050415231
""")

# Messages of two IPC streams, without end markers. The first has level: dictionary<int8, utf8> and value: float64 not
# null: ("low", 0.5), ("high", 1.5), ("low", -2) behind the dictionary; ("high", 1), (null, infinity) with the metadata
# {"source": "höher", "n": "2"}; and ("none", 0) behind a dictionary that takes the place of the one before. The second
# has value: float64: the rows 1 and 2 with the metadata {"row": "1"}, and a batch without rows.
LEVEL_SCHEMA = bytes.fromhex("""
    ffffffffd80000001000000000000a000c000600050008000a000000000104000400000074ffffff04000000020000005800000014000000
    100014000800000007000c00000010001000000000000003100000001c00000004000000000000000500000076616c756500060008000600
    0600000000000200100018000800060007000c00100014001000000000000105140000004400000020000000040000000000000005000000
    6c6576656c0000000800080000000400080000000c00000008000c0008000700080000000000000108000000040004000400000000000000
""")
LEVEL_FIRST = bytes.fromhex("""
    ffffffffa800000014000000000000000c0014000600050008000c000c0000000002040014000000180000000000000008000a0000000400
    080000001000000000000a0018000c00040008000a0000004c00000010000000020000000000000000000000030000000000000000000000
    000000000000000000000000000000000c000000000000001000000000000000070000000000000000000000010000000200000000000000
    0000000000000000000000000300000007000000000000006c6f776869676800ffffffffb800000014000000000000000c00160006000500
    08000c000c0000000003040018000000200000000000000000000a0018000c00040008000a0000005c000000100000000300000000000000
    0000000004000000000000000000000000000000000000000000000000000000030000000000000008000000000000000000000000000000
    0800000000000000180000000000000000000000020000000300000000000000000000000000000003000000000000000000000000000000
    0001000000000000000000000000e03f000000000000f83f00000000000000c0
""")
LEVEL_SECOND = bytes.fromhex("""
    ffffffff18010000180000000000000000000e001c0006000500080010000c000e0000000003040074000000100000002000000000000000
    00000000020000002c00000004000000e4ffffff10000000040000000100000032000000010000006e00000008000c000400080008000000
    14000000040000000600000068c3b6686572000006000000736f75726365000000000a0018000c00040008000a0000005c00000010000000
    0200000000000000000000000400000000000000000000000100000000000000080000000000000002000000000000001000000000000000
    0000000000000000100000000000000010000000000000000000000002000000020000000000000001000000000000000200000000000000
    000000000000000001000000000000000100000000000000000000000000f03f000000000000f07f
""")
LEVEL_THIRD = bytes.fromhex("""
    ffffffffa800000014000000000000000c0014000600050008000c000c0000000002040014000000100000000000000008000a0000000400
    080000001000000000000a0018000c00040008000a0000004c00000010000000010000000000000000000000030000000000000000000000
    0000000000000000000000000000000008000000000000000800000000000000040000000000000000000000010000000100000000000000
    000000000000000000000000040000006e6f6e6500000000ffffffffb800000014000000000000000c0016000600050008000c000c000000
    0003040018000000100000000000000000000a0018000c00040008000a0000005c0000001000000001000000000000000000000004000000
    0000000000000000000000000000000000000000000000000100000000000000080000000000000000000000000000000800000000000000
    0800000000000000000000000200000001000000000000000000000000000000010000000000000000000000000000000000000000000000
    0000000000000000
""")
VALUE_SCHEMA = bytes.fromhex("""
    ffffffff780000001000000000000a000c000600050008000a000000000104000c0000000800080000000400080000000400000001000000
    14000000100014000800060007000c00000010001000000000000103100000001c00000004000000000000000500000076616c7565000600
    08000600060000000000020000000000
""")
VALUE_TWO = bytes.fromhex("""
    ffffffffc0000000180000000000000000000e001c0006000500080010000c000e000000000304004c000000100000001000000000000000
    00000000010000000c00000008000c0004000800080000001000000004000000010000003100000003000000726f770000000a0018000c00
    040008000a0000003c0000001000000002000000000000000000000002000000000000000000000000000000000000000000000000000000
    1000000000000000000000000100000002000000000000000000000000000000000000000000f03f0000000000000040
""")
VALUE_NONE = bytes.fromhex("""
    ffffffff700000001000000000000a000e000600050008000a000000000304001000000000000a000c000000040008000a00000030000000
    0400000002000000000000000000000000000000000000000000000000000000000000000000000000000000010000000000000000000000
    0000000000000000
""")

# The answers of an upload: rows and bytes, both int64 not null; one batch with the row (2, 16).
STAGED_SCHEMA = bytes.fromhex("""
    ffffffffb00000001000000000000a000c000600050008000a000000000104000c0000000800080000000400080000000400000002000000
    4800000004000000d0ffffff0000000210000000180000000400000000000000050000006279746573000000c0ffffff0000000140000000
    100014000800000007000c000000100010000000000000021000000020000000040000000000000004000000726f77730000000008000c00
    08000700080000000000000140000000
""")
STAGED_TWO = bytes.fromhex("""
    ffffffffb800000014000000000000000c0016000600050008000c000c0000000003040018000000100000000000000000000a0018000c00
    040008000a0000005c0000001000000001000000000000000000000004000000000000000000000000000000000000000000000000000000
    0800000000000000080000000000000000000000000000000800000000000000080000000000000000000000020000000100000000000000
    00000000000000000100000000000000000000000000000002000000000000001000000000000000
""")


def request(id: int | str, method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def notification(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def result(id: int | str, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def failure(id: int | str | None, code: int, message: str, **data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}}


def payload(path: list[str | int], type: str, data: bytes, shape: list[int | None] | None = None) -> dict[str, Any]:
    shaped = {} if shape is None else {"shape": shape}
    return {"path": path, "type": type, "size": len(data), **shaped, "hex": data.hex()}


def frame(message: dict[str, Any], *payloads: dict[str, Any]) -> dict[str, Any]:
    return {"message": message, "payload": list(payloads)}


def from_host(description: str, *frames: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "direction": "host to sidecar", "frames": list(frames)}


def from_sidecar(description: str, *frames: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "direction": "sidecar to host", "frames": list(frames)}


def both_ways(description: str, *frames: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "direction": "both", "frames": list(frames)}


def typed(type: str, hex: str, shape: list[int | None], description: str) -> dict[str, Any]:
    message = request(1, "ping", {"data": None})
    return from_host(description, frame(message, payload(["params", "data"], type, bytes.fromhex(hex), shape)))


PING = frame(request(1, "ping", {}))
LOADED = {
    "session": "s1",
    "path": "people.parquet",
    "filename": "people.parquet",
    "rows": 3,
    "columns": [
        {"name": "id", "dtype": "int32", "nullable": True},
        {"name": "name", "dtype": "string", "nullable": True},
    ],
    "source": "parquet",
    "format": "parquet",
    "mode": "eager",
    "bytes": 29,
    "warnings": [],
}
PAGE = {"session": "s1", "start": 0, "stop": 3, "total": 3, "matched": 3}

MESSAGES = {
    "hello": from_sidecar(
        "the first frame of all",
        frame(
            notification(
                "hello",
                {
                    "protocol_version": "1.1.0",
                    "product": "arrow-sidecar",
                    "version": "0.1.0",
                    "build_id": "source",
                    "pid": 4242,
                    "python": "3.11.7",
                    "platform": "linux",
                    "features": ["cancel", "lazy", "progress", "streams"],
                    "limits": {
                        "max_header_bytes": 16777216,
                        "max_payload_bytes": 2147483648,
                        "max_pending_bytes": 4294967296,
                        "memory_limit_bytes": None,
                    },
                    "methods_digest": "0123456789abcdef",
                },
            )
        ),
    ),
    "initialize-request": from_host(
        "the host's part of the greeting",
        frame(
            request(
                "init",
                "initialize",
                {
                    "protocol_version": "1.1.0",
                    "host": {"name": "example", "version": "2.3.4"},
                    "limits": {"max_header_bytes": 1048576, "max_payload_bytes": 268435456},
                    "allow_paths": ["/data"],
                    "token_keys": [
                        {"id": "2026-02", "key": None},
                        {"id": "2026-01", "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
                    ],
                },
            ),
            payload(["params", "token_keys", 0, "key"], "bytes", bytes(range(32, 64))),
        ),
    ),
    "initialize-result": from_sidecar(
        "what is in force from here on",
        frame(
            result(
                "init",
                {
                    "protocol_version": "1.1.0",
                    "version": "0.1.0",
                    "allow_paths": [["/data"]],
                    "methods_digest": "0123456789abcdef",
                },
            )
        ),
    ),
    "initialize-error": from_sidecar(
        "a major version that is not spoken",
        frame(
            failure(
                "init",
                -32600,
                "the host speaks protocol 2.0.0, the sidecar 1.1.0: upgrade the sidecar",
                kind="unsupported_protocol",
                host_version="2.0.0",
                sidecar_version="1.1.0",
                upgrade="sidecar",
            )
        ),
    ),
    "ping-request": from_host("a request without payload", PING),
    "ping-result": from_sidecar("its answer", frame(result(1, {"data": None}))),
    "request-text-id": from_host("an id may be text", frame(request("a-1", "ping", {"data": "größe €"}))),
    "request-no-params": from_host(
        "params may be absent", frame({"jsonrpc": "2.0", "id": 2, "method": "sessions/list"})
    ),
    "shutdown-request": from_host("asks the sidecar to end", frame(request(9, "shutdown", {}))),
    "shutdown-result": from_sidecar("the last frame before the end", frame(result(9, None))),
    "cancel": from_host("cancels request 7", frame(notification("$/cancelRequest", {"id": 7}))),
    "cancelled": from_sidecar(
        "the answer to a request that was cancelled",
        frame(failure(7, -32800, "the request was cancelled", kind="cancelled")),
    ),
    "progress": from_sidecar(
        "how far request 7 is; total is null where it is not known",
        frame(
            notification(
                "$/progress", {"id": 7, "done": 8388608, "total": 20971520, "unit": "bytes", "message": "reading"}
            )
        ),
        frame(notification("$/progress", {"id": 7, "done": 1000, "total": None, "unit": "rows", "message": ""})),
    ),
    "log": from_sidecar(
        "a log record", frame(notification("log", {"level": "warning", "message": "2 columns named “x”"}))
    ),
    "error": from_sidecar(
        "a request that could not be served: data.kind, and the fields that a program needs",
        frame(
            failure(7, -32803, "there is no file /data/a.csv", kind="file_not_found", source="path", path="/data/a.csv")
        ),
    ),
    "error-without-id": from_sidecar(
        "the answer to a request whose id could not be read",
        frame(failure(None, -32600, "id must be an integer or a string, not [1]", kind="invalid_request")),
    ),
    "protocol-error": from_sidecar(
        "the last frame before exit code 76",
        frame(
            notification(
                "protocol_error",
                {
                    "culprit": "header_size",
                    "message": "header size 542393671 is not within 1 … 16777216",
                    "quoted": "GET / HTTP/1.1\r\n",
                },
            )
        ),
    ),
    "load-path-request": from_host(
        "a table from a file", frame(request(7, "load", {"path": "/data/people.parquet", "session": "s1"}))
    ),
    "load-arrow-request": from_host(
        "a table as an Arrow IPC stream",
        frame(
            request(7, "load", {"arrow_ipc": None, "label": "people.arrow", "session": "s1"}),
            payload(["params", "arrow_ipc"], "arrow", ARROW),
        ),
    ),
    "load-parquet-request": from_host(
        "a table as Parquet bytes",
        frame(
            request(7, "load", {"parquet": None, "label": "people.parquet", "session": "s1"}),
            payload(["params", "parquet"], "parquet", PARQUET),
        ),
    ),
    "load-result": from_sidecar("what was loaded", frame(result(7, LOADED))),
    "rows-request": from_host(
        "a sorted page of a session",
        frame(
            request(
                8,
                "tables/rows",
                {
                    "session": "s1",
                    "start": 0,
                    "stop": 256,
                    "columns": ["id", "name"],
                    "sort": [{"column": "name", "descending": True}, {"column": "id"}],
                    "format": "arrow",
                },
            )
        ),
    ),
    "rows-arrow-result": from_sidecar(
        "a page as an Arrow IPC stream",
        frame(result(8, {**PAGE, "format": "arrow", "rows": None}), payload(["result", "rows"], "arrow", ARROW)),
    ),
    "rows-parquet-result": from_sidecar(
        "a page as Parquet bytes",
        frame(result(8, {**PAGE, "format": "parquet", "rows": None}), payload(["result", "rows"], "parquet", PARQUET)),
    ),
    "rows-json-result": from_sidecar(
        "a page as JSON",
        frame(
            result(
                8,
                {
                    **PAGE,
                    "format": "json",
                    "rows": [{"id": 1, "name": "a"}, {"id": 2, "name": None}, {"id": 3, "name": "ß"}],
                },
            )
        ),
    ),
}

INT = {"type": ["integer", "string"], "pattern": "^-?(0|[1-9][0-9]*)$", "x-arrow": "int64"}
READINGS = {
    "stream": "r1",
    "method": "Plant.readings",
    "kind": "producer",
    "header": {"total": 6, "logo": None},
    "output_schema": None,
    "input_schema": None,
    "input_credit_bytes": 0,
    "outputs": 0,
    "inputs": 0,
}
SCALE = {
    **READINGS,
    "stream": "x1",
    "method": "Plant.scale",
    "kind": "exchange",
    "header": None,
    "input_credit_bytes": 16777216,
}
OUTPUT_SCHEMA, INPUT_SCHEMA, BATCHES = ["result", "output_schema"], ["result", "input_schema"], ["params", "batches"]
TOKEN = b"\1\7" + b"2026-02" + b"what is in it is the sidecar's affair" + bytes(range(32))


def data(stream: str, *messages: bytes) -> dict[str, Any]:
    """A frame of `streams/data`."""
    message = notification("streams/data", {"stream": stream, "batches": None})
    return frame(message, payload(BATCHES, "arrow", b"".join(messages)))


def end(stream: str, reason: str, outputs: int, inputs: int, error: Any = None) -> dict[str, Any]:
    """A frame of `streams/end`."""
    params = {"stream": stream, "reason": reason, "outputs": outputs, "inputs": inputs, "error": error}
    return frame(notification("streams/end", params))


def about(method: str, stream: str, **params: Any) -> dict[str, Any]:
    """A frame of another notification about a stream."""
    return frame(notification(method, {"stream": stream, **params}))


STREAMS = {
    "hello-services": from_sidecar(
        "the first frame of a sidecar that mounts its services later",
        frame(
            {
                **MESSAGES["hello"]["frames"][0]["message"],
                "params": {**MESSAGES["hello"]["frames"][0]["message"]["params"], "methods_digest": None},
            }
        ),
    ),
    "describe-request": from_host("what is mounted", frame(request(20, "describe", {"service": None}))),
    "describe-result": from_sidecar(
        "a unary method, a producer with a header, and an exchange",
        frame(
            result(
                20,
                {
                    "services": [
                        {
                            "name": "Plant",
                            "doc": "A plant.",
                            "methods": [
                                {
                                    "name": "Plant.add",
                                    "doc": "Adds.",
                                    "kind": "unary",
                                    "params": {
                                        "type": "object",
                                        "properties": {"a": INT, "b": {**INT, "default": 2}},
                                        "required": ["a"],
                                        "additionalProperties": False,
                                    },
                                    "result": INT,
                                    "has_header": False,
                                    "header": None,
                                    "header_schema": None,
                                    "output_schema": None,
                                    "input_schema": None,
                                },
                                {
                                    "name": "Plant.readings",
                                    "doc": "",
                                    "kind": "producer",
                                    "params": {
                                        "type": "object",
                                        "properties": {},
                                        "required": [],
                                        "additionalProperties": False,
                                    },
                                    "result": None,
                                    "has_header": True,
                                    "header": {
                                        "type": "object",
                                        "title": "Header",
                                        "properties": {
                                            "total": INT,
                                            "logo": {
                                                "type": "string",
                                                "contentEncoding": "base64",
                                                "x-payload": "bytes",
                                                "x-arrow": "binary",
                                            },
                                        },
                                        "required": ["total", "logo"],
                                        "x-arrow": "struct<total: int64 not null, logo: binary not null>",
                                    },
                                    "header_schema": [
                                        {"name": "total", "dtype": "int64", "nullable": False},
                                        {"name": "logo", "dtype": "binary", "nullable": False},
                                    ],
                                    "output_schema": [
                                        {
                                            "name": "level",
                                            "dtype": "dictionary<values=string, indices=int8, ordered=0>",
                                            "nullable": True,
                                        },
                                        {"name": "value", "dtype": "double", "nullable": False},
                                    ],
                                    "input_schema": None,
                                },
                                {
                                    "name": "Plant.scale",
                                    "doc": "",
                                    "kind": "exchange",
                                    "params": {
                                        "type": "object",
                                        "properties": {
                                            "factor": {
                                                "type": ["number", "string"],
                                                "pattern": "^(NaN|-?Infinity)$",
                                                "x-arrow": "double",
                                                "default": 2.5,
                                            }
                                        },
                                        "required": [],
                                        "additionalProperties": False,
                                    },
                                    "result": None,
                                    "has_header": False,
                                    "header": None,
                                    "header_schema": None,
                                    "output_schema": [{"name": "value", "dtype": "double", "nullable": True}],
                                    "input_schema": [{"name": "value", "dtype": "double", "nullable": True}],
                                },
                            ],
                        }
                    ]
                },
            )
        ),
    ),
    "call-request": from_host(
        "a unary method; its parameters are within those of the request, and so are binary values",
        frame(
            request(
                21,
                "services/call",
                {
                    "method": "Plant.rename",
                    "params": {"name": "größe", "photo": None, "count": "9007199254740993", "since": "2026-01-31"},
                    "timeout_s": 2.5,
                },
            ),
            payload(["params", "params", "photo"], "bytes", b"\xff\xd8\xff"),
        ),
    ),
    "call-result": from_sidecar("a result of JSON", frame(result(21, {"value": {"old": "a", "at": 1.5, "by": None}}))),
    "call-payload-result": from_sidecar(
        "a result that is a record batch: a whole Arrow IPC stream",
        frame(result(21, {"value": None}), payload(["result", "value"], "arrow", ARROW)),
    ),
    "call-error": from_sidecar(
        "the service failed; and one of its own kinds",
        frame(
            failure(
                21,
                -32803,
                "Plant.rename raised KeyError: 'x'",
                kind="service_error",
                method="Plant.rename",
                type="KeyError",
            )
        ),
        frame(failure(22, -32803, "the plant is shut", kind="plant_shut", until="2026-02-01")),
    ),
    "service-log": from_sidecar(
        "what a method tells before its answer",
        frame(notification("$/log", {"id": 21, "level": "info", "message": "renamed", "extra": {"old": "a"}})),
    ),
    "open-producer-request": from_host(
        "opens a producer with a first credit of 1000 bytes",
        frame(
            request(
                23,
                "streams/open",
                {"stream": "r1", "method": "Plant.readings", "params": {}, "credit_bytes": 1000, "timeout_s": None},
            )
        ),
    ),
    "open-producer-result": from_sidecar(
        "an open producer: its header with a binary value, and the schema message of what comes",
        frame(
            result(23, READINGS),
            payload(["result", "header", "logo"], "bytes", b"logo"),
            payload(OUTPUT_SCHEMA, "arrow", LEVEL_SCHEMA),
        ),
    ),
    "open-exchange-request": from_host(
        "opens an exchange; what is left out has its default",
        frame(request(24, "streams/open", {"stream": "x1", "method": "Plant.scale"})),
    ),
    "open-exchange-result": from_sidecar(
        "an open exchange: both schemas, and credit for input",
        frame(
            result(24, SCALE),
            payload(OUTPUT_SCHEMA, "arrow", VALUE_SCHEMA),
            payload(INPUT_SCHEMA, "arrow", VALUE_SCHEMA),
        ),
    ),
    "open-error": from_sidecar(
        "the opening failed, so there is no stream",
        frame(failure(24, -32803, "there is a stream 'x1' already", kind="stream_exists", stream="x1")),
    ),
    "stream-output": from_sidecar(
        "three batches in two frames: two with a dictionary and metadata, one behind a dictionary of its own",
        data("r1", LEVEL_FIRST, LEVEL_SECOND),
        data("r1", LEVEL_THIRD),
    ),
    "stream-input": from_host(
        "three batches in two frames: the schema of the host, one with metadata and one without rows; another",
        data("x1", VALUE_SCHEMA, VALUE_TWO, VALUE_NONE),
        data("x1", VALUE_TWO),
    ),
    "upload-request": from_host(
        "opens an upload",
        frame(request(30, "streams/open", {"stream": "up", "method": "load/stream", "params": {"label": "readings"}})),
    ),
    "upload-result": from_sidecar(
        "an open upload: the schema of its answers; input of any schema",
        frame(
            result(
                30,
                {
                    "stream": "up",
                    "method": "load/stream",
                    "kind": "exchange",
                    "header": None,
                    "output_schema": None,
                    "input_schema": None,
                    "input_credit_bytes": 16777216,
                    "outputs": 0,
                    "inputs": 0,
                },
            ),
            payload(OUTPUT_SCHEMA, "arrow", STAGED_SCHEMA),
        ),
    ),
    "upload-input": from_host(
        "two batches, one without rows; what came is to be the session `t`; the stream is to end. No answer is awaited",
        data("up", VALUE_SCHEMA, VALUE_TWO),
        data("up", VALUE_NONE),
        frame(request(31, "load", {"stream": "up", "session": "t"})),
        about("streams/close", "up"),
    ),
    "upload-output": from_sidecar(
        "both batches are staged, the table is loaded, the stream is over",
        data("up", STAGED_TWO, STAGED_TWO),
        frame(
            result(
                31,
                {
                    "session": "t",
                    "path": "readings",
                    "filename": "readings",
                    "rows": 2,
                    "columns": [{"name": "value", "dtype": "double", "nullable": True}],
                    "source": "stream",
                    "format": "arrow_stream",
                    "mode": "eager",
                    "bytes": 16,
                    "warnings": [],
                },
            )
        ),
        end("up", "close", 2, 2),
    ),
    "stream-credit": both_ways("so many bytes more may come", about("streams/credit", "r1", bytes=8388608)),
    "stream-close": from_host("no more input comes", about("streams/close", "x1")),
    "stream-cancel": from_host("the stream is to end now", about("streams/cancel", "r1")),
    "stream-log": from_sidecar(
        "what a turn tells",
        about("streams/log", "r1", level="warning", message="3 gaps", extra={"gaps": [1, 5, 8], "unit": None}),
    ),
    "stream-progress": from_sidecar(
        "how far a stream is",
        about("streams/progress", "r1", done=3, total=6, unit="rows", message=""),
        about("streams/progress", "r1", done=3, total=None, unit="rows", message="still going"),
    ),
    "stream-end": from_sidecar(
        "an end with each reason",
        end("r1", "finish", 3, 0),
        end("x1", "close", 3, 3),
        end("r2", "cancel", 1, 0),
        end(
            "r3",
            "error",
            2,
            0,
            failure(0, -32803, "Plant.readings raised OSError: gone", kind="service_error", type="OSError")["error"],
        ),
        end("r4", "idle", 0, 0, failure(0, -32803, "silence", kind="idle_timeout", idle_s=3600)["error"]),
        end("x2", "host_gone", 7, 7),
        end("x3", "shutdown", 0, 0),
    ),
    "stream-unknown": from_sidecar(
        "the answer to a message about a stream that never was",
        frame(
            failure(None, -32803, "there is no open stream 'r9'", kind="unknown_stream", stream="r9", streams=["r1"])
        ),
    ),
    "checkpoint-request": from_host("asks for a token", frame(request(25, "streams/checkpoint", {"stream": "r1"}))),
    "checkpoint-result": from_sidecar(
        "a token, and how far the stream was",
        frame(
            result(25, {"stream": "r1", "token": None, "outputs": 2, "inputs": 0, "expires_at": 1795311067}),
            payload(["result", "token"], "bytes", TOKEN),
        ),
    ),
    "resume-request": from_host(
        "goes on from a token under another id",
        frame(
            request(26, "streams/resume", {"stream": "r5", "token": None, "credit_bytes": 0, "timeout_s": 60}),
            payload(["params", "token"], "bytes", TOKEN),
        ),
    ),
    "resume-result": from_sidecar(
        "the stream goes on after 2 batches, without a header",
        frame(
            result(26, {**READINGS, "stream": "r5", "header": None, "outputs": 2}),
            payload(OUTPUT_SCHEMA, "arrow", LEVEL_SCHEMA),
        ),
    ),
    "resume-error": from_sidecar(
        "a token that has expired",
        frame(
            failure(
                26,
                -32803,
                "the token expired 3 s ago",
                kind="token_expired",
                expires_at=1795311067,
                now=1795311070,
            )
        ),
    ),
    "streams-list-request": from_host("which streams are open", frame(request(27, "streams/list", {}))),
    "streams-list-result": from_sidecar(
        "the open streams; the second is in debt",
        frame(
            result(
                27,
                {
                    "streams": [
                        {
                            "stream": "r1",
                            "method": "Plant.readings",
                            "kind": "producer",
                            "outputs": 2,
                            "inputs": 0,
                            "credit_bytes": 256,
                        },
                        {
                            "stream": "x1",
                            "method": "Plant.scale",
                            "kind": "exchange",
                            "outputs": 3,
                            "inputs": 3,
                            "credit_bytes": -152,
                        },
                    ]
                },
            )
        ),
    ),
}

PAYLOADS = {
    "float16": typed("float16", "003c 00c0 007e", [3], "1, -2, NaN"),
    "float32": typed("float32", "0000803f 000000c0 0000807f", [3], "1, -2, infinity"),
    "float64": typed("float64", "000000000000f03f 00000000000000c0 0000000000000080", [3], "1, -2, -0"),
    "int8": typed("int8", "01 80 7f", [3], "1, and the lowest and the highest"),
    "int16": typed("int16", "0100 0080 ff7f", [3], "1, and the lowest and the highest"),
    "int32": typed("int32", "01000000 00000080 ffffff7f", [3], "1, and the lowest and the highest"),
    "int64": typed(
        "int64", "0100000000000000 0000000000000080 ffffffffffffff7f", [3], "1, and the lowest and the highest"
    ),
    "uint8": typed("uint8", "00 01 ff", [3], "0, 1 and the highest"),
    "uint16": typed("uint16", "0000 0100 ffff", [3], "0, 1 and the highest"),
    "uint32": typed("uint32", "00000000 01000000 ffffffff", [3], "0, 1 and the highest"),
    "uint64": typed("uint64", "0000000000000000 0100000000000000 ffffffffffffffff", [3], "0, 1 and the highest"),
    "bool": typed("bool", "00 01 01", [3], "false, true, true: a byte each"),
    "shape-two-dimensions": typed("int16", "0100 0200 0300 0400 0500 0600", [2, 3], "[[1, 2, 3], [4, 5, 6]]"),
    "shape-three-dimensions": typed("uint8", "00 01 02 03 04 05 06 07", [2, 2, 2], "the last dimension is the fastest"),
    "shape-missing-dimension": typed("float32", "0000803f 00000040", [2, None], "null for a missing dimension"),
    "shape-scalar": typed("int32", "2a000000", [], "42, without a dimension"),
    "shape-empty": typed("float64", "", [0], "no item, and no byte in the payload"),
    "shape-empty-of-many": typed("float64", "", [3, 0, 2], "no item in three dimensions"),
    "shape-absent": from_host(
        "a typed array without a shape has one dimension",
        frame(request(1, "ping", {"data": None}), payload(["params", "data"], "int16", b"\1\0\2\0")),
    ),
    "bytes": from_host(
        "a binary value; it ends where size says, before the padding",
        frame(request(1, "ping", {"data": None}), payload(["params", "data"], "bytes", b"\0\1\xfe\xff\0")),
    ),
    "bytes-empty": from_host(
        "a binary value of no byte",
        frame(request(1, "ping", {"data": None}), payload(["params", "data"], "bytes", b"")),
    ),
    "bytes-one-block": from_host(
        "64 bytes need no padding, 65 need 63",
        frame(
            request(1, "ping", {"data": [None, None]}),
            payload(["params", "data", 0], "bytes", bytes(range(64))),
            payload(["params", "data", 1], "bytes", bytes(range(65))),
        ),
    ),
    "several": from_host(
        "several binary values of one message, in objects and lists, beside values that only look like one",
        frame(
            request(
                1,
                "ping",
                {"data": {"0": None, "x": None, "list": [None, {"y": None}, None], "none": None, "$payload": 0}},
            ),
            payload(["params", "data", "0"], "bytes", b"zero"),
            payload(["params", "data", "x"], "float32", bytes.fromhex("0000803f"), [1]),
            payload(["params", "data", "list", 1, "y"], "bool", b"\1\0", [2]),
            payload(["params", "data", "list", 2], "arrow", ARROW),
        ),
    ),
    "result-itself": from_sidecar(
        "a result that is one binary value", frame(result(1, None), payload(["result"], "bytes", b"\0"))
    ),
    "error-data": from_sidecar(
        "a binary value beside an error",
        frame(
            failure(1, -32603, "failed", kind="internal_error", dump=None),
            payload(["error", "data", "dump"], "bytes", b"\xde\xad"),
        ),
    ),
}

FRAMING = {
    "frames": both_ways(
        "frames follow one another without a gap; headers of 60 and of 61 bytes take one block and two",
        frame(notification("x", {"a": "123456789_12"})),
        frame(notification("x", {"a": "123456789_123"})),
        frame(request(1, "ping", {"data": None}), payload(["params", "data"], "bytes", b"x")),
        PING,
    ),
}


def write_frame(frame: dict[str, Any]) -> bytes:
    """A frame as the protocol says, from its meaning."""
    header, body = dict(frame["message"]), b""
    for item in frame["payload"]:
        descriptor = {"path": item["path"], "type": item["type"], "size": item["size"]}
        shaped = {"shape": item["shape"]} if "shape" in item else {}
        header.setdefault("payload", []).append({**descriptor, **shaped})
        data = bytes.fromhex(item["hex"])
        body += data + bytes(-len(data) % 64)
    return wrap(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()) + body


def wrap(header: bytes) -> bytes:
    """A header's text with its size and padding."""
    text = header + b" " * (-(4 + len(header)) % 64)
    return len(text).to_bytes(4, "little") + text


def fault(culprit: str, description: str, wire: bytes, *frames: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Bytes that are no frame, after `frames` that are."""
    meaning = {
        "description": description,
        "direction": "both",
        "frames": list(frames),
        "fault": {"culprit": culprit},
    }
    return meaning, b"".join(map(write_frame, frames)) + wire


ONE_BYTE = write_frame(frame(request(1, "ping", {"data": None}), payload(["params", "data"], "bytes", b"x")))

FAULTS = {
    "fault-http": fault("header_size", "an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "fault-print": fault("header_size", "a stray print after a frame", b"Hello, world!\n", PING),
    "fault-size-zero": fault("header_size", "a size of 0", bytes(64)),
    "fault-size-negative": fault("header_size", "a size of -4", b"\xfc\xff\xff\xff" + b"{}".ljust(60)),
    "fault-size-over-limit": fault("header_size", "16 MiB + 60 bytes", (16 * 1024 * 1024 + 60).to_bytes(4, "little")),
    "fault-size-misaligned": fault("header_size", "4 + 61 is no multiple of 64", b"\x3d\0\0\0" + b"{}".ljust(61)),
    "fault-size-big-endian": fault("header_size", "60, the other way round", b"\0\0\0\x3c" + b"{}".ljust(60)),
    "fault-header-text": fault("header", "no JSON", wrap(b"hello")),
    "fault-header-list": fault("header", "JSON, but no object", wrap(b"[1]")),
    "fault-header-utf8": fault("header", "no UTF-8", wrap(b'{"method":"\xff"}')),
    "fault-header-zeros": fault("header", "padded with zeros", b"\x3c\0\0\0" + b"{}".ljust(60, b"\0")),
    "fault-payload-object": fault("payload", "the payload member is no list", wrap(b'{"payload":{}}')),
    "fault-payload-no-size": fault("payload", "a descriptor without a size", wrap(b'{"payload":[{"type":"bytes"}]}')),
    "fault-payload-negative": fault("payload", "a size of -1", wrap(b'{"payload":[{"size":-1}]}')),
    "fault-payload-float": fault("payload", "a size of 1.5", wrap(b'{"payload":[{"size":1.5}]}')),
    "fault-payload-over-limit": fault("payload", "2 GiB + 1 byte", wrap(b'{"payload":[{"size":2147483649}]}')),
    "fault-payload-sum": fault(
        "payload", "2 GiB + 1 byte together", wrap(b'{"payload":[{"size":2147483648},{"size":1}]}')
    ),
    "fault-truncated-size": fault("truncated", "the end after 3 bytes", ONE_BYTE[:3], PING),
    "fault-truncated-header": fault("truncated", "the end inside a header", ONE_BYTE[:60], PING),
    "fault-truncated-payload": fault("truncated", "the end before a payload", ONE_BYTE[:-64], PING),
    "fault-truncated-padding": fault("truncated", "the end one byte early, in the padding", ONE_BYTE[:-1], PING),
}


def vectors() -> dict[str, tuple[dict[str, Any], bytes]]:
    """Every vector by its name: meaning and bytes."""
    named = {**MESSAGES, **STREAMS, **{f"payload-{name}": meaning for name, meaning in PAYLOADS.items()}, **FRAMING}
    whole = {name: (meaning, b"".join(map(write_frame, meaning["frames"]))) for name, meaning in named.items()}
    return {**whole, **FAULTS}


def files() -> dict[str, bytes]:
    """Every file that belongs here, by its name."""
    made: dict[str, bytes] = {}
    for name, (meaning, wire) in vectors().items():
        made[f"{name}.json"] = (json.dumps(meaning, ensure_ascii=False, indent=2) + "\n").encode()
        made[f"{name}.bin"] = wire
    return made


def committed() -> dict[str, bytes]:
    """Every vector file that is here."""
    return {path.name: path.read_bytes() for path in HERE.iterdir() if path.suffix in (".json", ".bin")}


def main() -> None:
    made = files()
    for name in committed().keys() - made.keys():
        (HERE / name).unlink()
    for name, data in made.items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
