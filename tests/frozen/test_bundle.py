"""What a bundle is: within its budget, whole, of this machine nothing, and what its manifest says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bundle.check import FORBIDDEN, MB, Budget
from bundle.contents import file_modules, modules
from bundle.exclusions import excluded
from bundle.linkage import glibc, outside
from bundle.targets import TARGETS, this_target

from sidecar.client import Host
from sidecar.version import PROTOCOL_VERSION, VERSION
from tests.frozen.conftest import Bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manifest(bundle: Bundle) -> dict[str, Any]:
    """As it was written."""
    found: dict[str, Any] = json.loads((bundle.folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_the_budget(bundle: Bundle) -> None:
    sizes = [path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()]
    assert Budget() == (225 * MB, 60)
    assert sum(sizes) <= 225 * MB
    assert len(sizes) <= 60
    assert not [path for path in bundle.folder.rglob("*") if path.is_symlink()]


def test_the_manifest_has_every_file(bundle: Bundle, manifest: dict[str, Any]) -> None:
    found = {file["path"]: file for file in manifest["files"]}
    there = {path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if path.is_file()}
    assert found.keys() == there - {"manifest.json"}
    for name, file in found.items():
        content = (bundle.folder / name).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest["bytes"] == sum(file["size"] for file in found.values())


def test_the_manifest_says_what_it_is(bundle: Bundle, manifest: dict[str, Any]) -> None:
    assert (manifest["name"], manifest["services"]) == ("arrow-sidecar", [])
    assert (manifest["version"], manifest["protocol_version"]) == (VERSION, PROTOCOL_VERSION)
    assert manifest["target"] == this_target()._asdict()
    assert this_target() in TARGETS
    with Host.spawn(bundle.command) as host:
        assert host.hello.build_id == manifest["build_id"]
        assert host.hello.version == manifest["version"]
        assert host.methods_digest == host.hello.methods_digest == manifest["methods_digest"]
    assert re.fullmatch("[0-9a-f]{16}", manifest["build_id"])


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_the_oldest_glibc(bundle: Bundle, manifest: dict[str, Any]) -> None:
    """It cannot be newer than the one of this machine, where it runs; nor older than that of pyarrow's wheel."""
    name = os.confstr("CS_GNU_LIBC_VERSION")
    assert name is not None
    here = tuple(map(int, name.split()[1].split(".")))
    assert (2, 28) <= tuple(map(int, manifest["glibc"].split("."))) <= here
    assert glibc(bundle.folder) == manifest["glibc"]


def test_nothing_is_linked_outside(bundle: Bundle) -> None:
    assert [*outside(bundle.folder)] == []


def test_no_module_that_stays_out(bundle: Bundle) -> None:
    found = modules(bundle.executable) | file_modules(bundle.folder)
    assert {"sidecar.app", "polars.sql", "pyarrow.lib", "_polars_runtime_32", "encodings.utf_8", "_decimal"} <= found
    out = excluded() - {"pyarrow.fs"}  # has a stand-in
    assert not {name for name in found if {name, name.partition(".")[0]} & (out | FORBIDDEN.keys())}


def test_no_trace_of_this_machine(bundle: Bundle) -> None:
    """Neither the project's folder nor the environment's. (A libpython knows the place that it was compiled for.)"""
    places = {str(ROOT), sys.prefix} - {sys.base_prefix}
    for path in bundle.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for place in places:
            assert os.fsencode(f"{place}/") not in content, f"{path.name} names {place}"


def test_no_trace_within_the_executable(bundle: Bundle) -> None:
    """Whose modules are compressed."""
    from PyInstaller.archive.readers import CArchiveReader

    archive = CArchiveReader(str(bundle.executable)).open_embedded_archive("PYZ.pyz")
    for name in archive.toc:
        code = archive.extract(name)
        if code is not None:
            assert not os.path.isabs(code.co_filename), name


def test_every_component_has_its_licence(bundle: Bundle, manifest: dict[str, Any]) -> None:
    text = (bundle.folder / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    owners = {component.rpartition(" ")[0] for component in manifest["components"]}
    assert {"CPython", "arrow-sidecar", "msgspec", "polars", "polars-runtime-32", "pyarrow", "pyinstaller"} <= owners
    assert {file["component"] for file in manifest["files"]} <= owners
    for owner in owners:
        assert re.search(rf"^{re.escape(owner)}: .+", text, re.MULTILINE), f"{owner} has no text"


def test_it_is_what_the_archive_holds(bundle: Bundle, tmp_path: Path) -> None:
    """As `tar` unpacks it."""
    name = f"{bundle.folder.name}.tar.xz"
    packed = bundle.folder.with_name(name)
    if not packed.exists():
        pytest.skip(f"{name} was not made: build.py --no-archive")
    assert packed.stat().st_size <= 56 * MB
    assert hashlib.sha256(packed.read_bytes()).hexdigest() in packed.with_name(f"{name}.sha256").read_text("utf-8")
    subprocess.run(["tar", "-xJf", str(packed), "-C", str(tmp_path)], check=True)
    (folder,) = tmp_path.iterdir()
    assert folder.name == bundle.folder.name
    there = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert there == {
        path.relative_to(bundle.folder): path.read_bytes() for path in bundle.folder.rglob("*") if path.is_file()
    }
    with Host.spawn([str(folder / bundle.executable.name)]) as host:
        host.ping()
    shutil.rmtree(folder)
