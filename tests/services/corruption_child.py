"""A process that loads damaged bytes and pages through what comes of them: a crash takes it, and not the tests.

One JSON object a line comes in, `{"form", "writes": [[place, bytes in hex], ...]}`; one object goes out: `pages`,
how many calls had a result, and `problem`, empty if all others had a typed error, otherwise what else was raised.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow as pa

from sidecar.protocol.errors import SidecarError

from .caller import Caller, arrow_payload, file_bytes, parquet_bytes, stream_bytes

MAX_ROWS = 10_000
"""A damaged length may say any number of rows, of a type that takes no memory."""


def tables() -> dict[str, pa.Table]:
    """Small tables that between them hold every layout that Arrow has."""
    from .test_types import CASES

    everything = {name: array for name, (array, _) in CASES.items()}
    plain = {
        "key": pa.array([2, 1, 3]),
        "string": pa.array(["a", None, "longer than twelve bytes"]),
        "category": pa.array(["x", None, "y"]).dictionary_encode(),
        "list": pa.array([["a"], None, []]),
        "float": pa.array([1.5, None, float("nan")]),
        "bool": pa.array([True, None, False]),
        "time": pa.array([1, None, 2], pa.timestamp("s", "UTC")),
    }
    nested = [name for name in everything if pa.types.is_nested(everything[name].type)]
    views = [name for name in everything if "view" in name or "run" in name]
    dictionaries = [name for name in everything if "dictionary" in name]
    groups = {"nested": nested, "views": views, "dictionaries": dictionaries}
    return {
        "plain": pa.table(plain),
        **{group: pa.table({"key": [2, 1, 3], **{n: everything[n] for n in names}}) for group, names in groups.items()},
    }


def contents() -> dict[str, bytes]:
    """What is damaged, by name: the forms of every table, in two batches."""
    found: dict[str, bytes] = {}
    for name, table in tables().items():
        twice = pa.concat_tables([table, table.slice(1)])
        found[f"{name} stream"] = stream_bytes(twice)
        found[f"{name} stream zstd"] = stream_bytes(twice, compression="zstd")
        found[f"{name} file"] = file_bytes(twice)
    plain = tables()["plain"]
    found["plain parquet"] = parquet_bytes(pa.concat_tables([plain, plain]), row_group_size=3)
    found["plain parquet bare"] = parquet_bytes(plain, compression="none", use_dictionary=False, store_schema=False)
    return found


def use(content: bytes, form: str) -> int:
    """Everything that a host may do with a table; returns how many pages came of it."""
    pages = 0
    key = "parquet" if "parquet" in form else "arrow_ipc"
    for mode in ("eager",) if "stream" in form else ("eager", "lazy"):
        caller = Caller()
        try:
            answer = caller.load(**{key: arrow_payload(content)}, session="s", mode=mode)
        except SidecarError:
            continue
        if answer.rows > MAX_ROWS:
            continue
        for column in (None, *(column.name for column in answer.columns)):
            sort = [{"column": column}] if column is not None else []
            for format_ in ("arrow", "parquet", "json"):
                pages += _is_answered(caller, {"session": "s", "sort": sort, "format": format_})
        pages += _is_answered(caller, {"session": "s", "start": 1, "stop": 2})
    return pages


def _is_answered(caller: Caller, params: dict[str, Any]) -> bool:
    try:
        caller.call("tables/rows", params)
    except SidecarError:
        return False
    return True


def main() -> None:
    found = contents()
    print(json.dumps({form: len(content) for form, content in found.items()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        content = bytearray(found[request["form"]])
        for place, data in request["writes"]:
            new = bytes.fromhex(data)[: len(content) - place]
            content[place : place + len(new)] = new
        pages, problem = 0, ""
        try:
            pages = use(bytes(content), request["form"])
        except BaseException as fault:  # a panic in Rust is no Exception
            problem = f"{type(fault).__name__}: {fault}"
        print(json.dumps({"pages": pages, "problem": problem}), flush=True)


if __name__ == "__main__":
    main()
