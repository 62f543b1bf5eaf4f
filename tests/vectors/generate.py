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
                    "protocol_version": "1.0.0",
                    "product": "arrow-sidecar",
                    "version": "0.1.0",
                    "build_id": "source",
                    "pid": 4242,
                    "python": "3.11.7",
                    "platform": "linux",
                    "features": ["cancel", "lazy", "progress"],
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
                    "protocol_version": "1.0.0",
                    "host": {"name": "example", "version": "2.3.4"},
                    "limits": {"max_header_bytes": 1048576, "max_payload_bytes": 268435456},
                    "allow_paths": ["/data"],
                },
            )
        ),
    ),
    "initialize-result": from_sidecar(
        "what is in force from here on",
        frame(result("init", {"protocol_version": "1.0.0", "version": "0.1.0", "allow_paths": [["/data"]]})),
    ),
    "initialize-error": from_sidecar(
        "a major version that is not spoken",
        frame(
            failure(
                "init",
                -32600,
                "the host speaks protocol 2.0.0, the sidecar 1.0.0: upgrade the sidecar",
                kind="unsupported_protocol",
                host_version="2.0.0",
                sidecar_version="1.0.0",
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
    named = {**MESSAGES, **{f"payload-{name}": meaning for name, meaning in PAYLOADS.items()}, **FRAMING}
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
