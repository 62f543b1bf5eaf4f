"""Codecs that a sidecar without services does without."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bundle.codecs import KEPT, drop_codecs


def test_the_rest_stays_as_it_is(tmp_path: Path) -> None:
    library = tmp_path / "base_library.zip"
    names = ["os.pyc", "re/_parser.pyc", "encodings/__init__.pyc", "encodings/utf_8.pyc", "encodings/koi8_r.pyc"]
    with zipfile.ZipFile(library, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), name.encode())
    drop_codecs(library)
    with zipfile.ZipFile(library) as archive:
        assert archive.namelist() == names[:-1]
        assert all(archive.read(name) == name.encode() for name in names[:-1])
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_is_kept_are_codecs() -> None:
    """A name that is mistyped would leave its codec out."""
    import encodings

    there = {path.stem for path in Path(encodings.__file__).parent.glob("*.py")}
    assert there >= KEPT
