"""What a frozen executable has for `pyarrow.fs`: as much as `pyarrow.parquet` needs for files that are open.

The real one imports `ssl` on Linux, to tell libcurl where certificates are. That would be 8 MB of OpenSSL and of remote
file systems in a sidecar, which opens its files itself.
"""

from __future__ import annotations

from typing import Any, NoReturn

from pyarrow.util import _is_path_like


class LocalFileSystem:
    """There for `isinstance`."""

    def __init__(self, **_options: Any) -> None:
        _refuse("a path")


class FileType:
    """There to be imported."""


def _resolve_filesystem_and_path(path: Any, filesystem: Any = None, **_options: Any) -> tuple[None, Any]:
    if filesystem is not None or _is_path_like(path):
        _refuse(f"{path!r}")
    return None, path


def _ensure_filesystem(filesystem: Any, **_options: Any) -> NoReturn:
    _refuse(f"{filesystem!r}")


def _refuse(what: str) -> NoReturn:
    raise NotImplementedError(
        f"pyarrow.fs is not in this executable, so {what} cannot be opened: give pyarrow an open file, "
        "or freeze it in with `build.py --include pyarrow.fs`"
    )
