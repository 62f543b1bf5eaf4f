"""Cancels the streams whose session was forgotten.

A session may be collected on any thread at any moment, also on one that holds a lock of the line: so its end is told
from a thread that holds none.
"""

from __future__ import annotations

from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread

from .faults import HostFault
from .inbox import Inbox
from .line import Line

_forgotten: SimpleQueue[tuple[Line, Inbox]] = SimpleQueue()  # whose `put` may interrupt another one
_threads: list[Thread] = []
_lock = Lock()


def start() -> None:
    """Be ready. Called when a stream is opened."""
    with _lock:
        if not (_threads and _threads[0].is_alive()):  # it is not, in a process that was forked off
            _threads[:] = [Thread(target=_run, name="sidecar-reaper", daemon=True)]
            _threads[0].start()


def reap(line: Line, inbox: Inbox) -> None:
    """Cancel a stream soon. Takes no lock."""
    _forgotten.put((line, inbox))


def _run() -> None:
    while True:
        line, inbox = _forgotten.get()
        inbox.abandon()
        if inbox.ended is not None:
            continue
        with suppress(HostFault, RuntimeError):  # the line is broken, or another process's
            line.notify("streams/cancel", {"stream": inbox.stream})
        del line, inbox
