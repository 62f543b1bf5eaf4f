"""Which sidecar a command speaks to, and how what it says reaches the terminal."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from ..client import Host, HostFault, Progress
from ..client.calls import ServiceLog
from .mistake import EXIT_FAILED, EXIT_USAGE, Mistake


class Target(NamedTuple):
    """A command to which `serve` is added, None for that of this installation; and the services that it mounts."""

    command: Sequence[str] | None
    services: Sequence[str]


def target(command: str | None, services: Sequence[str], is_own: bool) -> Target:
    """What `--cmd` and `--service` say. `is_own` is a service's own program, which needs neither."""
    if command is not None:
        return Target(split_command(command), services)
    if is_own:
        return Target(own_command(), services)
    if not services:
        raise Mistake('which sidecar? Give --service MODULE:FACTORY, or --cmd "COMMAND" that takes `serve`')
    return Target(None, services)


def split_command(text: str, is_windows: bool = os.name == "nt") -> list[str]:
    """The words of a command, quoted as for a shell. On Windows a backslash stands for itself."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if is_windows:
        lexer.escape = ""
    try:
        words = list(lexer)
    except ValueError as fault:
        raise Mistake(f"--cmd {text}: {str(fault).lower()}") from None
    if not words:
        raise Mistake("--cmd is empty: give the command that takes `serve`")
    return words


def own_command() -> list[str]:
    """The program that runs: what `python service.py` and `python -m service` were, or the frozen executable."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    python = [sys.executable, "-B", *(["-P"] if sys.flags.safe_path else [])]
    main = sys.modules["__main__"]
    if main.__spec__ is not None and main.__spec__.name != "__main__":
        return [*python, "-m", main.__spec__.name.removesuffix(".__main__")]
    if main.__spec__ is not None:  # a zip file or a directory
        return [*python, os.path.abspath(sys.argv[0])]
    file = getattr(main, "__file__", None)
    if file is None:
        raise Mistake("this program is no file that could be started again: give --cmd")
    return [*python, os.path.abspath(file)]


@contextmanager
def spawned(target: Target) -> Iterator[Host]:
    """The sidecar. What it writes to standard error goes to this one's as it comes, so a fault need not repeat it."""
    options = [option for service in target.services for option in ("--service", service)]
    try:
        with Host.spawn(target.command, options=options, on_stderr=say) as host:
            yield host
    except HostFault as fault:
        if fault.exit_code == EXIT_USAGE:  # it has said what was wrong with its command line
            sys.exit(EXIT_USAGE)
        hint = " (does the program end with `Sidecar().mount(...).run()`?)" if fault.exit_code == 0 else ""
        raise Mistake(f"{fault.message}{hint}", EXIT_FAILED) from None


def say(line: str) -> None:
    """One line to standard error, at once, if it is open."""
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def say_log(log: ServiceLog) -> None:
    """A message of a service."""
    extra = f" {msgspec.json.encode(log.extra).decode()}" if log.extra else ""
    say(f"{log.level}: {log.message}{extra}")


def say_progress(progress: Progress) -> None:
    """How far a service is."""
    total = "" if progress.total is None else f" of {progress.total:,}"
    message = f": {progress.message}" if progress.message else ""
    say(f"progress: {progress.done:,}{total} {progress.unit}{message}")
