"""Tokens: what is sealed is opened as it was, whatever else comes is one and the same error, keys can be rotated, and
nothing shows a key."""

from __future__ import annotations

import hmac
import traceback
from array import array
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.protocol.errors import KINDS, REQUEST_FAILED, SidecarError
from sidecar.streams import tokens
from sidecar.streams.tokens import MAX_KEY_ID_BYTES, MAX_TOKEN_BYTES, Token, TokenKeys, TokenSeal

NOW = 1_700_000_000
KEY = b"k" * 32
OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 33)
TOKEN = Token(NOW, NOW + 60, "s1", "Counter.count", 3, 0, "app.counters:Count", b"\x01state", b"schema")


def seal(keys: Iterable[tuple[str, bytes]] = (("k1", KEY),), now: float = NOW, **more: Any) -> TokenSeal:
    return TokenSeal(TokenKeys(keys), lambda: now, **more)


def refusal(act: Callable[[], object]) -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        act()
    return caught.value


def assert_invalid(data: Any, by: TokenSeal | None = None) -> None:
    """The one error, equal in all that crosses the wire, and with no other exception behind it."""
    error = refusal(lambda: (by or seal()).open(data))
    assert error.to_object() == INVALID
    assert error.__cause__ is None
    assert error.__context__ is None


INVALID = refusal(lambda: seal().open(b"")).to_object()
SEALED = seal().seal(TOKEN)


def test_the_one_error_tells_its_kind_and_nothing_more() -> None:
    assert INVALID.data == {"kind": "invalid_token"}
    assert KINDS["invalid_token"] == KINDS["token_expired"] == REQUEST_FAILED


# -- round trip --------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = text.filter(lambda word: 1 <= len(word.encode()) <= MAX_KEY_ID_BYTES)
counts = st.integers(0, 2**63 - 1)
any_token = st.builds(
    Token,
    created=st.integers(-(2**40), 2**40),
    expires=st.integers(NOW + 1, 2**63 - 1),
    stream=text,
    method=text,
    outputs=counts,
    inputs=counts,
    state_type=text,
    state=st.binary(max_size=300),
    output_schema=st.binary(max_size=300),
    input_schema=st.binary(max_size=300),
)


@given(token=any_token, key_id=ids, key=st.binary(min_size=32, max_size=200))
def test_any_token_comes_back_as_it_was(token: Token, key_id: str, key: bytes) -> None:
    sealer = seal([(key_id, key)])
    assert sealer.open(sealer.seal(token)) == msgspec.structs.replace(token, version=1, key_id=key_id)


def test_a_token_is_laid_out_as_documented() -> None:
    body = [NOW, NOW + 60, "s1", "Counter.count", 3, 0, "app.counters:Count", b"\x01state", b"schema", b""]
    signed = b"\x01" + b"\x02k1" + msgspec.msgpack.encode(body)
    assert signed + hmac.new(KEY, signed, sha256).digest() == SEALED


def test_an_opened_token_says_which_version_and_key_it_was_sealed_with() -> None:
    opened = seal().open(seal().seal(msgspec.structs.replace(TOKEN, version=9, key_id="claimed")))
    assert (opened.version, opened.key_id) == (1, "k1")


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "a view of a longer buffer": lambda data: memoryview(b"..." + data + b"...")[3:-3],
    "a strided view": lambda data: memoryview(bytes(byte for each in data for byte in (each, 0)))[::2],
}


@pytest.mark.parametrize("buffer", BUFFERS.values(), ids=BUFFERS)
def test_any_buffer_of_the_right_bytes_is_opened(buffer: Callable[[bytes], Any]) -> None:
    assert seal().open(buffer(SEALED)).state == TOKEN.state


def test_a_small_state_makes_a_small_token() -> None:
    """Beside its own content, a token has 37 bytes of seal and at most 31 of structure."""
    words = (TOKEN.stream, TOKEN.method, TOKEN.state_type, TOKEN.state, TOKEN.output_schema)
    assert len(SEALED) <= sum(map(len, words)) + 37 + 31


# -- tampering ---------------------------------------------------------------------------------------------------


@given(token=any_token, data=st.data())
def test_a_flipped_bit_anywhere_is_invalid(token: Token, data: st.DataObject) -> None:
    sealed = bytearray(seal([OLD, NEW]).seal(token))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= 1 << data.draw(st.integers(0, 7))
    assert_invalid(sealed, seal([OLD, NEW]))


