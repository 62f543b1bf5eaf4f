"""The two versions, of the product and of the protocol that it speaks; and what a frozen executable was built of."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers know it: `typing` takes 8 ms to import, before hello
if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "0.1.0"

with open(os.path.join(os.path.dirname(__file__), "PROTOCOL_VERSION"), "rb") as _file:
    PROTOCOL_VERSION = _file.read().decode().strip()

PROTOCOL_MAJOR = int(PROTOCOL_VERSION.partition(".")[0])


class Build:
    """What this sidecar is: run from source, unless `packaging/build.py` has made it.

    `id` is 16 hex digits of a frozen one, which change with anything that it was made of; `name` is that of the
    executable, `services` the `module:factory` of what it always mounts, `libraries` the versions of what is frozen in,
    by name.
    """

    def __init__(
        self,
        id: str = "source",
        name: str = "arrow-sidecar",
        services: tuple[str, ...] = (),
        libraries: Mapping[str, str] | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.services = services
        self.libraries = libraries or {}
