"""`Annotated[T, ArrowType(...)]`: a type of Arrow's choice for a Python type, with no value changed by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from .codec import Codec, InvalidValue, Scalar, UnsupportedHint
from .scalars import IntCodec
from .times import DatetimeCodec, instant


class ArrowType:
    """Names the Arrow type of a field: `Annotated[int, ArrowType(pa.uint8())]`."""

    __slots__ = ("type",)

    def __init__(self, type: pa.DataType) -> None:
        if not isinstance(type, pa.DataType):
            raise TypeError(f"ArrowType takes a pyarrow type as pa.int32(), not {type!r}")
        self.type = type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrowType) and self.type == other.type

    def __hash__(self) -> int:
        return hash(self.type)

    def __repr__(self) -> str:
        return f"ArrowType({self.type})"


class AnnotatedCodec(Codec):
    """The codec of the Python type, with another Arrow type: a value that does not come back from it as it was, out of
    range or rounded, is refused in every form. Two things are the author's wish, who named the type: a narrower float
    is the nearest (but no infinity), and a Decimal has as many digits behind the point as the type says."""

    def __init__(self, inner: Codec, arrow: pa.DataType) -> None:
        self.inner = inner
        self.arrow = arrow
        self.kind = inner.kind
        self.escapes = inner.escapes
        self.name = f"{inner.name} as {arrow}"

    def to_arrow(self, value: Any, where: str) -> Any:
        form = self.inner.to_arrow(value, where)
        try:
            back = self.inner.from_arrow(pa.array([form], self.arrow)[0].as_py(), where)
        except (InvalidValue, pa.ArrowException, ValueError, TypeError, OverflowError) as fault:
            raise self.refusal(value, where, str(fault)) from None
        if not self._is_kept(form, back, where):
            raise self.refusal(value, where, f"it would come back as {back!r}")
        return back if isinstance(form, float) else form

    def _is_kept(self, form: Any, back: Any, where: str) -> bool:
        if isinstance(form, float):
            return math.isfinite(form) == math.isfinite(back)
        again = self.inner.to_arrow(back, where)
        if isinstance(form, Decimal) and form.is_signed() != again.is_signed():  # -0 has one, and equals 0
            return False
        return bool(again == form) or repr(again) == repr(form)  # NaN differs from itself

    def from_arrow(self, value: Any, where: str) -> Any:
        return self.inner.from_arrow(value, where)

    def to_json(self, value: Any, where: str) -> Any:
        form = self.to_arrow(value, where)
        return self.inner.to_json(form if isinstance(form, float) else value, where)

    def from_json(self, value: Any, where: str) -> Any:
        made = self.inner.from_json(value, where)
        form = self.to_arrow(made, where)
        return form if isinstance(form, float) else made

    def matches(self, value: Any) -> bool:
        return self.inner.matches(value)

    def schema(self) -> dict[str, Any]:
        return self.inner.schema()


class TimestampCodec(DatetimeCodec):
    """datetime in one Arrow timestamp: naive or aware, as the Arrow type says."""

    def __init__(self, arrow: pa.DataType) -> None:
        self.arrow = arrow
        self.aware = arrow.tz is not None
        self.name = "datetime"

    def _checked(self, value: datetime, where: str) -> datetime:
        if (value.tzinfo is not None) != self.aware:
            raise self.refusal(value, where, "one with a time zone" if self.aware else "one without a time zone")
        return value

    def to_arrow(self, value: Any, where: str) -> Any:
        return self._checked(instant(self, value, where), where)

    def from_arrow(self, value: Any, where: str) -> datetime:
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC)
        return self._checked(instant(self, value, where), where)

    def to_json(self, value: Any, where: str) -> str:
        return super().to_json(self.to_arrow(value, where), where)

    def from_json(self, value: Any, where: str) -> datetime:
        return self._checked(super().from_json(value, where), where)


class DecimalNumberCodec(Scalar):
    """Decimal in one of Arrow's decimal types."""

    name = "Decimal"

    def __init__(self, arrow: pa.DataType, text: Codec) -> None:
        self.arrow = arrow
        self.text = text

    def check(self, value: Any, where: str) -> Any:
        if not isinstance(value, Decimal):
            raise self.refusal(value, where)
        return value

    def to_json(self, value: Any, where: str) -> Any:
        return self.text.to_json(value, where)

    def from_json(self, value: Any, where: str) -> Any:
        return self.text.from_json(value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, Decimal)

    def schema(self) -> dict[str, Any]:
        return self.text.schema()


def annotated(hint: Any, inner: Codec, arrow: pa.DataType) -> Codec:
    """The codec of `Annotated[hint, ArrowType(arrow)]`. Raises `UnsupportedHint` for a pair that never fits."""
    is_family = _FAMILIES.get(hint)
    if is_family is not None and not is_family(arrow):
        raise UnsupportedHint(hint, f"no value of it has the Arrow type {arrow}")
    try:
        pa.array([{"field": None}], pa.struct([("field", arrow)]))
    except (pa.ArrowException, ValueError, TypeError):
        raise UnsupportedHint(hint, f"pyarrow makes no values of {arrow} from Python's") from None
    if hint is int:
        return IntCodec(arrow)
    if hint is datetime:
        inner = TimestampCodec(arrow)
    elif hint is Decimal and pa.types.is_decimal(arrow):
        inner = DecimalNumberCodec(arrow, inner)
    return AnnotatedCodec(inner, arrow)


def _is_text(dtype: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(dtype):
        return _is_text(dtype.value_type)
    return bool(types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype))


def _is_binary(dtype: pa.DataType) -> bool:
    types = pa.types
    is_one = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(check(dtype) for check in is_one)


_FAMILIES: dict[Any, Callable[[pa.DataType], bool]] = {
    int: pa.types.is_integer,
    float: pa.types.is_floating,
    bool: pa.types.is_boolean,
    str: _is_text,
    bytes: _is_binary,
    datetime: pa.types.is_timestamp,
    date: pa.types.is_date,
    time: pa.types.is_time,
    timedelta: pa.types.is_duration,
    Decimal: lambda dtype: pa.types.is_decimal(dtype) or _is_text(dtype),
}
