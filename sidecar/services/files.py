"""A new file: it appears under its name when it is whole and on the disk, or not at all.

On Linux it has no name until then (`O_TMPFILE`), so that even a process that is killed leaves nothing behind. Where the
system or the file system has no such files, it is hidden beside its target until then, and removed on failure.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..protocol.errors import SidecarError
from .paths import PathPolicy

_BY_DESCRIPTOR = {os.open, os.link, os.rename, os.unlink, os.stat} <= os.supports_dir_fd
"""Whether names are looked up in a directory that is held open, which stays the one that was checked; not on
Windows."""

_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
"""What a file system without `O_TMPFILE` says; a kernel without it takes the directory itself for the file."""

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a file system without hard links says."""

_KINDS = {
    errno.EACCES: ("permission_denied", "it may not be written"),
    errno.EPERM: ("permission_denied", "it may not be written"),
    errno.EROFS: ("permission_denied", "the file system is read-only"),
    errno.ENAMETOOLONG: ("invalid_path", "the name is too long"),
    errno.ENOENT: ("file_not_found", "there is no such directory"),
    errno.ENOTDIR: ("file_not_found", "there is no such directory"),
    errno.EEXIST: ("file_exists", "it exists already, and overwrite was not asked for"),
}


class NewFile:
    """A file on its way to `path`. Errors are typed: `file_exists`, `not_a_file`, `write_failed` and those of paths."""

    def __init__(self, path: str, directory: _Directory, name: str, overwrite: bool) -> None:
        self.path = path
        self.bytes = 0
        self._directory = directory
        self._name = name
        self._overwrite = overwrite
        self._hidden: str | None = None
        self._old = self._check_target()
        self._descriptor = self._open()

    def write(self, data: Any) -> None:
        """Append a buffer."""
        view = memoryview(data).cast("B")
        while view:
            count = os.write(self._descriptor, view)
            view = view[count:]
            self.bytes += count

    def publish(self, commit: Callable[[], None]) -> None:
        """Have the file appear, once its bytes are on the disk. `commit` is called right before, and may refuse."""
        os.fsync(self._descriptor)
        self._directory.check()
        self._old = self._check_target()
        if self._old is not None and hasattr(os, "fchmod"):
            os.fchmod(self._descriptor, stat.S_IMODE(self._old.st_mode) & 0o777)
        commit()
        if self._hidden is None:
            self._link()
        else:
            self._rename(self._hidden)
        self._directory.sync()

    def close(self) -> None:
        """Let go of the file, which is gone unless it was published."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._hidden is not None:
            with suppress(OSError):
                self._directory.unlink(self._hidden)
            self._hidden = None

    def _check_target(self) -> os.stat_result | None:
        """What has the name now, where that is a file that may be replaced."""
        try:
            found = self._directory.stat(self._name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            what = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory"}.get(stat.S_IFMT(found.st_mode))
            message = f"{self.path} is {what or 'no regular file'}: nothing is written there"
            raise SidecarError("not_a_file", message, path=self.path)
        if not self._overwrite:
            raise FileExistsError(errno.EEXIST, "")
        if not self._directory.is_writable(self._name):
            raise PermissionError(errno.EACCES, "")
        return found

    def _open(self) -> int:
        flags = os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        if hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd"):
            try:
                return self._directory.open(os.curdir, flags | os.O_TMPFILE)
            except OSError as fault:
                if fault.errno not in _NO_UNNAMED:
                    raise
        hidden = _hidden_name()
        descriptor = self._directory.open(hidden, flags | os.O_CREAT | os.O_EXCL)
        self._hidden = hidden
        return descriptor

    def _link(self) -> None:
        """Give the file without a name its own. The system refuses a name that is taken, in the same step."""
        own_path = f"/proc/self/fd/{self._descriptor}"
        try:
            self._directory.link(own_path, self._name)
        except FileExistsError:
            if not self._overwrite:
                raise
            self._hidden = _hidden_name()  # a link replaces nothing, a rename does
            self._directory.link(own_path, self._hidden)
            self._rename(self._hidden)

    def _rename(self, hidden: str) -> None:
        if os.name == "nt":  # which renames no open file
            os.close(self._descriptor)
            self._descriptor = -1
        if self._overwrite:
            self._directory.replace(hidden, self._name)
        else:
            self._rename_to_free(hidden)
        self._hidden = None

    def _rename_to_free(self, hidden: str) -> None:
        """Where there are hard links, one that is refused if the name is taken. Where there are none (FAT), the look at
        the target right before has to do; Windows refuses by itself."""
        if os.name != "nt":
            try:
                self._directory.link(hidden, self._name)
            except OSError as fault:
                if fault.errno not in _NO_LINKS:
                    raise
            else:
                self._directory.unlink(hidden)
                return
        self._directory.rename(hidden, self._name)


class _Directory:
    """A directory that is held open; on Windows its path."""

    def __init__(self, real: str, check: Callable[[str], None]) -> None:
        self._real = real
        self._check = check
        self._descriptor: int | None = None
        if _BY_DESCRIPTOR:
            self._descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        elif not os.path.isdir(real):
            raise FileNotFoundError(errno.ENOENT, "")

    def check(self) -> None:
        """Raise unless the directory is where it may be: a link may have been put in its place before it was opened,
        and it may have been moved since."""
        self._check(_path_of(self._descriptor, self._real))

    def open(self, name: str, flags: int) -> int:
        return os.open(self._at(name), flags, 0o666, dir_fd=self._descriptor)  # less the umask

    def stat(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)

    def is_writable(self, name: str) -> bool:
        return os.access(self._at(name), os.W_OK, dir_fd=self._descriptor)

    def link(self, source: str, name: str) -> None:
        if not os.path.isabs(source):
            os.link(self._at(source), self._at(name), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        else:  # a link of `/proc`, which is followed
            os.link(source, self._at(name), dst_dir_fd=self._descriptor)

    def rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def replace(self, old: str, new: str) -> None:
        os.replace(self._at(old), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def unlink(self, name: str) -> None:
        os.unlink(self._at(name), dir_fd=self._descriptor)

    def sync(self) -> None:
        """Have the name on the disk too. Not every file system can; the file is there either way."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _at(self, name: str) -> str:
        return name if self._descriptor is not None else os.path.join(self._real, name)


