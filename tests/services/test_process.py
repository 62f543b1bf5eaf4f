"""The methods without a noun: ping, stats of the process, initialize."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sidecar.protocol.errors import SidecarError
from sidecar.protocol.methods import InitializeParams, convert
from sidecar.services.paths import PathPolicy
from sidecar.services.process import Process
from sidecar.services.sessions import Sessions
from sidecar.streams.tokens import TokenKeys
from sidecar.version import PROTOCOL_MAJOR, PROTOCOL_VERSION, VERSION
from sidecar.wire.payload import Payload

from .caller import Caller, RecordingContext, stream_bytes

TABLE = pa.table({"a": [1, 2, 3]})


# -- ping --------------------------------------------------------------------------------------------------------

VALUES = [None, False, 0, 2**70, -1.5, "", "æ \u2028 \0", [], {}, [1, [None, {"a": []}]], {"data": {"data": 1}}]


@pytest.mark.parametrize("data", VALUES, ids=repr)
def test_ping_answers_with_what_it_got(data: Any) -> None:
    answer = Caller().call("ping", {"data": data})
    assert (answer.data, type(answer.data)) == (data, type(data))


def test_ping_of_nothing() -> None:
    assert Caller().call("ping", {}).data is None


def test_ping_of_payloads() -> None:
    data = {"list": [Payload("float32", bytes(24), [2, 3]), 1], "bytes": Payload("bytes", b"")}
    assert Caller().call("ping", {"data": data}).data == data


# -- stats -------------------------------------------------------------------------------------------------------


def test_stats_of_the_process() -> None:
    caller = Caller()
    before = caller.call("stats", {})
    assert (before.pid, before.sessions, before.session_bytes) == (os.getpid(), 0, 0)
    assert before.threads == threading.active_count()
    assert before.rss_bytes > before.arrow_bytes >= 0
    loaded = [caller.load_table(TABLE, name).bytes for name in ("a", "b")]
    held = pa.allocate_buffer(1_000_000)
    after = caller.call("stats", {})
    assert (after.sessions, after.session_bytes) == (2, sum(loaded))
    assert after.arrow_bytes - before.arrow_bytes >= held.size
    assert after.uptime_s >= before.uptime_s >= 0


def test_stats_after_a_close() -> None:
    caller = Caller()
    caller.load_table(TABLE, "a")
    caller.call("sessions/close", {"session": "a"})
    stats = caller.call("stats", {})
    assert (stats.sessions, stats.session_bytes) == (0, 0)


@pytest.mark.parametrize("method", ["stats", "ping"])
def test_unknown_parameters(method: str) -> None:
    error = Caller().error(method, {"unknown": 1})
    assert error.kind == "invalid_params"
    assert "unknown" in error.message


# -- initialize --------------------------------------------------------------------------------------------------


def initialize(**params: Any) -> dict[str, Any]:
    return {"protocol_version": PROTOCOL_VERSION, **params}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """`a/t.arrows`, `a/b/t.arrows` and `c/t.arrows`."""
    for folder in ("a", "a/b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.arrows").write_bytes(stream_bytes(TABLE))
    return tmp_path


def readable(caller: Caller, tree: Path) -> set[str]:
    """The folders whose table may be loaded; every other one must be refused for the policy's sake."""
    found = set()
    for folder in ("a", "a/b", "c"):
        path = str(tree / folder / "t.arrows")
        try:
            caller.load(path=path)
        except Exception:
            assert caller.load_error(path=path).kind == "path_not_allowed"
        else:
            found.add(folder)
    return found


ALL = {"a", "a/b", "c"}


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        (None, None, ALL),
        (None, ["a"], {"a", "a/b"}),
        (None, ["a/b", "c"], {"a/b", "c"}),
        (None, [], set()),
        (["a"], None, {"a", "a/b"}),
        (["a"], ["a/b"], {"a/b"}),
        (["a/b"], ["a"], {"a/b"}),
        (["a"], ["c"], set()),
        (["a/b"], ["."], {"a/b"}),
        (["a/b"], ["c/.."], {"a/b"}),
    ],
)
def test_initialize_can_only_narrow(tree: Path, given: Any, asked: Any, expected: set[str]) -> None:
    lists = [paths and [str(tree / path) for path in paths] for paths in (given, asked)]
    caller = Caller(allow_paths=lists[0])
    answer = caller.call("initialize", initialize(allow_paths=lists[1]))
    assert (answer.protocol_version, answer.version) == (PROTOCOL_VERSION, VERSION)
    in_force = [[os.path.realpath(path) for path in paths] for paths in lists if paths is not None]
    assert answer.allow_paths == in_force
    assert readable(caller, tree) == expected


