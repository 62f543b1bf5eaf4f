"""Argument parsing and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import serve_options
from .commands.argument_types import count, rounds, seconds
from .commands.exits import plain_errors
from .commands.mistake import EXIT_USAGE
from .version import PROTOCOL_VERSION, VERSION, Build

if TYPE_CHECKING:
    from .mount import Sidecar


def main(argv: Sequence[str] | None = None, mounted: Sidecar | None = None, build: Build | None = None) -> None:
    """Parse the words of the command line, and run the command that they name (see `start.main`)."""
    parser = _parser(mounted, build)
    arguments, rest = parser.parse_known_args(argv)
    if rest and (not hasattr(arguments, "pairs") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest  # the pairs that stand behind an option: argparse takes those before it alone
    arguments.mounted = mounted
    arguments.build = build or Build()
    if arguments.version:
        with plain_errors():
            _version(arguments.build, arguments.json)
    elif arguments.command is None:
        parser.print_help()
    else:
        arguments.run(arguments)


class _Parser(argparse.ArgumentParser):
    """Usage errors exit with 64 (EX_USAGE), as documented; argparse's own code is 2. Help into a pipe that closes, or
    on a full disk, ends as any output does."""

    def print_help(self, file: Any = None) -> None:
        with plain_errors():
            print(self.format_help(), end="", file=file)  # argparse's own drops what it cannot write

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(EXIT_USAGE, f"{self.format_usage()}{self.prog}: error: {message}\n")


def _parser(mounted: Sidecar | None, build: Build | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="arrow-sidecar" if mounted is None and build is None else os.path.basename(sys.argv[0]),
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
    _add_doctor(commands)
    if build is None:  # the demo's table is half a megabyte
        commands.add_parser("demo", help="load a table in three ways and page through it").set_defaults(run=_demo)
    return parser


def _add_serve(commands: argparse._SubParsersAction[_Parser]) -> None:
    serve = commands.add_parser("serve", help="serve the host that started this process (what apps run)")
    for name, settings in serve_options.OPTIONS.items():
        serve.add_argument(name, **settings)
    serve.set_defaults(run=_serve)


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    doctor = commands.add_parser("doctor", help="say whether this installation works here, and how fast it starts")
    doctor.add_argument("--startup", action="store_true", help="start sidecars, and show how long each phase takes")
    doctor.add_argument("--rounds", type=rounds, metavar="N", help="with --startup: how many to start (5)")
    doctor.add_argument("--json", action="store_true", help="with --startup: print JSON")
    doctor.set_defaults(run=_doctor)


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


def _is_own(arguments: argparse.Namespace) -> bool:
    """Whether this program has services of its own."""
    return arguments.mounted is not None or bool(arguments.build.services)


def _describe(arguments: argparse.Namespace) -> None:
    with plain_errors():
        from .commands.describe import describe
        from .commands.target import target

        chosen = target(arguments.cmd, arguments.service, _is_own(arguments))
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
        chosen = target(arguments.cmd, arguments.service, _is_own(arguments))
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


def _doctor(arguments: argparse.Namespace) -> None:
    exit_code = 0
    with plain_errors():
        if arguments.startup:
            from .commands.startup import startup

            startup(arguments.rounds or 5, arguments.json)
        else:
            from .commands.doctor import doctor
            from .commands.mistake import Mistake

            if arguments.rounds or arguments.json:
                raise Mistake("--rounds and --json say how `doctor --startup` measures: add --startup")
            exit_code = doctor(arguments.build.libraries)
    sys.exit(exit_code)


def _demo(_arguments: argparse.Namespace) -> None:
    from .commands.demo import demo

    with plain_errors():
        demo()


def _serve(arguments: argparse.Namespace) -> None:
    from .serving import serve

    serve(vars(arguments), arguments.mounted, arguments.build)


def _version(build: Build, as_json: bool) -> None:
    if as_json:
        import json

        python = sys.version.split()[0]
        versions = {"version": VERSION, "protocol_version": PROTOCOL_VERSION, "python": python, "build_id": build.id}
        print(json.dumps(versions))
    else:
        own = "" if build.name == "arrow-sidecar" else f"{build.name}: "
        print(f"{own}arrow-sidecar {VERSION} (protocol {PROTOCOL_VERSION})")
