"""The services of one sidecar, mounted beside its built-in nouns."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .streams.service import Service


class MountError(Exception):
    """A `--service` that cannot be mounted; the message says what was looked for and what to do."""


class Sidecar:
    """`Sidecar().mount(Protocol, Implementation()).run()` is the whole of a service's main program."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}

    def mount(self, protocol: Any, implementation: object, name: str | None = None) -> Self:
        """Serve `implementation` as what the Protocol class says, under the class's name or `name`. Returns itself.

        Raises `ContractError`, a `ValueError` that lists every mismatch.
        """
        from .streams.contract import ContractError, check_implementation

        service = check_implementation(protocol, implementation, name)
        if service.name in self.services:
            raise ContractError(f"{service.name} cannot be mounted", ["a service of this name is mounted already"])
        self.services[service.name] = service
        return self

    def run(self, argv: Sequence[str] | None = None) -> None:
        """The command line of `arrow-sidecar`, with these services: `serve` for hosts, `call` and `describe` for
        people. `argv` is `sys.argv` without the program, unless it is given."""
        from .start import main

        main(argv, self)

    def methods_digest(self) -> str:
        """16 hex digits that change when a method does, a built-in one or one of a mounted service."""
        from .protocol.hello import methods_digest

        if not self.services:
            return methods_digest()  # a sidecar without services says hello before it imports Arrow
        from .streams.describe import written

        return methods_digest(written(self.services))

    def including(self, specs: Sequence[str]) -> Sidecar:
        """This and what `--service module:factory` names. Raises `MountError` and `ContractError`."""
        both = Sidecar()
        both.services.update(self.services)
        for spec in specs:
            both._add(spec, _made(spec))
        return both

    def _add(self, spec: str, other: Any) -> None:
        if not isinstance(other, Sidecar):
            raise MountError(f"--service {spec}: the factory must return a Sidecar, not {type(other).__name__}")
        for name, service in other.services.items():
            if name in self.services:
                raise MountError(f"--service {spec}: a service named {name} is mounted already")
            self.services[name] = service


def _made(spec: str) -> Any:
    module_name, _, factory_name = spec.partition(":")
    if not module_name or not factory_name:
        raise MountError(f"--service {spec}: write it as module:factory")
    names = [*module_name.split("."), factory_name]
    if module_name.endswith(".py") or not all(name.isidentifier() for name in names):
        raise MountError(f"--service {spec}: write it as module:factory, without a path and without .py")
    module = _imported(spec, module_name)
    factory: Callable[[], Any] | None = getattr(module, factory_name, None)
    if not callable(factory):
        raise MountError(f"--service {spec}: {module_name} has no function {factory_name!r}")
    from .streams.contract import ContractError

    try:
        return factory()
    except ContractError as fault:
        raise MountError(f"--service {spec}: {fault}") from None
    except Exception as fault:
        raise MountError(f"--service {spec}: {factory_name} raised {type(fault).__name__}: {fault}") from fault


def _imported(spec: str, name: str) -> ModuleType:
    is_frozen = getattr(sys, "frozen", False)
    if not is_frozen and "" not in sys.path:  # a frozen executable runs no code but its own
        sys.path.append("")  # last, so that a file in the current directory hides nothing that is installed
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        missing = fault.name
    except Exception as fault:
        raise MountError(f"--service {spec}: importing {name} raised {type(fault).__name__}: {fault}") from fault
    if missing is None or not f"{name}.".startswith(f"{missing}."):
        raise MountError(f"--service {spec}: {name} needs a module {missing!r}, which is missing")
    place = f"in this executable: freeze it in (packaging/build.py --service {spec})" if is_frozen else "here"
    raise MountError(f"--service {spec}: there is no module {missing!r} {place}")
