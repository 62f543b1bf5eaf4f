"""A file several times larger than the memory limit: every page of it, sorted and filtered, within the limit, and no
file is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sidecar.client import Filter, Host, Sort
from sidecar.testing import SpawnHost

from .test_traces import CreationWatch

MIB = 1024 * 1024
LIMIT_BYTES = 96 * MIB
ROWS = 3_600_000
GROUP_ROWS = 300_000
WIDE_COLUMNS = 11
PAGE_ROWS = 256

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="looks at the memory in /proc")


def group(number: int) -> pa.Table:
    """One row group: numbers, few and many different ones, strings, and columns that are only there to be large."""
    numbers = pc.random(GROUP_ROWS, initializer=number)
    wide = pc.multiply(numbers, 1e15).cast(pa.int64(), safe=False)
    few = pc.multiply(pc.random(GROUP_ROWS, initializer=1000 + number), 1000).cast(pa.int32(), safe=False)
    name = pc.binary_join_element_wise("name-", pc.bit_wise_and(wide, 0xFFFFFF).cast(pa.string()), "")
    filling = {f"filling {index}": numbers for index in range(WIDE_COLUMNS)}
    return pa.table({"wide": wide, "few": few, "name": name, "ratio": numbers, **filling})


@pytest.fixture(scope="module")
def large_parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than four times the limit, decoded."""
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    size = 0
    with pq.ParquetWriter(path, group(0).schema, compression="none", use_dictionary=False) as writer:
        for number in range(ROWS // GROUP_ROWS):
            rows = group(number)
            size += rows.nbytes
            writer.write_table(rows, row_group_size=GROUP_ROWS)
    assert size >= 4 * LIMIT_BYTES
    return path


class Watched:
    """A sidecar whose memory is looked at after each page."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._before = self._memory("VmRSS")

    def page(self, start: int, **view: Any) -> pa.Table:
        Path(f"/proc/{self._host.process.pid}/clear_refs").write_text("5")
        page = self._host.tables.rows("large", start, start + PAGE_ROWS, **view).table
        assert self._memory("VmHWM") - self._before <= LIMIT_BYTES
        assert self._host.sessions.list().bytes <= LIMIT_BYTES
        return page

    def _memory(self, name: str) -> int:
        lines = Path(f"/proc/{self._host.process.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024


@pytest.fixture
def watched(spawn_host: SpawnHost, large_parquet: Path, tmp_path: Path) -> Iterator[Watched]:
    """One that has the libraries in memory already, and the file open; nothing may be made where files are put."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    places = dict.fromkeys(("TMPDIR", "TMP", "TEMP", "HOME", "POLARS_TEMP_DIR", "POLARS_OOC_SPILL_DIR"), str(folder))
    host = spawn_host("--memory-limit", str(LIMIT_BYTES), env={**os.environ, **places})
    watch = CreationWatch(folder)
    pq.write_table(pa.table({"a": [2, 1]}), tmp_path / "small.parquet")
    host.load(path=tmp_path / "small.parquet", mode="lazy", session="small")
    host.tables.rows("small", 0, 1, sort=[Sort("a")])
    watched = Watched(host)
    assert host.load(path=large_parquet, mode="lazy", session="large").bytes == 0
    yield watched
    assert watch.seen() == b""


STARTS = (0, PAGE_ROWS, 1_500_000, ROWS - PAGE_ROWS)


def test_pages_from_anywhere(watched: Watched, large_parquet: Path) -> None:
    whole = pq.ParquetFile(large_parquet)
    for start in (*STARTS, GROUP_ROWS - 10):
        number = start // GROUP_ROWS
        groups = [number, min(number + 1, ROWS // GROUP_ROWS - 1)]
        expected = whole.read_row_groups(groups).slice(start - number * GROUP_ROWS, PAGE_ROWS)
        assert watched.page(start).equals(expected.slice(0, PAGE_ROWS))


@pytest.mark.parametrize(
    ("sort", "filter"),
    [
        ([Sort("wide")], []),
        ([Sort("name", descending=True)], []),
        ([Sort("few"), Sort("ratio", descending=True)], [Filter("few", "lt", 300)]),
    ],
    ids=["a number", "a string, descending", "two columns, filtered"],
)
def test_sorted_pages(watched: Watched, large_parquet: Path, sort: list[Sort], filter: list[Filter]) -> None:
    names = [key.column for key in sort]
    keys = pq.read_table(large_parquet, columns=names).combine_chunks()
    row = pa.array(range(ROWS), pa.int64())
    keys = keys.append_column("row", row)
    if filter:
        keys = keys.filter(pc.less(keys["few"], 300))
    directions = [(key.column, "descending" if key.descending else "ascending") for key in sort]
    order = keys.take(pc.sort_indices(keys, sort_keys=[*directions, ("row", "ascending")]))
    for start in (0, PAGE_ROWS, order.num_rows // 2, order.num_rows - PAGE_ROWS):
        page = watched.page(start, sort=sort, filter=filter, columns=[*names, "filling 1"])
        assert page.select(names).equals(order.select(names).slice(start, PAGE_ROWS))
