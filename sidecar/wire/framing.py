"""Bytes to frames and back. No I/O: the caller reads into `get_buffer()` and writes what `encode` returns.

    int32   header_size = N, little-endian
    N bytes header, UTF-8 JSON, right-padded with spaces so that 4 + N is a multiple of 64
    payload each buffer that the header lists, zero-padded to a multiple of 64

A buffer's memory comes from `allocate`, so that it can be what the consumer needs (aligned, not zeroed), and
large buffers are filled in place: nothing copies them on the way in.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Layout
from typing import Any

import msgspec

from .limits import Limits
from .payload import Payload, describe, find

ALIGNMENT = 64
STAGING_BYTES = 64 * 1024
"""Read-ahead for headers and small buffers. A whole small frame then costs one read."""

DIRECT_BYTES = 16 * 1024
"""From this much missing, a buffer is filled in place; below it, one staged read that goes past it is cheaper."""

QUOTED_BYTES = 64
PREFIX_BYTES = 4
_PREFIX = Layout("<i")
_PADDING = bytes(ALIGNMENT)

Allocate = Callable[[int], Any]
Admit = Callable[[int], None]


class FrameError(ValueError):
    """Bytes that are no frame. Fatal: where the next frame begins is unknown.

    `culprit` is one of `header_size`, `header`, `payload` and `truncated`; `quoted` holds the first bytes of the
    frame, at most 64.
    """

    def __init__(self, culprit: str, message: str, quoted: bytes) -> None:
        super().__init__(message)
        self.culprit = culprit
        self.quoted = quoted


class Refused(Exception):
    """Raised by `admit` to have a frame's payload read past and thrown away; the reason is kept."""


class Frame:
    """A header as decoded JSON, and the buffers that it lists; `refused` says why there are none. `size` is what the
    whole frame takes on the wire, in bytes."""

    __slots__ = ("buffers", "header", "refused", "size")

    def __init__(self, header: dict[str, Any], buffers: list[Any], size: int = 0, refused: object = None) -> None:
        self.header = header
        self.buffers = buffers
        self.size = size
        self.refused = refused

    @property
    def descriptors(self) -> list[dict[str, Any]]:
        """The header's payload list, one descriptor a buffer."""
        return self.header.get("payload") or []

    def __repr__(self) -> str:
        return f"Frame({self.header!r}, {len(self.buffers)} buffers)"


