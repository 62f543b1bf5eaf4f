"""Codecs of datetime, date, time and timedelta, all to the microsecond."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from .codec import Codec, InvalidValue, Scalar
from .scalars import DIGITS, IntCodec, integer_form

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d:\d\d(\.\d{1,6})?"
_PATTERNS = {
    "date": re.compile(_DATE, re.ASCII),
    "time": re.compile(_TIME, re.ASCII),
    "datetime": re.compile(rf"{_DATE}[T ]{_TIME}(Z|[+-]\d\d:\d\d(:\d\d)?)?", re.ASCII),
}
MICROSECOND = timedelta(microseconds=1)
LEAST = timedelta(days=-(2**63 // 86_400_000_000))  # pyarrow counts the days alone first (26.0)
MOST = timedelta(microseconds=2**63 - 1)


def _parsed(codec: Codec, parse: Callable[[str], Any], value: Any, where: str) -> Any:
    """Only the one long form: `fromisoformat` takes many, and cuts digits beyond the microsecond off."""
    why = f"an ISO 8601 {codec.name} to the microsecond"
    if not isinstance(value, str) or not _PATTERNS[codec.name].fullmatch(value):
        raise codec.refusal(value, where, why)
    try:
        return parse(value)
    except ValueError:
        raise codec.refusal(value, where, why) from None


def instant(codec: Codec, value: Any, where: str) -> datetime:
    """A datetime that loses nothing: naive as it is, aware in UTC."""
    if not isinstance(value, datetime):
        raise codec.refusal(value, where)
    if getattr(value, "nanosecond", 0):
        raise codec.refusal(value, where, "nanoseconds would be lost")
    if value.tzinfo is None:
        if value.fold:
            raise codec.refusal(value, where, "its fold would be lost: give it a time zone")
        return value
    if value.utcoffset() is None:
        raise codec.refusal(value, where, "its tzinfo gives no offset")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise codec.refusal(value, where, "out of range in UTC") from None


class DatetimeCodec(Codec):
    """datetime, naive or aware, as each value is: an aware one keeps its instant and comes back in UTC.

    Arrow has one timestamp type for each of the two, so the field is a struct of both with one of them null, as any
    union is. `Annotated[datetime, ArrowType(pa.timestamp("us"))]` takes naive ones only, and with a time zone aware
    ones only, in one column.
    """

    arrow = pa.struct([pa.field("naive", pa.timestamp("us")), pa.field("utc", pa.timestamp("us", "UTC"))])
    name = "datetime"

    def to_arrow(self, value: Any, where: str) -> dict[str, datetime]:
        value = instant(self, value, where)
        return {"naive" if value.tzinfo is None else "utc": value}

    def from_arrow(self, value: Any, where: str) -> datetime:
        found = [part for part in value.values() if part is not None] if isinstance(value, dict) else []
        if len(found) != 1:
            raise self.refusal(value, where)
        return instant(self, found[0], where)

    def to_json(self, value: Any, where: str) -> str:
        return instant(self, value, where).isoformat().replace("+00:00", "Z")

    def from_json(self, value: Any, where: str) -> datetime:
        return instant(self, _parsed(self, datetime.fromisoformat, value, where), where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, datetime)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class DateCodec(Scalar):
    """date: date32. A datetime is none: its time would be lost."""

    arrow = pa.date32()
    name = "date"

    def check(self, value: Any, where: str) -> date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.refusal(value, where)
        return value

    def to_json(self, value: Any, where: str) -> str:
        return self.check(value, where).isoformat()

    def from_json(self, value: Any, where: str) -> Any:
        return _parsed(self, date.fromisoformat, value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, date) and not isinstance(value, datetime)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class TimeCodec(Scalar):
    """time without a time zone: time64[us]."""

    arrow = pa.time64("us")
    name = "time"

    def check(self, value: Any, where: str) -> time:
        if not isinstance(value, time):
            raise self.refusal(value, where)
        if value.tzinfo is not None:
            raise self.refusal(value, where, "its time zone would be lost: use datetime")
        if value.fold:
            raise self.refusal(value, where, "its fold would be lost")
        return value

    def to_json(self, value: Any, where: str) -> str:
        return self.check(value, where).isoformat()

    def from_json(self, value: Any, where: str) -> Any:
        return _parsed(self, time.fromisoformat, value, where)

    def matches(self, value: Any) -> bool:
        return isinstance(value, time)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "time"}


class TimedeltaCodec(Scalar):
    """timedelta: duration[us], in JSON the integer count of microseconds."""

    arrow = pa.duration("us")
    kind = "number"
    escapes = True
    name = "timedelta"

    def check(self, value: Any, where: str) -> timedelta:
        if not isinstance(value, timedelta):
            raise self.refusal(value, where)
        if getattr(value, "nanoseconds", 0):
            raise self.refusal(value, where, "nanoseconds would be lost")
        if not LEAST <= value <= MOST:
            raise self.refusal(value, where, "beyond 64 bits of microseconds")
        return value

    def to_json(self, value: Any, where: str) -> int | str:
        return integer_form(self.check(value, where) // MICROSECOND)

    def from_json(self, value: Any, where: str) -> timedelta:
        try:
            return IntCodec().from_json(value, where) * MICROSECOND
        except InvalidValue:
            raise self.refusal(value, where, "an integer count of microseconds") from None

    def matches(self, value: Any) -> bool:
        return isinstance(value, timedelta)

    def schema(self) -> dict[str, Any]:
        return {"type": ["integer", "string"], "pattern": DIGITS}
