"""For all tests: where everything must be there, a test that is skipped has failed."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """`NO_SKIPS=1` says so, as CI does."""
    report = yield
    if report.skipped and os.environ.get("NO_SKIPS"):
        report.outcome = "failed"
        reason: Any = report.longrepr
        report.longrepr = f"skipped, where nothing may be: {reason}"
    return report
