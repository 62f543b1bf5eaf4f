"""Argument parsing and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .version import PROTOCOL_VERSION, VERSION

if TYPE_CHECKING:
    from .mount import Sidecar

EXIT_USAGE = 64
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def main(argv: Sequence[str] | None = None, mounted: Sidecar | None = None) -> None:
    """The console script, and that of a service's own program, with the services that it mounted."""
    parser = _parser(mounted)
    arguments, rest = parser.parse_known_args(argv)
    if rest and (not hasattr(arguments, "pairs") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest  # the pairs that stand behind an option: argparse takes those before it alone
    arguments.mounted = mounted
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


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return number


def _parser(mounted: Sidecar | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="arrow-sidecar" if mounted is None else os.path.basename(sys.argv[0]),
        description="DataFrames for desktop apps, over standard input and output: no port, no temp file.",
    )
    parser.add_argument("--version", action="store_true", help="print the versions and stop")
    parser.add_argument("--json", action="store_true", help="with --version: as JSON")
    commands = parser.add_subparsers(dest="command", title="commands", parser_class=_Parser)
    _add_serve(commands)
    _add_describe(commands)
    _add_call(commands)
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
    serve.add_argument(
        "--service", action="append", default=[], metavar="MODULE:FACTORY", help="mount what it returns; repeatable"
    )
    serve.add_argument("--max-streams", type=count, default=1024, metavar="N", help="open streams (1024)")
    serve.add_argument("--stream-idle", type=count, default=3600, metavar="S", help="end silent streams (3600 s)")
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


def _add_describe(commands: argparse._SubParsersAction[_Parser]) -> None:
    describe = commands.add_parser("describe", help="show the services of a sidecar, or generate types of them")
    describe.add_argument("service_name", nargs="?", metavar="SERVICE", help="this one only")
    _add_target(describe)
    formats = ("table", "json", "typescript", "rust")
    describe.add_argument("--format", choices=formats, default="table", help="how to print them (table)")
    describe.set_defaults(run=_describe)


def _add_call(commands: argparse._SubParsersAction[_Parser]) -> None:
    call = commands.add_parser(
        "call",
        help="call a method of a service",
        epilog="A text parameter takes VALUE as it is, others are JSON; @FILE is what the file holds. An exchange "
        "takes rows from standard input: one JSON object, or a list of them, a line; or an Arrow IPC stream.",
    )
    call.add_argument("method", metavar="METHOD", help="Service.method, or method alone if only one service has it")
    call.add_argument("pairs", nargs="*", default=[], metavar="NAME=VALUE", help="its parameters")
    _add_target(call)
    call.add_argument("--format", choices=("json", "table", "arrow"), default="json", help="how to print (json)")
    call.add_argument("--input", metavar="FILE", help="rows for an exchange; - is standard input (-)")
    call.add_argument("--batch", type=count, default=1, metavar="N", help="lines of input that make a batch (1)")
    call.add_argument("--timeout", type=seconds, metavar="S", help="give up after S seconds")
    call.add_argument("--limit", type=count, metavar="N", help="stop a stream after N rows")
    call.set_defaults(run=_call)


def _add_target(command: _Parser) -> None:
    target = command.add_mutually_exclusive_group()
    target.add_argument(
        "--cmd", metavar="COMMAND", help="what starts the sidecar, quoted as for a shell, without `serve`"
    )
    target.add_argument(
        "--service", action="append", default=[], metavar="MODULE:FACTORY", help="mount what it returns; repeatable"
    )


def _describe(arguments: argparse.Namespace) -> None:
    with _plain_errors():
        from .commands.describe import describe
        from .commands.target import target

        chosen = target(arguments.cmd, arguments.service, arguments.mounted is not None)
        describe(chosen, arguments.service_name, arguments.format)


def _call(arguments: argparse.Namespace) -> None:
    with _plain_errors():
        from .commands.call import CallOptions, call
        from .commands.target import target

        options = CallOptions(
            format=arguments.format,
            input=arguments.input,
            batch_lines=max(1, arguments.batch),
            timeout_s=arguments.timeout,
            limit_rows=arguments.limit,
        )
        chosen = target(arguments.cmd, arguments.service, arguments.mounted is not None)
        call(chosen, arguments.method, [*arguments.pairs, *arguments.rest], options)


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
    try:
        from .client import HostFault, SidecarError
        from .commands.mistake import Mistake
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        yield
    except Mistake as mistake:
        sys.stderr.write(f"arrow-sidecar: {mistake}\n")
        sys.exit(mistake.exit_code)
    except SidecarError as error:
        sys.exit(f"arrow-sidecar: {error.kind}: {error.message}")
    except HostFault as fault:
        sys.exit(f"arrow-sidecar: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `arrow-sidecar inspect FILE | head`
        _drop_output()
        sys.exit(0)
    except OSError as fault:  # `arrow-sidecar call METHOD > FILE` on a full disk
        _drop_output()
        sys.exit(f"arrow-sidecar: {fault.strerror or fault}")


def _drop_output() -> None:
    """What could not be written is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _serve(arguments: argparse.Namespace) -> None:
    from .app import Options, serve
    from .mount import MountError
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
        services=tuple(arguments.service),
        max_streams=arguments.max_streams,
        stream_idle_s=arguments.stream_idle,
    )
    try:
        serve(options, arguments.mounted)
    except MountError as fault:
        if fault.__cause__ is not None:
            import traceback

            traceback.print_exception(fault.__cause__)
        sys.stderr.write(f"arrow-sidecar: {fault}\n")
        sys.exit(EXIT_USAGE)
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
