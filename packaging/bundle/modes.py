"""Who may read and run the files of a bundle: everybody, whatever the umask of who built it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def set_modes(folder: Path) -> None:
    """Make folders and what can be executed 0755, all else 0644. The executable is one of those that can."""
    for path, mode in _proper(folder):
        path.chmod(mode)


def wrong_modes(folder: Path) -> Iterator[str]:
    """A line for each file or folder that has another mode. Windows has none."""
    for path, mode in _proper(folder) if os.name == "posix" else ():
        found = stat.S_IMODE(path.stat().st_mode)
        if found != mode:
            yield f"{path.relative_to(folder)}: has mode {found:04o}, not {mode:04o}"


def _proper(folder: Path) -> Iterator[tuple[Path, int]]:
    """A folder comes before what it holds, which may be closed until then."""
    if not folder.is_symlink():  # a link has the mode of a file that may not be the bundle's
        mode = folder.stat().st_mode
        yield folder, 0o755 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644
        for path in sorted(folder.iterdir()) if stat.S_ISDIR(mode) else ():
            yield from _proper(path)
