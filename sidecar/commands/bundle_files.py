"""Whether the files of a frozen executable are there, and as they were built.

What is missing may be a library of Python's own. So nothing is imported here before it is known to be there that an
executable does without until then.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Iterator

BUILT = "as they were built"
CHANGED = "changed"
MISSING = "missing"
SHORTER = "shorter than it was built"
WHAT_TO_DO = "install again; an antivirus program may have taken or changed it"

Listed = tuple[str, int, str]
"""A file by its path in the bundle, its bytes, and its hash."""


class Damaged(Exception):
    """The executable cannot be trusted to work; the message names the files and says what to do."""


def check_files(folder: str) -> Iterator[tuple[str, str]]:
    """A finding a line, by the manifest in `folder`. Raises `Damaged`, once all is told."""
    manifest = os.path.join(folder, "manifest.json")
    if not os.path.lexists(manifest):
        yield "files", "not checked: there is no manifest.json beside the executable"
        return
    files = _listed(manifest)
    states = {file[0]: _presence(folder, file) for file in files}
    if all(state == BUILT for state in states.values()):  # hashing needs libraries that are among the files
        states = {file[0]: _content(folder, file) for file in files}
        yield "files", f"{[*states.values()].count(BUILT)} of {len(states)} are {BUILT}"
    for path in (path for path, state in states.items() if state == CHANGED):
        yield "files", f"{path} was changed since: by a signature, or it is damaged"
    damages = [f"{path} is {state}" for path, state in states.items() if state not in (BUILT, CHANGED)]
    if damages:
        raise Damaged(f"{', '.join(damages)} ({WHAT_TO_DO})")


def _listed(manifest: str) -> list[Listed]:
    """What should be there. Whatever is wrong with a file that anybody may have written is told with its path."""
    try:
        import json

        with open(manifest, encoding="utf-8") as file:
            entries = json.load(file)["files"]
        listed = [(str(each["path"]), int(each["size"]), str(each["sha256"])) for each in entries]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise Damaged(f"{manifest} is no manifest: {type(fault).__name__}: {fault} ({WHAT_TO_DO})") from None
    if not listed:
        raise Damaged(f"{manifest} is no manifest: it lists no files ({WHAT_TO_DO})")
    return listed


def _presence(folder: str, file: Listed) -> str:
    """A signature makes a file longer. One that is shorter ends who reads it where it ends, with SIGBUS."""
    path, size, _sha256 = file
    try:
        found = os.stat(os.path.join(folder, path)).st_size
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except (OSError, ValueError) as fault:
        return f"unreadable: {fault}"
    return SHORTER if found < size else BUILT


def _content(folder: str, file: Listed) -> str:
    import hashlib

    path, _size, expected = file
    try:
        with open(os.path.join(folder, path), "rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as fault:
        return f"unreadable: {fault.strerror or fault}"
    return BUILT if found == expected else CHANGED
