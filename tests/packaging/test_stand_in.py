"""What stands in for pyarrow.fs in the executable: the rest of pyarrow.parquet works with it, on open files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STAND_IN = Path(__file__).parents[2] / "packaging" / "stand_ins" / "pyarrow_fs.py"

SCRIPT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("pyarrow.fs", sys.argv[1])
sys.modules["pyarrow.fs"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import pyarrow as pa, pyarrow.parquet as pq
sink = pa.BufferOutputStream()
pq.write_table(pa.table({"n": [1, 2]}), sink)
print(pq.ParquetFile(pa.BufferReader(sink.getvalue())).read().to_pydict())
for use in (
    lambda: pq.ParquetFile(sys.argv[1]),
    lambda: pq.write_table(pa.table({}), "no_such_folder/file"),
    lambda: pq.ParquetWriter(sink, pa.schema([]), filesystem="s3://bucket"),
):
    try:
        use()
    except NotImplementedError as fault:
        print(fault)
print("ssl" in sys.modules)
"""


def test_it_is_enough_for_open_files() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(STAND_IN)], capture_output=True, text=True, timeout=60, check=True
    )
    table, *refusals, has_ssl = done.stdout.splitlines()
    assert table == "{'n': [1, 2]}"
    assert [refusal.partition(",")[0] for refusal in refusals] == ["pyarrow.fs is not in this executable"] * 3
    assert str(STAND_IN) in refusals[0]
    assert all("--include pyarrow.fs" in refusal for refusal in refusals)
    assert has_ssl == "False"
