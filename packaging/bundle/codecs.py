"""The codecs of Python's that a bundle has."""

from __future__ import annotations

import zipfile
from pathlib import Path

KEPT = {
    *("__init__", "aliases", "ascii", "charmap", "idna", "punycode", "undefined"),
    *("utf_7", "utf_8", "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"),
    *("raw_unicode_escape", "unicode_escape", "base64_codec", "hex_codec"),
    *("latin_1", "iso8859_1", "iso8859_15", "cp1252", "cp437", "cp850", "mbcs", "oem"),
}
"""Of `encodings`, in an executable without services. All texts of the sidecar's are UTF-8; zip files know cp437."""


def drop_codecs(library: Path) -> None:
    """Rewrite `base_library.zip`, which Python starts from, without the rest: half a megabyte, uncompressed."""
    with zipfile.ZipFile(library) as whole:
        entries = [(entry, whole.read(entry)) for entry in whole.infolist()]
    with zipfile.ZipFile(library, "w", zipfile.ZIP_STORED) as kept:
        for entry, content in entries:
            folder, _, name = entry.filename.rpartition("/")
            if folder != "encodings" or name.partition(".")[0] in KEPT:
                kept.writestr(entry, content)
