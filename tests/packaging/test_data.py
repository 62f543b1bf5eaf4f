"""Where `--data` may go, and that no link of it is lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from bundle.data import check_data, without_links
from bundle.faults import BuildFault

PLACES = {
    "of a root": (os.sep + "etc", "write the folder as it is within the bundle"),
    "above": ("../texts", "write the folder as it is within the bundle"),
    "above, later": ("texts/../..", "write the folder as it is within the bundle"),
    "in the sidecar": ("sidecar", "the bundle has sidecar of its own"),
    "in a library": ("./pyarrow/vendored", "the bundle has pyarrow of its own"),
    "among the extensions": ("lib-dynload", "the bundle has lib-dynload of its own"),
}


@pytest.mark.parametrize(("place", "said"), PLACES.values(), ids=PLACES)
def test_places(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "PROTOCOL_VERSION").touch()
    with pytest.raises(BuildFault, match=said):
        check_data([(str(tmp_path), place)])


@pytest.mark.parametrize("as_folder", [True, False], ids=["in a folder", "a file"])
def test_a_file_of_the_bundle_s(tmp_path: Path, as_folder: bool) -> None:
    file = tmp_path / "base_library.zip"
    file.touch()
    with pytest.raises(BuildFault, match=r"the bundle has base_library\.zip of its own"):
        check_data([(str(tmp_path if as_folder else file), ".")])


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a right of its own on Windows")
@pytest.mark.parametrize(
    ("target", "said"), [("no_such", "is a link to nothing"), ("texts", "is a link to a folder: give that")]
)
def test_links_that_cannot_be_followed(tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(BuildFault, match=f"link {said}"):
        check_data([(str(tmp_path), ".")])


def test_what_is_well(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.txt").touch()
    check_data([(str(tmp_path), "."), (str(tmp_path / "texts" / "en.txt"), "more/texts")])


BINARIES = [("pyarrow/libarrow.so", "/site/libarrow.so", "BINARY")]
FILE, COPY = ("a/file", "/own/file", "DATA"), ("a/b/link", "/own/file", "DATA")
TO_LIBRARY = ("libarrow.so", "pyarrow/libarrow.so", "SYMLINK")


@pytest.mark.parametrize(("keep", "expected"), [(False, [FILE, COPY]), (True, [FILE, COPY, TO_LIBRARY])])
def test_links(keep: bool, expected: list[tuple[str, str, str]]) -> None:
    assert without_links([FILE, ("a/b/link", "../file", "SYMLINK"), TO_LIBRARY], BINARIES, keep) == expected
