"""Binary values of a message: what each one is, and at which JSON path it stands.

A message lists its binary values out of band, in the header's `payload` member: no value of a user can be
mistaken for a placeholder. `find` collects the `Payload` objects of an outgoing message, `attach` puts the
received buffers back at their paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from reprlib import repr as shown  # of bounded length and depth, whatever the host sent
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
    """One binary value: `data`, its `type`, and a typed array's `shape`.

    `data` is any object with the buffer protocol, or a list of such: a value in pieces is sent without joining them.

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
        return sum(memoryview(buffer).nbytes for buffer in self.buffers)

    @property
    def buffers(self) -> list[Any]:
        """`data` as a list of buffers."""
        return self.data if isinstance(self.data, list) else [self.data]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Payload):
            return NotImplemented
        mine, theirs = ((p.type, p.shape and list(p.shape), b"".join(p.buffers)) for p in (self, other))
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]  # mutable, compared by content

    def __repr__(self) -> str:
        shape = f", shape={list(self.shape)}" if self.shape is not None else ""
        return f"Payload({self.type!r}, {self.size} bytes{shape})"


_HOLDERS = (Payload, dict, list, tuple, Struct)


def describe(path: Path, payload: Payload) -> dict[str, Any]:
    """The descriptor that announces `payload` at `path`."""
    descriptor: dict[str, Any] = {"path": path, "type": payload.type, "size": payload.size}
    if payload.shape is not None:
        descriptor["shape"] = payload.shape
    return descriptor


def find(value: Any) -> Iterator[tuple[Path, Payload]]:
    """Every `Payload` inside nested dicts, lists and structs, with its path, in message order.

    A stack of its own: a message that the decoder takes may be nested more deeply than Python can recurse.
    """
    todo: list[tuple[Any, Any]] = [(None, value)]
    while todo:
        link, item = todo.pop()
        if isinstance(item, Payload):
            yield _path_of(link), item
        else:
            todo.extend(((link, key), child) for key, child in reversed(_children(item)))


def _path_of(link: Any) -> Path:
    """The keys of a chain `((None, key), key)`, which costs the same at any depth."""
    keys: list[str | int] = []
    while link is not None:
        link, key = link
        keys.append(key)
    return tuple(reversed(keys))


def _children(value: Any) -> list[tuple[str | int, Any]]:
    """What may hold a `Payload` one level down."""
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        items = ((encoded, getattr(value, name)) for name, encoded in names)
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        items = ()
    return [(key, item) for key, item in items if isinstance(item, _HOLDERS)]


def attach(message: dict[str, Any], descriptors: Sequence[Any], buffers: Sequence[Any]) -> None:
    """Put each buffer at the path of its descriptor, in `message` itself.

    The parent must be there; the place itself must be absent (in an object) or null. That one rule also refuses
    a path named twice and a path inside another payload's path. Raises `InvalidPayload`, after which `message`
    must be thrown away.
    """
    for index, (descriptor, data) in enumerate(zip(descriptors, buffers, strict=True)):
        payload = _payload(index, descriptor, data)
        *parents, last = _path(index, descriptor, message)
        place: Any = message
        for depth, key in enumerate(parents):
            if not _has(place, key):
                raise InvalidPayload(index, f"path has no parent at {shown(parents[: depth + 1])}")
            place = place[key]
        if not _vacant(place, last):
            raise InvalidPayload(index, f"path {shown([*parents, last])} is taken or has no parent")
        place[last] = payload


def _has(place: Any, key: str | int) -> bool:
    if isinstance(place, dict):
        return key in place
    return isinstance(place, list) and isinstance(key, int) and 0 <= key < len(place)


def _vacant(place: Any, key: str | int) -> bool:
    if isinstance(place, dict):
        return isinstance(key, str) and place.get(key) is None
    return _has(place, key) and place[key] is None


def _path(index: int, descriptor: dict[str, Any], message: dict[str, Any]) -> list[str | int]:
    path = descriptor.get("path")
    if not isinstance(path, list) or any(not isinstance(key, str | int) or isinstance(key, bool) for key in path):
        raise InvalidPayload(index, f"path must be a list of names and indices, not {shown(path)}")
    if not path or path[0] not in ROOTS or path[0] not in message:
        raise InvalidPayload(index, f"path must begin with the message's params, result or error, not {shown(path)}")
    return path


def _payload(index: int, descriptor: dict[str, Any], data: Any) -> Payload:
    kind, size, shape = descriptor.get("type"), descriptor["size"], descriptor.get("shape")
    if not isinstance(kind, str) or kind not in TYPES:
        raise InvalidPayload(index, f"type {shown(kind)} is none of {', '.join(sorted(TYPES))}")
    if kind in OPAQUE_TYPES:
        if shape is not None:
            raise InvalidPayload(index, f"type {kind!r} has no shape")
        return Payload(kind, data)
    if shape is None:
        if size % ITEM_BYTES[kind]:
            raise InvalidPayload(index, f"{size} bytes are no whole number of {kind} items")
        return Payload(kind, data, [size // ITEM_BYTES[kind]])
    sizes = _sizes(index, shape)
    if not _takes(sizes, ITEM_BYTES[kind], size):
        raise InvalidPayload(index, f"shape {shown(shape)} of {kind} does not take the {size} bytes of size")
    return Payload(kind, data, shape)


def _sizes(index: int, shape: Any) -> list[int]:
    """The dimensions that are not missing."""
    if not isinstance(shape, list):
        raise InvalidPayload(index, f"shape must be a list, not {shown(shape)}")
    sizes = [size for size in shape if size is not None]
    if any(size is None for size in shape[: len(sizes)]):
        raise InvalidPayload(index, f"null closes a shape, so {shown(shape)} has no meaning")
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 0 for size in sizes):
        raise InvalidPayload(index, f"shape must hold sizes of 0 and more, not {shown(shape)}")
    return sizes


def _takes(sizes: list[int], item_bytes: int, size: int) -> bool:
    """Whether the product is `size`. Stops where it is beyond: a million dimensions would take minutes to multiply."""
    if 0 in sizes:
        return size == 0
    product = item_bytes
    for dimension in sizes:
        product *= dimension
        if product > size:
            return False
    return product == size
