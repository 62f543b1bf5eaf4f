"""The contract of a service: what its Protocol says, and whether an implementation keeps it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from .service import REQUIRED, Method, Parameter, Service, resolved_hints, stream_types
from .state import StreamState
from .values.codec import InvalidValue, UnsupportedHint
from .values.types import codec

CONTEXT = "ctx"
"""The parameter that an implementation may have beside those of the Protocol."""


class ContractError(ValueError):
    """A Protocol that cannot be served, or an implementation that does not keep it; `mismatches` lists all of it."""

    def __init__(self, what: str, mismatches: list[str]) -> None:
        super().__init__("\n  - ".join([f"{what}:", *mismatches]))
        self.mismatches = mismatches


def read_protocol(protocol: Any, name: str | None = None) -> Service:
    """What the Protocol class says of its service. Raises `ContractError`."""
    if not isinstance(protocol, type):
        raise ContractError("a service needs a Protocol class", [f"{protocol!r} is no class"])
    name = protocol.__name__ if name is None else name
    if not name.isidentifier():
        raise ContractError("a service needs a name", [f"{name!r} is no identifier"])
    mismatches: list[str] = []
    methods: dict[str, Method] = {}
    for function_name, function in _functions(protocol):
        try:
            methods[function_name] = _read_method(name, function_name, function)
        except TypeError as fault:
            mismatches.append(f"{function_name}: {fault}")
    if not methods and not mismatches:
        mismatches.append("it has no public method")
    if mismatches:
        raise ContractError(f"{name} cannot be served", mismatches)
    return Service(name, inspect.cleandoc(vars(protocol).get("__doc__") or ""), methods, None, frozenset())


def check_implementation(protocol: Any, implementation: Any, name: str | None = None) -> Service:
    """The service that `implementation` makes of the Protocol. Raises `ContractError` with every mismatch."""
    service = read_protocol(protocol, name)
    if isinstance(implementation, type):
        raise ContractError(
            f"{service.name} cannot be mounted",
            [f"{implementation.__name__} is a class: mount {implementation.__name__}()"],
        )
    mismatches = [
        f"{method.name}: {mismatch}"
        for method in service.methods.values()
        for mismatch in _mismatches(method, getattr(protocol, method.name), getattr(implementation, method.name, None))
    ]
    if mismatches:
        raise ContractError(f"{type(implementation).__name__} does not implement {service.name}", mismatches)
    with_context = {name for name in service.methods if CONTEXT in _parameters(getattr(implementation, name))}
    return service._replace(implementation=implementation, takes_context=frozenset(with_context))


def _functions(protocol: type) -> Iterator[tuple[str, Any]]:
    """The public methods of a class and its bases, in order of definition."""
    found: dict[str, Any] = {}
    for cls in reversed(protocol.__mro__):
        if cls.__module__ != "typing" and cls is not object:
            found |= {name: value for name, value in vars(cls).items() if not name.startswith("_")}
    for name, value in found.items():
        if callable(value) or isinstance(value, classmethod | staticmethod | property):
            yield name, value


def _read_method(service: str, name: str, function: Any) -> Method:
    if not inspect.isfunction(function):
        raise TypeError("a service has plain methods only, no classmethod, staticmethod, property or class")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError("async methods are not served: each call has a thread of its own, so write it without async")
    hints = resolved_hints(function)
    given = list(_parameters(function).values())
    if not given or (given[0].name != "self" and given[0].name in hints):
        raise TypeError("its first parameter must be self")
    parameters = tuple(_read_parameter(parameter, hints) for parameter in given[1:])
    if "return" not in hints:
        raise TypeError("the return type is missing (None where it returns nothing)")
    doc = inspect.getdoc(function) or ""
    stream = stream_types(hints["return"])
    if _is_state(hints["return"]):
        raise TypeError(f"it returns a state: write Stream[{hints['return'].__name__}]")
    if stream is None:
        return Method(service, name, doc, parameters, codec(hints["return"]), None, None)
    state, header = stream
    if not _is_state(state):
        raise TypeError(f"Stream[{state!r}] needs a subclass of StreamState")
    return Method(service, name, doc, parameters, None, state, None if header is None else codec(header))


def _is_state(hint: Any, of: type = StreamState) -> bool:
    """Whether a hint is a state's class, or the union of several."""
    return all(isinstance(cls, type) and issubclass(cls, of) for cls in _alternatives(hint))


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _read_parameter(parameter: inspect.Parameter, hints: dict[str, Any]) -> Parameter:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise TypeError(f"parameter {parameter.name!r} must have a name that callers use: no *args, **kwargs or `/`")
    if parameter.name == CONTEXT:
        raise TypeError(f"{CONTEXT!r} belongs to the implementation's method, not to the Protocol")
    if parameter.name not in hints:
        raise TypeError(f"parameter {parameter.name!r} has no annotation")
    try:
        made = Parameter(parameter.name, codec(hints[parameter.name]), parameter.default)
    except UnsupportedHint as fault:
        raise TypeError(f"parameter {parameter.name!r}: {fault}") from None
    if made.default is not REQUIRED:
        try:
            made.codec.to_json(made.default, made.name)  # as `describe` tells it
        except InvalidValue as fault:
            raise TypeError(f"the default of parameter {made.name!r} does not fit: {fault}") from None
    return made


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def _mismatches(method: Method, declared: Any, function: Any) -> Iterator[str]:
    if function is None:
        yield "is missing"
        return
    if not callable(function):
        yield f"is {function!r}, and not a method"
        return
    if inspect.iscoroutinefunction(function):
        yield "is async: write it without"
    try:
        given, hints = _parameters(function), resolved_hints(function)
    except (TypeError, ValueError) as fault:
        yield "its first parameter must be self" if "invalid method signature" in str(fault) else str(fault)
        return
    yield from _parameter_mismatches(method, given)
    yield from _default_mismatches(method, given)
    yield from _hint_mismatches(resolved_hints(declared), hints)


