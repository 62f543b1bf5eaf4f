"""Freeze the sidecar into a folder that an app ships: `python packaging/build.py`, or `make frozen`.

The folder is `dist/arrow-sidecar-<target>`: one executable, its libraries, a manifest and the licences; beside it the
same as an archive. Services of your own get in with `--service module:factory`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # also where this is run by another path than its own

from bundle import archive, check, manifest
from bundle.contents import LICENCES
from bundle.faults import BuildFault
from bundle.freeze import check_tools, freeze
from bundle.licences import notice
from bundle.parts import parts_of
from bundle.settings import ROOT, Settings
from bundle.settings_check import check_settings
from bundle.targets import this_target
from bundle.trim import trim

EXIT_FAILED = 70


def main() -> None:
    """Build what the command line says."""
    arguments = _arguments()
    try:
        build(arguments)
    except BuildFault as fault:
        sys.stderr.write(f"build.py: {fault}\n")
        sys.exit(EXIT_FAILED)


def build(arguments: argparse.Namespace) -> None:
    """Every step, in order. What is in the output folder under the same name is replaced once all of it is well."""
    settings = _settings(arguments)
    target = this_target()
    name = f"{settings.name}-{target.rust}"
    work = arguments.output.resolve() / "work" / name
    epoch_s = _epoch_s()
    check_tools()
    check_settings(settings)
    _say(f"freezing {name}")
    folder = freeze(settings, work, epoch_s)
    _say("trimming")
    trim(folder, has_services=bool(settings.modules))
    executable = folder / manifest.executable_name(settings.name, target)
    parts = parts_of(folder, executable, work, settings, dict(arguments.licence))
    (folder / LICENCES).write_text(notice(set(parts.values())), encoding="utf-8")
    made = manifest.write(folder, settings, target, parts)
    check.check(folder, executable, _budget(arguments, settings), let_in=_let_in(work))
    ready = arguments.output.resolve() / name
    packed = ready.with_name(f"{name}.tar.xz")
    packed.unlink(missing_ok=True)  # of an earlier build
    _move(folder, ready)
    shutil.rmtree(work)
    _print_sizes(made)
    _say(f"{ready}: {made['bytes'] / check.MB:.1f} MB in {len(made['files']) + 1} files, build {made['build_id']}")
    if arguments.archive:
        _say("packing, which takes a minute or two")
        digest = archive.write(ready, packed, epoch_s)
        _say(f"{packed}: {packed.stat().st_size / check.MB:.1f} MB, sha256 {digest}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", default="arrow-sidecar", help="of the executable (arrow-sidecar)")
    parser.add_argument(
        "--service", action="append", default=[], metavar="MODULE:FACTORY", help="mount what it returns; repeatable"
    )
    parser.add_argument(
        "--include", action="append", default=[], metavar="MODULE", help="one that is imported by name only; repeatable"
    )
    parser.add_argument(
        "--data", action="append", default=[], type=_pair, metavar="FILE=FOLDER", help="a file or folder of a service's"
    )
    parser.add_argument(
        "--licence", action="append", default=[], type=_licence, metavar="NAME=FILE", help="where a part ships none"
    )
    parser.add_argument(
        "--path", action="append", default=[], metavar="FOLDER", help="where modules are; the current folder is too"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER", help="where to (dist)")
    parser.add_argument(
        "--max-size", type=_megabytes, metavar="SIZE", help="of the folder (225M; with modules of yours 300M)"
    )
    parser.add_argument("--max-files", type=int, metavar="N", help="in the folder (60; with modules of yours 100)")
    parser.add_argument("--no-archive", dest="archive", action="store_false", help="the folder alone")
    return parser.parse_args()


def _pair(text: str) -> tuple[str, str]:
    source, _, place = text.partition("=")
    if not place or not os.path.exists(source):
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE=FOLDER with a FILE that is there")
    return os.path.abspath(source), place


def _licence(text: str) -> tuple[str, Path]:
    name, _, file = text.partition("=")
    if not os.path.isfile(file):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE with a FILE that is there")
    return name, Path(file)


def _megabytes(text: str) -> int:
    if not text.endswith("M") or not text[:-1].isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size in megabytes, as 300M")
    return int(text[:-1]) * check.MB


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        name=arguments.name,
        services=tuple(arguments.service),
        includes=tuple(arguments.include),
        data=tuple(arguments.data),
        paths=tuple(os.path.abspath(folder) for folder in (*arguments.path, os.curdir)),
    )


def _budget(arguments: argparse.Namespace, settings: Settings) -> check.Budget:
    usual = check.WITH_SERVICES if settings.modules else check.Budget()
    return check.Budget(arguments.max_size or usual.max_bytes, arguments.max_files or usual.max_files)


def _epoch_s() -> int:
    """The time that everything in a build has: that of the commit, so that two builds of it are the same."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        return int(given)
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(git, capture_output=True, text=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):  # no git, or no repository: a source archive
        return int((ROOT / "pyproject.toml").stat().st_mtime)


def _let_in(work: Path) -> set[str]:
    found: list[str] = json.loads((work / "let_in.json").read_text(encoding="utf-8"))
    return {name.partition(".")[0] for name in found}


def _move(folder: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    folder.rename(place)


def _print_sizes(made: dict[str, Any]) -> None:
    for component, size in manifest.sizes(made):
        print(f"{component:<24} {size / check.MB:>8.2f} MB")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
