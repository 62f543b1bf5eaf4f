"""What is imported ahead: what requests import later, by the same names, and nothing before it is asked for."""

from __future__ import annotations

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
    subprocess.run([sys.executable, "-P", "-c", SCRIPT, step, MODULES[step]], check=True, timeout=60)
