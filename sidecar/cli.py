"""Argument parsing and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .version import PROTOCOL_VERSION, VERSION

EXIT_USAGE = 64
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        _version(arguments.json)
    elif arguments.command is None:
        parser.print_help()
    else:
        arguments.run(arguments)


class _Parser(argparse.ArgumentParser):
    """Usage errors exit with 64 (EX_USAGE), as documented; argparse's own code is 2."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: error: {message}\n")


def size(text: str) -> int:
    """A count of bytes: `1048576`, `512k`, `64M`, `2G` (powers of 1024)."""
    number, unit = text.rstrip("kKmMgG"), text[-1:].lower()
    factor = _UNITS.get(unit if unit.isalpha() else "")
    if factor is None or not number.isdigit() or len(text) - len(number) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give bytes, or a number with k, M or G")
    return int(number) * factor


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="arrow-sidecar",
        description="DataFrames for desktop apps, over standard input and output: no port, no temp file.",
    )
    parser.add_argument("--version", action="store_true", help="print the versions and stop")
    parser.add_argument("--json", action="store_true", help="with --version: as JSON")
    commands = parser.add_subparsers(dest="command", title="commands", parser_class=_Parser)
    _add_serve(commands)
    return parser


def _add_serve(commands: argparse._SubParsersAction[_Parser]) -> None:
    serve = commands.add_parser("serve", help="serve the host that started this process (what apps run)")
    serve.add_argument("--allow-path", action="append", metavar="DIR", help="read files below DIR only; may be repeated")
    serve.add_argument("--memory-limit", type=size, metavar="SIZE", help="refuse loads beyond this, over all sessions")
    serve.add_argument("--max-header", type=size, default="16M", metavar="SIZE", help="largest header of a frame (16M)")
    serve.add_argument("--max-payload", type=size, default="2G", metavar="SIZE", help="largest payload of a frame (2G)")
    serve.add_argument("--max-pending", type=size, default="4G", metavar="SIZE", help="payloads of open requests (4G)")
    serve.add_argument("--host-pid", type=int, metavar="PID", help="die with this parent; 0: watch only the input")
    serve.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="warning")
    serve.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> None:
    from .app import Options, serve
    from .runtime.stdio import NoWire
    from .wire.limits import Limits

    parent_pid = os.getppid() if arguments.host_pid is None else arguments.host_pid
    options = Options(
        limits=Limits(arguments.max_header, arguments.max_payload),
        max_pending_bytes=arguments.max_pending,
        memory_limit_bytes=arguments.memory_limit,
        allow_paths=arguments.allow_path,
        parent_pid=parent_pid or None,
        log_level=arguments.log_level,
    )
    try:
        serve(options)
    except NoWire as fault:
        sys.stderr.write(
            f"arrow-sidecar: {fault}.\n"
            "`arrow-sidecar serve` is started by an app, which speaks to it through pipes (see PROTOCOL.md).\n"
            "To look at a file, run: arrow-sidecar inspect FILE. To see it work: arrow-sidecar demo.\n"
        )
        sys.exit(EXIT_USAGE)


def _version(as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps({"version": VERSION, "protocol_version": PROTOCOL_VERSION, "python": sys.version.split()[0]}))
    else:
        print(f"arrow-sidecar {VERSION} (protocol {PROTOCOL_VERSION})")
