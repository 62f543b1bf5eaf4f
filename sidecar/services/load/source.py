"""Where the bytes of a load come from: a file, or a payload of the message."""

from __future__ import annotations

import binascii
import os
import weakref
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ...protocol.errors import SidecarError
from ...protocol.methods import Context
from ...wire.payload import Payload

INLINE = "<inline>"
"""What stands for the path of bytes."""

READ_BYTES = 8 * 1024 * 1024
"""A file is read in steps of this size, each with a look at cancellation."""


Check = Callable[[str], None]


class OpenFile:
    """A file that stays the same one: `path` leads to what was opened, whatever its name leads to meanwhile."""

    def __init__(self, name: str, check: Check) -> None:
        """Open the file of a resolved name and have `check` look at where it really is, as a link may have been put
        in its place. Without `/proc` (macOS, Windows) there is no such second look, and the name is opened anew."""
        self._descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._descriptor)
        own_path = f"/proc/self/fd/{self._descriptor}"
        self.path = own_path if os.path.exists(own_path) else name
        if self.path == own_path:
            check(os.readlink(own_path))

    def stat(self) -> os.stat_result:
        """Of the file, under whatever name."""
        return os.fstat(self._descriptor)


class Source:
    """Bytes with a name. `kind` is the parameter that they came by; `path` is None unless that is `path`."""

    def __init__(self, kind: str, name: str, file: OpenFile | None, data: pa.Buffer | None) -> None:
        self.kind = kind
        self.name = name
        self.path = name if file is not None else None
        self.file = file
        self._data = data
        self.size: int = file.stat().st_size if file is not None else data.size  # type: ignore[union-attr]  # one of the two is there

    @classmethod
    def from_path(cls, path: str, check: Check = lambda _real: None) -> Source:
        """A file whose path is resolved and allowed; `check` raises if the file that is opened is elsewhere."""
        try:
            return cls("path", path, OpenFile(path, check), None)
        except OSError as fault:
            message = f"{path}: {fault.strerror or fault}"
            raise SidecarError("read_failed", message, source="path", path=path) from None

    @classmethod
    def from_payload(cls, kind: str, payload: Payload) -> Source:
        """A binary value, used where it lies."""
        return cls(kind, kind, None, pa.py_buffer(payload.data))

    @classmethod
    def from_base64(cls, kind: str, text: str) -> Source:
        """Standard base64 with padding. Raises `invalid_base64`."""
        try:
            return cls(kind, kind, None, pa.py_buffer(b64decode(text, validate=True)))
        except (binascii.Error, ValueError) as fault:
            raise SidecarError("invalid_base64", f"{kind} is no base64: {fault}", field=kind) from None

    def open(self) -> pa.NativeFile:
        """A file to read from at will. Raises `read_failed`."""
        if self.file is None:
            return pa.BufferReader(self._data)
        try:
            return pa.OSFile(self.file.path, "rb")
        except OSError as fault:
            raise self.read_failed(fault) from None

    def head(self, size: int) -> bytes:
        """The first bytes."""
        with self.open() as file:
            return bytes(file.read(size))

    def buffer(self, context: Context) -> pa.Buffer:
        """All bytes in memory, with progress."""
        if self._data is not None:
            return self._data
        with self.open() as file:
            buffer = pa.allocate_buffer(self.size)
            view = memoryview(buffer)
            done = 0
            while done < self.size:
                count = self._read_into(file, view[done : done + READ_BYTES])
                if not count:
                    raise self.invalid("the file became shorter while it was read")
                done += count
                context.progress(done, self.size, "bytes")
        return buffer

    @contextmanager
    def reading(self, format: str) -> Iterator[None]:
        """What Arrow raises in the block becomes `invalid_file`, `read_failed` or `memory_limit`."""
        try:
            yield
        except MemoryError as fault:
            message = f"{self.name} takes more memory than there is: {fault}"
            raise SidecarError("memory_limit", message, source=self.kind, path=self.path, format=format) from None
        except (pa.ArrowException, OSError, ValueError) as fault:
            if isinstance(fault, OSError) and fault.errno is not None:
                raise self.read_failed(fault) from None
            raise self.invalid(fault, format) from None

    def invalid(self, reason: Any, format: str | None = None) -> SidecarError:
        """The error for content that cannot be read as what it is."""
        what = f"{self.name} is no valid {format}" if format else self.name
        return SidecarError("invalid_file", f"{what}: {reason}", source=self.kind, path=self.path, format=format)

    def read_failed(self, fault: OSError) -> SidecarError:
        """The error for a file that the system does not give."""
        reason = (fault.strerror or str(fault)).replace(self.file.path if self.file else self.name, self.name)
        return SidecarError("read_failed", f"{self.name}: {reason}", source=self.kind, path=self.path)

    def _read_into(self, file: pa.NativeFile, view: memoryview) -> int:
        try:
            return int(file.readinto(view))
        except OSError as fault:
            raise self.read_failed(fault) from None
