"""Binary values of a message: what each one is, and at which JSON path it stands.

A message lists its binary values out of band, in the header's `payload` member: no value of a user can be
mistaken for a placeholder. `find` collects the `Payload` objects of an outgoing message, `attach` puts the
received buffers back at their paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from msgspec import Struct

Path = tuple[str | int, ...]
Shape = Sequence[int | None]

ITEM_BYTES = {
    "float16": 2,
    "float32": 4,
    "float64": 8,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "bool": 1,
}
"""Bytes of one item of each typed array; little-endian, `bool` is one byte of 0 or 1."""

OPAQUE_TYPES = frozenset({"bytes", "arrow", "parquet"})
TYPES = frozenset(ITEM_BYTES) | OPAQUE_TYPES
ROOTS = frozenset({"params", "result", "error"})


class InvalidPayload(ValueError):
    """A descriptor that does not fit its message. The frame's end is known, so the line goes on."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"payload[{index}]: {reason}")
        self.index = index
        self.reason = reason


class Payload:
    """One binary value: `data` (any object with the buffer protocol), its `type`, and a typed array's `shape`.

    `shape` is a list of sizes in elements, slowest dimension first; null stands for a missing dimension and may
    only close the list. A typed array without a shape has one dimension.
    """

    __slots__ = ("data", "shape", "type")

    def __init__(self, type: str, data: Any, shape: Shape | None = None) -> None:
        self.type = type
        self.data = data
        self.shape = shape

    @property
    def size(self) -> int:
        """Exact byte count of `data`."""
        return memoryview(self.data).nbytes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Payload):
            return NotImplemented
        return (self.type, self.shape, bytes(self.data)) == (other.type, other.shape, bytes(other.data))

    __hash__ = None  # type: ignore[assignment]  # mutable, compared by content

    def __repr__(self) -> str:
        shape = f", shape={list(self.shape)}" if self.shape is not None else ""
        return f"Payload({self.type!r}, {self.size} bytes{shape})"


def describe(path: Path, payload: Payload) -> dict[str, Any]:
    """The descriptor that announces `payload` at `path`."""
    descriptor: dict[str, Any] = {"path": path, "type": payload.type, "size": payload.size}
    if payload.shape is not None:
        descriptor["shape"] = payload.shape
    return descriptor


def find(value: Any, path: Path = ()) -> Iterator[tuple[Path, Payload]]:
    """Every `Payload` inside nested dicts, lists and structs, with its path, in message order."""
    if isinstance(value, Payload):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from find(item, (*path, key))
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from find(getattr(value, name), (*path, name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from find(item, (*path, index))


def attach(message: dict[str, Any], descriptors: Sequence[Any], buffers: Sequence[Any]) -> None:
    """Put each buffer at the path of its descriptor, in `message` itself.

    The parent must be there; the place itself must be absent (in an object) or null. That one rule also refuses
    a path named twice and a path inside another payload's path. Raises `InvalidPayload`, after which `message`
    must be thrown away.
    """
    for index, (descriptor, data) in enumerate(zip(descriptors, buffers, strict=True)):
        payload = _payload(index, descriptor, data)
        *parents, last = _path(index, descriptor)
        place: Any = message
        for depth, key in enumerate(parents):
            if not _has(place, key):
                raise InvalidPayload(index, f"path has no parent at {list(parents[: depth + 1])}")
            place = place[key]
        if not _vacant(place, last):
            raise InvalidPayload(index, f"path {[*parents, last]} is taken or has no parent")
        place[last] = payload


def _has(place: Any, key: str | int) -> bool:
    if isinstance(place, dict):
        return key in place
    return isinstance(place, list) and isinstance(key, int) and 0 <= key < len(place)


def _vacant(place: Any, key: str | int) -> bool:
    if isinstance(place, dict):
        return isinstance(key, str) and place.get(key) is None
    return _has(place, key) and place[key] is None


def _path(index: int, descriptor: dict[str, Any]) -> list[str | int]:
    path = descriptor.get("path")
    if not isinstance(path, list) or not path or path[0] not in ROOTS:
        raise InvalidPayload(index, f"path must be a list that begins with one of {sorted(ROOTS)}, not {path!r}")
    if any(not isinstance(key, str | int) or isinstance(key, bool) for key in path):
        raise InvalidPayload(index, f"path must hold names and indices only, not {path!r}")
    return path


def _payload(index: int, descriptor: dict[str, Any], data: Any) -> Payload:
    kind, size, shape = descriptor.get("type"), descriptor["size"], descriptor.get("shape")
    if kind not in TYPES:
        raise InvalidPayload(index, f"type {kind!r} is none of {sorted(TYPES)}")
    if kind in OPAQUE_TYPES:
        if shape is not None:
            raise InvalidPayload(index, f"type {kind!r} has no shape")
        return Payload(kind, data)
    if shape is None:
        if size % ITEM_BYTES[kind]:
            raise InvalidPayload(index, f"{size} bytes are no whole number of {kind} items")
        return Payload(kind, data, [size // ITEM_BYTES[kind]])
    expected = _item_count(index, shape) * ITEM_BYTES[kind]
    if expected != size:
        raise InvalidPayload(index, f"shape {shape} of {kind} takes {expected} bytes, but size says {size}")
    return Payload(kind, data, shape)


def _item_count(index: int, shape: Any) -> int:
    if not isinstance(shape, list):
        raise InvalidPayload(index, f"shape must be a list, not {shape!r}")
    sizes = [size for size in shape if size is not None]
    if shape[: len(sizes)] != sizes:
        raise InvalidPayload(index, f"null closes a shape, so {shape} has no meaning")
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 0 for size in sizes):
        raise InvalidPayload(index, f"shape must hold sizes of 0 and more, not {shape}")
    return prod(sizes)
