"""Where every command begins. `serve` goes on to its hello from here, without what other commands need."""

from __future__ import annotations

import sys

from . import phases, serve_options  # noqa: F401  # the phases first: they note the time

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .mount import Sidecar
    from .version import Build


def main(argv: Sequence[str] | None = None, mounted: Sidecar | None = None, build: Build | None = None) -> None:
    """The console script, that of a service's own program, with the services that it mounted, and that of a frozen
    executable."""
    words = sys.argv[1:] if argv is None else [*argv]
    settings = serve_options.read(words[1:]) if words[:1] == ["serve"] else None
    if settings is None:
        from .cli import main as parse_and_run

        parse_and_run(words, mounted, build)
    else:
        from .serving import serve

        serve(settings, mounted, build)
