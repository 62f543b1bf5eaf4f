"""A bundle that is not what it has to be fails its build, with a line for everything that is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle.check import MB, Budget, check
from bundle.elf import elf_files, patch
from bundle.faults import BuildFault

from tests.frozen.conftest import Bundle


@pytest.fixture
def spoilt(bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy to be changed; of links, so that it costs nothing. What is changed is copied first."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.folder, folder, copy_function=os.link)
    return Bundle(folder / bundle.executable.name)


def large(bundle: Bundle) -> None:
    with (bundle.folder / "_internal" / "large.bin").open("wb") as file:
        file.truncate(10 * MB)


def many(bundle: Bundle) -> None:
    for number in range(20):
        (bundle.folder / "_internal" / str(number)).touch()


def linked(bundle: Bundle) -> None:
    (bundle.folder / "_internal" / "libarrow.so").symlink_to("pyarrow/libarrow.so.2600")


def not_executable(bundle: Bundle) -> None:
    copy(bundle.executable).chmod(0o644)


def with_numpy(bundle: Bundle) -> None:
    module = bundle.folder / "_internal" / "numpy" / "core" / "_multiarray.cpython-311-x86_64-linux-gnu.so"
    module.parent.mkdir(parents=True)
    module.touch()


def with_openssl(bundle: Bundle) -> None:
    (bundle.folder / "_internal" / "_ssl.so").touch()


def with_tkinter(bundle: Bundle) -> None:
    module = bundle.folder / "_internal" / "tkinter" / "__init__.py"
    module.parent.mkdir()
    module.touch()


def without_a_library(bundle: Bundle) -> None:
    next((bundle.folder / "_internal").rglob("libparquet.so*")).unlink()


def looking_elsewhere(bundle: Bundle) -> None:
    patch(copy(zlib(bundle)), "--set-rpath", "/opt/python/lib")


def looking_above(bundle: Bundle) -> None:
    patch(copy(zlib(bundle)), "--set-rpath", "$ORIGIN/../../../../opt/evil")


def looking_past_it(bundle: Bundle) -> None:
    next((bundle.folder / "_internal").glob("libz.so*")).rename(bundle.folder / "_internal" / "pyarrow" / "libz.so.1")


def zlib(bundle: Bundle) -> Path:
    return next(path for path in elf_files(bundle.folder) if path.name.startswith("zlib."))


def writable(bundle: Bundle) -> None:
    copy(bundle.folder / "manifest.json").chmod(0o666)


def with_the_rights_of_its_owner(bundle: Bundle) -> None:
    copy(bundle.executable).chmod(0o4755)


def unreadable(bundle: Bundle) -> None:
    copy(zlib(bundle)).chmod(0)


def copy(path: Path) -> Path:
    """The file itself, no longer linked with the bundle's."""
    shutil.copy2(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)
    return path


SPOILT: dict[str, tuple[Callable[[Bundle], None], str]] = {
    "too large": (large, "MB of 225 (--max-size says more); largest: _internal/_polars_runtime_32/"),
    "too many files": (many, "files of 60 (--max-files says more)"),
    "a link": (linked, "_internal/libarrow.so: is a link"),
    "not executable": (not_executable, "arrow-sidecar: cannot be executed"),
    "a library that slows it down": (with_numpy, "it has the module numpy: pyarrow imports it where it is there"),
    "OpenSSL": (with_openssl, "it has the module _ssl: as _hashlib; a sidecar opens no socket"),
    "a module that is a plain file": (with_tkinter, "it has the module tkinter: "),
    "a library that is missing": (without_a_library, "is linked with libparquet.so.2600, which is not in the bundle"),
    "a place elsewhere": (looking_elsewhere, "looks for libraries in /opt/python/lib"),
    "a place above": (looking_above, "looks for libraries in $ORIGIN/../../../../opt/evil"),
    "a library where nobody looks": (looking_past_it, "libz.so.1, and does not look for it in _internal/pyarrow"),
    "a file that all may write": (writable, "manifest.json: has mode 0666, not 0644"),
    "setuid": (with_the_rights_of_its_owner, "arrow-sidecar: has mode 4755, not 0755"),
    "a file that nobody may read": (unreadable, "has mode 0000, not 0644"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="by ELF files")
@pytest.mark.parametrize(("spoil", "line"), SPOILT.values(), ids=SPOILT)
def test_what_is_wrong(spoilt: Bundle, spoil: Callable[[Bundle], None], line: str) -> None:
    check(spoilt.folder, spoilt.executable, Budget(), set())
    spoil(spoilt)
    with pytest.raises(BuildFault) as raised:
        check(spoilt.folder, spoilt.executable, Budget(), set())
    first, *lines = str(raised.value).splitlines()
    assert first == "the bundle is not what it has to be:"
    assert any(line in found for found in lines)


def test_all_that_is_wrong_is_said_at_once(spoilt: Bundle) -> None:
    with_numpy(spoilt)
    linked(spoilt)
    with pytest.raises(BuildFault) as raised:
        check(spoilt.folder, spoilt.executable, Budget(200 * MB, 10), set())
    assert len(str(raised.value).splitlines()) == 1 + 4


def test_what_a_service_imports_is_no_mistake(spoilt: Bundle) -> None:
    with_numpy(spoilt)
    check(spoilt.folder, spoilt.executable, Budget(), {"numpy"})


def test_the_bundle_was_not_touched(bundle: Bundle) -> None:
    """By all of this."""
    check(bundle.folder, bundle.executable, Budget(), set())
    done = subprocess.run([*bundle.command, "--version"], capture_output=True, timeout=60, check=True)
    assert done.stdout.startswith(b"arrow-sidecar ")