def padded(size: int) -> int:
    """`size` rounded up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def encode(message: Any) -> list[Any]:
    """The buffers of one frame, to be written in order by one gathered write.

    `message` is a JSON-RPC message of dicts, lists and structs in which every binary value is a `Payload`. Raises
    `TypeError`, `ValueError` or `RecursionError` for what has no JSON form.
    """
    payloads: list[tuple[Any, Payload]] = []
    try:
        header = _encode_plain(message)  # most messages have no payload to look for: 0.4 µs against 3
    except TypeError:
        header = _encoder.encode(message)  # first, for it refuses a message that contains itself
        payloads = list(find(message))
    if payloads:
        listed = _encoder.encode([describe(path, payload) for path, payload in payloads])
        header = header[:-1] + b',"payload":' + listed + b"}"
    size = padded(PREFIX_BYTES + len(header)) - PREFIX_BYTES
    parts: list[Any] = [_PREFIX.pack(size) + header.ljust(size)]
    for _, payload in payloads:
        views = [memoryview(buffer) for buffer in payload.buffers]
        parts += [view.cast("B") for view in views if view.nbytes]
        missing = -sum(view.nbytes for view in views) % ALIGNMENT
        if missing:
            parts.append(_PADDING[:missing])
    return parts


def _placeholder(value: Any) -> None:
    if not isinstance(value, Payload):
        raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_placeholder)
_encode_plain = msgspec.json.Encoder().encode  # raises TypeError at a payload
_decode = msgspec.json.Decoder().decode


class FrameReader:
    """Reads frames from any sequence of reads: the same frames come out, however the bytes were cut.

    Loop: fill a part of `get_buffer()`, tell `buffer_updated(n)`, and take the frames that it returns; at the
    end of the input call `eof()`. Each raises `FrameError` for a fault, after which the reader is of no more use.
    Whole frames before the fault are returned first: the fault then waits for the next call.

    `admit` is told the size of a whole frame before the memory for its payload is taken, and may raise `Refused`.
    """

    def __init__(self, limits: Limits, allocate: Allocate = bytearray, admit: Admit = lambda _bytes: None) -> None:
        self._limits = limits
        self._admit = admit
        self._allocate = allocate
        self._staging = memoryview(bytearray(STAGING_BYTES))
        self._start = self._end = 0  # the staged bytes that are not yet consumed
        self._header: _Sink | None = None
        self._frame: Frame | None = None
        self._sinks: list[_Sink] = []  # what is still to be filled, last first
        self._fault: FrameError | None = None

    def get_buffer(self) -> memoryview:
        """Where the next bytes of the input go. Never empty."""
        if self._fault is not None:
            raise self._fault
        direct = self._direct()
        if direct is not None and direct.view is not None:
            return direct.view[direct.filled :]
        if self._start:
            rest = bytes(self._staging[self._start : self._end])  # nothing, or a part of a size prefix
            self._staging[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        return self._staging[self._end :]

    def buffer_updated(self, count: int) -> list[Frame]:
        """`count` bytes were put into the last `get_buffer()`; returns the frames that they complete."""
        direct = self._direct()
        if direct is not None:
            direct.filled += count
        else:
            self._end += count
        frames: list[Frame] = []
        try:
            while self._advance(frames):
                pass
        except FrameError as fault:
            if not frames:
                raise
            self._fault = fault
        return frames

    def eof(self) -> None:
        """The input ended: raises unless it did so between two frames."""
        if self._fault is not None:
            raise self._fault
        if self._start != self._end or self._current() is not None or self._frame is not None:
            raise FrameError("truncated", f"the input ended inside {self._place()}", self._quote())

    def _advance(self, frames: list[Frame]) -> bool:
        """One step of the frame at hand; False when more input is needed."""
        if self._header is None:
            return self._begin(frames)
        if self._frame is None:
            if not self._fill(self._header):
                return False
            self._frame = self._open(self._header.buffer)
        while self._sinks:
            if not self._fill(self._sinks[-1]):
                return False
            self._sinks.pop()
        frames.append(self._frame)
        self._header = self._frame = None
        return True

    def _begin(self, frames: list[Frame]) -> bool:
        staged = self._end - self._start - PREFIX_BYTES
        if staged < 0:
            return False
        (size,) = _PREFIX.unpack_from(self._staging, self._start)
        if not 0 < size <= self._limits.max_header_bytes:
            limit = self._limits.max_header_bytes
            raise FrameError("header_size", f"header size {size} is not within 1 … {limit}", self._quote())
        if (PREFIX_BYTES + size) % ALIGNMENT:
            raise FrameError("header_size", f"header size {size} + 4 is no multiple of {ALIGNMENT}", self._quote())
        if size <= staged:
            return self._begin_whole(frames, self._start + PREFIX_BYTES, size)
        self._start += PREFIX_BYTES
        self._header = _Sink(bytearray(size), size)
        return True

    def _begin_whole(self, frames: list[Frame], start: int, size: int) -> bool:
        """A frame whose header is staged, as nearly every one is: it is read where it lies."""
        text = self._staging[start : start + size]
        frame = self._open(text)
        if self._sinks:
            self._header, self._frame = _Sink(bytearray(text), size, size), frame
        else:
            frames.append(frame)
        self._start = start + size
        return True

    def _open(self, text: Any) -> Frame:
        try:
            header = _decode(text)
        except (ValueError, RecursionError) as error:  # msgspec.DecodeError and UnicodeDecodeError are ValueErrors
            raise FrameError("header", f"the header is no JSON: {error}", self._quote()) from None
        if not isinstance(header, dict):
            raise FrameError("header", "the header is no JSON object", self._quote())
        listed = header.get("payload")
        if listed is None:
            return Frame(header, [], PREFIX_BYTES + len(text))
        sizes = self._sizes(listed)
        payload_bytes = sum(map(padded, sizes))
        frame_bytes = PREFIX_BYTES + len(text) + payload_bytes
        try:
            self._admit(frame_bytes)
            buffers = [self._allocate(padded(size)) for size in sizes]
        except (Refused, MemoryError) as refusal:
            self._sinks = [_Sink(None, payload_bytes)]
            return Frame(header, [], frame_bytes, refusal)
        self._sinks = [_Sink(b, padded(s)) for b, s in zip(reversed(buffers), reversed(sizes), strict=True)]
        views = [memoryview(b).cast("B")[:s] for b, s in zip(buffers, sizes, strict=True)]
        return Frame(header, views, frame_bytes)

    def _sizes(self, descriptors: Any) -> list[int]:
        if not isinstance(descriptors, list):
            raise FrameError("payload", "the header's payload member is no list", self._quote())
        sizes: list[Any] = [item.get("size") if isinstance(item, dict) else None for item in descriptors]
        left = limit = self._limits.max_payload_bytes
        for index, size in enumerate(sizes):
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise FrameError("payload", f"payload[{index}] has no size of 0 or more bytes", self._quote())
            if size > left:
                raise FrameError("payload", f"payload[{index}] ends beyond the limit of {limit} bytes", self._quote())
            left -= size
        return sizes

    def _fill(self, sink: _Sink) -> bool:
        count = min(self._end - self._start, sink.missing)
        if sink.view is not None:
            sink.view[sink.filled : sink.filled + count] = self._staging[self._start : self._start + count]
        sink.filled += count
        self._start += count
        return sink.missing == 0

    def _direct(self) -> _Sink | None:
        """The sink that the next read fills in place, if it is worth it."""
        sink = self._current()
        if sink is None or sink.view is None or sink.missing < DIRECT_BYTES:
            return None
        return sink

    def _current(self) -> _Sink | None:
        return self._sinks[-1] if self._sinks else self._header

    def _place(self) -> str:
        if self._header is None:
            return "the size prefix of a frame"
        return "a frame's header" if self._frame is None else "a frame's payload"

    def _quote(self) -> bytes:
        if self._header is None:
            return bytes(self._staging[self._start : self._end][:QUOTED_BYTES])
        prefix = _PREFIX.pack(self._header.size)
        return (prefix + bytes(memoryview(self._header.buffer)[: self._header.filled]))[:QUOTED_BYTES]


class _Sink:
    """A run of input on its way to one buffer, or to nowhere."""

    __slots__ = ("buffer", "filled", "size", "view")

    def __init__(self, buffer: Any, size: int, filled: int = 0) -> None:
        self.buffer = buffer
        self.view = None if buffer is None else memoryview(buffer).cast("B")
        self.size = size
        self.filled = filled

    @property
    def missing(self) -> int:
        return self.size - self.filled
