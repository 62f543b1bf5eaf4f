"""The contract check: what a Protocol may say, and every place where an implementation fails it, at once."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, ClassVar, NewType, Protocol

import pyarrow as pa
import pytest

from sidecar import (
    CallContext,
    ContractError,
    ExchangeState,
    OutputCollector,
    ProducerState,
    Sidecar,
    Stream,
    StreamState,
    serve_pipe,
)
from sidecar.streams.contract import check_implementation, read_protocol


class Numbers(ProducerState):
    """A state, for its type."""

    def produce(self, out: OutputCollector, ctx: CallContext) -> None:
        out.finish()


def mismatches(call: Callable[[], object]) -> list[str]:
    """What the error lists; each of it stands on a line of its own in the message, too."""
    with pytest.raises(ContractError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).splitlines()[1:] == [f"  - {mismatch}" for mismatch in caught.value.mismatches]
    return caught.value.mismatches


# -- what a Protocol may say -------------------------------------------------------------------------------------


class Everything(Protocol):
    """Says it all."""

    LIMIT = 3

    def unary(self, a: int, b: str = "x") -> int:
        """Adds."""
        ...

    def nothing(self) -> None: ...

    def produce(self) -> Stream[ProducerState]: ...

    def produce_with_header(self, *, rows: int) -> Stream[Numbers, dict[str, int]]: ...

    def exchange(self) -> Stream[ExchangeState, None]: ...

    def either(self) -> Stream[StreamState]: ...

    def bare(self) -> Stream: ...  # type: ignore[type-arg]

    def _private(self, x): ...  # type: ignore[no-untyped-def]


def test_what_a_protocol_says() -> None:
    service = read_protocol(Everything)
    assert (service.name, service.doc) == ("Everything", "Says it all.")
    kinds = {name: (method.kind, method.header is not None) for name, method in service.methods.items()}
    assert kinds == {
        "unary": ("unary", False),
        "nothing": ("unary", False),
        "produce": ("producer", False),
        "produce_with_header": ("producer", True),
        "exchange": ("exchange", False),
        "either": ("stream", False),
        "bare": ("stream", False),
    }
    unary = service.methods["unary"]
    assert (unary.full_name, unary.doc) == ("Everything.unary", "Adds.")
    assert [parameter.name for parameter in unary.parameters] == ["a", "b"]


def test_another_name() -> None:
    assert read_protocol(Everything, "Other").methods["unary"].full_name == "Other.unary"


@pytest.mark.parametrize("name", ["", "a.b", "a b", "1"])
def test_a_name_that_is_none(name: str) -> None:
    assert mismatches(lambda: read_protocol(Everything, name)) == [f"{name!r} is no identifier"]


class Base(Protocol):
    def first(self) -> int: ...

    def second(self) -> int: ...


class Derived(Base, Protocol):
    def second(self) -> str: ...  # type: ignore[override]

    def third(self) -> int: ...


def test_a_protocol_inherits() -> None:
    service = read_protocol(Derived)
    assert list(service.methods) == ["first", "second", "third"]
    second = service.methods["second"].result
    assert second is not None
    assert second.to_json("text", "") == "text"


def test_a_plain_class_may_be_one() -> None:
    class Plain:
        def one(self) -> int:
            raise NotImplementedError

    assert list(read_protocol(Plain).methods) == ["one"]


class Unusable(Protocol):
    """Every method is wrong in its way; only the private one is not looked at."""

    async def asynchronous(self) -> int: ...

    async def generator(self) -> Any:
        yield

    def star(self, *args: int) -> int: ...

    def stars(self, **kwargs: int) -> int: ...

    def by_position(self, a: int, /) -> int: ...

    def unannotated(self, a) -> int: ...  # type: ignore[no-untyped-def]

    def no_return(self, a: int): ...  # type: ignore[no-untyped-def]

    def context(self, ctx: CallContext) -> int: ...

    def unknown_type(self, a: object) -> int: ...

    def unfit_default(self, a: int = "x") -> int: ...  # type: ignore[assignment]

    def unknown_result(self) -> object: ...

    def unresolved(self, a: Missing) -> int: ...  # type: ignore[name-defined]  # noqa: F821

    def no_such_type(self, a: pa.Missing) -> int: ...  # type: ignore[name-defined]

    def no_expression(self, a: "list[") -> int: ...  # type: ignore[syntax]  # noqa: F722

    def without_self(a: int) -> int: ...  # type: ignore[misc]  # noqa: N805

    def without_any() -> int: ...  # type: ignore[misc]

    def state_itself(self) -> Numbers: ...

    def no_state(self) -> Stream[int]: ...  # type: ignore[type-var]

    def unknown_header(self) -> Stream[Numbers, object]: ...

    @property
    def prop(self) -> int: ...

    @classmethod
    def of_class(cls) -> int: ...

    @staticmethod
    def static() -> int: ...

    class Inner: ...

    def _private(self, *args): ...  # type: ignore[no-untyped-def]


UNUSABLE = {
    "asynchronous": "without async",
    "generator": "without async",
    "star": "'args' must have a name that callers use",
    "stars": "'kwargs' must have a name that callers use",
    "by_position": "'a' must have a name that callers use",
    "unannotated": "'a' has no annotation",
    "no_return": "return type is missing",
    "context": "'ctx' belongs to the implementation",
    "unknown_type": "'a'",
    "unfit_default": "the default of parameter 'a'",
    "unknown_result": "object",
    "unresolved": "Missing",
    "no_such_type": "Missing",
    "no_expression": "annotation cannot be resolved",
    "without_self": "first parameter must be self",
    "without_any": "first parameter must be self",
    "state_itself": "write Stream[Numbers]",
    "no_state": "needs a subclass of StreamState",
    "unknown_header": "object",
    "prop": "plain methods only",
    "of_class": "plain methods only",
    "static": "plain methods only",
    "Inner": "plain methods only",
}


def test_a_protocol_that_cannot_be_served_says_all_of_it_at_once() -> None:
    found = mismatches(lambda: read_protocol(Unusable))
    assert [mismatch.partition(":")[0] for mismatch in found] == list(UNUSABLE)
    for mismatch, words in zip(found, UNUSABLE.values(), strict=True):
        assert words in mismatch


class Empty(Protocol):
    """No method."""


@pytest.mark.parametrize(
    ("protocol", "words"),
    [(Empty, "no public method"), (3, "3 is no class"), ("text", "'text' is no class")],
    ids=["without methods", "a number", "a text"],
)
def test_what_is_no_protocol(protocol: Any, words: str) -> None:
    (mismatch,) = mismatches(lambda: read_protocol(protocol))
    assert words in mismatch


# -- what an implementation must keep ----------------------------------------------------------------------------


class Wanted(Protocol):
    def missing(self, a: int) -> int: ...

    def no_method(self) -> int: ...

    def asynchronous(self) -> int: ...

    def too_few(self, a: int, b: int) -> int: ...

    def by_position(self, a: int) -> int: ...

    def too_many(self) -> int: ...

    def other_type(self, a: int) -> int: ...

    def other_result(self) -> int: ...

    def other_kind(self) -> Stream[ProducerState]: ...

    def other_header(self) -> Stream[ProducerState, int]: ...

    def unary_for_stream(self) -> Stream[ProducerState]: ...

    def stream_for_unary(self) -> int: ...

    def unresolved(self, a: int) -> int: ...

    def no_such_type(self) -> int: ...

    def without_self(self) -> int: ...

    def other_default(self, a: int = 1, b: list[int] | None = None, c: int = 2, d: float = 1) -> int: ...

    def two_kinds(self) -> Stream[ProducerState]: ...

    def undecorated(self) -> Stream[ProducerState]: ...

    def fits(self, a: int) -> int: ...


class Undecorated(Numbers):
    """Somebody forgot what would make its field one."""

    limit: ClassVar[int]
    default: int = 3
    count: int


class Wrong:
    """Wrong in every way, and right in one."""

    no_method = 3

    async def asynchronous(self) -> int: ...

    def too_few(self, a: int) -> int: ...

    def by_position(self, a: int, /) -> int: ...

    def too_many(self, more: int, with_default: int = 1) -> int: ...

    def other_type(self, a: str) -> int: ...

    def other_result(self) -> str: ...

    def other_kind(self) -> Stream[ExchangeState]: ...

    def other_header(self) -> Stream[ProducerState, str]: ...

    def unary_for_stream(self) -> int: ...

    def stream_for_unary(self) -> Stream[ProducerState]: ...

    def unresolved(self, a: Missing) -> int: ...  # type: ignore[name-defined]  # noqa: F821

    def no_such_type(self) -> pa.Missing: ...  # type: ignore[name-defined]

    def without_self() -> int: ...  # type: ignore[misc]

    def other_default(self, a: int = 2, b: list[int] | None = [], c: int = 2, d: float = 1.0) -> int: ...  # noqa: B006

    def two_kinds(self) -> Stream[Numbers | ExchangeState]: ...

    def undecorated(self) -> Stream[Undecorated]: ...

    def fits(self, a: int) -> int: ...


WRONG = [
    "missing: is missing",
    "no_method: is 3, and not a method",
    "asynchronous: is async: write it without",
    "too_few: takes no parameter 'b'",
    "by_position: takes 'a' by position only",
    "too_many: needs a parameter 'more' that the Protocol does not have",
    "other_type: parameter 'a' is str, where the Protocol has int",
    "other_result: returns str, where the Protocol has int",
    "other_kind: returns Stream[ExchangeState], where the Protocol has Stream[ProducerState]",
    "other_header: returns Stream[ProducerState, str], where the Protocol has Stream[ProducerState, int]",
    "unary_for_stream: returns int, where the Protocol has Stream[ProducerState]",
    "stream_for_unary: returns Stream[ProducerState], where the Protocol has int",
    "unresolved: an annotation cannot be resolved: name 'Missing' is not defined",
    "no_such_type: an annotation cannot be resolved: module 'pyarrow' has no attribute 'Missing'",
    "without_self: its first parameter must be self",
    "other_default: the default of 'a' is 2, where the Protocol has 1",
    "other_default: the default of 'b' is [], where the Protocol has None",
    "two_kinds: returns Stream[tests.streams.test_contract.Numbers | sidecar.streams.state.ExchangeState], "
    "where the Protocol has Stream[ProducerState]",
    "undecorated: the state Undecorated is no dataclass, but names count: put @dataclass on it",
]


def test_every_mismatch_at_once() -> None:
    assert mismatches(lambda: check_implementation(Wanted, Wrong())) == WRONG


class Colour(enum.Enum):
    RED = 1


Id = NewType("Id", int)


class Loose(Protocol):
    def unannotated(self, a: int) -> int: ...

    def context(self, a: int) -> int: ...

    def any_names(self, a: int, b: int) -> int: ...

    def more_with_defaults(self, a: int) -> int: ...

    def any_order(self, a: int, b: int) -> int: ...

    def narrower_state(self) -> Stream[StreamState]: ...

    def one_of_two(self) -> Stream[StreamState]: ...

    def plain_state(self) -> Stream[StreamState]: ...

    def own_default(self, a: int, b: int = 1) -> int: ...

    def same_types(self, a: list[Colour], b: Id | None) -> dict[str, Colour]: ...

    def inherited(self) -> int: ...

    def assigned(self) -> int: ...


class Handmade(Numbers):
    """Sets its field itself."""

    count: int

    def __init__(self) -> None:
        self.count = 0


class Inherited:
    def inherited(self) -> int: ...


class Right(Inherited):
    """Keeps it, with all the freedom that there is."""

    def __init__(self) -> None:
        self.assigned = lambda: 1

    def unannotated(self, a): ...  # type: ignore[no-untyped-def]

    def context(self, ctx: CallContext, a: int) -> int: ...

    def any_names(self, **named: int) -> int: ...

    def more_with_defaults(self, a: int, b: int = 3, *args: int) -> int: ...

    def any_order(self, b: int, a: int) -> int: ...

    def narrower_state(self) -> Stream[Numbers]: ...

    def one_of_two(self) -> Stream[Numbers | ExchangeState]: ...

    def plain_state(self) -> Stream[Handmade]: ...

    def own_default(self, a: int = 3, b: int = 1) -> int: ...

    def same_types(self, a: list[Colour], b: Id | None) -> dict[str, Colour]: ...


def test_what_is_left_to_the_implementation() -> None:
    implementation = Right()
    service = check_implementation(Loose, implementation)
    assert service.implementation is implementation
    assert service.takes_context == {"context"}


def test_a_class_instead_of_an_object() -> None:
    assert mismatches(lambda: Sidecar().mount(Base, Right)) == ["Right is a class: mount Right()"]


def test_a_fault_in_the_protocol_comes_first() -> None:
    assert len(mismatches(lambda: Sidecar().mount(Unusable, Wrong()))) == len(UNUSABLE)


# -- several services --------------------------------------------------------------------------------------------


class Two:
    def first(self) -> int:
        return 1

    def second(self) -> int:
        return 2


def test_several_services_in_one_sidecar() -> None:
    both = Sidecar().mount(Base, Two()).mount(Base, Two(), "Again")
    assert list(both.services) == ["Base", "Again"]


def test_a_name_twice() -> None:
    sidecar = Sidecar().mount(Base, Two())
    first = sidecar.services["Base"]
    for mount in (lambda: sidecar.mount(Base, Two()), lambda: sidecar.mount(Wanting, Two(), "Base")):
        assert mismatches(mount) == ["a service of this name is mounted already"]
    assert sidecar.services == {"Base": first}


class Wanting(Protocol):
    def first(self) -> int: ...


def test_mounting_that_fails_mounts_nothing() -> None:
    sidecar = Sidecar()
    mismatches(lambda: sidecar.mount(Wanted, Wrong()))
    assert sidecar.services == {}


# -- the context -------------------------------------------------------------------------------------------------


class Asks(Protocol):
    def who(self, a: int) -> str: ...

    def stream(self, a: int) -> Stream[ProducerState]: ...

    def first(self, a: int) -> str: ...

    def without(self) -> str: ...


class Answers:
    """`ctx` may stand anywhere and need no annotation."""

    def who(self, a: int, ctx: CallContext) -> str:
        assert ctx.implementation is self
        return f"{ctx.method} {a} {isinstance(ctx.request_id, int)} {ctx.cancelled} {ctx.remaining_s}"

    def first(self, ctx, a):  # type: ignore[no-untyped-def]
        return f"{ctx.method} {a}"

    def without(self) -> str:
        return "fine"

    def stream(self, a: int, ctx: CallContext) -> Stream[ProducerState]:
        class Once(ProducerState):
            def produce(self, out: OutputCollector, inner: CallContext) -> None:
                text = (
                    f"{inner.method} {inner.request_id != ctx.request_id} {inner.implementation is ctx.implementation}"
                )
                out.emit_pydict({"text": [text]})
                out.finish()

        return Stream(pa.schema([("text", pa.string())]), Once())


def test_the_context_is_given_to_who_asks_for_it() -> None:
    with serve_pipe(Asks, Answers()) as proxy:
        assert proxy.who(3) == "Asks.who 3 True False None"
        assert proxy.first(a=3) == "Asks.first 3"
        assert proxy.without() == "fine"
        (only,) = proxy.stream(1)
        assert only.batch.to_pydict() == {"text": ["Asks.stream True True"]}


def test_the_context_is_no_parameter_of_the_hosts() -> None:
    with serve_pipe(Asks, Answers()) as proxy:
        unchecked: Any = proxy
        with pytest.raises(TypeError, match="ctx"):
            unchecked.who(3, ctx=1)
        assert proxy.without() == "fine"


def test_serve_pipe_checks_the_contract() -> None:
    with pytest.raises(ContractError), serve_pipe(Wanted, Wrong()):
        raise AssertionError("it was served")


def test_a_method_that_is_not_there() -> None:
    with serve_pipe(Base, Two()) as proxy:
        stream: Any = proxy
        assert stream.first() == 1
        with pytest.raises(AttributeError):
            stream.third()
