"""What a streaming method returns: on the implementation's side a state and its schemas, on the host's a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, Self
from typing import TypeVar as _TypeVar

import pyarrow as pa

from .batch import AnnotatedBatch
from .state import StreamState

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    S = TypeVar("S", bound=StreamState, covariant=True)
    H = TypeVar("H", covariant=True, default=None)
else:
    S = _TypeVar("S", bound=StreamState, covariant=True)
    H = _TypeVar("H", covariant=True)


T = _TypeVar("T")

CLOSE_TIMEOUT_S = 10.0
"""After this `close` cancels: a turn may never return."""


class Checkpoint(NamedTuple):
    """A token to resume with, for the stream as it stood after so many batches sent and taken by the sidecar;
    `expires_at` in seconds since 1970."""

    token: bytes
    outputs: int
    inputs: int
    expires_at: int


class Stream(Generic[S, H]):
    """`Stream[S]` and, with a header of type H, `Stream[S, H]`.

    The implementation makes one: `output_schema` is that of every batch it emits, `input_schema` of every batch that
    an exchange takes (None takes any; a plain `StreamState` with one is an exchange, without a producer). Schemas may
    be left out where the state's class has them. The header is sent once, with the answer that opens the stream.

    A caller of the method gets a `StreamSession`, which is a `Stream` too: so a Protocol's return type says for both
    sides what there is.
    """

    if not TYPE_CHECKING:

        def __class_getitem__(cls, types: Any) -> Any:
            """Type parameters have no defaults before Python 3.13."""
            types = types if isinstance(types, tuple) else (types,)
            return super().__class_getitem__((*types, type(None)) if len(types) == 1 else types)

    def __init__(
        self,
        output_schema: pa.Schema | None = None,
        state: S | None = None,
        input_schema: pa.Schema | None = None,
        header: H | None = None,
    ) -> None:
        self.output_schema = output_schema if output_schema is not None else getattr(state, "output_schema", None)
        self.input_schema = input_schema if input_schema is not None else getattr(state, "input_schema", None)
        self.state = state
        self._header = header

    @property
    def header(self) -> H:
        """The header; None where the stream has none."""
        return self._header  # type: ignore[return-value]  # None where H is None

    def typed_header(self, type: type[T]) -> T:  # noqa: ARG002 - a session's
        """The header, known to be of `type`."""
        self._refuse()

    def exchange(self, batch: AnnotatedBatch, timeout_s: float | None = None) -> AnnotatedBatch:  # noqa: ARG002 - a session's
        """Send a batch and wait for its answer."""
        self._refuse()

    def send(self, batch: AnnotatedBatch, timeout_s: float | None = None) -> None:  # noqa: ARG002 - a session's
        """Send a batch ahead."""
        self._refuse()

    def receive(self, timeout_s: float | None = None) -> AnnotatedBatch:  # noqa: ARG002 - a session's
        """The next batch."""
        self._refuse()

    def checkpoint(self, ttl_s: int | None = None, timeout_s: float | None = None) -> Checkpoint:  # noqa: ARG002 - a session's
        """A token to resume with."""
        self._refuse()

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:  # noqa: ARG002 - a session's
        """End the stream."""
        self._refuse()

    def cancel(self) -> None:
        """End the stream at once."""
        self._refuse()

    def __iter__(self) -> Iterator[AnnotatedBatch]:
        self._refuse()

    def __enter__(self) -> Self:
        self._refuse()

    def __exit__(self, *exc_info: object) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError("this is the implementation's stream: only what a proxy returns can be iterated or exchanged")
