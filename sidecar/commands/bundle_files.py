"""Whether the files of a frozen executable are there, and as they were built."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any


class Damaged(Exception):
    """Files are missing; the message names them and says what to do."""


def check_files(folder: str) -> Iterator[tuple[str, str]]:
    """A finding a line, by the manifest in `folder`. Raises `Damaged`."""
    manifest = os.path.join(folder, "manifest.json")
    if not os.path.exists(manifest):
        yield "files", "not checked: there is no manifest.json beside the executable"
        return
    with open(manifest, encoding="utf-8") as file:
        files: list[dict[str, Any]] = json.load(file)["files"]
    missing = [each["path"] for each in files if not os.path.isfile(os.path.join(folder, each["path"]))]
    if missing:
        raise Damaged(f"missing: {', '.join(missing)} (an antivirus program may have taken them; install again)")
    changed = [each["path"] for each in files if _sha256(os.path.join(folder, each["path"])) != each["sha256"]]
    yield "files", f"{len(files) - len(changed)} of {len(files)} are as they were built"
    for path in changed:
        yield "files", f"{path} was changed since: by a signature, or it is damaged"


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
