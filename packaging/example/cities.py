"""A service to be frozen in. It needs what a sidecar does not: SQLite, and a file of its own.

    python packaging/build.py --name cities --service cities:make --path packaging/example \\
        --data packaging/example/cities.csv=.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from sidecar import CallContext, OutputCollector, ProducerState, Sidecar, Stream

FILE = Path(__file__).with_name("cities.csv")  # `--data …=.` puts it beside the module in the bundle too
SCHEMA = pa.schema([("name", pa.string()), ("latitude", pa.float64()), ("longitude", pa.float64())])


@dataclass
class City:
    """A city and where it is, in degrees."""

    name: str
    latitude: float
    longitude: float


class Cities(Protocol):
    """Finds cities."""

    def nearest(self, latitude: float, longitude: float, limit: int = 3) -> list[City]:
        """Those that are nearest to a place, by degrees."""
        ...

    def of(self, country: str) -> Stream[ProducerState]:
        """The cities of a country, by name, one a batch."""
        ...


@dataclass
class Found(ProducerState):
    """Rows that have not been sent."""

    rows: list[tuple[str, float, float]]

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        """One batch a row."""
        if self.rows:
            name, latitude, longitude = self.rows.pop(0)
            out.emit_pydict({"name": [name], "latitude": [latitude], "longitude": [longitude]})
        else:
            out.finish()


class CitiesInMemory:
    """A database in memory: a sidecar writes no file."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", check_same_thread=False)  # each call has a thread
        self._database.execute("CREATE TABLE cities (name, country, latitude REAL, longitude REAL)")
        self._database.executemany("INSERT INTO cities VALUES (?, ?, ?, ?)", _rows())

    def nearest(self, latitude: float, longitude: float, limit: int = 3) -> list[City]:
        """See Cities."""
        distance = "(latitude - ?) * (latitude - ?) + (longitude - ?) * (longitude - ?)"
        query = f"SELECT name, latitude, longitude FROM cities ORDER BY {distance} LIMIT ?"
        place = (latitude, latitude, longitude, longitude, limit)
        return [City(*row) for row in self._database.execute(query, place)]

    def of(self, country: str) -> Stream[Found]:
        """See Cities."""
        query = "SELECT name, latitude, longitude FROM cities WHERE country = ? ORDER BY name"
        return Stream(SCHEMA, Found(self._database.execute(query, (country,)).fetchall()))


def _rows() -> Iterator[list[str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        yield from list(csv.reader(file))[1:]


def make() -> Sidecar:
    """What `--service cities:make` mounts."""
    return Sidecar().mount(Cities, CitiesInMemory())


if __name__ == "__main__":
    make().run()
