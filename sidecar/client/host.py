"""The host: one sidecar process, from its start to its end."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event
from time import perf_counter
from typing import Any, Self, TypeVar, cast

import msgspec

from ..protocol.errors import SidecarError
from ..protocol.methods import check_version
from ..runtime import platform
from ..services.process import StatsResult
from ..streams.describe import DescribeResult, ServiceDescription
from ..version import PROTOCOL_VERSION, VERSION
from ..wire.limits import Limits
from ..wire.payload import Payload
from .calls import Call, CallTimeout, OnProgress, OnServiceLog
from .faults import HandshakeFailed, HostFault, ProtocolViolation
from .line import HOST_LIMITS, Line
from .loading import Loading
from .proxy import Caller, make_proxy
from .session import StreamSession
from .sessions import SessionsNoun
from .spawn import Hello, default_command, start
from .stderr import OnLine, StderrTail
from .tables import TablesNoun

HELLO_TIMEOUT_S = 30.0
"""A first start may wait for a virus scanner."""

STOP_GRACE_S = 2.0
"""How long each step of a stop may take before the next, harder one."""

OnLog = Callable[[str, str], None]
P = TypeVar("P")


class Host(Loading):
    """Use as a context manager: leaving it stops the sidecar. All methods may be called from any thread.

    Every call takes `timeout_s` (None waits as long as it takes) and may raise `SidecarError` for an answer that is
    an error, `CallTimeout`, or a `HostFault` when the sidecar is gone.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        on_log: OnLog | None = None,
        on_stderr: OnLine | None = None,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.hello: Hello
        self.hello_s: float  # from the spawn on
        self.methods_digest: str | None
        self._hello: dict[str, Any] | None = None
        self._hello_came = Event()
        self._hello_at = 0.0
        self._protocol_error: dict[str, Any] | None = None
        self._on_log = on_log
        self._stop_grace_s = stop_grace_s
        self._stderr = StderrTail(cast(io.RawIOBase, process.stderr), on_stderr)  # raw, as bufsize=0 has it
        for stream in (process.stdin, process.stdout):
            platform.grow_buffer(stream.fileno())
        self._line = Line(process.stdout.fileno(), process.stdin.fileno(), self._take_notification)
        self._line.start(self._explain)
        self.tables = TablesNoun(self._line)
        self.sessions = SessionsNoun(self._line)

    @classmethod
    def spawn(
        cls,
        command: Sequence[str] | None = None,
        *,
        options: Sequence[str] = (),
        env: dict[str, str] | None = None,
        allow_paths: Sequence[str] | None = None,
        token_keys: Mapping[str, bytes] | None = None,
        debug: bool = False,
        on_log: OnLog | None = None,
        on_stderr: OnLine | None = None,
        hello_timeout_s: float = HELLO_TIMEOUT_S,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> Self:
        """Start `COMMAND serve OPTIONS` and greet it. Raises `SpawnFailed` and `HandshakeFailed`.

        `allow_paths` are the directories that it may read files of; `token_keys` sign the tokens of streams, by id: the
        first signs, all are accepted, each has 32 bytes or more; `debug` asks for tracebacks in errors;
        `on_log(level, message)` and `on_stderr(line)` are called on threads of the host's; `stop_grace_s` is what each
        step of a stop may take before the next, harder one: shutdown, end of input, terminate, kill.
        """
        for name, value in {"command": command, "options": options, "allow_paths": allow_paths}.items():
            if isinstance(value, str | bytes | os.PathLike):
                raise TypeError(f"{name} is a list, not {value!r}")
        arguments = [*(command or default_command()), "serve", *options]
        began = perf_counter()
        host = cls(start(arguments, env), on_log, on_stderr, stop_grace_s)
        try:
            host._greet(hello_timeout_s, allow_paths, token_keys, debug)
            host.hello_s = host._hello_at - began
        except BaseException:
            host._kill()
            raise
        return host

    # -- methods ---------------------------------------------------------------------------------------------

    def ping(self, data: Any = None, timeout_s: float | None = None) -> Any:
        """`ping`: returns `data` as it came back; binary values in it are `Payload`."""
        return self.call("ping", {"data": data}, timeout_s)["data"]

    def stats(self, timeout_s: float | None = None) -> StatsResult:
        """`stats` of the process."""
        return msgspec.convert(self.call("stats", {}, timeout_s), StatsResult)

    def call(self, method: str, params: dict[str, Any], timeout_s: float | None = None) -> Any:
        """Send any request and wait for its result."""
        return self.request(method, params).result(timeout_s)

    def service(
        self,
        protocol: Callable[..., P],
        name: str | None = None,
        *,
        timeout_s: float | None = None,
        on_log: OnServiceLog | None = None,
        on_progress: OnProgress | None = None,
    ) -> P:
        """A mounted service as an object of its Protocol class. `timeout_s` is the deadline of each call and the life
        of each stream; the callbacks get what the service says meanwhile."""
        return make_proxy(protocol, self._line, name, timeout_s, on_log, on_progress)

    def caller(
        self, timeout_s: float | None = None, on_log: OnServiceLog | None = None, on_progress: OnProgress | None = None
    ) -> Caller:
        """Calls of mounted services without their Protocols: by name, with JSON in and out."""
        return Caller(self._line, timeout_s, on_log, on_progress)

    def resume(
        self,
        token: bytes,
        *,
        timeout_s: float | None = None,
        on_log: OnServiceLog | None = None,
        on_progress: OnProgress | None = None,
    ) -> StreamSession:
        """`streams/resume`: the stream of a checkpoint goes on, in this sidecar or in a later one with the same key."""
        return Caller(self._line, timeout_s, on_log, on_progress).resume(token)

    def describe(self, service: str | None = None, timeout_s: float | None = None) -> list[ServiceDescription]:
        """`describe`: the services that are mounted, or one of them."""
        return msgspec.convert(self.call("describe", {"service": service}, timeout_s), DescribeResult).services

    def request(self, method: str, params: dict[str, Any], on_progress: OnProgress | None = None) -> Call:
        """Send any request; the answer is awaited, or cancelled, with the `Call`."""
        return self._line.request(method, params, on_progress)

    # -- the process -----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line.is_own:  # a process that was forked off leaves the block too
            self.close()

    def close(self) -> int:
        """Stop the sidecar, the gentlest way that works, and return its exit code. May be called again."""
        self._line.check_caller()
        if self.process.poll() is None:
            with suppress(HostFault, SidecarError, TimeoutError):
                self.call("shutdown", {}, self._stop_grace_s)
        stdin = self.process.stdin
        assert stdin is not None
        self._line.hang_up(stdin.close, self._stop_grace_s)
        for harder in (self.process.terminate, self.process.kill):
            try:
                self.process.wait(self._stop_grace_s)
                break
            except subprocess.TimeoutExpired:
                harder()
        code = self.process.wait()
        self._release()
        return code

    def stderr_tail(self) -> str:
        """The last lines that the sidecar wrote to standard error so far."""
        return self._stderr.text(timeout_s=0)

    def _greet(
        self,
        timeout_s: float,
        allow_paths: Sequence[str] | None,
        token_keys: Mapping[str, bytes] | None,
        debug: bool,
    ) -> None:
        self._hello_came.wait(timeout_s)
        if self._hello is None:
            raise self._no_hello(timeout_s)
        try:
            check_version(str(self._hello.get("protocol_version")), they="sidecar", we="host")
            self.hello = msgspec.convert(self._hello, Hello)
            self._line.limits = Limits(**{name: self._hello["limits"][name] for name in Limits._fields})
        except (SidecarError, msgspec.ValidationError, KeyError) as error:
            raise HandshakeFailed(f"hello: {error}") from None
        params: dict[str, Any] = {
            "protocol_version": PROTOCOL_VERSION,
            "host": {"name": "arrow-sidecar-python", "version": VERSION},
            "limits": HOST_LIMITS._asdict(),
            "debug": debug,
        }
        if allow_paths is not None:
            params["allow_paths"] = [os.path.abspath(path) for path in allow_paths]
        if token_keys is not None:
            params["token_keys"] = [{"id": id, "key": Payload("bytes", key)} for id, key in token_keys.items()]
        try:
            answer = self.call("initialize", params, timeout_s)
        except (SidecarError, CallTimeout) as error:
            raise HandshakeFailed(f"initialize failed: {error}") from None
        self.methods_digest = answer.get("methods_digest", self.hello.methods_digest)

    def _no_hello(self, timeout_s: float) -> HandshakeFailed:
        fault = self._line.fault
        if fault is None:
            message = f"no hello within {timeout_s} s; a security scan of the executable may be running"
            return HandshakeFailed(message, self.stderr_tail())
        if isinstance(fault, ProtocolViolation):
            fault.message += " (something wrote to its standard output before the hello)"
        return HandshakeFailed(f"no hello: {fault.message}", fault.stderr_tail, fault.exit_code)

    def _take_notification(self, method: str, params: dict[str, Any]) -> None:
        if method == "hello":
            self._hello_at = perf_counter()
            self._hello = params
            self._hello_came.set()
        elif method == "protocol_error":
            self._protocol_error = params
        elif method == "log" and self._on_log is not None:
            self._on_log(params["level"], params["message"])
        elif method == "sessions/evicted":
            self.sessions.take_evicted(params)

    def _explain(self, fault: HostFault) -> HostFault:
        """Called when the line has ended: adds the exit code and the tail of standard error."""
        if isinstance(fault, ProtocolViolation) and self.process.poll() is None:
            self.process.kill()  # nothing that it says from here on can be understood
        else:
            with suppress(subprocess.TimeoutExpired):
                fault.exit_code = self.process.wait(self._stop_grace_s)
                fault.message += f" with exit code {fault.exit_code}"
        if self._protocol_error is not None:
            fault.message += f"; it said: {self._protocol_error['message']}"
        fault.stderr_tail = self._stderr.text()
        self._hello_came.set()
        return fault

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._release()

    def _release(self) -> None:
        """Let go of the pipes, once their threads have seen their ends."""
        self._line.join(self._stop_grace_s)
        self._stderr.text()
        self._stderr.close()
        if self._line.is_read:  # or a descriptor that is read could become another file's
            return
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        self._line.hang_up(stdin.close, self._stop_grace_s)
        with suppress(OSError):
            stdout.close()
