"""PROTOCOL.md says of streams and services what the code does: members, reasons, kinds, credit, values, violations.

The general parts of the document are held by `test_document.py`; here a real process is asked as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional, Union, get_args
from uuid import UUID

import pyarrow as pa
import pytest

from sidecar.protocol.hello import METHODS
from sidecar.protocol.messages import Notification
from sidecar.protocol.streams import (
    INPUT_CREDIT_BYTES,
    CloseParams,
    CreditParams,
    DataParams,
    EndParams,
    Flow,
    Kind,
    Reason,
)
from sidecar.streams.context import Level
from sidecar.streams.tokens import MAX_TOKEN_BYTES
from sidecar.streams.values import types
from sidecar.version import PROTOCOL_VERSION
from sidecar.wire.payload import Payload, attach
from tests.peers.raw import DEADLINE_S, Message, RawHost, frame
from tests.peers.stream_host import ROOT, SERVICE
from tests.peers.streaming import TEXTS, VALUES
from tests.protocol.test_document import ENDING, PACKAGE, TABLES, TEXT, code, codes, json_fields, names, violation

MIB = 1024**2


# -- names -------------------------------------------------------------------------------------------------------


def members() -> dict[str, list[str]]:
    """The members of each notification about a stream, as documented."""
    return {code(row["stream notification"]): codes(row["members"]) for row in TABLES["stream notification"]}


@pytest.mark.parametrize(
    ("method", "struct"),
    [
        ("streams/data", DataParams),
        ("streams/credit", CreditParams),
        ("streams/close", CloseParams),
        ("streams/cancel", CloseParams),
        ("streams/end", EndParams),
    ],
)
def test_notifications_have_the_members_of_their_struct(method: str, struct: Any) -> None:
    assert members()[method] == json_fields(struct)


def test_the_two_tables_of_the_end_agree() -> None:
    assert members()["streams/end"] == names("`streams/end`")


def test_what_is_as_another_notification_has_its_members() -> None:
    for method, same in (("streams/log", "`$/log`"), ("streams/progress", "`$/progress`")):
        (row,) = (row for row in TABLES["stream notification"] if code(row["stream notification"]) == method)
        assert same in row["meaning"]
        assert members()[method] == ["stream", *names(same)[1:]]


def test_every_reason_is_the_end_of_an_event() -> None:
    assert {code(row["reason of the end"]) for row in TABLES["event"] if row["reason of the end"]} == set(
        get_args(Reason)
    )


def test_the_levels_are_listed() -> None:
    (line,) = re.findall(r"The levels are (.*?)\.", TEXT)
    assert codes(line) == [level.value for level in Level]


@pytest.mark.parametrize(
    ("table", "kinds"),
    [
        ("`streams/open` result", set(get_args(Kind))),
        ("`streams/list.streams`", set(get_args(Kind))),
        ("`describe.methods`", {"unary", "stream", *get_args(Kind)}),
    ],
)
def test_the_kinds_are_listed(table: str, kinds: set[str]) -> None:
    (row,) = (row for row in TABLES[table] if row[table] == "`kind`")
    assert set(codes(row["meaning"])) == kinds


def test_every_schema_keyword_stands() -> None:
    written = {
        word for path in (PACKAGE / "streams").rglob("*.py") for word in re.findall(r'"(x-[a-z]+)"', path.read_text())
    }
    assert set(names("schema keyword")) == written


# -- numbers -----------------------------------------------------------------------------------------------------


def test_the_example_of_credit_is_right() -> None:
    first, size, debt, more, left = (
        int(number)
        for number in re.findall(
            r"With `credit_bytes` (\d+) and batches of (\d+) bytes, a producer sends three and has (-\d+)\. After "
            r"`streams/credit` with\n`bytes` (\d+) it has (\d+), and sends two more\.",
            TEXT,
        )[0]
    )
    flow, sent = Flow("producer", first), []
    for granted in (0, more):
        flow.granted(granted)
        sent.append([flow.credit_bytes])
        while flow.credit_bytes > 0:
            flow.emitted(size)
            sent[-1].append(flow.credit_bytes)
    assert [len(credits) - 1 for credits in sent] == [3, 2]
    assert [sent[0][-1], sent[1][0]] == [debt, left]


def test_input_credit_comes_back_as_the_document_says() -> None:
    (mib,) = re.findall(r"gives back what was served, from (\d+) MiB", TEXT)
    flow = Flow("exchange", 1)
    flow.received(INPUT_CREDIT_BYTES)
    assert [flow.served(int(mib) * MIB - 1), flow.served(1)] == [0, int(mib) * MIB]


def test_a_token_is_no_larger_than_said() -> None:
    (mib,) = re.findall(r"It is at most (\d+) MiB", TEXT)
    assert int(mib) * MIB == MAX_TOKEN_BYTES


# -- values ------------------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = 1
    BLUE = 2


class Access(Flag):
    READ = 1
    WRITE = 2


@dataclass
class Point:
    x: int
    y: int = 0


class Sample(NamedTuple):
    hint: Any
    value: Any
    payload: str | None = None


BATCH = pa.record_batch({"a": [1]})

SAMPLES = {
    "None": Sample(None, None),
    "bool": Sample(bool, True),
    "int": Sample(int, 2**53 + 1),
    "float": Sample(float, float("-inf")),
    "str": Sample(str, "größe"),
    "bytes": Sample(bytes, b"\0", payload="bytes"),
    "list[T]": Sample(list[int], [1, 2]),
    "set[T]": Sample(set[int], {2, 1}),
    "tuple[A, B]": Sample(tuple[int, str], (1, "a")),
    "dict[str, V]": Sample(dict[str, int], {"a": 1}),
    "dict[K, V]": Sample(dict[int, str], {1: "a"}),
    "dataclass": Sample(Point, Point(1, 2)),
    "Enum": Sample(Colour, Colour.RED),
    "Flag": Sample(Access, Access.READ),
    "Literal": Sample(Literal["up", "down"], "up"),
    "Optional[T]": Sample(Optional[int], None),  # noqa: UP045 - as it stands in the table
    "Union[A, B]": Sample(Union[int, str], 2**53 + 1),  # noqa: UP007
    "datetime": Sample(datetime, datetime(2026, 1, 31, 12, 0, 0, 5, UTC)),
    "date": Sample(date, date(2026, 1, 31)),
    "time": Sample(time, time(12, 30)),
    "timedelta": Sample(timedelta, timedelta(seconds=1.5)),
    "Decimal": Sample(Decimal, Decimal("1.50")),
    "UUID": Sample(UUID, UUID("12345678-1234-5678-1234-567812345678")),
    "RecordBatch": Sample(pa.RecordBatch, BATCH, payload="arrow"),
    "Table": Sample(pa.Table, pa.table(BATCH), payload="arrow"),
    "Schema": Sample(pa.Schema, BATCH.schema, payload="arrow"),
    "Any": Sample(Any, [1, None]),
}


def test_every_type_stands_in_the_table() -> None:
    assert names("Python type") == list(SAMPLES)
    simple = {type_name(hint) for hint in types._SIMPLE}
    assert simple <= {*SAMPLES, "list", "dict"}


def type_name(hint: Any) -> str:
    return {None: "None", type(None): "None", Any: "Any"}.get(hint) or str(hint.__name__)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_value_has_the_form_of_its_example(name: str) -> None:
    sample, (row,) = SAMPLES[name], [row for row in TABLES["Python type"] if code(row["Python type"]) == name]
    codec = types.codec(sample.hint)
    form = codec.to_json(sample.value, "")
    if sample.payload is None:
        assert json.loads(code(row["example"])) == form
    else:
        assert (form.type, row["example"]) == (sample.payload, "")
        assert f"payload of type `{sample.payload}`" in row["form"] or row["form"].startswith("the same")
    assert codec.from_json(form, "") == sample.value


@pytest.mark.parametrize(
    ("hint", "form", "value"),
    [
        (bytes, "AA==", b"\0"),
        (bytes, Payload("arrow", b"\0"), b"\0"),
        (Colour, 2, Colour.BLUE),
        (Access, "READ|WRITE", Access.READ | Access.WRITE),
        (Access, "0", Access(0)),
        (Decimal, 5, Decimal(5)),
        (Point, {"x": 1, "z": 3}, Point(1, 0)),
        (datetime, "2026-01-31T12:00:00", datetime(2026, 1, 31, 12)),
        (datetime, "2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (tuple[int, ...], [1, 2], (1, 2)),
        (frozenset[int], [1, 2], frozenset({1, 2})),
        (Union[int, str], "a", "a"),  # noqa: UP007
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_host_may_write_other_forms_as_said(hint: Any, form: Any, value: Any) -> None:
    assert types.codec(hint).from_json(form, "") == value


# -- a process ---------------------------------------------------------------------------------------------------


class Talk:
    """A raw host, and the members of every notification that it heard."""

    def __init__(self, host: RawHost) -> None:
        self.host = host
        self.heard: dict[str, set[tuple[str, ...]]] = {}
        self._numbers = count()

    def read(self) -> Message:
        found = self.host.next_frame()
        assert found is not None, self.host.stderr()
        attach(found.header, found.descriptors, found.buffers)
        message = found.header
        if "method" in message:
            self.heard.setdefault(message["method"], set()).add(tuple(message["params"]))
        return message

    def until(self, condition: Callable[[Message], Any]) -> Message:
        while not condition(message := self.read()):
            pass
        return message

    def ask(self, method: str, /, **params: Any) -> Message:
        self.host.request(method, method, params)
        return self.until(lambda message: message.get("id") == method)

    def tell(self, method: str, /, **params: Any) -> None:
        self.host.send(frame(Notification(method, params)))

    def open(self, method: str, credit_bytes: int = MIB, /, **params: Any) -> str:
        """A new stream; returns its id."""
        stream = f"{method} {next(self._numbers)}"
        params = {"name": stream, **params}
        answer = self.ask(
            "streams/open", stream=stream, method=f"Streaming.{method}", params=params, credit_bytes=credit_bytes
        )
        assert "result" in answer, answer
        return stream

    def end_of(self, stream: str) -> Message:
        """The parameters of the stream's end."""
        end = self.until(lambda m: m.get("method") == "streams/end" and m["params"]["stream"] == stream)
        params: Message = end["params"]
        return params


