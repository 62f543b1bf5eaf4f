"""Methods: parameters that do not fit say where, versions that do not fit say which side to upgrade, lanes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, Literal, get_args, get_type_hints

import msgspec
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.protocol.methods import (
    HostInfo,
    HostLimits,
    InitializeParams,
    Method,
    Methods,
    check_version,
    convert,
    lane,
)
from sidecar.version import PROTOCOL_MAJOR, PROTOCOL_VERSION
from sidecar.wire.payload import Payload

WAIT_S = 30


class Order(msgspec.Struct, forbid_unknown_fields=True):
    column: str
    descending: bool = False


class Page(msgspec.Struct, forbid_unknown_fields=True):
    session: str
    start: int = 0
    sort: list[Order] = []
    format: Literal["arrow", "json"] = "arrow"
    data: Payload | None = None
    any: Any = None


def test_convert() -> None:
    payload = Payload("bytes", b"x")
    page = convert({"session": "s", "sort": [{"column": "a"}], "data": payload, "any": {"p": [payload]}}, Page)
    assert page == Page("s", sort=[Order("a")], data=payload, any={"p": [payload]})
    assert page.data is payload


NAMES = "session, start, sort, format, data, any"
MISFITS = {
    "wrong type": ({"session": "s", "start": "0"}, "Expected `int`, got `str` - at `params.start`"),
    "missing": ({}, "Object missing required field `session`"),
    "unknown": ({"session": "s", "stat": 1}, f"Object contains unknown field `stat`: it takes {NAMES}"),
    "in a list": (
        {"session": "s", "sort": [{"column": "a"}, {"column": 1}]},
        "Expected `str`, got `int` - at `params.sort[1].column`",
    ),
    "unknown in a list": (
        {"session": "s", "sort": [{"column": "a", "desc": True}]},
        "Object contains unknown field `desc` - at `params.sort[0]`: it takes column, descending",
    ),
    "a text for an object": (
        {"session": "s", "sort": ["a"]},
        "Expected `object`, got `str` - at `params.sort[0]`: it takes column, descending",
    ),
    "no list": ({"session": "s", "sort": {}}, "Expected `array`, got `object` - at `params.sort`"),
    "no payload": ({"session": "s", "data": "eA=="}, "Expected `Payload`, got `str` - at `params.data`"),
    "a payload for a text": (
        {"session": Payload("bytes", b"x")},
        "Expected `str`, got `Payload` - at `params.session`",
    ),
    "null for a number": ({"session": "s", "start": None}, "Expected `int`, got `null` - at `params.start`"),
    "a float for a number": ({"session": "s", "start": 1.5}, "Expected `int`, got `float` - at `params.start`"),
    "true for a number": ({"session": "s", "start": True}, "Expected `int`, got `bool` - at `params.start`"),
}


@pytest.mark.parametrize(("params", "said"), MISFITS.values(), ids=MISFITS)
def test_params_that_do_not_fit_say_where(params: dict[str, Any], said: str) -> None:
    with pytest.raises(SidecarError) as caught:
        convert(params, Page)
    assert caught.value.kind == "invalid_params"
    assert caught.value.message == said
    names = ["column", "descending"] if "params.sort[" in said else NAMES.split(", ")
    assert caught.value.data == {"expected": names}


def test_a_word_that_is_none_of_the_choice() -> None:
    with pytest.raises(SidecarError) as caught:
        convert({"session": "s", "format": "csv"}, Page)
    words = caught.value.data["expected"]
    assert caught.value.message == f"Invalid enum value 'csv' - at `params.format`: one of {', '.join(words)}"
    assert words == list(get_args(get_type_hints(Page)["format"]))


def test_initialize_takes_little_and_ignores_what_it_does_not_know() -> None:
    params = convert(
        {"protocol_version": "1.0.0", "features": ["x"], "host": {"name": "app", "os": "x"}}, InitializeParams
    )
    assert params == InitializeParams("1.0.0", HostInfo("app"), HostLimits(), None, None, False)


# -- versions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version", [PROTOCOL_VERSION, f"{PROTOCOL_MAJOR}", f"{PROTOCOL_MAJOR}.99.1", f"{PROTOCOL_MAJOR}.0.0-beta"]
)
def test_versions_of_the_same_major_are_supported(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize(
    ("version", "upgrade"),
    [
        (f"{PROTOCOL_MAJOR - 1}.9.9", "host"),
        (f"{PROTOCOL_MAJOR + 1}.0.0", "sidecar"),
        (f"{PROTOCOL_MAJOR * 10}.0", "sidecar"),
    ],
)
def test_another_major_names_both_versions_and_which_to_upgrade(version: str, upgrade: str) -> None:
    with pytest.raises(SidecarError) as caught:
        check_version(version)
    error = caught.value
    assert error.kind == "unsupported_protocol"
    assert error.message == f"the host speaks protocol {version}, the sidecar {PROTOCOL_VERSION}: upgrade the {upgrade}"
    assert error.data == {"host_version": version, "sidecar_version": PROTOCOL_VERSION, "upgrade": upgrade}


def test_the_host_checks_the_sidecar_in_the_same_words() -> None:
    theirs = f"{PROTOCOL_MAJOR + 1}.0.0"
    with pytest.raises(SidecarError) as caught:
        check_version(theirs, they="sidecar", we="host")
    assert (
        caught.value.message == f"the sidecar speaks protocol {theirs}, the host {PROTOCOL_VERSION}: upgrade the host"
    )
    assert caught.value.data == {"sidecar_version": theirs, "host_version": PROTOCOL_VERSION, "upgrade": "host"}


@pytest.mark.parametrize("version", ["", "x", "v1.0.0", ".1", "1,0", "9" * 5000])
def test_what_is_no_version_is_said(version: str) -> None:
    with pytest.raises(SidecarError, match="is no version") as caught:
        check_version(version)
    assert caught.value.kind == "invalid_params"


# -- lanes -------------------------------------------------------------------------------------------------------

LANES = {
    "none": ({"path": "x"}, None),
    "session": ({"session": "s"}, "session s"),
    "store": ({"store": "s"}, "session s"),
    "comm": ({"comm": "c"}, "comm c"),
    "stream": ({"stream": "t"}, "stream t"),
    "session before the others": ({"stream": "t", "comm": "c", "store": "o", "session": "s"}, "session s"),
    "a session that is no text": ({"session": 1, "stream": "t"}, "stream t"),
    "a list": ({"session": ["s"]}, None),
    "null": ({"session": None}, None),
    "an empty name": ({"session": ""}, "session "),
    "a payload": ({"session": Payload("bytes", b"s")}, None),
    "deeper ones do not count": ({"data": {"session": "s"}}, None),
}


@pytest.mark.parametrize(("params", "expected"), LANES.values(), ids=LANES)
def test_lane(params: dict[str, Any], expected: str | None) -> None:
    assert lane(params) == expected


def test_a_method_is_not_cheap_unless_it_says_so() -> None:
    assert Method(Page, lambda params, context: None).is_cheap(Page("s")) is False


# -- methods in groups -------------------------------------------------------------------------------------------


def named(name: str) -> Method:
    """A method that answers its name."""
    return Method(Page, lambda _params, _context: name)


def answer(methods: Methods, name: str) -> Any:
    return methods[name].handler(None, None)  # type: ignore[arg-type]


def test_a_group_is_made_when_one_of_it_is_asked_for() -> None:
    made: list[str] = []

    def tables() -> dict[str, Method]:
        made.append("tables")
        return {"rows": named("rows"), "sql": named("sql")}

    def streams() -> dict[str, Method]:
        made.append("streams")
        methods["rows"]  # one group needs another
        return {"open": named("open")}

    methods = Methods({"ping": named("ping")}, (("rows", "sql"), tables), (("open",), streams))
    assert sorted(methods) == ["open", "ping", "rows", "sql"]
    assert len(methods) == 4
    assert (answer(methods, "ping"), methods.get("nope"), made) == ("ping", None, [])
    assert [name for name in (*methods, "nope") if methods.is_unmade(name)] == ["rows", "sql", "open"]
    assert (answer(methods, "open"), made) == ("open", ["streams", "tables"])
    assert (answer(methods, "sql"), answer(methods, "rows"), made) == ("sql", "rows", ["streams", "tables"])
    assert not any(map(methods.is_unmade, methods))


class Names(dict[str, Method]):
    """Tells when a name is looked for that is not there; `twice` is set at the second time."""

    def __init__(self) -> None:
        self.misses = 0
        self.twice = Event()

    def __contains__(self, name: object) -> bool:
        found = super().__contains__(name)
        self.misses += not found
        if self.misses == MISSES_OF_THE_FIRST + 1:
            self.twice.set()
        return found


MISSES_OF_THE_FIRST = 2
"""Before the lock is asked for, and under it."""


def test_a_group_is_made_once_however_many_ask() -> None:
    """While it is made, another thread has looked for a method, and has not found it."""
    names, made = Names(), []

    def make() -> dict[str, Method]:
        made.append(1)
        assert names.twice.wait(WAIT_S)
        return {"rows": named("rows")}

    methods = Methods({}, (("rows",), make))
    methods._there = names
    with ThreadPoolExecutor(2) as pool:
        found = [future.result() for future in [pool.submit(methods.__getitem__, "rows") for _ in range(2)]]
    assert len({id(method) for method in found}) == len(made) == 1


def test_a_group_that_cannot_be_made_is_tried_again() -> None:
    """An import may fail once, where memory or descriptors are short."""
    faults = [MemoryError()]

    def make() -> dict[str, Method]:
        if faults:
            raise faults.pop()
        return {"rows": named("rows")}

    methods = Methods({}, (("rows",), make))
    with pytest.raises(MemoryError):
        methods["rows"]
    assert answer(methods, "rows") == "rows"
