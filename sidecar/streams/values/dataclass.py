"""The base of the dataclasses that cross the wire: states, headers, parameters."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec
import pyarrow as pa

from ...wire.payload import Payload
from .arrays import arrow_array
from .arrow_values import read_stream, stream_bytes
from .codec import Codec, InvalidValue
from .structs import check_dataclass, restoring
from .types import codec


class _Schema:
    """`ARROW_SCHEMA`: made when it is first asked for, as the class is not complete before."""

    def __get__(self, _instance: object, owner: type[ArrowSerializableDataclass]) -> pa.Schema:
        return owner.arrow_schema()


class ArrowSerializableDataclass:
    """Base of a `@dataclass` whose fields are written as Arrow, as JSON and in a compact form, and read back exactly.

    Data of another version of the class is read too: fields that it does not know are ignored, those that are
    missing take their default. Anything else that does not fit raises `InvalidValue`. Nothing is asked of the fields
    before they are written: a state that holds an open file works as long as it stays in memory.
    """

    __slots__ = ()

    ARROW_SCHEMA: ClassVar[pa.Schema] = _Schema()

    @classmethod
    def arrow_schema(cls) -> pa.Schema:
        """The fields as an Arrow schema. Raises `TypeError` for a field that has no Arrow type."""
        return pa.schema(list(_codec(cls).arrow))

    def serialize_to_bytes(self) -> bytes:
        """A complete Arrow IPC stream of one row."""
        made, where = _codec(type(self)), type(self).__name__
        form = made.to_arrow(self, where)
        try:
            row = pa.RecordBatch.from_struct_array(arrow_array([form], made.arrow))
            return stream_bytes(pa.schema(list(made.arrow)), [row])
        except (pa.ArrowException, OSError, OverflowError) as fault:  # more than 2 GiB of text in one field
            raise InvalidValue(where, f"no Arrow data: {fault}") from None

    @classmethod
    def deserialize_from_bytes(cls, data: Any) -> Self:
        """The object of the bytes (of any buffer) that `serialize_to_bytes` gave."""
        made = _codec(cls)
        try:
            _, batches = read_stream(data)
        except ValueError as fault:
            raise InvalidValue(cls.__name__, str(fault)) from None
        if len(batches) != 1 or batches[0].num_rows != 1:
            raise InvalidValue(cls.__name__, f"one row expected, not {sum(batch.num_rows for batch in batches)}")
        value: Self = made.from_arrow(_row(made, batches[0], cls.__name__), cls.__name__)
        return value

    def to_json_value(self) -> dict[str, Any]:
        """The object in a JSON message; bytes, record batches and the like are `Payload`s in it."""
        value: dict[str, Any] = _codec(type(self)).to_json(self, type(self).__name__)
        return value

    @classmethod
    def from_json_value(cls, value: Any) -> Self:
        """The object of what `to_json_value` gave, or a host wrote."""
        made: Self = _codec(cls).from_json(value, cls.__name__)
        return made

    def to_compact(self) -> bytes:
        """The object as a msgpack map, for tokens. Defaults are written too: they may change, an old state must not."""
        return _ENCODER.encode(self.to_json_value())

    @classmethod
    def from_compact(cls, data: Any) -> Self:
        """The object of what `to_compact` gave."""
        _codec(cls)
        try:
            value = msgspec.msgpack.decode(data)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, OverflowError) as fault:
            raise InvalidValue(cls.__name__, f"no valid msgpack: {fault}") from None
        with restoring():
            return cls.from_json_value(value)


def _codec(cls: type) -> Codec:
    check_dataclass(cls)
    return codec(cls)


def _row(made: Codec, batch: pa.RecordBatch, where: str) -> Any:
    try:
        row = batch.to_struct_array()
        made.check_stored(row.type, where)
        return row[0].as_py()
    except InvalidValue:
        raise
    except Exception as fault:  # a date beyond the year 9999, a name twice or not in UTF-8: valid in Arrow alone
        raise InvalidValue(where, f"a value that Python has none for: {fault}") from None


def _packed(value: Any) -> Any:
    if isinstance(value, Payload):
        return value.data
    raise TypeError(f"{type(value).__name__} is no part of a JSON value")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_packed)
