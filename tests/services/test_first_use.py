"""What is imported ahead: what requests import later, by the same names, and nothing before it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sidecar.services.first_use import STEPS

SCRIPT = """
import sys
from sidecar.services.first_use import STEPS
assert not {"pyarrow.compute", "pyarrow.parquet", "polars"} & set(sys.modules)
STEPS[sys.argv[1]]()
assert sys.argv[2] in sys.modules
import os
assert os.environ.get("POLARS_OOC_DISK_BUDGET_MB") == ("0" if "polars" in sys.modules else None)
"""

MODULES = {
    "Arrow's functions": "pyarrow.compute",
    "Parquet": "pyarrow.parquet",
    "Polars": "sidecar.services.polars",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_imports_what_it_is_named_after(step: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLARS_")}
    command = [sys.executable, "-P", "-c", SCRIPT, step, MODULES[step]]
    subprocess.run(command, env=environment, check=True, timeout=60)


@pytest.mark.parametrize("before", ["enable", "disable"])
def test_garbage_is_collected_after_an_import_as_it_was_before(before: str) -> None:
    script = f"import gc; gc.{before}(); import sidecar.services.polars; assert gc.isenabled() == {before == 'enable'}"
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=60)


def test_polars_without_its_library_is_named() -> None:
    """`import polars` itself only warns, and fails where it is used."""
    script = """
import sys
sys.modules["_polars_runtime_32._polars_runtime"] = None
for _ in range(2):
    try:
        import sidecar.services.polars
    except ImportError as fault:
        assert "_polars_runtime_32" in str(fault), fault
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=60, capture_output=True)