def _parameter_mismatches(method: Method, given: dict[str, inspect.Parameter]) -> Iterator[str]:
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in given.values())
    wanted = [parameter.name for parameter in method.parameters]
    for name in wanted:
        if name not in given and not takes_any:
            yield f"takes no parameter {name!r}"
        elif name in given and given[name].kind in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.VAR_POSITIONAL,
        ):
            yield f"takes {name!r} by position only"
    for name, parameter in given.items():
        is_variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if name not in wanted and name != CONTEXT and parameter.default is REQUIRED and not is_variadic:
            yield f"needs a parameter {name!r} that the Protocol does not have"


def _default_mismatches(method: Method, given: dict[str, inspect.Parameter]) -> Iterator[str]:
    """The Protocol's default is the one that counts, so another one would never be used."""
    for parameter in method.parameters:
        default = given[parameter.name].default if parameter.name in given else REQUIRED
        if REQUIRED not in (default, parameter.default) and not _is_same_value(parameter, default):
            yield f"the default of {parameter.name!r} is {default!r}, where the Protocol has {parameter.default!r}"


def _is_same_value(parameter: Parameter, default: Any) -> bool:
    try:
        forms = [parameter.codec.to_json(value, parameter.name) for value in (default, parameter.default)]
    except InvalidValue:
        return False
    return bool(forms[0] == forms[1])


def _hint_mismatches(declared: dict[str, Any], given: dict[str, Any]) -> Iterator[str]:
    """Where both say a type, it must be the same one. The state of a stream may be another: hosts do not see it."""
    for name, hint in declared.items():
        if given.get(name, Any) is Any:
            continue
        mine, theirs = stream_types(hint), stream_types(given[name])
        if mine is None or theirs is None:
            is_same = hint == given[name]
        else:
            is_same = mine[1] == theirs[1] and (theirs[0] is Any or _is_state(theirs[0], mine[0]))
            yield from _undecorated_states(theirs[0])
        if not is_same:
            what = "returns" if name == "return" else f"parameter {name!r} is"
            yield f"{what} {_shown(given[name])}, where the Protocol has {_shown(hint)}"


def _undecorated_states(hint: Any) -> Iterator[str]:
    """A class that names fields, gives them no value, and has no `__init__` that could: its decorator was forgotten."""
    for cls in _alternatives(hint):
        if not _is_state(cls) or "__dataclass_fields__" in vars(cls) or "__init__" in vars(cls):
            continue
        known = getattr(cls, "__dataclass_fields__", None)
        if known is None and cls.__init__ is not object.__init__:
            continue
        names = [
            name
            for name, hint in inspect.get_annotations(cls).items()
            if name not in vars(cls) and name not in (known or ()) and "ClassVar" not in str(hint)
        ]
        if names:
            yield f"the state {cls.__name__} is no dataclass, but names {', '.join(names)}: put @dataclass on it"


def _shown(hint: Any) -> str:
    stream = stream_types(hint)
    if stream is not None:
        return f"Stream[{', '.join(_shown(part) for part in stream if part is not None)}]"
    return hint.__name__ if isinstance(hint, type) else str(hint)
