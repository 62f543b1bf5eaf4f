"""Tokens: a stream's checkpoint, given to the host to keep, signed so that it comes back as it went.

A host treats a token as opaque bytes. It is signed and not encrypted: whoever holds one can read the state in it.
What is inside, for those who change this file:

    byte 0           the version, 1
    byte 1           K, the size of the key id in bytes, 1 to 255
    bytes 2 .. 2+K   the key id, UTF-8
    then the body    one MessagePack array: created, expires, stream, method, outputs, inputs, state_type, state,
                     output_schema, input_schema
    last 32 bytes    HMAC-SHA256, under the key of that id, over every byte before them

The signature is checked before a byte of the body is looked at. Whatever is wrong with a token, the answer is the
same `invalid_token` after the same work, so that nobody learns from it which part to try next. Only the holder of a
rightly signed token is told that it has expired.

Time is whole seconds since 1970 by the wall clock, the only one that a restarted sidecar has in common with the one
that signed. A token is good until `expires` and not at it. `created` is not compared with the clock: a token "from
the future" means that a clock was set right since, and refusing it would lose somebody's work for nothing, as
whoever can set the clock back can also set it to a moment at which the token is good. What ends a token for certain
is a key that was taken out of the ring.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Iterable
from secrets import token_bytes, token_hex
from typing import Any, NamedTuple

import msgspec

from ..protocol.errors import SidecarError

VERSION = 1
MAC_BYTES = 32
MIN_KEY_BYTES = 32
MAX_KEY_ID_BYTES = 255
MAX_TOKEN_BYTES = 1024 * 1024
"""Of one whole token, unless `TokenSeal` is told otherwise."""

_VERSION_BYTE = bytes([VERSION])
_MINTED_ID_BYTES = 4


class Token(msgspec.Struct, frozen=True):
    """All that a stream needs to go on elsewhere. `version` and `key_id` are of the sealed token: `open` sets them,
    `seal` writes its own.

    `created` and `expires` are unix seconds; `outputs` and `inputs` count batches emitted and consumed; `state_type`
    is `module:qualname`; `input_schema` is empty for a producer.
    """

    created: int
    expires: int
    stream: str
    method: str
    outputs: int
    inputs: int
    state_type: str
    state: bytes
    output_schema: bytes
    input_schema: bytes = b""
    version: int = VERSION
    key_id: str = ""

    def __repr__(self) -> str:
        """Without the state, which may be large, and private to whoever uses the service."""
        return (
            f"Token({self.method!r}, stream={self.stream!r}, outputs={self.outputs}, inputs={self.inputs}, "
            f"created={self.created}, expires={self.expires}, state_type={self.state_type!r}, "
            f"state={len(self.state)} bytes, version={self.version}, key_id={self.key_id!r})"
        )


_Body = tuple[int, int, str, str, int, int, str, bytes, bytes, bytes]
_decoder = msgspec.msgpack.Decoder(_Body)


class _Key(NamedTuple):
    """A key as far as it is needed: its HMAC before the first byte, of which each signature works on a copy. So the
    work is the same for keys of any size, and no object here holds the key's own bytes."""

    id: str
    start: hmac.HMAC

    def mac(self, signed: bytes) -> bytes:
        work = self.start.copy()
        work.update(signed)
        return work.digest()


class _Ring(NamedTuple):
    """The keys of one moment. `nobody` stands in for a key that is not known, so that its absence costs the same."""

    signer: _Key
    by_id: dict[bytes, _Key]
    nobody: _Key


