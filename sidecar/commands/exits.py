"""How a command ends that did not end well: one line for people and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_FAILED = 1
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a person did wrong is said, without a traceback. Entering it imports nothing: a library may be missing."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # here, and not when Python ends, which can say nothing better than a traceback
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # `arrow-sidecar inspect FILE | head`
        _drop_output()
        sys.exit(0)
    except OSError as fault:  # `arrow-sidecar call METHOD > FILE` on a full disk
        _drop_output()
        _leave(fault.strerror or str(fault))
    except ImportError as fault:
        program = os.path.basename(sys.argv[0])
        _leave(f"the installation is incomplete ({fault}): run `{program} doctor`", EXIT_INTERNAL)
    except Exception as fault:
        _leave(*_explained(fault))


def _explained(fault: Exception) -> tuple[str, int]:
    """What a fault that is expected says, and the exit code. Any other is raised again."""
    from ..client import HostFault, SidecarError
    from .mistake import Mistake

    match fault:
        case Mistake():
            return str(fault), fault.exit_code
        case SidecarError():
            return f"{fault.kind}: {fault.message}", EXIT_FAILED
        case HostFault():
            return str(fault), EXIT_FAILED
        case _:
            raise fault


def _leave(message: str, exit_code: int = EXIT_FAILED) -> None:
    """A message may quote what a file holds, which must not steer the terminal."""
    from .cells import printable
    from .encoding import encoding_of

    encoding = encoding_of(sys.stderr)
    lines = [printable(line, encoding) for line in message.split("\n")]
    if sys.stderr is not None:  # closed by who started this: the exit code says it alone
        sys.stderr.write("\n".join(["arrow-sidecar: " + lines[0], *lines[1:], ""]))
    sys.exit(exit_code)


def _drop_output() -> None:
    """What could not be written is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
