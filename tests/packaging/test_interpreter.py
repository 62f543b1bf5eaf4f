"""Which files are CPython's own, and the places of its licence."""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from pathlib import Path

import pytest
from bundle.component import texts_of
from bundle.interpreter import component_of, cpython

MINOR = f"python3.{sys.version_info.minor}"
PREFIX = Path(sys.base_prefix)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(Path(os.__file__), id="a module"),
        pytest.param(Path(json.decoder.__file__), id="of a package"),
        pytest.param(Path(os.__file__).parent / "lib-dynload" / "_any.so", id="an extension"),
        pytest.param(PREFIX / "lib" / f"lib{MINOR}.so.1.0", id="the library on Linux"),
        pytest.param(PREFIX / "lib" / f"lib{MINOR}.dylib", id="the library on macOS"),
        pytest.param(PREFIX / "Python", id="the library in a framework"),
        pytest.param(PREFIX / "python311.dll", id="the library on Windows"),
    ],
)
def test_what_is_of_cpython(path: Path) -> None:
    component = component_of(path)
    assert component is not None
    assert component[:3] == ("CPython", platform.python_version(), "Python-2.0.1")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in component.texts[0][1].upper()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(Path(pytest.__file__), id="what is installed into an environment"),
        pytest.param(Path(os.__file__).parent / "site-packages" / "os.py", id="into Python's own"),
        pytest.param(Path(os.__file__).parent / "dist-packages" / "os.py", id="into Debian's"),
        pytest.param(PREFIX.parent / f"lib{MINOR}.so.1.0", id="a library elsewhere"),
        pytest.param(Path(__file__), id="this file"),
    ],
)
def test_what_is_not(path: Path) -> None:
    assert component_of(path) is None


@pytest.mark.skipif(os.name == "nt", reason="there Python's folder is its own")
def test_a_library_beside_the_interpreter_is_not() -> None:
    """The prefix may be /usr."""
    assert component_of(PREFIX / "lib" / "libz.so.1") is None
    assert component_of(Path(sysconfig.get_path("stdlib")).parent / "libpythonic.so") is None


@pytest.mark.parametrize(
    "place",
    [
        "lib/python/LICENSE.txt",
        "LICENSE.txt",
        "LICENSE",
        f"usr/share/doc/{MINOR}-minimal/copyright",
        f"usr/share/doc/{MINOR}/copyright",
        f"usr/share/doc/lib{MINOR}-stdlib/copyright",
        "usr/share/licenses/python3-libs/LICENSE",
        f"usr/share/licenses/{MINOR}-libs/LICENSE",
    ],
)
def test_the_places_of_the_licence(tmp_path: Path, place: str) -> None:
    text = tmp_path / place
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text("terms\r\n")
    found = cpython(tmp_path / "lib" / "python", tmp_path, tmp_path).texts
    assert [text for _, text in found[:-1]] == ["terms"]
    assert place.endswith(found[0][0])
    assert found[-1][0] == "cpython-incorporated.txt"


def test_none_of_them(tmp_path: Path) -> None:
    assert cpython(tmp_path, tmp_path, tmp_path).texts == ()


def test_texts_are_the_same_from_every_system(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfCopyright \xc2\xa9 X  \r\n\r\nterms\r\n\r\n")
    (tmp_path / "b").write_bytes("Copyright © X\n\nterms".encode("latin-1"))
    (tmp_path / "c").write_bytes("© other".encode("latin-1"))
    assert texts_of([tmp_path / name for name in "cba"], tmp_path) == (
        ("a", "Copyright © X\n\nterms"),
        ("c", "© other"),
    )
