"""`arrow-sidecar call METHOD k=v ...`: one method of a mounted service, from a shell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from ..client import CallTimeout, SidecarError
from ..client.inbox import StreamEnded
from ..client.proxy import Caller
from ..client.session import StreamSession
from ..streams.batch import AnnotatedBatch
from . import inputs
from .arguments import find_method, parameters
from .interrupts import Interrupts
from .mistake import EXIT_FAILED, Mistake
from .outputs import Output, output
from .target import Target, say_log, say_progress, spawned


class CallOptions(NamedTuple):
    """What to print and when to stop: after so many rows, after so many seconds."""

    format: str = "json"
    input: str | None = None
    batch_lines: int = 1
    timeout_s: float | None = None
    limit_rows: int | None = None


def call(target: Target, name: str, pairs: Sequence[str], options: CallOptions) -> None:
    """Call it and print what it gives. Raises `Mistake`, `SidecarError`, `KeyboardInterrupt` and `BrokenPipeError`."""
    printed = output(options.format)
    with spawned(target) as host:
        method = find_method(host.call("describe", {}), name)
        _check(method, options)
        params = parameters(method, pairs)
        caller = host.caller(timeout_s=options.timeout_s, on_log=say_log, on_progress=say_progress)
        try:
            if method["kind"] == "unary":
                _unary(caller, method["name"], params, printed)
            else:
                _stream(caller, method, params, printed, options)
        except SidecarError as error:
            if error.kind == "invalid_params":  # what was typed, however far it came
                raise Mistake(error.message) from None
            raise
        except CallTimeout as fault:
            raise Mistake(str(fault), EXIT_FAILED) from None


def _check(method: dict[str, Any], options: CallOptions) -> None:
    name, kind = method["name"], method["kind"]
    if options.input is not None and kind in ("unary", "producer"):
        raise Mistake(f"--input is for exchanges, and {name} is {_KINDS[kind]}")
    if options.limit_rows is not None and kind == "unary":
        raise Mistake(f"--limit is for streams, and {name} is {_KINDS[kind]}")
    if options.format == "arrow" and kind == "unary" and method["result"].get("x-payload") != "arrow":
        raise Mistake(f"--format arrow is for tables, and what {name} returns is none")


_KINDS = {"unary": "a unary method", "producer": "a producer"}


def _unary(caller: Caller, name: str, params: dict[str, Any], printed: Output) -> None:
    under_way = caller.start(name, params)
    with Interrupts(under_way.cancel):
        value = caller.value(under_way)
    printed.value(value)


def _stream(
    caller: Caller, method: dict[str, Any], params: dict[str, Any], printed: Output, options: CallOptions
) -> None:
    with caller.begin(method["name"], params) as session, Interrupts(session.cancel) as interrupts:
        if method["has_header"]:
            printed.header(session.header, method["header"])
        if session.kind == "producer":
            _check({**method, "kind": "producer"}, options)
            made: Iterator[AnnotatedBatch] = iter(session)
        else:
            made = _exchanged(session, interrupts, options)
        for batch in _limited(made, options.limit_rows):
            printed.batch(batch.batch, batch.custom_metadata)
        printed.end(session.output_schema)


def _exchanged(session: StreamSession, interrupts: Interrupts, options: CallOptions) -> Iterator[AnnotatedBatch]:
    """Each batch of the input, answered before the next is read."""
    with inputs.opened(options.input or "-") as file:
        for batch in inputs.batches(file, session.input_schema, options.batch_lines, interrupts.raising):
            try:
                yield session.exchange(batch)
            except StreamEnded as ended:
                if interrupts.came:
                    return
                raise Mistake(str(ended), EXIT_FAILED) from None


def _limited(batches: Iterator[AnnotatedBatch], limit_rows: int | None) -> Iterator[AnnotatedBatch]:
    if limit_rows is None:
        yield from batches
        return
    left = limit_rows
    while left > 0:
        batch = next(batches, None)
        if batch is None:
            return
        taken: pa.RecordBatch = batch.batch.slice(0, left)
        left -= taken.num_rows
        yield AnnotatedBatch(taken, batch.custom_metadata)