@pytest.fixture(scope="module")
def talk(services_command: list[str]) -> Iterator[Talk]:
    with RawHost.spawn(services_command, *SERVICE, cwd=ROOT) as host:
        yield Talk(host)


def piece(schema: pa.Schema, *rows: Message, with_schema: bool = True) -> bytes:
    """A piece of input with one batch."""
    batch = pa.RecordBatch.from_pylist(list(rows), schema=schema).serialize().to_pybytes()
    return (schema.serialize().to_pybytes() if with_schema else b"") + batch


def arrow(data: bytes) -> Payload:
    return Payload("arrow", data)


def test_what_is_sent_about_streams_has_the_members_of_the_document(talk: Talk) -> None:
    telling = talk.open("act", actions=["log hi", "progress 3"])
    assert talk.end_of(telling)["reason"] == "finish"
    served = talk.open("obey")
    rows = [{"do": "echo"}, {"do": "x" * (INPUT_CREDIT_BYTES // 2)}]
    talk.tell("streams/data", stream=served, batches=arrow(piece(TEXTS, *rows)))
    talk.tell("streams/close", stream=served)
    assert talk.end_of(served) == {"stream": served, "reason": "close", "outputs": 1, "inputs": 1, "error": None}
    assert {name: talk.heard[name] for name in by_sidecar()} == {
        name: {tuple(members()[name])} for name in by_sidecar()
    }


def by_sidecar() -> list[str]:
    return [code(row["stream notification"]) for row in TABLES["stream notification"] if row["sent by"] != "host"]


def test_a_late_message_is_ignored_and_a_strange_one_is_not(talk: Talk) -> None:
    stream = talk.open("obey")
    talk.tell("streams/cancel", stream=stream)
    assert talk.end_of(stream)["reason"] == "cancel"
    for late in ("streams/close", "streams/cancel"):
        talk.tell(late, stream=stream)
    talk.tell("streams/close", stream="strange")
    refusal = talk.until(lambda message: "id" in message)
    assert (refusal["id"], refusal["error"]["data"]["stream"]) == (None, "strange")


class Breach(NamedTuple):
    """What a host does to a stream of `method`."""

    method: str
    pieces: tuple[Any, ...]
    closes_first: bool = False
    credit_bytes: int = MIB
    params: Message = {}  # noqa: RUF012


GOOD = piece(TEXTS, {"do": "echo"})
SCHEMA_BYTES = len(TEXTS.serialize())
END_MARKER = b"\xff\xff\xff\xff\0\0\0\0"
OTHER = pa.schema([("other", pa.string())])
BREACHES = {
    "V27": {
        "type": Breach("obey", (Payload("float128", b""),)),
        "shape": Breach("obey", (Payload("arrow", b"", [0]),)),
    },
    "V28": {"": Breach("act", (GOOD,), credit_bytes=0, params={"actions": ["emit"]})},
    "V29": {"": Breach("obey", (GOOD, GOOD[SCHEMA_BYTES:]), closes_first=True, credit_bytes=0)},
    "V30": {"": Breach("obey", (piece(TEXTS, {"do": "x" * INPUT_CREDIT_BYTES}), GOOD[SCHEMA_BYTES:]), credit_bytes=0)},
    "V31": {
        "garbage": Breach("obey", (b"garbage!",)),
        "cut": Breach("obey", (GOOD[:-8],)),
        "spans two": Breach("obey", (GOOD[:-64], GOOD[-64:])),
        "no schema": Breach("obey", (GOOD[SCHEMA_BYTES:],)),
        "second schema": Breach("obey", (GOOD, GOOD)),
        "end marker": Breach("obey", (GOOD + END_MARKER,)),
    },
    "V32": {
        "other column": Breach("obey", (piece(OTHER, {"other": "echo"}),)),
        "other type": Breach("obey", (piece(VALUES, {"value": 1}),)),
    },
}


def test_every_violation_that_ends_a_stream_is_tried() -> None:
    assert list(BREACHES) == ENDING


@pytest.mark.parametrize(
    ("id", "breach"),
    [
        pytest.param(id, breach, id=f"{id} {name}".strip())
        for id, named in BREACHES.items()
        for name, breach in named.items()
    ],
)
def test_a_violation_ends_its_stream_with_the_kind_of_the_document(talk: Talk, id: str, breach: Breach) -> None:
    bystander = talk.open("obey")
    stream = talk.open(breach.method, breach.credit_bytes, **breach.params)
    *before, last = [data if isinstance(data, Payload) else arrow(data) for data in breach.pieces]
    for data in before:
        talk.tell("streams/data", stream=stream, batches=data)
    if breach.closes_first:
        talk.tell("streams/close", stream=stream)
    talk.tell("streams/data", stream=stream, batches=last)
    end = talk.end_of(stream)
    assert (end["reason"], end["error"]["data"]["kind"]) == ("error", code(violation(id)["kind"]))
    talk.tell("streams/close", stream=bystander)
    assert talk.end_of(bystander)["reason"] == "close"


def test_the_digest_can_be_made_of_what_describe_says(talk: Talk, services_command: list[str]) -> None:
    described = talk.ask("describe")["result"]["services"]
    written = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    lines = "\n".join([PROTOCOL_VERSION, *sorted(METHODS), written])
    with RawHost.spawn(services_command, *SERVICE, cwd=ROOT) as host:
        assert host.hello()["methods_digest"] is None
        host.request(1, "initialize", {"protocol_version": PROTOCOL_VERSION})
        assert host.answer(1)["result"]["methods_digest"] == sha256(lines.encode()).hexdigest()[:16]


@pytest.mark.parametrize("spec", ["no.such:make", "tests.peers.streaming:no_such", "tests.peers.streaming"])
def test_a_service_that_cannot_be_mounted_ends_the_process_after_hello(services_command: list[str], spec: str) -> None:
    (row,) = (row for row in TABLES["exit code"] if "`--service`" in row["meaning"])
    with RawHost.spawn(services_command, "--service", spec, cwd=ROOT) as host:
        host.hello()
        assert host.next_frame() is None
        assert host.process.wait(DEADLINE_S) == int(row["exit code"])


def test_the_changelog_of_the_product_names_the_version() -> None:
    changelog = Path(ROOT, "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"protocol {PROTOCOL_VERSION}" in changelog