@contextmanager
def new_file(path: str, paths: PathPolicy, overwrite: bool) -> Iterator[NewFile]:
    """A file to write in the block and to publish at its end; otherwise nothing of it stays.

    Raises `invalid_path`, `path_not_allowed`, `file_not_found` (the directory), `permission_denied`, `not_a_file`,
    `file_exists`, and `write_failed` where the system fails to write, the disk being full among the reasons.
    """
    real, name = paths.resolve_new(path)
    with _typed(path):
        directory = _Directory(real, lambda found: paths.check(found, path))
        try:
            directory.check()
            file = NewFile(path, directory, name, overwrite)
            try:
                yield file
            finally:
                file.close()
        finally:
            directory.close()


@contextmanager
def _typed(path: str) -> Iterator[None]:
    """The system's errors as ours."""
    try:
        yield
    except OSError as fault:
        name = errno.errorcode.get(fault.errno or 0, type(fault).__name__)
        kind, reason = _KINDS.get(fault.errno or 0, ("write_failed", f"{fault.strerror or fault} ({name})"))
        data = {"error": name} if kind == "write_failed" else {}
        raise SidecarError(kind, f"{path}: {reason}: nothing was written", path=path, **data) from None


def _hidden_name() -> str:
    """Short, as the target's name may be as long as names can be."""
    return f".{secrets.token_hex(8)}.partial"


def _path_of(descriptor: int | None, real: str) -> str:
    """Where an open directory really is, as far as the system tells."""
    if descriptor is None:
        return real
    if os.path.exists("/proc/self/fd"):
        return os.readlink(f"/proc/self/fd/{descriptor}")
    import fcntl

    if not hasattr(fcntl, "F_GETPATH"):  # macOS has it
        return real
    return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
