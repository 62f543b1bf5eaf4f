"""What ends a command early."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 64


class Mistake(Exception):
    """One line for people, which names the culprit and what there is. The exit code is 64 for what was typed, 1 for
    what came of it."""

    def __init__(self, message: str, exit_code: int = EXIT_USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
