"""Which package of the operating system a library belongs to, and where that keeps its licence."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from .component import Component, states_terms, texts_of

Run = Callable[[Sequence[str]], str]
"""Runs a command and returns what it prints; "" if it fails or is not there."""


def run(command: Sequence[str]) -> str:
    plain = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=plain, timeout=60, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def component_of(source: Path, run: Run = run, root: Path = Path("/")) -> Component | None:
    """By dpkg, rpm or Homebrew. `root` is where the licences are read from, for tests."""
    path = source.resolve()
    return _dpkg(path, run, root) or _rpm(path, run, root) or _homebrew(path)


def _dpkg(path: Path, run: Run, root: Path) -> Component | None:
    for name in _spellings(path):
        found = _package(run(["dpkg-query", "-S", name]))
        if found:
            version = run(["dpkg-query", "-W", "-f", "${Version}", found])
            package = found.partition(":")[0]
            return Component(package, version.strip(), "", _debian_texts(package, root))
    return None


def _spellings(path: Path) -> Iterator[str]:
    """dpkg knows a file by the name it was packed with, which on merged systems may lack the `/usr` or have it."""
    name = path.as_posix()
    yield name
    yield name.removeprefix("/usr") if name.startswith("/usr/") else f"/usr{name}"


def _package(printed: str) -> str:
    """The first in `zlib1g:amd64: /lib/libz.so.1`, `a:amd64, b:amd64: /path`; not in `diversion by a from: /path`."""
    lines = (line for line in printed.splitlines() if not line.startswith("diversion by "))
    return next(lines, "").partition(": ")[0].partition(", ")[0]


def _debian_texts(package: str, root: Path) -> tuple[tuple[str, str], ...]:
    """`copyright`, and the texts that it only points to: those of common licences are on every Debian once."""
    texts = texts_of([root / "usr/share/doc" / package / "copyright"], root)
    common = root / "usr/share/common-licenses"
    named = {name.rstrip(".") for _, text in texts for name in re.findall(r"common-licenses/([\w.+-]+)", text)}
    return (*texts, *texts_of((common / name for name in named), root))


def _rpm(path: Path, run: Run, root: Path) -> Component | None:
    """A library's licence may be packed with its sister: libgcc has that of libstdc++."""
    tags = r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{LICENSE}\t%{SOURCERPM}\n"
    found = run(["rpm", "-qf", "--queryformat", tags, path.as_posix()]).splitlines()
    if not found:
        return None
    name, version, licence, origin = found[0].split("\t")
    installed = (line.split("\t") for line in run(["rpm", "-qa", "--queryformat", tags]).splitlines())
    sisters = sorted({sister for sister, _, _, its_origin in installed if its_origin == origin} - {name})
    texts = next(filter(None, (_rpm_texts(package, run, root) for package in (name, *sisters))), ())
    return Component(name, version, licence, texts)


def _rpm_texts(package: str, run: Run, root: Path) -> tuple[tuple[str, str], ...]:
    """Those that the package calls licences, and what lies in the folder for them."""
    listed = run(["rpm", "-q", "--licensefiles", package]).splitlines()
    paths = {root / line.lstrip("/") for line in listed if line.startswith("/")}
    return texts_of(paths | set((root / "usr/share/licenses" / package).glob("*")), root)


def _homebrew(path: Path) -> Component | None:
    """A keg is `…/Cellar/<name>/<version>`, with the licence at its top."""
    parts = path.parts
    if "Cellar" not in parts[:-3]:
        return None
    at = parts.index("Cellar")
    keg = Path(*parts[: at + 3])
    return Component(parts[at + 1], parts[at + 2], "", texts_of(_terms_in(keg), keg))


def _terms_in(folder: Path) -> Iterable[Path]:
    return (path for path in folder.glob("*") if states_terms(path))
