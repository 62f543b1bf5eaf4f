"""Payload descriptors: what `find` lists `attach` puts back, and each rule that a descriptor can break, broken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.wire.payload import (
    ITEM_BYTES,
    OPAQUE_TYPES,
    TYPES,
    InvalidPayload,
    Payload,
    attach,
    describe,
    find,
)


class Inner(msgspec.Struct, rename="camel"):
    row_data: Any = None


class Outer(msgspec.Struct):
    params: Inner


def put(message: dict[str, Any], *descriptors: dict[str, Any]) -> dict[str, Any]:
    """`message` with zeros attached as the descriptors say."""
    attach(message, descriptors, [bytes(descriptor["size"]) for descriptor in descriptors])
    return message


def at(*path: Any, type: Any = "bytes", size: int = 1, **more: Any) -> dict[str, Any]:
    return {"path": list(path), "type": type, "size": size, **more}


# -- find --------------------------------------------------------------------------------------------------------

A, B, C = Payload("bytes", b"a"), Payload("bytes", b"b"), Payload("bytes", b"c")

FOUND = {
    "none": ({"params": {"a": [1, None, "x"]}}, []),
    "an object's members, in order": ({"params": {"b": A, "a": B}}, [(("params", "b"), A), (("params", "a"), B)]),
    "a list's items, in order": ({"params": [A, 1, B]}, [(("params", 0), A), (("params", 2), B)]),
    "a tuple's items": ({"params": (1, A)}, [(("params", 1), A)]),
    "a root": ({"result": A}, [(("result",), A)]),
    "depth first": (
        {"params": {"a": [A, {"x": B}], "b": C}},
        [(("params", "a", 0), A), (("params", "a", 1, "x"), B), (("params", "b"), C)],
    ),
    "a struct's fields, by their names on the wire": (Outer(Inner(A)), [(("params", "rowData"), A)]),
    "the same one twice": ({"params": [A, A]}, [(("params", 0), A), (("params", 1), A)]),
    "names that look like indices": ({"params": {"0": A}}, [(("params", "0"), A)]),
    "bytes and text are no lists": ({"params": "ab", "result": b"ab"}, []),
}


@pytest.mark.parametrize(("message", "expected"), FOUND.values(), ids=FOUND)
def test_find(message: Any, expected: list[Any]) -> None:
    assert list(find(message)) == expected


def test_find_goes_deeper_than_python_recurses() -> None:
    message: Any = A
    for _ in range(50_000):
        message = [message]
    ((path, payload),) = find(message)
    assert path == (0,) * 50_000
    assert payload is A


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (Payload("bytes", b"abc"), {"path": ("params",), "type": "bytes", "size": 3}),
        (Payload("int16", bytes(12), [2, 3]), {"path": ("params",), "type": "int16", "size": 12, "shape": [2, 3]}),
        (Payload("int8", b"x", []), {"path": ("params",), "type": "int8", "size": 1, "shape": []}),
    ],
    ids=["bytes", "typed", "scalar"],
)
def test_describe(payload: Payload, expected: dict[str, Any]) -> None:
    assert describe(("params",), payload) == expected


# -- attach ------------------------------------------------------------------------------------------------------

ONE = Payload("bytes", b"\0")

ATTACHED = {
    "an absent member": ({"params": {}}, [at("params", "a")], {"params": {"a": ONE}}),
    "a null member": ({"params": {"a": None}}, [at("params", "a")], {"params": {"a": ONE}}),
    "a null item": ({"params": [0, None]}, [at("params", 1)], {"params": [0, ONE]}),
    "params itself": ({"params": None}, [at("params")], {"params": ONE}),
    "result itself": ({"result": None}, [at("result")], {"result": ONE}),
    "inside an error": ({"error": {"data": {}}}, [at("error", "data", "a")], {"error": {"data": {"a": ONE}}}),
    "deep": ({"params": {"a": [{"b": [None]}]}}, [at("params", "a", 0, "b", 0)], {"params": {"a": [{"b": [ONE]}]}}),
    "a name that looks like an index": ({"params": {}}, [at("params", "0")], {"params": {"0": ONE}}),
    "an empty name": ({"params": {}}, [at("params", "")], {"params": {"": ONE}}),
    "siblings": ({"params": [None, None]}, [at("params", 1), at("params", 0)], {"params": [ONE, ONE]}),
    "none": ({"params": {"a": None}}, [], {"params": {"a": None}}),
    "unknown members of a descriptor are ignored": ({"params": {}}, [at("params", "a", x=1)], {"params": {"a": ONE}}),
}


@pytest.mark.parametrize(("message", "descriptors", "expected"), ATTACHED.values(), ids=ATTACHED)
def test_attach(message: dict[str, Any], descriptors: list[Any], expected: dict[str, Any]) -> None:
    attach(message, descriptors, [b"\0"] * len(descriptors))
    assert message == expected


BAD_PATHS = {
    "absent": ({"params": {}}, {"type": "bytes", "size": 1}, "path must be a list"),
    "null": ({"params": {}}, {"path": None, "type": "bytes", "size": 1}, "path must be a list"),
    "a string": ({"params": {}}, {"path": "params", "type": "bytes", "size": 1}, "path must be a list"),
    "an object": ({"params": {}}, {"path": {"params": 0}, "type": "bytes", "size": 1}, "path must be a list"),
    "empty": ({"params": {}}, at(), "must begin with"),
    "another root": ({"method": None}, at("method"), "must begin with"),
    "the payload member": ({"payload": [None]}, at("payload", 0), "must begin with"),
    "the id": ({"id": None}, at("id"), "must begin with"),
    "an index for a root": ({"params": None}, at(0), "must begin with"),
    "a list for a root": ({"params": None}, at([]), "path must be a list of names and indices"),
    "an object for a root": ({"params": None}, at({}), "path must be a list of names and indices"),
    "a root that the message has not": ({"params": {}}, at("result"), "must begin with"),
    "null inside": ({"params": {}}, at("params", None), "names and indices"),
    "a float inside": ({"params": [None, None]}, at("params", 1.0), "names and indices"),
    "a list inside": ({"params": {}}, at("params", []), "names and indices"),
    "true for an index": ({"params": [None, None]}, at("params", True), "names and indices"),
    "false for an index": ({"params": [None]}, at("params", False), "names and indices"),
    "no parent": ({"params": {}}, at("params", "a", "b"), r"no parent at \['params', 'a'\]"),
    "a null parent": ({"params": {"a": None}}, at("params", "a", "b"), "taken or has no parent"),
    "a null parent, deeper": ({"params": None}, at("params", "a", "b"), "no parent"),
    "a number for a parent": ({"params": {"a": 1}}, at("params", "a", "b"), "no parent"),
    "text for a parent": ({"params": {"a": "xyz"}}, at("params", "a", 0), "no parent"),
    "a number for a grandparent": ({"params": {"a": 1}}, at("params", "a", "b", "c"), "no parent"),
    "taken by a number": ({"params": {"a": 0}}, at("params", "a"), "taken"),
    "taken by false": ({"params": {"a": False}}, at("params", "a"), "taken"),
    "taken by an empty object": ({"params": {"a": {}}}, at("params", "a"), "taken"),
    "taken by an empty text": ({"params": {"a": ""}}, at("params", "a"), "taken"),
    "taken item": ({"params": [0]}, at("params", 0), "taken"),
    "a root taken": ({"params": {}}, at("params"), "taken"),
    "index of an object": ({"params": {"0": None}}, at("params", 0), "taken or has no parent"),
    "name in a list": ({"params": [None]}, at("params", "0"), "taken or has no parent"),
    "index past the end": ({"params": [None]}, at("params", 1), "taken or has no parent"),
    "index -1": ({"params": [None]}, at("params", -1), "taken or has no parent"),
    "index of 30 digits": ({"params": [None]}, at("params", 10**30), "taken or has no parent"),
    "parent index past the end": ({"params": [[None]]}, at("params", 1, 0), r"no parent at \['params', 1\]"),
    "parent index -1": ({"params": [[None]]}, at("params", -1, 0), "no parent"),
}


@pytest.mark.parametrize(("message", "descriptor", "said"), BAD_PATHS.values(), ids=BAD_PATHS)
def test_a_path_that_leads_nowhere(message: dict[str, Any], descriptor: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidPayload, match=said) as caught:
        put(message, descriptor)
    assert caught.value.index == 0
    assert str(caught.value).startswith("payload[0]: ")


CLASHES = {
    "the same path twice": ({"params": {}}, [at("params", "a"), at("params", "a")]),
    "the same item twice": ({"params": [None]}, [at("params", 0), at("params", 0)]),
    "inside an earlier one": ({"params": {}}, [at("params", "a"), at("params", "a", "b")]),
    "deep inside an earlier one": ({"params": {}}, [at("params", "a"), at("params", "a", "b", 0, "c")]),
    "an index inside an earlier one": ({"params": {}}, [at("params", "a"), at("params", "a", 0)]),
    "around an earlier one": ({"params": {"a": {}}}, [at("params", "a", "b"), at("params", "a")]),
    "inside an earlier root": ({"result": None}, [at("result"), at("result", "a")]),
}


@pytest.mark.parametrize(("message", "descriptors"), CLASHES.values(), ids=CLASHES)
def test_two_payloads_in_each_others_way(message: dict[str, Any], descriptors: list[Any]) -> None:
    with pytest.raises(InvalidPayload, match=r"taken|no parent") as caught:
        put(message, *descriptors)
    assert caught.value.index == 1, "the later one is the culprit"


# -- types, shapes and sizes -------------------------------------------------------------------------------------


def test_the_types() -> None:
    assert ITEM_BYTES == {
        "float16": 2, "float32": 4, "float64": 8,
        "int8": 1, "int16": 2, "int32": 4, "int64": 8,
        "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
        "bool": 1,
    }  # fmt: skip
    assert {"bytes", "arrow", "parquet"} == OPAQUE_TYPES
    assert set(ITEM_BYTES) | OPAQUE_TYPES == TYPES


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("kind", sorted(ITEM_BYTES))
def test_a_typed_array_without_a_shape_has_one_dimension(kind: str, count: int) -> None:
    size = count * ITEM_BYTES[kind]
    expected = Payload(kind, bytes(size), [count])
    for nothing in ({}, {"shape": None}):
        assert put({"params": {}}, at("params", "a", type=kind, size=size, **nothing)) == {"params": {"a": expected}}


@pytest.mark.parametrize("kind", sorted(kind for kind, item_bytes in ITEM_BYTES.items() if item_bytes > 1))
@pytest.mark.parametrize("excess", [-1, 1])
def test_a_size_that_is_no_whole_number_of_items(kind: str, excess: int) -> None:
    size = 3 * ITEM_BYTES[kind] + excess
    with pytest.raises(InvalidPayload, match=f"{size} bytes are no whole number of {kind} items"):
        put({"params": {}}, at("params", "a", type=kind, size=size))


@pytest.mark.parametrize("kind", sorted(OPAQUE_TYPES))
def test_opaque_types_have_any_size_and_no_shape(kind: str) -> None:
    for size in (0, 1, 7):
        assert put({"params": None}, at("params", type=kind, size=size)) == {"params": Payload(kind, bytes(size))}
    with pytest.raises(InvalidPayload, match="has no shape"):
        put({"params": None}, at("params", type=kind, size=1, shape=[1]))


SHAPES = {
    "scalar": ([], 4),
    "one": ([1], 4),
    "empty": ([0], 0),
    "empty in one of many": ([3, 0, 2], 0),
    "empty beside a large one": ([10**30, 0], 0),
    "three dimensions": ([2, 3, 4], 96),
    "a missing dimension": ([5, None], 20),
    "two missing dimensions": ([5, None, None], 20),
    "nothing but a missing dimension": ([None], 4),
    "many dimensions": ([1] * 1000, 4),
}


@pytest.mark.parametrize(("shape", "size"), SHAPES.values(), ids=SHAPES)
def test_a_shape_that_fits(shape: list[Any], size: int) -> None:
    message = put({"params": None}, at("params", type="int32", size=size, shape=shape))
    assert message == {"params": Payload("int32", bytes(size), shape)}


BAD_SHAPES = {
    "too few": ([2], 12, "does not take the 12 bytes"),
    "too many": ([4], 12, "does not take the 12 bytes"),
    "a part of an item": ([3], 11, "does not take the 11 bytes"),
    "the product counts": ([2, 2], 12, "does not take"),
    "scalar with nothing": ([], 0, "does not take the 0 bytes"),
    "scalar with two": ([], 8, "does not take"),
    "empty with something": ([3, 0], 12, "does not take"),
    "something with nothing": ([3], 0, "does not take"),
    "bytes for items": ([12], 12, "does not take"),
    "wraps around 64 bits": ([2**62 + 3], 12, "does not take"),
    "more digits than Python prints": ([10**18] * 300, 12, "does not take"),
    "more dimensions than can be multiplied": ([10**18] * 500_000, 12, "does not take"),
    "a number": (3, 12, "must be a list"),
    "a string": ("3", 12, "must be a list"),
    "an object": ({"0": 3}, 12, "must be a list"),
    "false": (False, 12, "must be a list"),
    "negative": ([-3], 12, "0 and more"),
    "two negatives": ([-1, -3], 12, "0 and more"),
    "a float": ([3.0], 12, "0 and more"),
    "a string inside": (["3"], 12, "0 and more"),
    "a list inside": ([[3]], 12, "0 and more"),
    "true": ([True, 3], 12, "0 and more"),
    "null first": ([None, 3], 12, "null closes a shape"),
    "null in the middle": ([3, None, 1], 12, "null closes a shape"),
    "null between nulls": ([None, 3, None], 12, "null closes a shape"),
}


@pytest.mark.parametrize(("shape", "size", "said"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_a_shape_that_does_not_fit(shape: Any, size: int, said: str) -> None:
    with pytest.raises(InvalidPayload, match=said) as caught:
        put({"params": None}, at("params", type="int32", size=size, shape=shape))
    assert len(str(caught.value)) < 300


BAD_TYPES = [None, "", "Float64", "float128", "int", "string", "utf8", 8, True, [], ["bytes"], {}, {"bytes": 1}]


@pytest.mark.parametrize("kind", BAD_TYPES, ids=repr)
def test_a_type_that_is_none(kind: Any) -> None:
    with pytest.raises(InvalidPayload, match="is none of arrow, bool, bytes, float16"):
        put({"params": None}, at("params", type=kind))


def test_a_descriptor_without_a_type() -> None:
    with pytest.raises(InvalidPayload, match="type None is none of"):
        put({"params": None}, {"path": ["params"], "size": 1})


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


ENDLESS: dict[str, dict[str, Any]] = {
    "type": at("params", type="t" * 1_000_000),
    "type, deep": at("params", type=nested(100_000)),
    "path": at(*["p"] * 1_000_000),
    "name": at("params", "p" * 1_000_000, "b"),
    "path, deep": at("params", nested(100_000)),
    "shape, deep": at("params", type="int8", shape=nested(100_000)),
}


@pytest.mark.parametrize("descriptor", ENDLESS.values(), ids=ENDLESS)
def test_what_is_quoted_of_a_descriptor_is_short(descriptor: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload) as caught:
        put({"params": None}, descriptor)
    assert len(str(caught.value)) < 300


def test_each_descriptor_has_its_buffer() -> None:
    with pytest.raises(ValueError, match="shorter"):
        attach({"params": {}}, [at("params", "a")], [])


# -- Payload -----------------------------------------------------------------------------------------------------

PAIRS = {
    "same": (Payload("int8", b"ab", [2]), Payload("int8", bytearray(b"ab"), (2,)), True),
    "another type": (Payload("int8", b"ab"), Payload("uint8", b"ab"), False),
    "other data": (Payload("int8", b"ab"), Payload("int8", b"ac"), False),
    "another shape": (Payload("int8", b"ab", [2]), Payload("int8", b"ab", [1, 2]), False),
    "scalar is not without shape": (Payload("int8", b"a", []), Payload("int8", b"a"), False),
}


@pytest.mark.parametrize(("one", "other", "equal"), PAIRS.values(), ids=PAIRS)
def test_payloads_are_compared_by_content(one: Payload, other: Payload, equal: bool) -> None:
    assert (one == other) is equal
    assert one != b"ab"


def test_a_payload_shows_itself() -> None:
    assert repr(Payload("bytes", b"abc")) == "Payload('bytes', 3 bytes)"
    assert repr(Payload("int16", bytes(12), (2, 3))) == "Payload('int16', 12 bytes, shape=[2, 3])"
