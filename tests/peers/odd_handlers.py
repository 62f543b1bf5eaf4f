"""Handlers that do what handlers should not, beside the real ones. A service module that mounts none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from threading import Event
from typing import Any

from msgspec import Struct

from sidecar import Sidecar, app
from sidecar.protocol.errors import SidecarError
from sidecar.protocol.methods import Context, Method, Methods
from sidecar.wire.payload import Payload

LONG_S = 3600
SERVICE = ("--service", "tests.peers.odd_handlers:make")
ODD: dict[str, Method] = {}


class Params(Struct):
    """One struct for all; `session` is the lane."""

    text: str = ""
    name: str = ""
    fd: int = -1
    size: int = 0
    data: Any = None
    session: str | None = None


Handler = Callable[[Params, Context], Any]


def odd(handler: Handler) -> Handler:
    """Register a handler under its name."""
    ODD[f"odd/{handler.__name__}"] = Method(Params, handler)
    return handler


def cheap(handler: Handler) -> Handler:
    """The same, to be run by the thread that reads the wire."""
    ODD[f"odd/{handler.__name__}"] = Method(Params, handler, lambda _params: True)
    return handler


# -- output that is no frame -------------------------------------------------------------------------------------


@odd
def print_text(params: Params, _context: Context) -> None:
    print(params.text, flush=True)


@cheap
def print_on_the_reader(params: Params, _context: Context) -> None:
    print(params.text, flush=True)


@odd
def write_to_stdout(params: Params, _context: Context) -> None:
    sys.stdout.write(params.text + "\n")
    sys.stdout.flush()


@odd
def write_to_original_stdout(params: Params, _context: Context) -> None:
    assert sys.__stdout__ is not None
    sys.__stdout__.write(params.text + "\n")
    sys.__stdout__.flush()


@odd
def write_to_descriptor_1(params: Params, _context: Context) -> None:
    os.write(1, params.text.encode() + b"\n")


@odd
def c_puts(params: Params, _context: Context) -> None:
    libc = ctypes.CDLL(None)
    libc.puts(params.text.encode())
    libc.fflush(None)


@odd
def child_echoes(params: Params, _context: Context) -> None:
    subprocess.run(["echo", params.text], check=True)


@odd
def child_reads_stdin(params: Params, _context: Context) -> str:
    command = ["sh", "-c", 'echo "$0"; exit "$(wc -c)"', params.text]
    return f"read {subprocess.run(command, check=False).returncode} bytes"


@odd
def read_stdin(_params: Params, _context: Context) -> str:
    return sys.stdin.read() + os.read(0, 10).decode()


@odd
def child_descriptors(_params: Params, _context: Context) -> list[str]:
    """What the descriptors of a child are that inherits all it can."""
    command = ["sh", "-c", 'for fd in /proc/$$/fd/*; do readlink "$fd"; done; exit 0']
    return subprocess.run(command, check=True, close_fds=False, capture_output=True, text=True).stdout.split()


@odd
def child_environment(_params: Params, _context: Context) -> dict[str, str]:
    """The variables of a child that is started without a word about them."""
    printed = subprocess.run(["env", "-0"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in printed.split("\0")[:-1])


@odd
def fork(params: Params, _context: Context) -> int:
    """Answer twice: in a process that is forked off, too, which says that it is there."""
    pid = os.fork()
    if pid == 0:
        os.write(params.fd, b"!")
    return pid


@odd
def fill_stderr(_params: Params, _context: Context) -> None:
    """Write to standard error until nobody takes any more."""
    os.set_blocking(2, False)
    try:
        while True:
            os.write(2, bytes(4096))
    except BlockingIOError:
        os.set_blocking(2, True)


# -- waiting -----------------------------------------------------------------------------------------------------

_told: defaultdict[str, Event] = defaultdict(Event)
_started: defaultdict[str, Event] = defaultdict(Event)
_order: list[str] = []


@odd
def wait(params: Params, _context: Context) -> str:
    """Wait until told, whatever the context says."""
    _started[params.name].set()
    _told[params.name].wait(LONG_S)
    return params.name


@odd
def wait_and_check(params: Params, context: Context) -> str:
    """Wait until told or cancelled."""
    _started[params.name].set()
    while not _told[params.name].wait(0.005):
        context.check()
    return params.name


@odd
def commit_and_wait(params: Params, context: Context) -> str:
    """Commit, then wait until told."""
    context.commit()
    return wait(params, context)


@odd
def started(params: Params, _context: Context) -> bool:
    """Wait until a waiting handler has started."""
    return _started[params.name].wait(LONG_S)


@cheap
def tell(params: Params, _context: Context) -> None:
    """Let a waiting handler go on."""
    _told[params.name].set()


class HeldContext:
    """A call's context; its first progress waits until told or cancelled. It is then in the middle of its work."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        wait_and_check(Params(name=self._name), self._context)
        self._context.progress(done, total, unit, message)