class TokenKeys:
    """The keys by id: the first signs, all verify, so a new one goes in front of the old until its tokens are gone.

    Used from many threads: `set` exchanges all keys at once.
    """

    __slots__ = ("_ring",)

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """Raises `invalid_params`, naming the key by position and id, unless ids are unique and keys long enough."""
        self._ring = _ring(keys)

    @classmethod
    def minted(cls) -> TokenKeys:
        """One random key, which ends with this process: for a host that gives none."""
        return cls([(token_hex(_MINTED_ID_BYTES), token_bytes(MIN_KEY_BYTES))])

    def set(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """Put these in the place of all keys so far; where they are refused, those stay."""
        self._ring = _ring(keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """The keys' ids, the one that signs first."""
        return tuple(key.id for key in self._ring.by_id.values())

    def sign(self, body: bytes) -> bytes:
        """The whole token around `body`."""
        key = self._ring.signer
        key_id = key.id.encode()
        signed = b"".join((_VERSION_BYTE, bytes([len(key_id)]), key_id, body))
        return signed + key.mac(signed)

    def verify(self, data: bytes) -> tuple[str, bytes] | None:
        """The key id and the body of a token that a key of this ring signed, or None. One MAC whatever the data."""
        ring = self._ring
        signed, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        id_end = 2 + int.from_bytes(signed[1:2])
        key = ring.by_id.get(signed[2:id_end], ring.nobody)
        right = hmac.compare_digest(key.mac(signed), mac)
        if not right or key is ring.nobody or not signed.startswith(_VERSION_BYTE):
            return None
        return key.id, signed[id_end:]

    def __repr__(self) -> str:
        return f"TokenKeys({', '.join(map(repr, self.ids))})"


def _ring(keys: Iterable[tuple[str, bytes]]) -> _Ring:
    by_id: dict[bytes, _Key] = {}
    for position, (id, key) in enumerate(keys):
        encoded = _checked_id(id, position)
        if encoded in by_id:
            raise SidecarError("invalid_params", f"token key {position}: another one has the id {id!r} too")
        by_id[encoded] = _Key(id, _hmac(_checked_key(key, f"token key {position} ({id!r})")))
    if not by_id:
        raise SidecarError("invalid_params", "there must be at least one token key, to sign with")
    return _Ring(next(iter(by_id.values())), by_id, _Key("", _hmac(token_bytes(MIN_KEY_BYTES))))


def _hmac(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def _checked_id(id: Any, position: int) -> bytes:
    """The id's bytes. An id that is none is not quoted: it may be the key, given in the wrong place."""
    try:
        encoded: bytes = id.encode()
    except (AttributeError, UnicodeEncodeError):
        raise SidecarError("invalid_params", f"token key {position}: its id is not text") from None
    if not 1 <= len(encoded) <= MAX_KEY_ID_BYTES:
        message = f"token key {position}: its id has {len(encoded)} bytes, it takes 1 to {MAX_KEY_ID_BYTES}"
        raise SidecarError("invalid_params", message)
    return encoded


def _checked_key(key: Any, name: str) -> bytes:
    """The key's bytes, from any object with the buffer protocol."""
    try:
        checked = bytes(memoryview(key))
    except TypeError:
        raise SidecarError("invalid_params", f"{name} is not bytes") from None
    if len(checked) < MIN_KEY_BYTES:
        raise SidecarError("invalid_params", f"{name} has {len(checked)} bytes, it takes at least {MIN_KEY_BYTES}")
    return checked


class TokenSeal:
    """Signs tokens and checks those that come back. `clock` tells unix seconds. May be used from many threads."""

    def __init__(self, keys: TokenKeys, clock: Callable[[], float], max_bytes: int = MAX_TOKEN_BYTES) -> None:
        self._keys = keys
        self._clock = clock
        self._max_bytes = max_bytes

    def seal(self, token: Token) -> bytes:
        """The token as bytes, signed with the first key. Raises `too_large`."""
        body: _Body = msgspec.structs.astuple(token)[:-2]
        data = self._keys.sign(msgspec.msgpack.encode(body))
        if len(data) > self._max_bytes:
            message = f"the token would have {len(data)} bytes, the limit is {self._max_bytes}: the state is too large"
            raise SidecarError("too_large", message, bytes=len(data), max_bytes=self._max_bytes)
        return data

    def open(self, data: Any) -> Token:
        """The token that `seal` made these bytes of. Raises `invalid_token`, `token_expired`."""
        token = self._verified(data)
        if token is None:
            raise SidecarError("invalid_token", "this is no token that this sidecar has a key for")
        now = math.floor(self._clock())
        if now >= token.expires:
            late = f"the token expired {now - token.expires} s ago"
            raise SidecarError("token_expired", late, expires_at=token.expires, now=now)
        return token

    def _verified(self, data: Any) -> Token | None:
        verified = self._keys.verify(_bounded(data, self._max_bytes))
        if verified is None:
            return None
        key_id, packed = verified
        try:
            body: _Body = _decoder.decode(packed)
        except (msgspec.DecodeError, UnicodeDecodeError):  # signed, but no body of this version's
            return None
        return Token(*body, VERSION, key_id)


def _bounded(data: Any, max_bytes: int) -> bytes:
    """The bytes, copied so that nobody changes them after the check; none for what can be no token."""
    try:
        view = memoryview(data)
    except (TypeError, ValueError):  # no buffer; one that was released
        return b""
    return bytes(view) if view.nbytes <= max_bytes else b""
