"""Which format some bytes are in: by their content first, then by the name's extension."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from ...protocol.errors import SidecarError
from .source import Source

Format = Literal["arrow_file", "arrow_stream", "parquet", "csv", "tsv", "json", "ndjson"]

BY_EXTENSION: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow_file",
    ".ipc": "arrow_file",
    ".feather": "arrow_file",
    ".arrows": "arrow_stream",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}

BINARY: frozenset[Format] = frozenset({"arrow_file", "arrow_stream", "parquet"})

_ARROW: frozenset[Format] = frozenset({"arrow_file", "arrow_stream"})
_MAGICS: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow_file"),
    (b"\xff\xff\xff\xff", "arrow_stream"),  # the continuation marker of an encapsulated message
)
_KNOWN_BUT_UNREAD = (
    (b"FEA1", "Feather version 1: write it as version 2, which is an Arrow file"),
    (b"PARE", "Parquet with an encrypted footer"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard: unpack it first"),
    (b"PK\x03\x04", "a ZIP archive, which spreadsheets are too"),
    (b"\xff\xfe", "text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it as UTF-8"),
)
_SNIFFED_BYTES = 64 * 1024
BOM = b"\xef\xbb\xbf"


def detect(source: Source, warnings: list[str]) -> Format:
    """The format of `source`. Adds a warning where the name's extension says another one.

    Raises `empty_file`, `invalid_file` and `unknown_format`.
    """
    if source.size == 0:
        raise SidecarError("empty_file", f"{source.name} is empty", source=source.kind, path=source.path)
    head = source.head(_SNIFFED_BYTES)
    for magic, what in _KNOWN_BUT_UNREAD:
        if head.startswith(magic):
            raise SidecarError("unknown_format", f"{source.name} is {what}", source=source.kind, path=source.path)
    by_name = BY_EXTENSION.get(os.path.splitext(source.name)[1].lower())
    by_content = _binary(head) or _text(head, by_name)
    found = by_content or by_name
    if found is None and source.path is None:
        raise source.invalid("its first bytes are not those of one", source.kind.removesuffix("_b64"))
    if found is None:
        raise SidecarError(
            "unknown_format",
            f"neither the content nor the extension of {source.name} tells its format: give `format`",
            source=source.kind,
            path=source.path,
            formats=sorted({*BY_EXTENSION.values()}),
        )
    if by_content is None and found in BINARY:
        raise source.invalid("its first bytes are those of another format", found)
    if by_name is not None and by_name != found and not {by_name, found} <= _ARROW:
        warnings.append(f"the extension says {by_name}, the content is {found}")
    return found


def _binary(head: bytes) -> Format | None:
    return next((format_ for magic, format_ in _MAGICS if head.startswith(magic)), None)


def _text(head: bytes, by_name: Format | None) -> Format | None:
    """JSON and NDJSON can be told from the first line. What separates values in any other text is for the name to
    say; a text that the name calls binary is not guessed at."""
    text = head.removeprefix(BOM).lstrip()
    if by_name in ("csv", "tsv") or text[:1] not in (b"{", b"["):
        return None
    line, _, rest = text.partition(b"\n")
    is_lines = by_name == "ndjson" or (_is_json(line) and rest.strip())
    return "ndjson" if text.startswith(b"{") and is_lines else "json"


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return False
    return True
