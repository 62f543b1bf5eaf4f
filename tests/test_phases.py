"""The phases of a start: from the first import on, each with its time, in order."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json
from sidecar import phases
before = phases.passed_at_ms()
for phase in phases.PHASES[1:]:
    phases.passed(phase)
print(json.dumps([before, phases.passed_at_ms()]))
"""


def test_phases_are_told_as_they_are_passed() -> None:
    from sidecar.phases import PHASES

    child = subprocess.run([sys.executable, "-P", "-c", SCRIPT], capture_output=True, check=True, timeout=60)
    before, after = json.loads(child.stdout)
    assert before == [["started", 0]]
    assert [phase for phase, _ in after] == list(PHASES)
    times = [at_ms for _, at_ms in after]
    assert times == sorted(times)
