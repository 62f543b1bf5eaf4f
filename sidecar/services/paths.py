"""Which files may be read and written: a path is a file-read oracle for whoever may send one."""

from __future__ import annotations

import os
import stat

from ..protocol.errors import SidecarError


class PathPolicy:
    """Lists of directories. A file must lie below a directory of every list; without a list, any file may be read, and
    any may be written.

    The list of the command line and the list of `initialize` stand side by side, so that the second can only
    narrow the first.
    """

    def __init__(self, allowed: list[str] | None = None) -> None:
        self._lists: list[list[str]] = []
        if allowed is not None:
            self.restrict(allowed)

    def restrict(self, directories: list[str]) -> None:
        """From now on a file must also lie below one of `directories`; an empty list allows none."""
        self._lists.append([_real(directory) for directory in directories])

    def describe(self) -> list[list[str]]:
        """The lists in force, symlinks resolved."""
        return self._lists

    def resolve(self, path: str) -> str:
        """The real path of a regular file that may be read, `..` and symlinks resolved.

        Raises `invalid_path`, `path_not_allowed` (whether or not there is such a file), `file_not_found`,
        `permission_denied` and `not_a_file`.
        """
        real = _real(path)
        self.check(real, path)
        _check_regular(path, real)
        return real

    def resolve_new(self, path: str) -> tuple[str, str]:
        """The real directory of a file that may be written, and the file's name in it, which is not looked up.

        Raises `invalid_path` and `path_not_allowed` (whether or not there is such a directory).
        """
        if not path or "\0" in path:
            raise SidecarError("invalid_path", f"{path!r} is no path", path=path)
        directory, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir) or (os.name == "nt" and ":" in name):  # a colon names a hidden stream
            raise SidecarError("invalid_path", f"{path!r} names no file", path=path)
        real = _real(directory or os.curdir)
        self.check(real, path)
        return real, name

    def check(self, real: str, path: str) -> None:
        """Raise `path_not_allowed`, which names `path`, unless the real path `real` is below the directories."""
        for directories in self._lists:
            if not any(_is_below(real, directory) for directory in directories):
                raise SidecarError("path_not_allowed", f"{path} is not in an allowed directory", path=path)


def _real(path: str) -> str:
    if not path or "\0" in path:
        raise SidecarError("invalid_path", f"{path!r} is no path", path=path)
    try:
        real = os.path.realpath(path)
        real.encode()  # a link may lead to a name that is not UTF-8, which no message could carry
    except (OSError, ValueError) as fault:  # a loop of links, a name that the system cannot encode
        raise SidecarError("invalid_path", f"{path!r}: {fault}", path=path) from None
    return real


def _is_below(real: str, directory: str) -> bool:
    try:
        return os.path.commonpath([real, directory]) == directory
    except ValueError:  # two drives of Windows
        return False


def _check_regular(path: str, real: str) -> None:
    try:
        mode = os.stat(real).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise SidecarError("file_not_found", f"there is no file {path}", path=path) from None
    except PermissionError:
        raise SidecarError("permission_denied", f"{path} may not be read", path=path) from None
    except (OSError, ValueError) as fault:
        raise SidecarError("invalid_path", f"{path}: {fault}", path=path) from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise SidecarError("not_a_file", f"{path} is {what}", path=path)
    if not os.access(real, os.R_OK):
        raise SidecarError("permission_denied", f"{path} may not be read", path=path)
