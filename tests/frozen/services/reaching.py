"""A service that uses everything that stays out of a bundle where nothing reaches it."""

from __future__ import annotations

import _pydecimal
import asyncio
import bz2
import concurrent.futures
import curses
import dbm
import doctest
import ensurepip
import ftplib
import hashlib
import html
import http.server
import io
import lzma
import mimetypes
import multiprocessing
import pdb
import plistlib
import pydoc_data.topics
import shutil
import smtplib
import socketserver
import sqlite3
import ssl
import tarfile
import tempfile
import unittest
import urllib.request
import uuid
import venv
import webbrowser
import xml.dom.minidom
import xml.etree.ElementTree as ET
import xml.sax
import xmlrpc.client
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.acero
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.flight
import pyarrow.fs
import pyarrow.json
import pyarrow.orc
import test

from sidecar import Sidecar

TABLE = pa.table({"x": [1, 2, 3]})


@contextmanager
def folder() -> Iterator[Path]:
    """One of a test's own, not of a sidecar's."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def in_a_pool(method: str) -> int:
    """What a worker says, which is another process."""
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        return pool.apply(abs, (-3,))


def in_an_executor() -> int:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(abs, -3).result()


def in_shared_memory() -> bytes:
    memory = SharedMemory(create=True, size=3)
    try:
        memory.buf[:3] = b"abc"
        return bytes(memory.buf[:3])
    finally:
        memory.close()
        memory.unlink()


async def in_a_loop() -> int:
    return await asyncio.to_thread(abs, -3)


def of_xml(text: str) -> list[str]:
    """By each of its parsers."""
    xml.sax.parseString(text, xml.sax.ContentHandler())
    return [ET.fromstring(text).tag, xml.dom.minidom.parseString(text).documentElement.tagName]


def a_tar(kind: str) -> int:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{kind}") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    with tarfile.open(fileobj=io.BytesIO(packed.getvalue())) as archive:
        return len(archive.getmembers())


def a_zip(kind: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", kind) as archive:
        archive.writestr("name", b"text")
    return zipfile.ZipFile(packed).read("name")


def a_database() -> bytes:
    with folder() as place, dbm.open(str(place / "names"), "n") as database:
        database["key"] = b"value"
        return database["key"]


def a_dataset(kind: str) -> int:
    with folder() as place:
        pyarrow.dataset.write_dataset(TABLE, place, format=kind)
        return pyarrow.dataset.dataset(place, format=kind).filter(pa.compute.field("x") > 1).count_rows()


def an_orc_dataset() -> int:
    with folder() as place:
        pyarrow.orc.write_table(TABLE, place / "a.orc")
        return pyarrow.dataset.dataset(place, format="orc").count_rows()


def an_orc() -> int:
    buffer = pa.BufferOutputStream()
    pyarrow.orc.write_table(TABLE, buffer)
    return pyarrow.orc.read_table(buffer.getvalue()).num_rows


def a_feather() -> int:
    buffer = pa.BufferOutputStream()
    pyarrow.feather.write_feather(TABLE, buffer)
    return pyarrow.feather.read_table(pa.BufferReader(buffer.getvalue())).num_rows


def a_flight() -> int:
    with pyarrow.flight.FlightServerBase("grpc://127.0.0.1:0") as server:
        return int(server.port > 0)


def decoded(*names: str) -> list[str]:
    return ["字".encode(name).decode(name) for name in names]


STANDARD_LIBRARY: dict[str, Callable[[], Any]] = {
    "_hashlib": lambda: hashlib.scrypt(b"a", salt=b"b", n=2, r=1, p=1, dklen=4),
    "_ssl": lambda: ssl.RAND_bytes(4),
    "ssl": lambda: ssl.create_default_context().check_hostname,
    "asyncio": lambda: asyncio.run(in_a_loop()),
    "multiprocessing": lambda: [in_a_pool("spawn"), in_a_pool("forkserver")],
    "_multiprocessing": lambda: multiprocessing.get_context("spawn").Semaphore().acquire(),
    "_posixshmem": in_shared_memory,
    "concurrent.futures.process": in_an_executor,
    "unittest": lambda: unittest.TestCase().countTestCases(),
    "doctest": lambda: len(doctest.DocTestParser().get_examples(">>> 1\n1\n")),
    "test": lambda: test.__name__,
    "pdb": lambda: pdb.Pdb().prompt,
    "_pydecimal": lambda: str(_pydecimal.Decimal("0.1") + 1),
    "pydoc_data": lambda: len(pydoc_data.topics.topics),
    "html.entities": lambda: html.unescape("&auml;"),
    "ensurepip": lambda: ensurepip.version(),
    "venv": lambda: venv.EnvBuilder().with_pip is False,
    "curses": lambda: curses.version,
    "_curses": lambda: curses.ncurses_version.major,
    "sqlite3": lambda: sqlite3.connect(":memory:").execute("SELECT 1").fetchone(),
    "_sqlite3": lambda: sqlite3.sqlite_version,
    "dbm": a_database,
    "http": lambda: http.server.SimpleHTTPRequestHandler.server_version,
    "ftplib": lambda: ftplib.FTP_TLS().passiveserver,
    "xmlrpc": lambda: xmlrpc.client.loads(xmlrpc.client.dumps((1,)))[0],
    "smtplib": lambda: smtplib.SMTP_SSL.default_port,
    "socketserver": lambda: socketserver.BaseServer.timeout is None,
    "webbrowser": lambda: webbrowser.Error.__name__,
    "urllib.request": lambda: [
        type(each).__name__ for each in urllib.request.build_opener(urllib.request.HTTPSHandler).handlers
    ],
    "mimetypes": lambda: mimetypes.guess_type("a.html")[0],
    "xml": lambda: [*of_xml("<a/>"), *plistlib.loads(plistlib.dumps({"a": 1}))],
    "pyexpat": lambda: ET.XMLParser().version,
    "lzma": lambda: lzma.decompress(lzma.compress(b"a")),
    "_lzma": lambda: a_zip(zipfile.ZIP_LZMA),
    "bz2": lambda: bz2.decompress(bz2.compress(b"a")),
    "_bz2": lambda: a_zip(zipfile.ZIP_BZIP2),
    "tarfile": lambda: [a_tar("gz"), a_tar("bz2"), a_tar("xz"), len(shutil.get_archive_formats())],
    "_uuid": lambda: uuid.uuid1().version,
    "_codecs_cn": lambda: decoded("gb2312", "gbk", "gb18030", "hz"),
    "_codecs_hk": lambda: decoded("big5hkscs"),
    "_codecs_iso2022": lambda: decoded("iso2022_jp"),
    "_codecs_jp": lambda: decoded("shift_jis", "euc_jp", "cp932"),
    "_codecs_kr": lambda: decoded("euc_kr", "johab"),
    "_codecs_tw": lambda: decoded("big5", "cp950"),
    "_multibytecodec": lambda: io.TextIOWrapper(io.BytesIO("字".encode("gbk")), "gbk").read(),
}
"""By the name in the list of what stays out."""

PYARROW: dict[str, Callable[[], Any]] = {
    "pyarrow.dataset": lambda: [a_dataset("parquet"), a_dataset("feather"), a_dataset("csv"), an_orc_dataset()],
    "pyarrow.acero": lambda: TABLE.group_by("x").aggregate([]).num_rows,
    "pyarrow.csv": lambda: pyarrow.csv.read_csv(io.BytesIO(b"x\n1\n")).num_rows,
    "pyarrow.json": lambda: pyarrow.json.read_json(io.BytesIO(b'{"x": 1}\n')).num_rows,
    "pyarrow.orc": an_orc,
    "pyarrow.feather": a_feather,
    "pyarrow.flight": a_flight,
    "pyarrow.fs": lambda: pyarrow.fs.LocalFileSystem().get_file_info("/").type.name,
}


class Reaching(Protocol):
    """Uses what stays out otherwise."""

    def use(self, name: str) -> str:
        """What comes of it, as text."""
        ...


class ReachingEverything:
    """See Reaching."""

    def use(self, name: str) -> str:
        """See Reaching."""
        return repr({**STANDARD_LIBRARY, **PYARROW}[name]())


def make() -> Sidecar:
    """What `--service reaching:make` mounts."""
    return Sidecar().mount(Reaching, ReachingEverything())
