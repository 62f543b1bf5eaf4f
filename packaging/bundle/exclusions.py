"""What of the build environment stays out of a bundle, and why.

Two rules and two lists. Of what is installed, only distributions that `arrow-sidecar` requires get in. Of the standard
library and of pyarrow, what is listed here stays out. What a service reaches by itself gets in all the same
(`bundle.reach`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata

STANDARD_LIBRARY = {
    "_hashlib": "OpenSSL's libcrypto is 5 MB; hashlib has its own code for what the sidecar needs",
    "_ssl": "as _hashlib; a sidecar opens no socket",
    "ssl": "as _ssl",
    "asyncio": "Polars has it for queries that are awaited, which the sidecar does not do",
    "multiprocessing": "a frozen executable that starts itself again as a worker is a trap: see freeze_support",
    "_multiprocessing": "as multiprocessing",
    "_posixshmem": "as multiprocessing",
    "concurrent.futures.process": "as multiprocessing",
    "unittest": "tests: difflib, doctest and others have it for their own",
    "doctest": "as unittest",
    "test": "as unittest",
    "pdb": "a debugger",
    "_pydecimal": "decimal in Python, for a Python without _decimal",
    "pydoc_data": "texts of Python's help",
    "html.entities": "web pages",
    "lib2to3": "development",
    "ensurepip": "installs pip",
    "venv": "as ensurepip",
    "distutils": "as ensurepip",
    "tkinter": "a window toolkit: 10 MB of Tcl and Tk",
    "_tkinter": "as tkinter",
    "turtle": "as tkinter",
    "idlelib": "as tkinter",
    "curses": "terminals, with libncurses",
    "_curses": "as curses",
    "readline": "terminals; GPL",
    "sqlite3": "a database with its own library",
    "_sqlite3": "as sqlite3",
    "dbm": "as sqlite3",
    "http": "no network",
    "ftplib": "no network",
    "xmlrpc": "no network",
    "smtplib": "no network",
    "socketserver": "no network",
    "webbrowser": "no browser",
    "urllib.request": "no network",
    "mimetypes": "no network",
    "xml": "nothing reads XML; pyexpat comes with it",
    "pyexpat": "as xml",
    "lzma": "archives of Python's; tables are compressed by Arrow",
    "_lzma": "as lzma, with liblzma",
    "bz2": "as lzma",
    "_bz2": "as lzma, with libbz2",
    "tarfile": "as lzma",
    "_uuid": "libuuid is for uuid1; uuid4 does without",
    "_codecs_cn": "texts are UTF-8 here: the executable runs in UTF-8 mode whatever the locale",
    "_codecs_hk": "as _codecs_cn",
    "_codecs_iso2022": "as _codecs_cn",
    "_codecs_jp": "as _codecs_cn",
    "_codecs_kr": "as _codecs_cn",
    "_codecs_tw": "as _codecs_cn",
    "_multibytecodec": "as _codecs_cn",
}

PYARROW = {
    "pyarrow.fs": "imports ssl on Linux; stand_ins/pyarrow_fs.py is there for it",
    "pyarrow._fs": "as pyarrow.fs",
    "pyarrow._azurefs": "remote files; pyarrow.fs does without",
    "pyarrow._gcsfs": "remote files",
    "pyarrow._hdfs": "remote files",
    "pyarrow._s3fs": "remote files, with libarrow_s3: 17 MB",
    "pyarrow.flight": "a server and its client, with libarrow_flight: 32 MB",
    "pyarrow.dataset": "Polars has it for lazy scans of datasets; 30 ms of imports, and libarrow_dataset",
    "pyarrow._dataset": "as pyarrow.dataset",
    "pyarrow._dataset_orc": "as pyarrow.dataset",
    "pyarrow._dataset_parquet": "as pyarrow.dataset",
    "pyarrow._dataset_parquet_encryption": "as pyarrow.dataset",
    "pyarrow.acero": "as pyarrow.dataset, with libarrow_acero",
    "pyarrow._acero": "as pyarrow.acero",
    "pyarrow.substrait": "query plans of other engines, with libarrow_substrait",
    "pyarrow._substrait": "as pyarrow.substrait",
    "pyarrow.csv": "Polars reads CSV",
    "pyarrow._csv": "as pyarrow.csv",
    "pyarrow.json": "Polars reads JSON",
    "pyarrow._json": "as pyarrow.json",
    "pyarrow.orc": "a format that the sidecar does not have",
    "pyarrow._orc": "as pyarrow.orc",
    "pyarrow.feather": "Feather 2 is the Arrow file format; version 1 is not read",
    "pyarrow._feather": "as pyarrow.feather",
    "pyarrow._parquet_encryption": "keys come from services on the network",
    "pyarrow.parquet.encryption": "as pyarrow._parquet_encryption",
    "pyarrow.pandas_compat": "pandas is not here",
    "pyarrow.cuda": "graphics cards",
    "pyarrow._cuda": "as pyarrow.cuda",
    "pyarrow.jvm": "Java",
    "pyarrow.tests": "tests",
    "pyarrow.conftest": "tests",
    "pyarrow.benchmark": "tests",
}

OWN = {"sidecar.testing": "pytest fixtures"}

POLARS = {"polars.testing": "asserts for tests, and hypothesis strategies"}

CODECS = {name for name in STANDARD_LIBRARY if name.startswith("_codecs_") or name == "_multibytecodec"}
"""Any service may decode what it reads, by a name that no analysis sees."""

COMES_WITH = {
    "asyncio": ("ssl",),
    "concurrent.futures": ("concurrent.futures.process",),
    "dbm": ("dbm.dumb", "dbm.sqlite3"),
    "fileinput": ("bz2",),
    "ftplib": ("ssl",),
    "hashlib": ("_hashlib",),
    "http.client": ("ssl",),
    "imaplib": ("ssl",),
    "multiprocessing": ("_multiprocessing", "_posixshmem"),
    "nntplib": ("ssl",),
    "poplib": ("ssl",),
    "shelve": ("dbm",),
    "shutil": ("tarfile",),
    "smtplib": ("ssl",),
    "ssl": ("_hashlib",),
    "tarfile": ("bz2", "lzma"),
    "urllib.request": ("ftplib", "mimetypes", "ssl"),
    "xml": ("pyexpat",),
    "zipfile": ("bz2", "lzma"),
    "pyarrow.acero": ("pyarrow._acero", "pyarrow.dataset"),
    "pyarrow.dataset": ("pyarrow._dataset", "pyarrow._dataset_orc", "pyarrow._dataset_parquet", "pyarrow.fs"),
    "pyarrow.parquet.encryption": ("pyarrow._parquet_encryption",),
    "pyarrow.substrait": ("pyarrow._substrait",),
}
"""What a module imports where it is used, or does without where it is not there: in a function, in `try`, by name. It
comes along with one that is let in, or that a service imports itself. Not here is what a module has for tests, for
terminals (readline is GPL), for remote files (pyarrow.fs), and what it has as good a substitute for."""

LISTED = {**STANDARD_LIBRARY, **PYARROW, **POLARS, **OWN}
"""Every listed module with its reason. A module stays out with all that is below it."""


def excluded() -> set[str]:
    """The names of all modules that stay out."""
    return {*LISTED, *not_required()}


def not_required() -> set[str]:
    """The top-level modules of all that is installed and that the sidecar does not require: numpy among them, which
    pyarrow imports where it is there (45 MB, and 45 ms at the first load)."""
    required = required_distributions("arrow-sidecar")
    return {
        module
        for module, distributions in metadata.packages_distributions().items()
        if module.isidentifier() and required.isdisjoint(map(normalized, distributions))
    }


def required_distributions(name: str) -> set[str]:
    """A distribution and all that it requires on this machine, without its extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        distribution = normalized(waiting.pop())
        if distribution not in found:
            found.add(distribution)
            waiting.extend(_requirements(distribution))
    return found


def _requirements(distribution: str) -> Iterator[str]:
    try:
        requirements: Iterable[str] = metadata.requires(distribution) or ()
    except metadata.PackageNotFoundError:  # required on other systems only
        return
    for requirement in requirements:
        if "extra ==" not in requirement.partition(";")[2]:
            yield re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def normalized(name: str) -> str:
    """A distribution's name as the package index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()