def held(method: Method, name: str) -> Method:
    """The real method, held at its first progress until `name` is told to go on."""
    return Method(method.params, lambda params, context: method.handler(params, HeldContext(context, name)))


@odd
def progress_until_told(params: Params, context: Context) -> int:
    """Say how far it is, over and over."""
    done = 0
    while not _told[params.name].wait(0.005):
        done += 1
        context.progress(done, None, "steps")
    return done


@odd
def note(params: Params, _context: Context) -> list[str]:
    """Note the text; returns all that was noted."""
    _order.append(params.text)
    return list(_order)


@cheap
def note_on_the_reader(params: Params, context: Context) -> list[str]:
    """The same, at once if the lane is idle."""
    return note(params, context)


@odd
def read_descriptor(params: Params, _context: Context) -> str:
    """Wait for a byte from a descriptor that the host passed on."""
    return os.read(params.fd, 1).decode()


@odd
def never(_params: Params, _context: Context) -> None:
    Event().wait()


@odd
def spin(_params: Params, _context: Context) -> None:
    while True:
        pass


@odd
def native(_params: Params, _context: Context) -> None:
    """Stay inside native code."""
    ctypes.CDLL(None).sleep(LONG_S)


@odd
def native_with_lock(params: Params, _context: Context) -> None:
    """Stay inside native code and keep the interpreter's lock, once the host says so."""
    os.read(params.fd, 1)
    ctypes.PyDLL(None).sleep(LONG_S)


# -- failing -----------------------------------------------------------------------------------------------------


class Panic(BaseException):
    """What a panic in Rust looks like in Python."""


class Unspeakable(Exception):
    """An exception that cannot even be printed."""

    def __str__(self) -> str:
        raise ValueError("no text")


RAISED: dict[str, Callable[[], BaseException]] = {
    "value": lambda: ValueError("culprit"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "memory": MemoryError,
    "panic": lambda: Panic("culprit"),
    "generator": GeneratorExit,
    "recursion": lambda: RecursionError("culprit"),
    "surrogate": lambda: OSError("no file \udcff"),
    "unspeakable": Unspeakable,
    "typed": lambda: SidecarError("file_not_found", "culprit", path="p"),
    "typed_surrogate": lambda: SidecarError("file_not_found", "no file \udcff", path="\udcff"),
    "typed_unencodable": lambda: SidecarError("file_not_found", "culprit", what=object()),
}


@odd
def fail(params: Params, _context: Context) -> None:
    raise RAISED[params.name]()


@cheap
def fail_on_the_reader(params: Params, _context: Context) -> None:
    raise RAISED[params.name]()


def _is_cheap(_params: Params) -> bool:
    raise ValueError("culprit")


ODD["odd/fail_to_say_cheap"] = Method(Params, lambda _params, _context: None, _is_cheap)


def _contains_itself() -> list[Any]:
    knot: list[Any] = []
    knot.append(knot)
    return knot


RESULTS: dict[str, Callable[[], Any]] = {
    "object": object,
    "set of objects": lambda: {object()},
    "surrogate": lambda: "\udcff",
    "itself": _contains_itself,
    "no buffer": lambda: Payload("bytes", "text"),
    "strided": lambda: Payload("bytes", memoryview(bytes(10))[::2]),
}


@odd
def result(params: Params, _context: Context) -> Any:
    return RESULTS[params.name]()


@odd
def big(params: Params, _context: Context) -> Payload:
    """A binary answer, in memory that is really taken: zeros would not be."""
    made = Payload("bytes", b"x" * params.size)
    if params.fd >= 0:
        os.write(params.fd, b"!")  # tells the host that it is there
    return made


@odd
def crash(_params: Params, _context: Context) -> None:
    ctypes.string_at(0)


def methods(*made_with: Any, real_methods: Callable[..., Methods] = app.methods) -> Methods:
    """The real ones, and the odd ones beside them."""
    real = real_methods(*made_with)
    held_ones = {"odd/load": held(real["load"], "load"), "odd/rows": held(real["tables/rows"], "rows")}
    return Methods({**real, **ODD, **held_ones})


def make() -> Sidecar:
    """No service: `serve` looks for the methods once the services are made, and finds these."""
    app.methods = methods
    return Sidecar()
