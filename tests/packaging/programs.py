"""Programs of other systems, played by scripts on PATH: each writes down how it was called and answers as told."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PLAYED = """\
import json, sys
from pathlib import Path
arguments = sys.argv[1:]
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([{name!r}, *arguments]) + "\\n")
{body}
"""


class StandIns(NamedTuple):
    """A folder of them, and the file that they write their calls to."""

    folder: Path

    def add(self, name: str, body: str = "") -> None:
        """A program of that name. `body` is Python; it has `arguments`."""
        self.folder.mkdir(exist_ok=True)
        calls = str(self.folder / "calls")
        script = self.folder / f"{name}.py"
        script.write_text(PLAYED.format(calls=calls, name=name, body=body))
        program = self.folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n')
        program.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of each call, in order."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [arguments for program, *arguments in map(json.loads, lines) if program == name]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command that finds them before the system's programs."""
        environment = {**os.environ, "PATH": f"{self.folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}
        return subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, env=environment, timeout=60
        )