@pytest.mark.parametrize("bad", ["", "nul\0", "\ud800"], ids=["empty", "NUL", "no Unicode"])
def test_a_path_that_is_none_changes_nothing(tree: Path, bad: str) -> None:
    """Not even for the paths before it."""
    caller = Caller()
    before = readable(caller, tree)
    error = caller.error("initialize", initialize(allow_paths=[str(tree / "c"), bad]))
    assert error.kind == "invalid_path"
    assert readable(caller, tree) == before == ALL
    assert caller.call("initialize", initialize(allow_paths=None)).allow_paths == []


VERSIONS = {
    "an older one": (f"{PROTOCOL_MAJOR - 1}.9.0", "unsupported_protocol", "host"),
    "a newer one": (f"{PROTOCOL_MAJOR + 1}.0.0", "unsupported_protocol", "sidecar"),
    "none": ("latest", "invalid_params", None),
    "empty": ("", "invalid_params", None),
}


@pytest.mark.parametrize(("version", "kind", "upgrade"), VERSIONS.values(), ids=VERSIONS)
def test_the_version_is_looked_at_first(tree: Path, version: str, kind: str, upgrade: str | None) -> None:
    """Before the paths, good or bad: a host of another version may mean something else by them."""
    caller = Caller()
    for paths in ([str(tree / "c")], [""]):
        error = caller.error("initialize", {"protocol_version": version, "allow_paths": paths})
        assert (error.kind, error.data.get("upgrade")) == (kind, upgrade)
        assert version in error.message
    assert readable(caller, tree) == ALL


@pytest.mark.parametrize("version", [f"{PROTOCOL_MAJOR}", f"{PROTOCOL_MAJOR}.999.1", f"{PROTOCOL_MAJOR}.0.0-rc1"])
def test_any_version_of_this_major_one_will_do(version: str) -> None:
    answer = Caller().call("initialize", {"protocol_version": version, "a member of tomorrow": 1})
    assert answer.protocol_version == PROTOCOL_VERSION


@pytest.mark.parametrize(
    ("limits", "accepted"),
    [({"max_header_bytes": 4096}, True), ({"max_header_bytes": 4095}, False), ({"max_payload_bytes": -1}, False)],
)
def test_limits_that_make_no_sense(tree: Path, limits: dict[str, int], accepted: bool) -> None:
    caller = Caller()
    params = initialize(limits=limits, allow_paths=[])
    if accepted:
        caller.call("initialize", params)
    else:
        assert caller.error("initialize", params).kind == "invalid_params"
    assert readable(caller, tree) == (set() if accepted else ALL)


GOOD_KEY = {"id": "a", "key": "A" * 44}
BAD_KEYS: dict[str, list[Any]] = {
    "none": [],
    "too short": [{"id": "a", "key": "AAAA"}],
    "no base64": [{"id": "a", "key": "?" * 44}],
    "a short payload": [{"id": "a", "key": Payload("bytes", b"short")}],
    "an id without text": [{"id": "", "key": "A" * 44}],
    "an id twice": [GOOD_KEY, GOOD_KEY],
    "a bad one after a good one": [GOOD_KEY, {"id": "b", "key": ""}],
}


@pytest.mark.parametrize("keys", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_token_key_changes_nothing(tree: Path, keys: list[Any]) -> None:
    """Not even the paths, which could never be widened again: the host may say it all once more, better."""
    caller = Caller()
    caller.error("initialize", initialize(allow_paths=[str(tree / "c")], token_keys=keys))
    assert readable(caller, tree) == ALL
    answer = caller.call("initialize", initialize(allow_paths=[str(tree / "a")], token_keys=[GOOD_KEY]))
    assert answer.allow_paths == [[os.path.realpath(tree / "a")]]
    assert readable(caller, tree) == {"a", "a/b"}


@pytest.mark.parametrize("path", ["", "nul\0"], ids=["empty", "NUL"])
def test_a_bad_path_leaves_the_token_keys(path: str) -> None:
    keys = TokenKeys.minted()
    before = keys.ids
    process = Process(Sessions(), PathPolicy(), keys, "digest")
    params = convert(initialize(allow_paths=[path], token_keys=[GOOD_KEY]), InitializeParams)
    with pytest.raises(SidecarError):
        process.initialize(params, RecordingContext())
    assert keys.ids == before
