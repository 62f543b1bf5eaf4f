"""Freeze the sidecar into a folder that an app ships: `python packaging/build.py`, or `make frozen`.

The folder is `dist/arrow-sidecar-<target>`: one executable, its libraries, a manifest and the licences; beside it the
same as an archive. Services of your own get in with `--service module:factory`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[1]))  # this project's own `sidecar`, whichever is installed

from bundle import archive, check, manifest
from bundle.contents import LICENCES, MANIFEST
from bundle.faults import BuildFault
from bundle.freeze import check_tools, freeze
from bundle.licences import notice
from bundle.modes import set_modes
from bundle.parts import parts_of
from bundle.settings import ROOT, Settings
from bundle.settings_check import check_settings
from bundle.sources import recorded
from bundle.targets import Target, this_target
from bundle.trim import trim

EXIT_FAILED = 70
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def main() -> None:
    """Build what the command line says."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # so that what it has begun is taken back
    arguments = _arguments()
    try:
        build(arguments)
    except (BuildFault, OSError, subprocess.TimeoutExpired) as fault:
        sys.stderr.write(f"build.py: {fault}\n")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def build(arguments: argparse.Namespace) -> None:
    """A bundle of that name which is there already is replaced once all is well with the new one."""
    settings, target, epoch_s = _settings(arguments), this_target(), _epoch_s()
    check_tools()
    check_settings(settings)
    ready = arguments.output.resolve() / f"{settings.name}-{target.rust}"
    _check_place(ready)
    ready.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".build-", dir=ready.parent) as name:
        work = Path(name)
        _say(f"freezing {ready.name}")
        folder = freeze(settings, work, epoch_s)
        made = _finished(arguments, folder, work, settings, target)
        _replace(ready, folder, work)
    _print_sizes(made)
    _say(f"{ready}: {made['bytes'] / check.MB:.1f} MB in {len(made['files']) + 1} files, build {made['build_id']}")
    if arguments.archive:
        _say("packing, which takes a minute or two")
        packed = _archive_of(ready)
        digest = archive.write(ready, packed, epoch_s)
        _say(f"{packed}: {packed.stat().st_size / check.MB:.1f} MB, sha256 {digest}")


def _finished(
    arguments: argparse.Namespace, folder: Path, work: Path, settings: Settings, target: Target
) -> dict[str, Any]:
    """Make a bundle of what PyInstaller has made, and check it. Its manifest."""
    _say("trimming")
    trim(folder, has_services=bool(settings.modules))
    executable = folder / manifest.executable_name(settings.name, target)
    parts = parts_of(folder, executable, work, settings, dict(arguments.licence))
    (folder / LICENCES).write_text(notice(set(parts.values())), encoding="utf-8", newline="\n")
    made = manifest.write(folder, settings, target, parts)
    set_modes(folder)
    check.check(folder, executable, _budget(arguments, settings), let_in=_let_in(work))
    return made


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
    parser.add_argument("--max-files", type=int, metavar="N", help="in the folder (60; with modules of yours 150)")
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
    folders = (*arguments.path, os.curdir) if arguments.service or arguments.include else arguments.path
    return Settings(
        name=arguments.name,
        services=tuple(arguments.service),
        includes=tuple(arguments.include),
        data=tuple(arguments.data),
        paths=tuple(os.path.abspath(folder) for folder in folders),
    )


def _budget(arguments: argparse.Namespace, settings: Settings) -> check.Budget:
    usual = check.WITH_SERVICES if settings.modules else check.Budget()
    given = {"max_bytes": arguments.max_size, "max_files": arguments.max_files}
    return usual._replace(**{name: value for name, value in given.items() if value is not None})


def _epoch_s() -> int:
    """The time that everything in a build has: that of the commit, so that two builds of it are the same."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None and not given.isdecimal():
        raise BuildFault(f"SOURCE_DATE_EPOCH={given}: write it in whole seconds since 1970")
    if given is not None:
        return int(given)
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(git, capture_output=True, text=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):  # no git, or no repository: a source archive
        return int((ROOT / "pyproject.toml").stat().st_mtime)


def _let_in(work: Path) -> set[str]:
    return {name.partition(".")[0] for name in recorded(work / "sources.json").let_in}


def _check_place(ready: Path) -> None:
    """Nothing is replaced but a bundle."""
    is_there = ready.is_symlink() or ready.exists()
    if is_there and (ready.is_symlink() or not (ready / MANIFEST).is_file()):
        raise BuildFault(f"{ready} is there and is no bundle: move it away, or give another --output or --name")


def _replace(ready: Path, folder: Path, work: Path) -> None:
    """Two renames, so that there is a whole bundle but for the moment between them."""
    for packed in (_archive_of(ready), _archive_of(ready, ".sha256")):
        packed.unlink(missing_ok=True)
    if ready.exists():
        ready.rename(work / "replaced")
    folder.rename(ready)


def _archive_of(ready: Path, suffix: str = "") -> Path:
    return ready.with_name(f"{ready.name}.tar.xz{suffix}")


def _print_sizes(made: dict[str, Any]) -> None:
    for component, size in manifest.sizes(made):
        print(f"{component:<24} {size / check.MB:>8.2f} MB")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
