"""Imports that a request would have to wait for, done while nobody waits."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from threading import Thread

SWITCH_S = 0.0005
"""How long the import may keep Python's lock when the reader or a handler wants it; Python's own default is 5 ms."""

_log = logging.getLogger("sidecar")


class Warming:
    """Takes each of `steps`, by name, on a thread that ends with the process. A request that needs one of them waits
    for the same import, as Python imports a module once. `on_done` is called after the last."""

    def __init__(self, steps: Mapping[str, Callable[[], object]], on_done: Callable[[], None] = lambda: None) -> None:
        self._steps = steps
        self._on_done = on_done

    def start(self) -> None:
        """Begin, and return at once."""
        Thread(target=self._run, name="warming", daemon=True).start()

    def _run(self) -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            for name, step in self._steps.items():
                self._take(name, step)
        finally:
            sys.setswitchinterval(before)
        self._on_done()

    def _take(self, name: str, step: Callable[[], object]) -> None:
        try:
            step()
        except BaseException:  # a panic of Rust's is no Exception; the request that needs it tries again, and reports
            _log.warning("%s could not be imported ahead of its use", name, exc_info=True)
