"""How `serve` ended, for its host. Without imports: where one fails, a code says so."""

from __future__ import annotations

EXIT_OK = 0
EXIT_USAGE = 64
EXIT_INTERNAL = 70
EXIT_OUTPUT_BROKEN = 74
EXIT_PROTOCOL = 76

EXIT_DEADLINE = 1
"""The deadline passed: native code kept the interpreter's lock. The code is faulthandler's own."""
