"""Everything that a sidecar does with tables, in one go: what must hold of a process at any work is tried with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sidecar.client import Filter, Host, Sort

TABLE = pa.table({"n": list(range(5000)), "s": [f"name {n % 97}" for n in range(5000)]})


def write_files(folder: Path) -> dict[str, Path]:
    """The same table in every format that is read from a path."""
    paths = {name: folder / f"table.{name}" for name in ("parquet", "arrow", "arrows", "csv", "tsv", "json", "ndjson")}
    rows = TABLE.to_pylist()
    pq.write_table(TABLE, paths["parquet"], row_group_size=1000)
    with pa.OSFile(str(paths["arrow"]), "wb") as sink, pa.ipc.new_file(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    with pa.OSFile(str(paths["arrows"]), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    for name, comma in (("csv", ","), ("tsv", "\t")):
        lines = [comma.join(("n", "s")), *(f"{row['n']}{comma}{row['s']}" for row in rows)]
        paths[name].write_text("\n".join(lines), encoding="utf-8")
    objects = [f'{{"n":{row["n"]},"s":"{row["s"]}"}}' for row in rows]
    paths["json"].write_text(f"[{','.join(objects)}]", encoding="utf-8")
    paths["ndjson"].write_text("\n".join(objects), encoding="utf-8")
    return paths


def do_everything(host: Host, files: dict[str, Path]) -> list[Any]:
    """Every load, pages, sorts, statistics, SQL, every form of an answer. Returns what was answered, which is the same
    from every sidecar."""
    answers: list[Any] = [host.ping({"a": [1, "ä", None]})]
    for name, path in files.items():
        assert host.load(path=path, session=name).rows == TABLE.num_rows
    for name in ("parquet", "arrow"):
        host.load(path=files[name], session="lazy", mode="lazy")
        assert host.tables.rows("lazy", 2500, 2501).table.to_pylist() == [TABLE.slice(2500, 1).to_pylist()[0]]
    host.load(arrow=TABLE, session="inline")
    host.load(parquet=files["parquet"].read_bytes(), session="inline")
    for session in ("inline", "csv"):
        page = host.tables.rows(session, 0, 10, sort=[Sort("s", descending=True), Sort("n")])
        assert page.table["n"].to_pylist() == list(range(96, 970 + 96, 97))[:10]
        answers += [host.tables.rows(session, 100, 200, format=format).table for format in ("arrow", "parquet")]
        answers.append(host.tables.rows(session, 100, 200, format="json").rows)
    answers += [msgspec.to_builtins(stats) for stats in host.tables.stats("inline", filter=[Filter("n", "ge", 7)])]
    host.tables.sql("SELECT s, sum(n) AS total FROM csv GROUP BY s ORDER BY s", session="sql")
    answers.append(host.tables.rows("sql", 0, 97).table)
    for format in ("arrow_file", "parquet", "csv", "ndjson"):
        data = bytes(host.tables.export_bytes("inline", format))
        assert b"".join(host.tables.export_pieces("inline", format)) == data
        answers.append(data)
    host.sessions.close("inline")
    host.stats()
    return answers
