"""Argument parsing and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


def count(text: str) -> int:
    """A number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return int(text)


def directory(text: str) -> str:
    """The name of a directory, in UTF-8; whether there is one is seen when a file is read."""
    if not text or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is no directory")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="arrow-sidecar",
        description="DataFrames for desktop apps, over standard input and output: no port, no temp file.",
    )
    parser.add_argument("--version", action="store_true", help="print the versions and stop")
    parser.add_argument("--json", action="store_true", help="with --version: as JSON")
    commands = parser.add_subparsers(dest="command", title="commands", parser_class=_Parser)
    _add_serve(commands)
    _add_inspect(commands)
    commands.add_parser("doctor", help="say whether this installation works here").set_defaults(run=_doctor)
    commands.add_parser("demo", help="load a table in three ways and page through it").set_defaults(run=_demo)
    return parser


def _add_serve(commands: argparse._SubParsersAction[_Parser]) -> None:
    serve = commands.add_parser("serve", help="serve the host that started this process (what apps run)")
    serve.add_argument(
        "--allow-path", type=directory, action="append", metavar="DIR", help="read only files below DIR; repeatable"
    )
    serve.add_argument("--memory-limit", type=size, metavar="SIZE", help="refuse loads beyond this, over all sessions")
    serve.add_argument("--max-header", type=size, default="16M", metavar="SIZE", help="largest header of a frame (16M)")
    serve.add_argument("--max-payload", type=size, default="2G", metavar="SIZE", help="largest payload of a frame (2G)")
    serve.add_argument("--max-pending", type=size, default="4G", metavar="SIZE", help="requests that wait (4G)")
    serve.add_argument("--host-pid", type=int, metavar="PID", help="die with this parent; 0: watch only the input")
    serve.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="warning")
    serve.set_defaults(run=_serve)


def _add_inspect(commands: argparse._SubParsersAction[_Parser]) -> None:
    inspect = commands.add_parser("inspect", help="show schema, statistics and first rows of a file")
    inspect.add_argument("file", metavar="FILE", help="Parquet, Arrow, Feather, CSV, TSV, JSON or NDJSON")
    inspect.add_argument("--rows", type=count, default=10, metavar="N", help="how many rows to show (10)")
    inspect.add_argument("--format", help="what the file is, where its content does not tell")
    inspect.add_argument("--mode", choices=("eager", "lazy"), default="eager", help="lazy: read pieces as needed")
    inspect.add_argument("--json", action="store_true", help="print JSON")
    inspect.set_defaults(run=_inspect)


def _inspect(arguments: argparse.Namespace) -> None:
    from .commands.inspect import inspect

    with _plain_errors():
        inspect(arguments.file, arguments.rows, arguments.format, arguments.mode, arguments.json)


def _doctor(_arguments: argparse.Namespace) -> None:
    from .commands.doctor import doctor

    sys.exit(doctor())


def _demo(_arguments: argparse.Namespace) -> None:
    from .commands.demo import demo

    with _plain_errors():
        demo()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What a person did wrong is one line and exit code 1, without a traceback."""
    from .client import HostFault, SidecarError

    try:
        yield
    except SidecarError as error:
        sys.exit(f"arrow-sidecar: {error.kind}: {error.message}")
    except HostFault as fault:
        sys.exit(f"arrow-sidecar: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `arrow-sidecar inspect FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


def _serve(arguments: argparse.Namespace) -> None:
    from .app import Options, serve
    from .runtime.stdio import NoWire
    from .wire.limits import Limits

    host_pid = os.getppid() if arguments.host_pid is None else arguments.host_pid
    options = Options(
        limits=Limits(arguments.max_header, arguments.max_payload),
        max_pending_bytes=arguments.max_pending,
        memory_limit_bytes=arguments.memory_limit,
        allow_paths=arguments.allow_path,
        host_pid=host_pid or None,
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