def test_every_bit_of_one_token_counts() -> None:
    for bit in range(len(SEALED) * 8):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        assert_invalid(flipped)


def test_a_token_cut_at_either_end_is_invalid() -> None:
    for size in range(len(SEALED)):
        assert_invalid(SEALED[:size])
        assert_invalid(SEALED[len(SEALED) - size :])


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_extra_bytes_are_invalid(before: bytes, after: bytes) -> None:
    if before or after:
        assert_invalid(before + SEALED + after)


@given(st.binary(max_size=400))
def test_any_other_bytes_are_invalid(data: bytes) -> None:
    assert_invalid(data)


def signed(body: bytes, version: int = 1, key_id: bytes = b"k1", key: bytes = KEY) -> bytes:
    """A token made by hand."""
    data = bytes([version, len(key_id)]) + key_id + body
    return data + hmac.new(key, data, sha256).digest()


def pack(*values: Any) -> bytes:
    return msgspec.msgpack.encode(values)


VALUES = msgspec.structs.astuple(TOKEN)[:-2]
RELEASED = memoryview(bytearray(SEALED))
RELEASED.release()
INVALID_TOKENS: dict[str, Any] = {
    "empty": b"",
    "a signature alone": SEALED[-32:],
    "zeros": bytes(100),
    "none": None,
    "text": SEALED.decode("latin-1"),
    "a number": 5,
    "a list": list(SEALED),
    "items of two bytes": array("H", [1, 2, 3]),
    "a released view": RELEASED,
    "twice": SEALED * 2,
    "over the limit": SEALED + bytes(MAX_TOKEN_BYTES),
    "a later version, rightly signed": signed(pack(*VALUES), version=2),
    "version 0, rightly signed": signed(pack(*VALUES), version=0),
    "a key id that is not known": signed(pack(*VALUES), key_id=b"k2"),
    "no key id": signed(pack(*VALUES), key_id=b""),
    "a key id that is not UTF-8": signed(pack(*VALUES), key_id=b"\xff\xfe"),
    "a key id that goes over the end": b"\x01\xff" + SEALED[2:],
    "another key under the same id": signed(pack(*VALUES), key=b"K" * 32),
    "an empty key": signed(pack(*VALUES), key=b""),
    "another hash": SEALED[:-32] + hmac.new(KEY, SEALED[:-32], "sha3_256").digest(),
    "a hash without the key": SEALED[:-32] + sha256(SEALED[:-32]).digest(),
    "signed, without a body": signed(b""),
    "signed, not MessagePack": signed(b"\xc1"),
    "signed, not an array": signed(msgspec.msgpack.encode({"stream": "s1"})),
    "signed, a value too few": signed(pack(*VALUES[:-1])),
    "signed, a value too many": signed(pack(*VALUES, 1)),
    "signed, another type": signed(pack(*VALUES[:2], 1, *VALUES[3:])),
    "signed, null": signed(pack(*VALUES[:-1], None)),
    "signed, text that is not UTF-8": signed(pack(*VALUES).replace(b"s1", b"\xff\xfe")),
    "signed, a byte after the body": signed(pack(*VALUES) + b"\x00"),
    "signed, a truncated body": signed(pack(*VALUES)[:-1]),
    "signed, expired and another type": signed(pack(0, 0, 1, *VALUES[3:])),
}


def test_a_token_made_by_hand_is_as_good() -> None:
    """So that the table below fails for the reason that each line gives."""
    assert signed(pack(*VALUES)) == SEALED


@pytest.mark.parametrize("data", INVALID_TOKENS.values(), ids=INVALID_TOKENS)
def test_whatever_is_wrong_is_the_one_error(data: Any) -> None:
    assert_invalid(data)


