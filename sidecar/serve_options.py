"""The options of `serve`: once for argparse, and once for a start that does without.

argparse takes 9 ms of a frozen executable's way to its hello, which is 12 ms otherwise. What hosts give is simple, and
is read here; whatever is not, is left to argparse, which has the same table.
"""

from __future__ import annotations

from .commands.argument_types import count, directory, process_id, size, size_from
from .protocol.hello import MIN_HEADER_BYTES

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

OPTIONS: dict[str, dict[str, Any]] = {
    "--allow-path": {
        "type": directory,
        "action": "append",
        "metavar": "DIR",
        "help": "read and write only below DIR; repeatable",
    },
    "--memory-limit": {"type": size, "metavar": "SIZE", "help": "refuse work beyond this, over all sessions"},
    "--evict": {"action": "store_true", "help": "at the limit, close sessions that were not used for long"},
    "--max-header": {
        "type": size_from(MIN_HEADER_BYTES),
        "default": "16M",
        "metavar": "SIZE",
        "help": "largest header of a frame (16M)",
    },
    "--max-payload": {
        "type": size,
        "default": "2G",
        "metavar": "SIZE",
        "help": "largest payload of a frame (2G)",
    },
    "--max-pending": {"type": size, "default": "4G", "metavar": "SIZE", "help": "requests that wait (4G)"},
    "--service": {
        "type": str,
        "action": "append",
        "default": [],
        "metavar": "MODULE:FACTORY",
        "help": "mount what it returns; repeatable",
    },
    "--max-streams": {"type": count, "default": 1024, "metavar": "N", "help": "open streams (1024)"},
    "--stream-idle": {"type": count, "default": 3600, "metavar": "S", "help": "end silent streams (3600 s)"},
    "--host-pid": {"type": process_id, "metavar": "PID", "help": "die with this parent; 0: watch only the input"},
    "--no-warm": {"action": "store_true", "help": "import Polars when it is first needed, not before"},
    "--log-level": {
        "type": str,
        "choices": ("debug", "info", "warning", "error"),
        "default": "warning",
        "help": "least severe record that is logged (warning)",
    },
}
"""By name, as `add_argument` takes them."""


def read(words: Sequence[str]) -> dict[str, Any] | None:
    """What argparse would make of the words, by the name of the attribute. None where it must be asked: for an
    abbreviation, for `--help`, for a mistake."""
    settings = {attribute(name): _default(option) for name, option in OPTIONS.items()}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in OPTIONS:
            return None
        if _is_flag(name):
            if equals:
                return None
            settings[attribute(name)] = True
        elif not _take(settings, name, value if equals else next(rest, "-")):
            return None
    return settings


def attribute(name: str) -> str:
    """What argparse calls the value of an option."""
    return name.removeprefix("--").replace("-", "_")


def _is_flag(name: str) -> bool:
    return OPTIONS[name].get("action") == "store_true"


def _default(option: dict[str, Any]) -> Any:
    if option.get("action") == "store_true":
        return False
    default = option.get("default")
    return option["type"](default) if isinstance(default, str) else default


def _take(settings: dict[str, Any], name: str, text: str) -> bool:
    """Set what an option has for its value. False where argparse would refuse it, or takes it for an option."""
    option, at = OPTIONS[name], attribute(name)
    if text.startswith("-"):
        return False
    try:
        value = option["type"](text)
    except Exception:  # argparse will say what is wrong
        return False
    if value not in option.get("choices", (value,)):
        return False
    settings[at] = [*(settings[at] or ()), value] if option.get("action") == "append" else value
    return True
