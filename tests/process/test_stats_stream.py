"""tables/stats as a stream of a real process: cheap columns first, pages in between, and an end at any time."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sidecar.client import Filter, Host
from sidecar.client.session import StreamEnded
from tests.peers.raw import DEADLINE_S, memory_peak_bytes
from tests.peers.stream_host import StreamHost

from ..services.caller import arrow_payload, stream_bytes

ROWS = 2000


def table(rows: int = ROWS) -> pa.Table:
    """A column of each cost, the most expensive one first."""
    dice = random.Random(5)
    return pa.table(
        {
            "list": [[dice.randrange(3)] for _ in range(rows)],
            "text": [f"{dice.randrange(10**9)}" for _ in range(rows)],
            "kind": pa.array([f"kind-{row % 4}" for row in range(rows)]).dictionary_encode(),
            "wide": pa.array([dice.randrange(10**6) for _ in range(rows)], pa.int64()),
            "float": [dice.random() if dice.random() < 0.9 else math.nan for _ in range(rows)],
            "small": pa.array([dice.randrange(100) for _ in range(rows)], pa.int8()),
            "flag": [dice.random() < 0.5 for _ in range(rows)],
            "none": pa.nulls(rows),
        }
    )


CHEAP_FIRST = ["none", "flag", "small", "wide", "float", "kind", "text", "list"]


@pytest.fixture
def loaded(host: Host) -> Host:
    """A sidecar with the table as the session `s`."""
    host.load(arrow=table(), session="s")
    return host


def test_cheap_columns_come_first_and_say_what_the_answer_says(loaded: Host) -> None:
    stream = loaded.tables.stats_stream("s")
    assert (stream.header.session, stream.header.total, stream.header.matched) == ("s", ROWS, ROWS)
    assert stream.header.columns == CHEAP_FIRST
    found = list(stream)
    assert [stats.column for stats in found] == CHEAP_FIRST
    asked = {stats.column: stats for stats in loaded.tables.stats("s")}
    assert list(asked) == table().column_names
    assert {stats.column: stats for stats in found} == asked


def test_the_pieces_are_the_table_of_the_answer(loaded: Host) -> None:
    columns = ["text", "small", "list"]
    whole = loaded.tables.stats_table("s", columns)
    parts = [loaded.tables.stats_table("s", [name]) for name in columns]
    assert whole.equals(pa.concat_tables(parts))
    assert [json.loads(text) for text in whole.column("min").to_pylist()[:2]] == [
        min(table().column("text").to_pylist()),
        min(table().column("small").to_pylist()),
    ]


def test_of_a_filtered_view(loaded: Host) -> None:
    view = {"filter": [Filter("small", "lt", 10)]}
    stream = loaded.tables.stats_stream("s", ["wide", "small"], **view)
    small, wide = stream
    assert stream.header.matched == small.non_null_count == small.null_count + wide.non_null_count
    assert [wide, small] == loaded.tables.stats("s", ["wide", "small"], **view)
    assert small.max == 9


def test_pages_come_between_the_columns(loaded: Host) -> None:
    for number, _ in enumerate(loaded.tables.stats_stream("s")):
        page = loaded.tables.rows("s", number, number + 5, columns=["small"], timeout_s=DEADLINE_S)
        assert page.table.column("small") == table().column("small").slice(number, 5)


def open_stats(host: StreamHost, credit_bytes: int, **params: Any) -> Any:
    host.get("load", {"arrow_ipc": arrow_payload(stream_bytes(table())), "session": "s"})
    request = {"stream": "x", "method": "tables/stats", "params": {"session": "s", **params}}
    return host.response(host.ask("streams/open", {**request, "credit_bytes": credit_bytes}))


def test_a_stream_without_credit_holds_up_nothing(streaming: StreamHost) -> None:
    opened = open_stats(streaming, 1)
    assert opened["result"]["header"]["columns"] == CHEAP_FIRST
    page = streaming.get("tables/rows", {"session": "s", "start": 0, "stop": 3, "format": "json", "columns": ["none"]})
    assert page["result"]["rows"] == [{"none": None}] * 3
    assert streaming.streams["x"].end is None
    streaming.notify("credit", "x", bytes=2**20)
    assert streaming.ended("x") == ["finish"]
    batches = streaming.streams["x"].batches()
    assert [batch.column(0).to_pylist() for batch in batches] == [[name] for name in CHEAP_FIRST]


def test_a_session_that_is_closed_meanwhile_is_summed_up_to_the_end(streaming: StreamHost) -> None:
    open_stats(streaming, 1)
    assert "result" in streaming.get("sessions/close", {"session": "s"})
    streaming.notify("credit", "x", bytes=2**20)
    assert streaming.ended("x") == ["finish"]
    assert len(streaming.streams["x"].batches()) == len(CHEAP_FIRST)


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"columns": ["x"]}, "unknown_column"),
        ({"filter": [{"column": "small", "op": "eq", "value": "x"}]}, "invalid_filter"),
    ],
    ids=["a column", "a filter"],
)
def test_a_bad_request_opens_nothing(streaming: StreamHost, params: dict[str, Any], kind: str) -> None:
    assert open_stats(streaming, 1, **params)["error"]["data"]["kind"] == kind
    assert "result" in open_stats(streaming, 1)


def test_a_cancel_in_the_middle_gives_back_what_it_held(host: Host) -> None:
    host.load(arrow=table(200_000), session="s")
    bytes_before = host.sessions.list().bytes
    stream = host.tables.stats_stream("s")
    columns = iter(stream)
    assert next(columns).column == CHEAP_FIRST[0]
    stream.cancel()
    with suppress(StreamEnded):
        assert [stats.column for stats in columns] != CHEAP_FIRST[1:]
    give_up_at = time.monotonic() + DEADLINE_S
    while host.sessions.list().bytes > bytes_before + 100_000:  # what is kept of bins is small
        assert time.monotonic() < give_up_at
    assert host.tables.stats("s", ["flag"])[0].null_count == 0


def test_a_file_several_times_larger_than_the_memory_limit(
    tmp_path: Path, spawn_limited: Callable[[int], Host]
) -> None:
    """It grows by what the limit allows and by what the allocators keep; sorted at once, the texts would take four
    times as much."""
    path = tmp_path / "large.parquet"
    write_large(path)
    host = spawn_limited(LIMIT_BYTES)
    host.load(arrow=table(), session="small")
    assert len(host.tables.stats("small")) == len(CHEAP_FIRST)
    host.load(path=path, session="large", mode="lazy")
    before = memory_peak_bytes(host.hello.pid)
    number, text = host.tables.stats("large")
    assert memory_peak_bytes(host.hello.pid) - before < 2 * LIMIT_BYTES  # malloc keeps some a thread
    assert (number.distinct_count, number.min, number.max, number.median) == (LARGE_ROWS, 0, LARGE_ROWS - 1, MEDIAN)
    assert (text.distinct_count, text.min, text.max) == (LARGE_ROWS, "text-1000000", f"text-{LARGE_ROWS + 999_999}")
    assert sum(bin.count for bin in number.histogram.bins) == LARGE_ROWS


LIMIT_BYTES = 64 * 1024**2
LARGE_ROWS = 2_000_000
MEDIAN = (LARGE_ROWS - 1) / 2


def write_large(path: Path) -> None:
    """Every number once, in an order far from the sorted one, and as text: 16 and 38 MB when decoded, and more
    when sorted."""
    schema = pa.schema([("number", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, LARGE_ROWS, 100_000):
            rows = pa.array(range(start, start + 100_000), pa.int64())
            scattered = pc.subtract(
                pc.multiply(rows, 1_000_003),
                pc.multiply(pc.divide(pc.multiply(rows, 1_000_003), LARGE_ROWS), LARGE_ROWS),
            )
            text = pc.binary_join_element_wise("text", pc.add(scattered, 1_000_000).cast(pa.string()), "-")
            writer.write_table(pa.table([scattered, text], schema=schema))


@pytest.fixture
def spawn_limited(sidecar_command: list[str]) -> Iterator[Callable[[int], Host]]:
    """A function that starts a sidecar with a memory limit."""
    with ExitStack() as stack:
        yield lambda limit: stack.enter_context(Host.spawn(sidecar_command, options=["--memory-limit", str(limit)]))
