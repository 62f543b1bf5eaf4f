"""How a command ends that did not end well: one line for people and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a person did wrong is said, without a traceback."""
    try:
        from ..client import HostFault, SidecarError
        from .mistake import Mistake
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # here, and not when Python ends, which can say nothing better than a traceback
    except Mistake as mistake:
        _leave(str(mistake), mistake.exit_code)
    except SidecarError as error:
        _leave(f"{error.kind}: {error.message}")
    except HostFault as fault:
        _leave(str(fault))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # `arrow-sidecar inspect FILE | head`
        _drop_output()
        sys.exit(0)
    except OSError as fault:  # `arrow-sidecar call METHOD > FILE` on a full disk
        _drop_output()
        _leave(fault.strerror or str(fault))


def _leave(message: str, exit_code: int = EXIT_FAILED) -> None:
    """A message may quote what a file holds, which must not steer the terminal."""
    from .cells import printable
    from .terminal import screen

    encoding = screen(sys.stderr).encoding
    lines = [printable(line, encoding) for line in message.split("\n")]
    sys.stderr.write("\n".join(["arrow-sidecar: " + lines[0], *lines[1:], ""]))
    sys.exit(exit_code)


def _drop_output() -> None:
    """What could not be written is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
