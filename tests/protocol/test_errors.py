"""Errors: every kind has a code of JSON-RPC's, and stands in `data.kind` of what crosses the wire."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import sidecar
from sidecar.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    KINDS,
    METHOD_NOT_FOUND,
    REQUEST_CANCELLED,
    REQUEST_FAILED,
    Cancelled,
    ErrorObject,
    SidecarError,
)

SOURCES = sorted(Path(sidecar.__file__).parent.rglob("*.py"))


def raised_kinds(source: Path) -> set[str]:
    """Every kind that the file gives to `SidecarError` as a literal."""
    calls = [node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "id", None) == "SidecarError" and call.args]
    return {call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)}


def test_the_codes_are_json_rpcs_and_the_language_server_protocols() -> None:
    assert (INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR) == (-32600, -32601, -32602, -32603)
    assert (REQUEST_CANCELLED, REQUEST_FAILED) == (-32800, -32803)
    assert set(KINDS.values()) == {
        INVALID_REQUEST,
        METHOD_NOT_FOUND,
        INVALID_PARAMS,
        INTERNAL_ERROR,
        REQUEST_CANCELLED,
        REQUEST_FAILED,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_crosses_the_wire(kind: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", kind)
    error = SidecarError(kind, "what and where", path="x")
    assert error.to_object() == ErrorObject(KINDS[kind], "what and where", {"kind": kind, "path": "x"})


def test_every_kind_that_is_raised_has_a_code() -> None:
    raised = {kind: source.name for source in SOURCES for kind in raised_kinds(source)}
    assert "invalid_request" in raised, "the search finds nothing"
    assert {kind: file for kind, file in raised.items() if kind not in KINDS} == {}


def test_a_cancelled_call_has_its_own_code() -> None:
    assert Cancelled().to_object() == ErrorObject(-32800, "the request was cancelled", {"kind": "cancelled"})


def test_a_kind_of_a_services_own_is_a_request_that_failed() -> None:
    assert SidecarError("out_of_paper", "x", tray=2).to_object() == ErrorObject(
        REQUEST_FAILED, "x", {"kind": "out_of_paper", "tray": 2}
    )


def test_an_error_shows_itself() -> None:
    error = SidecarError("too_large", "no", bytes=3)
    assert str(error) == "no"
    assert repr(error) == "SidecarError('too_large', 'no', {'bytes': 3})"
