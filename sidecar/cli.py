"""Argument parsing and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .commands.argument_types import count, directory, seconds, size
from .commands.exits import plain_errors
from .version import PROTOCOL_VERSION, VERSION

if TYPE_CHECKING:
    from .mount import Sidecar

EXIT_USAGE = 64


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
    _add_query(commands)
    commands.add_parser("doctor", help="say whether this installation works here").set_defaults(run=_doctor)
    commands.add_parser("demo", help="load a table in three ways and page through it").set_defaults(run=_demo)
    return parser


def _add_serve(commands: argparse._SubParsersAction[_Parser]) -> None:
    serve = commands.add_parser("serve", help="serve the host that started this process (what apps run)")
    serve.add_argument(
        "--allow-path", type=directory, action="append", metavar="DIR", help="read and write only below DIR; repeatable"
    )
    serve.add_argument("--memory-limit", type=size, metavar="SIZE", help="refuse work beyond this, over all sessions")
    serve.add_argument("--evict", action="store_true", help="at the limit, close sessions that were not used for long")
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
    inspect = commands.add_parser(
        "inspect",
        help="show schema, first rows and statistics of a file",
        epilog="Statistics are exact and of all rows. A distribution is a histogram, with a mark for rows outside "
        "of its bins, or the most frequent values. What is printed fits the terminal; a file or pipe gets all of it.",
    )
    inspect.add_argument("file", metavar="FILE", help="Parquet, Arrow, Feather, CSV, TSV, JSON or NDJSON")
    inspect.add_argument("--rows", type=count, default=10, metavar="N", help="how many rows to show (10)")
    inspect.add_argument("--sort", action="append", default=[], metavar="COLUMN[:desc]", help="their order; repeatable")
    inspect.add_argument("--search", metavar="TEXT", help="show rows that have this text in a column")
    inspect.add_argument(
        "--column", action="append", default=[], metavar="NAME", help="show this one alone, in depth; repeatable"
    )
    inspect.add_argument("--format", help="what the file is, where its content does not tell")
    inspect.add_argument("--mode", choices=("eager", "lazy"), default="eager", help="lazy: read pieces as needed")
    inspect.add_argument("--json", action="store_true", help="print JSON")
    inspect.set_defaults(run=_inspect)


def _add_query(commands: argparse._SubParsersAction[_Parser]) -> None:
    query = commands.add_parser(
        "query",
        help="run SQL over files",
        epilog="A table is named after the file, without its extension, and with _ for what is no letter or digit; one "
        "file alone is `self` too. On a terminal a table shows some rows and the columns that fit; into a file or pipe "
        "goes all of it.",
    )
    query.add_argument("query", metavar="QUERY", help="one SELECT; - reads it from standard input")
    query.add_argument("files", nargs="*", metavar="[NAME=]FILE", help="a table of the query")
    formats = ("table", "csv", "tsv", "ndjson", "json", "arrow", "parquet")
    query.add_argument("--format", choices=formats, help="how to print (table)")
    query.add_argument("--rows", type=count, metavar="N", help="rows of a table to show, 0 for all (20 on a terminal)")
    query.add_argument("--output", metavar="FILE", help="write this file, in the format of its extension or --format")
    query.add_argument("--overwrite", action="store_true", help="replace it if it is there")
    query.add_argument("--mode", choices=("eager", "lazy"), help="how to load (lazy where the format can be)")
    query.add_argument("--input-format", metavar="FORMAT", help="what the files are, where their content does not tell")
    query.set_defaults(run=_query)


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
    with plain_errors():
        from .commands.describe import describe
        from .commands.target import target

        chosen = target(arguments.cmd, arguments.service, arguments.mounted is not None)
        describe(chosen, arguments.service_name, arguments.format)


def _call(arguments: argparse.Namespace) -> None:
    with plain_errors():
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
    with plain_errors():
        from .commands.inspect import InspectOptions, inspect

        options = InspectOptions(
            rows=arguments.rows,
            format=arguments.format,
            mode=arguments.mode,
            as_json=arguments.json,
            columns=arguments.column,
            sort=arguments.sort,
            search=arguments.search,
        )
        inspect(arguments.file, options)


def _query(arguments: argparse.Namespace) -> None:
    with plain_errors():
        from .commands.query import QueryOptions, query

        options = QueryOptions(
            format=arguments.format,
            output=arguments.output,
            overwrite=arguments.overwrite,
            rows=arguments.rows,
            mode=arguments.mode,
            input_format=arguments.input_format,
        )
        query(arguments.query, arguments.files, options)


def _doctor(_arguments: argparse.Namespace) -> None:
    from .commands.doctor import doctor

    sys.exit(doctor())


def _demo(_arguments: argparse.Namespace) -> None:
    from .commands.demo import demo

    with plain_errors():
        demo()


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
        evict=arguments.evict,
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