@pytest.mark.parametrize("data", INVALID_TOKENS.values(), ids=INVALID_TOKENS)
def test_whatever_is_wrong_one_signature_is_computed_and_compared_in_constant_time(
    data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append(len(ours))
        return hmac.compare_digest(ours, theirs)

    watched = type("Watched", (), {"compare_digest": staticmethod(compare), "new": hmac.new, "HMAC": hmac.HMAC})
    monkeypatch.setattr(tokens, "hmac", watched)
    assert_invalid(data)
    assert compared[-1:] == [32]
    assert len(compared) == 1


@given(first=any_token, second=any_token)
def test_the_parts_of_two_tokens_make_no_third(first: Token, second: Token) -> None:
    one, two = seal().seal(first), seal().seal(second)
    if one != two:
        assert_invalid(one[:-32] + two[-32:])


# -- size --------------------------------------------------------------------------------------------------------


def test_a_token_may_be_as_large_as_the_limit_and_no_larger() -> None:
    exact = seal(max_bytes=len(SEALED))
    assert exact.open(exact.seal(TOKEN)).state == TOKEN.state
    smaller = seal(max_bytes=len(SEALED) - 1)
    error = refusal(lambda: smaller.seal(TOKEN))
    assert (error.kind, error.data) == ("too_large", {"bytes": len(SEALED), "max_bytes": len(SEALED) - 1})
    assert_invalid(SEALED, smaller)


def test_the_limit_is_one_mebibyte_unless_said_otherwise() -> None:
    large = msgspec.structs.replace(TOKEN, state=bytes(MAX_TOKEN_BYTES))
    error = refusal(lambda: seal().seal(large))
    assert error.kind == "too_large"
    assert error.data["max_bytes"] == MAX_TOKEN_BYTES == 1_048_576
    roomy = seal(max_bytes=2 * MAX_TOKEN_BYTES)
    assert roomy.open(roomy.seal(large)).state == large.state


# -- time --------------------------------------------------------------------------------------------------------

EXPIRES = TOKEN.expires
GOOD_TIMES = {
    "the second it was made": NOW,
    "just before its last second": EXPIRES - 1,
    "the end of its last second": EXPIRES - 0.001,
    "a clock that was set back by an hour": NOW - 3600,
    "a clock that starts in 1970": 0.0,
}
EXPIRED_TIMES = {"the exact second": EXPIRES, "a moment later": EXPIRES + 0.001, "a year later": EXPIRES + 31_536_000}


@pytest.mark.parametrize("now", GOOD_TIMES.values(), ids=GOOD_TIMES)
def test_a_token_is_good_until_it_expires(now: float) -> None:
    assert seal(now=now).open(SEALED).state == TOKEN.state


@pytest.mark.parametrize("now", EXPIRED_TIMES.values(), ids=EXPIRED_TIMES)
def test_a_token_has_expired_from_the_exact_second_on(now: float) -> None:
    error = refusal(lambda: seal(now=now).open(SEALED))
    assert error.to_object().data == {"kind": "token_expired", "expires_at": EXPIRES, "now": int(now)}


def test_the_clock_is_asked_each_time() -> None:
    times = iter([EXPIRES - 1, EXPIRES])
    sealer = TokenSeal(TokenKeys([("k1", KEY)]), lambda: next(times))
    assert sealer.open(SEALED).state == TOKEN.state
    assert refusal(lambda: sealer.open(SEALED)).kind == "token_expired"


def test_nobody_learns_of_the_expiry_of_a_token_that_was_tampered_with() -> None:
    assert_invalid(SEALED[:-1] + bytes([SEALED[-1] ^ 1]), seal(now=EXPIRES))


# -- keys --------------------------------------------------------------------------------------------------------


def test_the_first_key_signs_and_all_verify() -> None:
    before = seal([OLD]).seal(TOKEN)
    rotated = seal([NEW, OLD])
    assert rotated.open(before).key_id == "old"
    after = rotated.seal(TOKEN)
    assert rotated.open(after).key_id == "new"
    assert_invalid(after, seal([OLD]))


def test_a_removed_key_verifies_no_more() -> None:
    keys = TokenKeys([OLD])
    sealer = TokenSeal(keys, lambda: NOW)
    before = sealer.seal(TOKEN)
    keys.set([NEW, OLD])
    assert keys.ids == ("new", "old")
    assert sealer.open(before).key_id == "old"
    keys.set([NEW])
    assert_invalid(before, sealer)
    assert sealer.open(sealer.seal(TOKEN)).key_id == "new"


def test_an_id_that_gets_another_key_does_not_verify_the_old_ones_tokens() -> None:
    assert_invalid(seal([("id", OLD[1])]).seal(TOKEN), seal([("id", NEW[1])]))


def test_a_minted_key_verifies_its_own_tokens_only() -> None:
    one, two = TokenKeys.minted(), TokenKeys.minted()
    assert one.ids != two.ids
    data = TokenSeal(one, lambda: NOW).seal(TOKEN)
    assert TokenSeal(one, lambda: NOW).open(data).state == TOKEN.state
    assert_invalid(data, TokenSeal(two, lambda: NOW))


SECRET = "the secret that nobody sees, 32 bytes and more"
GOOD_KEYS: dict[str, list[tuple[str, Any]]] = {
    "32 bytes": [("a", bytes(32))],
    "more than a block of the hash": [("a", bytes(1000))],
    "the same key twice": [("a", KEY), ("b", KEY)],
    "the longest id": [("é" * 127 + "a", KEY)],
    "a buffer": [("a", memoryview(bytearray(KEY)))],
}
BAD_KEYS: dict[str, tuple[list[tuple[Any, Any]], str]] = {
    "none": ([], "at least one"),
    "an empty id": ([OLD, ("", KEY)], "token key 1: its id has 0 bytes"),
    "an id too long": ([("é" * 128, KEY)], "token key 0: its id has 256 bytes"),
    "an id that is not text": ([OLD, (7, KEY)], "token key 1: its id is not text"),
    "an id with half a character": ([("\ud800", KEY)], "token key 0: its id is not text"),
    "an id twice": ([OLD, NEW, ("old", KEY)], "token key 2: another one has the id 'old'"),
    "a short key": ([OLD, ("b", SECRET.encode()[:31])], "token key 1 ('b') has 31 bytes"),
    "an empty key": ([("b", b"")], "token key 0 ('b') has 0 bytes"),
    "a key of text": ([("b", SECRET)], "token key 0 ('b') is not bytes"),
    "no key": ([("b", None)], "token key 0 ('b') is not bytes"),
    "key and id changed over": ([(SECRET.encode(), "b")], "token key 0: its id is not text"),
}


@pytest.mark.parametrize("keys", GOOD_KEYS.values(), ids=GOOD_KEYS)
def test_keys_that_are_taken(keys: list[tuple[str, Any]]) -> None:
    assert seal(keys).open(seal(keys).seal(TOKEN)).key_id == keys[0][0]


@pytest.mark.parametrize(("given_keys", "words"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_bad_keys_are_refused_by_name_and_change_nothing(given_keys: list[tuple[Any, Any]], words: str) -> None:
    keys = TokenKeys([("k1", KEY)])
    for act in (lambda: TokenKeys(given_keys), lambda: keys.set(given_keys)):
        error = refusal(act)
        assert error.kind == "invalid_params"
        assert words in error.message
        assert SECRET[:31] not in "".join(traceback.format_exception(error)) + repr(error)
    assert TokenSeal(keys, lambda: NOW).open(SEALED).key_id == "k1"


def test_a_key_given_in_a_buffer_is_copied() -> None:
    buffer = bytearray(KEY)
    sealer = seal([("k1", buffer)])  # type: ignore[list-item]  # what the wire gives
    buffer[:] = bytes(32)
    assert sealer.seal(TOKEN) == SEALED


# -- what is shown -----------------------------------------------------------------------------------------------


def shown(thing: object, depth: int = 6) -> str:
    """The repr of an object and of everything that it holds."""
    held = [getattr(thing, name, None) for name in getattr(thing, "__slots__", ())]
    held += list(getattr(thing, "__dict__", {}).values())
    held += list(thing.values()) if isinstance(thing, dict) else list(thing) if isinstance(thing, tuple) else []
    return repr(thing) + "".join(shown(each, depth - 1) for each in held if depth)


def test_nothing_shows_a_key() -> None:
    keys = TokenKeys([("k1", SECRET.encode()), NEW])
    assert repr(keys) == "TokenKeys('k1', 'new')"
    everything = shown(TokenSeal(keys, lambda: NOW))
    assert "TokenKeys" in everything
    assert "secret" not in everything
    assert "nnnn" not in everything


def test_a_token_shows_its_place_and_not_its_state() -> None:
    token = msgspec.structs.replace(TOKEN, state=SECRET.encode())
    assert repr(token) == (
        "Token('Counter.count', stream='s1', outputs=3, inputs=0, created=1700000000, expires=1700000060, "
        "state_type='app.counters:Count', state=46 bytes, version=1, key_id='')"
    )
