"""PROTOCOL.md says what the code does: every name, field, default, code, limit and violation stands in both."""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

import sidecar
from sidecar import app, cli
from sidecar.phases import PHASES
from sidecar.protocol.conversation import CANCEL, Answer, Conversation
from sidecar.protocol.errors import KINDS
from sidecar.protocol.hello import FEATURES, METHODS, hello_frame, methods_digest
from sidecar.protocol.messages import BadMessage, Request, parse
from sidecar.protocol.methods import HostInfo, HostLimits, TokenKey, convert
from sidecar.protocol.streams import CREDIT_BYTES, INPUT_CREDIT_BYTES, MAX_STREAM_ID, StreamInfo
from sidecar.runtime import context as call_context
from sidecar.runtime import exit_codes, stopping, streams
from sidecar.runtime.context import CallRuntime, RequestContext
from sidecar.services import lazy, sessions
from sidecar.services.load import formats, load
from sidecar.services.load.lazy_files import OPENERS
from sidecar.services.process import PassedPhase
from sidecar.services.tables.compare import differences
from sidecar.services.tables.filters import filters, search
from sidecar.services.tables.order import ordering
from sidecar.services.tables.stats import histogram, stats
from sidecar.streams import describe, handlers, tokens
from sidecar.version import PROTOCOL_VERSION
from sidecar.wire import framing, limits
from sidecar.wire.framing import Frame, FrameError, FrameReader, encode, padded
from sidecar.wire.limits import Limits
from sidecar.wire.payload import ITEM_BYTES, OPAQUE_TYPES, Payload, attach

PACKAGE = Path(sidecar.__file__).parent
TEXT = (PACKAGE / "PROTOCOL.md").read_text(encoding="utf-8")
PROCESS_TIMEOUT_S = 60

Row = dict[str, str]


def read_tables(text: str) -> dict[str, list[Row]]:
    """Every table of the document by its first heading; a row is a dict by column heading."""
    found: dict[str, list[Row]] = {}
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        head, rule, *rows = [[cell.strip() for cell in line[1:-2].split("|")] for line in block.splitlines(True)]
        assert set("".join(rule)) == {"-"}, head
        assert head[0] not in found or head[0] in REPEATED, f"two tables begin with {head[0]!r}"
        assert all(len(row) == len(head) for row in rows), f"the rows of table {head[0]!r} differ in width"
        found.setdefault(head[0], []).extend(dict(zip(head, row, strict=True)) for row in rows)
    return found


REPEATED = {"id"}  # the violations: fatal ones, answered ones, and those that end a stream


TABLES = read_tables(TEXT)


def code(cell: str) -> str:
    """The one name in backquotes that a cell holds."""
    (name,) = re.findall(r"^`([^`]+)`$", cell)
    return str(name)


def codes(cell: str) -> list[str]:
    """All names in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def names(table: str) -> list[str]:
    """The first column of a table that must be there."""
    rows = TABLES[table]
    return [code(row[table]) for row in rows]


REGISTERED = app.methods(app.Options())
STREAMING: dict[str, Any] = REGISTERED["streams/open"].handler.__self__.nouns  # type: ignore[attr-defined]
"""The methods of nouns that are opened as streams; some are methods that can be requested, too."""


ANNOUNCED = {**Limits()._asdict(), "max_pending_bytes": 1, "memory_limit_bytes": None}
"""The limits of a hello."""


def of_runtime(name: str) -> Any:
    """The constant of this name, wherever in `sidecar.runtime` it is."""
    modules = [import_module(f"sidecar.runtime.{path.stem}") for path in (PACKAGE / "runtime").glob("*.py")]
    (value,) = {vars(module)[name] for module in modules if name in vars(module)}
    return value


SHUTDOWN = of_runtime("SHUTDOWN")


def result_type(name: str) -> type[msgspec.Struct]:
    handler: Any = REGISTERED[name].handler
    result: type[msgspec.Struct] = get_type_hints(handler)["return"]
    return result


def json_fields(struct: type[msgspec.Struct]) -> list[str]:
    return list(struct.__struct_encode_fields__)


SAME_RESULT = {"streams/resume": "streams/open"}
"""Methods whose result has no table: it is that of another."""


def spoken() -> set[str]:
    """The structs of all methods that have fields, with their tables' names."""
    tables = {f"`{name}` parameter" for name, method in REGISTERED.items() if json_fields(method.params)}
    return tables | {f"`{name}` result" for name in REGISTERED if json_fields(result_type(name))}


STRUCTS: dict[str, type[msgspec.Struct]] = {
    **{f"`{name}` parameter": method.params for name, method in {**STREAMING, **REGISTERED}.items()},
    **{f"`{name}` result": result_type(name) for name in REGISTERED if name not in SAME_RESULT},
    "`describe.columns`": describe.ColumnDescription,
    "`describe.methods`": describe.MethodDescription,
    "`describe.services`": describe.ServiceDescription,
    "`initialize.host`": HostInfo,
    "`initialize.limits`": HostLimits,
    "`initialize.token_keys`": TokenKey,
    "`load.columns`": sessions.Column,
    "`stats.startup`": PassedPhase,
    "`sessions/list.sessions`": sessions.SessionInfo,
    "`streams/list.streams`": StreamInfo,
    "`tables/compare.counts`": differences.Counts,
    "`tables/compare.columns_changed`": differences.ComparedColumn,
    "`tables/rows.sort`": ordering.Sort,
    "`tables/rows.filter`": filters.Filter,
    "`tables/rows.search`": search.Search,
    "`tables/stats.below`": histogram.Tail,
    "`tables/stats.bins`": histogram.Bin,
    "`tables/stats.columns`": stats.ColumnStats,
    "`tables/stats.histogram`": histogram.Histogram,
    "`tables/stats.most_frequent`": histogram.ValueCount,
    "`tables/stats.others`": histogram.Others,
}


def nested_structs(struct: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """The structs that the fields of `struct` are made of; a filter is made of filters."""
    found: set[type[msgspec.Struct]] = set()

    def look(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in found:
            found.add(hint)
            look_into(hint)
        for argument in get_args(hint):
            look(argument)

    def look_into(struct: type[msgspec.Struct]) -> None:
        for hint in get_type_hints(struct).values():
            look(hint)

    look_into(struct)
    return found


# -- version, methods ----------------------------------------------------------------------------------------


def test_the_version_is_that_of_the_file() -> None:
    assert f"This is version **{PROTOCOL_VERSION}**." in TEXT
    changelog = TEXT.partition("\n## Changelog\n")[2]
    assert re.findall(r"^### (\S+)$", changelog, re.MULTILINE)[0] == PROTOCOL_VERSION


def test_hello_announces_the_methods_that_there_are() -> None:
    assert sorted(METHODS) == sorted({*REGISTERED, *STREAMING, SHUTDOWN})


def test_each_method_has_a_section_and_no_other_has() -> None:
    assert sorted(re.findall(r"^#### `([^`]+)`$", TEXT, re.MULTILINE)) == sorted(METHODS)


def test_no_method_is_named_that_is_not_there() -> None:
    assert set(re.findall(r"`([a-z]+/[a-z]+)`", TEXT)) <= {*METHODS, *names("stream notification"), "sessions/evicted"}


def test_a_result_without_a_table_is_that_of_another_method() -> None:
    sections = re.findall(r"^#### `(.*)`\n((?:(?!#).*\n)*)", TEXT, re.MULTILINE)
    said = {name: same for name, text in sections for same in re.findall(r"The result is that of `(.*?)`", text)}
    assert said == SAME_RESULT
    assert {name: result_type(name) for name in said} == {name: result_type(same) for name, same in said.items()}


@pytest.mark.parametrize("services", ["", '[{"doc":"","methods":[],"name":"x"}]'], ids=["without", "with services"])
def test_the_digest_is_made_as_said(services: str) -> None:
    joined = "\n".join([PROTOCOL_VERSION, *sorted(METHODS), services])
    assert "first 16 hex digits of SHA-256" in TEXT
    assert "Without services the\nlast line is empty" in TEXT
    assert methods_digest(services) == sha256(joined.encode()).hexdigest()[:16]


@pytest.mark.parametrize("table", sorted(STRUCTS))
def test_fields_are_those_of_the_struct(table: str) -> None:
    assert (names(table) if table in TABLES else []) == json_fields(STRUCTS[table])


def test_every_struct_of_a_method_has_a_table() -> None:
    methods = [*(method.params for method in REGISTERED.values()), *(result_type(name) for name in REGISTERED)]
    nested = {inner for struct in methods for inner in nested_structs(struct)}
    assert nested <= set(STRUCTS.values())


@pytest.mark.parametrize("table", sorted(name for name in STRUCTS if "default" in TABLES.get(name, [{}])[0]))
def test_defaults_are_those_of_the_struct(table: str) -> None:
    documented = {code(row[table]): row["default"].strip("`") for row in TABLES[table]}
    actual = {}
    for field in msgspec.structs.fields(STRUCTS[table]):
        value = field.default
        if value is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            made = field.default_factory()
            value = {} if isinstance(made, msgspec.Struct) else made
        actual[field.encode_name] = "required" if value is msgspec.NODEFAULT else json.dumps(value)
    assert documented == actual


def test_parameters_always_say_their_default() -> None:
    assert all("default" in TABLES[table][0] for table in spoken() if table.endswith("parameter"))


def test_every_phase_of_the_start_stands_in_order() -> None:
    assert names("phase") == list(PHASES)


# -- notifications -------------------------------------------------------------------------------------------


def one_frame(parts: bytes) -> Frame:
    (frame,) = read_frames(parts)
    return frame


def read_frames(data: bytes, limits: Limits | None = None) -> list[Frame]:
    reader, frames = FrameReader(limits or Limits()), []
    while data:
        buffer = reader.get_buffer()
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        frames += reader.buffer_updated(count)
        data = data[count:]
    reader.eof()
    return frames


def test_hello_has_the_fields_of_the_document() -> None:
    header = one_frame(hello_frame(ANNOUNCED)).header
    assert list(header["params"]) == names("`hello`")
    assert list(header["params"]["limits"]) == names("`hello.limits`")


def test_the_features_are_listed() -> None:
    (line,) = re.findall(r"^The features are (.*)\.$", TEXT, re.MULTILINE)
    assert sorted(codes(line)) == sorted(FEATURES)


def test_progress_has_the_fields_of_the_document() -> None:
    sent: list[Any] = []
    times = iter([0.0, call_context.PROGRESS_DELAY_S])
    call = Conversation().receive(Request(1, "load")).call  # type: ignore[union-attr]
    around = CallRuntime(lambda _: None, lambda: None, sent.append, lambda: next(times), None)  # type: ignore[arg-type]
    RequestContext(call, around).progress(1, None, "rows")
    assert [(notification.method, list(notification.params)) for notification in sent] == [
        ("$/progress", names("`$/progress`"))
    ]


def test_a_log_of_a_service_has_the_fields_of_the_document() -> None:
    sent: list[Any] = []
    call = Conversation().receive(Request(1, "services/call")).call  # type: ignore[union-attr]
    around = CallRuntime(lambda _: None, lambda: None, sent.append, lambda: 0.0, None)  # type: ignore[arg-type]
    RequestContext(call, around).log("info", "hi", {"x": 1})
    assert [(notification.method, list(notification.params)) for notification in sent] == [("$/log", names("`$/log`"))]


def test_units_of_progress_are_listed() -> None:
    called = {
        call.args[2].value
        for call in calls("progress")
        if len(call.args) > 2 and isinstance(call.args[2], ast.Constant)
    }
    (row,) = (row for row in TABLES["`$/progress`"] if row["`$/progress`"] == "`unit`")
    assert set(codes(row["meaning"])) == called


def talk(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    """A real process that reads `data` and then the end of its input."""
    return subprocess.run(
        [*command, "serve"],
        input=data,
        capture_output=True,
        timeout=PROCESS_TIMEOUT_S,
        check=False,
        cwd=PACKAGE.parent,
    )


def test_a_real_process_ends_a_bad_line_as_the_document_says(sidecar_command: list[str]) -> None:
    done = talk(sidecar_command, bytes(64))
    sent = [(frame.header["method"], list(frame.header["params"])) for frame in read_frames(done.stdout)]
    assert sent[0][0] == "hello"
    assert [method for method, _ in sent].count("protocol_error") == 1
    assert {**dict(sent), "hello": None} == {
        "hello": None,
        "log": names("`log`"),
        "protocol_error": names("`protocol_error`"),
    }
    assert done.returncode == exit_codes.EXIT_PROTOCOL


def test_every_notification_has_a_table() -> None:
    sent = {
        call.args[0].value
        for name in ("Notification", "encode_notification", "send", "_notify")
        for call in calls(name)
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    ours = ("`hello`", "`log`", "`sessions/evicted`")
    tables = {name.strip("`") for name in TABLES if name in ours or "`protocol" in name or "$/" in name}
    of_streams = {code(row["stream notification"]): row["sent by"] for row in TABLES["stream notification"]}
    assert tables | {name for name, by in of_streams.items() if by != "host"} == {*sent, "hello", CANCEL}
    assert {name for name, by in of_streams.items() if by != "sidecar"} == set(streams._PARAMS)


def test_the_parameter_of_a_cancel_is_the_id() -> None:
    assert names(f"`{CANCEL}`") == ["id"]


# -- errors --------------------------------------------------------------------------------------------------


def modules() -> Iterator[Path]:
    """The modules of the process: not those of the host's side, nor of the commands for people."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] not in ("client", "commands", "testing.py"):
            yield path


def calls(name: str) -> Iterator[ast.Call]:
    """Every call of a function or method of this name."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and name in (getattr(node.func, "id", 0), getattr(node.func, "attr", 0)):
                yield node


def raised_fields() -> dict[str, set[str]]:
    """The keywords that `SidecarError` is made with, by kind; a kind that is a variable is left out."""
    fields: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for call in calls("SidecarError"):
        if isinstance(call.args[0], ast.Constant):
            fields[call.args[0].value] |= {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    for kind, more in SPREAD_FIELDS.items():
        fields[kind] |= more
    return fields


SPREAD_FIELDS = {
    "file_exists": {"path"},  # files.new_file: of the system's errors
    "write_failed": {"path", "error"},
    "too_large": set(Limits._fields),  # **limits._asdict()
    "invalid_output": {"column", "expected", "got"},  # schemas.conform(batch, schema, kind)
    "invalid_input": {"column", "expected", "got"},
    "internal_error": {"traceback"},  # **data, with debug
    "unsupported_protocol": {"host_version", "sidecar_version"},  # **versions
    "unsortable_column": {"column", "dtype"},  # _check_ordered(field, kind)
    "invalid_filter": {"column", "dtype", "op", "value"},
}


def test_every_kind_stands_with_its_code() -> None:
    assert {code(row["kind"]): int(row["code"]) for row in TABLES["kind"]} == KINDS


def test_every_kind_stands_with_its_data_fields() -> None:
    documented = {code(row["kind"]): set(codes(row["data fields"])) for row in TABLES["kind"]}
    assert documented == raised_fields()


def test_methods_name_only_kinds_that_there_are() -> None:
    listed = re.findall(r"^Errors: ((?:.*\n)*?.*\.)$", TEXT, re.MULTILINE)
    assert listed
    assert {kind for lines in listed for kind in codes(lines)} <= set(KINDS)


def test_the_kinds_that_any_method_may_have_are_kinds() -> None:
    (lines,) = re.findall(r"errors of the conversation: ((?:.*\n)*?.*\.)$", TEXT, re.MULTILINE)
    assert set(codes(lines)) <= set(KINDS)


# -- the process ---------------------------------------------------------------------------------------------


def test_every_exit_code_stands_with_its_name() -> None:
    documented = {code(row["name"]): int(row["exit code"]) for row in TABLES["exit code"]}
    assert documented == {name: value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")}
    assert cli.EXIT_USAGE == exit_codes.EXIT_USAGE


def test_reasons_to_stop_name_exit_codes_that_there_are() -> None:
    assert {row["exit code"] for row in TABLES["reason"]} <= {row["exit code"] for row in TABLES["exit code"]}


def serve_options() -> list[argparse.Action]:
    actions = cli._parser(None, None)._actions
    (commands,) = (action for action in actions if isinstance(action, argparse._SubParsersAction))
    return [action for action in commands.choices["serve"]._actions if action.dest != "help"]


def test_every_option_of_serve_stands() -> None:
    assert names_of_options() == [action.option_strings[0] for action in serve_options()]


def names_of_options() -> list[str]:
    return [code(row["option of `serve`"]) for row in TABLES["option of `serve`"]]


def test_options_stand_with_their_defaults() -> None:
    documented = {code(row["option of `serve`"]): row["default"].strip("`") for row in TABLES["option of `serve`"]}
    said = {action.option_strings[0]: str(action.default) for action in serve_options() if action.default}
    assert {option: documented[option] for option in said} == said


LIMITS: dict[str, float | None] = {
    **Limits()._asdict(),
    "max_pending_bytes": app.Options().max_pending_bytes,
    "memory_limit_bytes": app.Options().memory_limit_bytes,
    "ALIGNMENT": framing.ALIGNMENT,
    "QUOTED_BYTES": framing.QUOTED_BYTES,
    "MAX_QUEUED_BYTES": of_runtime("MAX_QUEUED_BYTES"),
    "RESERVE_BYTES": of_runtime("RESERVE_BYTES"),
    "MAX_THREADS": of_runtime("MAX_THREADS"),
    "PROGRESS_DELAY_S": of_runtime("PROGRESS_DELAY_S"),
    "PROGRESS_INTERVAL_S": of_runtime("PROGRESS_INTERVAL_S"),
    "GRACE_S": stopping.GRACE_S,
    "FLUSH_S": stopping.FLUSH_S,
    "DEADLINE_S": stopping.DEADLINE_S,
    "MAX_ROWS": ordering.MAX_ROWS,
    "WORKING_BYTES": ordering.WORKING_BYTES,
    "MIN_WORKING_BYTES": ordering.MIN_WORKING_BYTES,
    "WINDOW_ROWS": lazy.WINDOW_ROWS,
    "MAX_FILTER_DEPTH": filters.MAX_FILTER_DEPTH,
    "MAX_FILTER_CONDITIONS": filters.MAX_FILTER_CONDITIONS,
    "MAX_SAFE_INTEGER": limits.MAX_SAFE_INTEGER,
    "CREDIT_BYTES": CREDIT_BYTES,
    "INPUT_CREDIT_BYTES": INPUT_CREDIT_BYTES,
    "MAX_OUTBOX_BYTES": of_runtime("MAX_OUTBOX_BYTES"),
    "FRAME_BYTES": of_runtime("FRAME_BYTES"),
    "SLICE_S": of_runtime("SLICE_S"),
    "RUNNING_THREADS": of_runtime("RUNNING_THREADS"),
    "STALL_S": of_runtime("STALL_S"),
    "MAX_DEBT_BYTES": of_runtime("MAX_DEBT_BYTES"),
    "MAX_STREAMS": app.Options().max_streams,
    "MAX_STREAM_ID": MAX_STREAM_ID,
    "REMEMBERED_STREAMS": of_runtime("REMEMBERED_STREAMS"),
    "REMEMBERED_EVICTIONS": sessions.REMEMBERED_EVICTIONS,
    "IDLE_S": app.Options().stream_idle_s,
    "CLOSE_S": of_runtime("CLOSE_S"),
    "MAX_TOKEN_BYTES": tokens.MAX_TOKEN_BYTES,
    "MIN_KEY_BYTES": tokens.MIN_KEY_BYTES,
    "MAX_KEY_ID_BYTES": tokens.MAX_KEY_ID_BYTES,
    "TTL_S": handlers.TTL_S,
    "YEAR_S": handlers.YEAR_S,
}


def test_every_limit_stands_with_its_value() -> None:
    def number(text: str) -> float | None:
        return None if text == "none" else float(text.replace(" ", ""))

    assert {code(row["limit"]): number(row["value"]) for row in TABLES["limit"]} == LIMITS


def test_what_the_options_say_and_what_the_runtime_would_do_alone_is_the_same() -> None:
    options = app.Options()
    assert (options.max_streams, options.stream_idle_s) == (streams.MAX_STREAMS, streams.IDLE_S)


def test_limits_name_options_that_there_are() -> None:
    assert {option for row in TABLES["limit"] for option in codes(row["option"])} <= set(names_of_options())


# -- payloads, formats ---------------------------------------------------------------------------------------


def test_every_payload_type_stands_with_its_size() -> None:
    documented = {code(row["payload type"]): row["bytes an item"] for row in TABLES["payload type"]}
    expected = {name: str(size) for name, size in ITEM_BYTES.items()} | dict.fromkeys(OPAQUE_TYPES, "any")
    assert documented == expected


def test_a_descriptor_has_the_members_of_the_document() -> None:
    header = one_frame(b"".join(encode({"params": {"x": Payload("int8", b"1", [1])}}))).header
    assert sorted(header["payload"][0]) == sorted(names("descriptor"))


def test_every_format_stands_with_its_extensions() -> None:
    documented = {extension: code(row["format"]) for row in TABLES["format"] for extension in codes(row["extensions"])}
    assert documented == formats.BY_EXTENSION
    assert {code(row["format"]) for row in TABLES["format"]} == set(get_args(formats.Format))


def test_formats_that_can_be_lazy_are_marked() -> None:
    assert {code(row["format"]) for row in TABLES["format"] if row["lazy"] == "yes"} == set(OPENERS)


def test_every_source_is_named() -> None:
    (line,) = re.findall(r"exactly one source: (.*)\. A null", TEXT)
    assert codes(line) == list(load.SOURCES)


def test_every_operator_stands() -> None:
    assert [code(row["filter op"]) for row in TABLES["filter op"]] == list(get_args(filters.Operator))


# -- the dump and the examples -------------------------------------------------------------------------------


def dumped() -> bytes:
    (block,) = re.findall(r"^```hexdump\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    data = b""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        offset, pairs, text = re.fullmatch(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)  \|(.{16})\|", line).groups()
        row = bytes.fromhex(pairs)
        assert int(offset, 16) == len(data)
        assert text == "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        data += row
    return data


DUMPED_REQUEST = Request(1, "ping", {"data": Payload("int16", b"\x01\x00\x02\x00\xff\xff", [3])})


def test_the_dump_decodes_to_the_request() -> None:
    assert parse(one_frame(dumped())) == DUMPED_REQUEST


def test_the_dump_is_what_the_encoder_writes() -> None:
    assert b"".join(encode(DUMPED_REQUEST)) == dumped()


def examples() -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]


def with_payload(message: dict[str, Any]) -> dict[str, Any]:
    """The example with zeros for its binary values."""
    message = json.loads(json.dumps(message))
    descriptors = message.get("payload", [])
    attach(message, descriptors, [bytes(descriptor["size"]) for descriptor in descriptors])
    return message


REQUESTS = [example for example in examples() if "method" in example and "id" in example]
NOTIFICATIONS = [example for example in examples() if "id" not in example]


@pytest.mark.parametrize("example", REQUESTS, ids=lambda e: str(e["method"]))
def test_requests_of_examples_fit_their_method(example: dict[str, Any]) -> None:
    example = with_payload(example)
    if example["method"] != SHUTDOWN:
        convert(example.get("params", {}), REGISTERED[example["method"]].params)


@pytest.mark.parametrize("example", NOTIFICATIONS, ids=lambda e: str(e["method"]))
def test_notifications_of_examples_have_the_documented_members(example: dict[str, Any]) -> None:
    streams = {code(row["stream notification"]): codes(row["members"]) for row in TABLES["stream notification"]}
    name = example["method"]
    assert list(with_payload(example)["params"]) == (streams.get(name) or names(f"`{name}`"))


def opened_method(example: dict[str, Any]) -> str:
    """The method that an example is of: one that only streams has a `streams/open` of its own."""
    opened = example.get("params", {}).get("method")
    return opened if opened in STREAMING and opened not in REGISTERED else str(example["method"])


def test_every_method_that_streams_is_in_the_table() -> None:
    assert sorted(names("streaming method")) == sorted(STREAMING)


def test_each_method_has_an_example_and_each_example_an_answer() -> None:
    methods = {example["id"]: opened_method(example) for example in REQUESTS}
    assert sorted(methods.values()) == sorted(METHODS)
    for answer in (example for example in examples() if "result" in example):
        name = methods.pop(answer["id"])
        fields = [] if name == SHUTDOWN else json_fields(result_type(name if name in REGISTERED else "streams/open"))
        assert list(with_payload(answer)["result"] or {}) == fields, name
    assert not methods


# -- violations ----------------------------------------------------------------------------------------------


def frame_bytes(header: str | bytes, payload: bytes = b"") -> bytes:
    """A frame around any text."""
    text = header.encode() if isinstance(header, str) else header
    size = padded(4 + len(text)) - 4
    return size.to_bytes(4, "little") + text.ljust(size) + payload.ljust(padded(len(payload)), b"\0")


def described(*descriptors: Any, params: str = "{}") -> str:
    return f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{params},"payload":{json.dumps(descriptors)}}}'


def descriptor(path: Any = ("params", "data"), type: Any = "int8", size: Any = 0, **more: Any) -> dict[str, Any]:
    return {"path": path, "type": type, "size": size, **more}


SMALL = Limits(max_header_bytes=1020, max_payload_bytes=64)

FATAL: dict[str, list[bytes]] = {
    "V1": [bytes(64), b"\xfc\xff\xff\xff" + bytes(60)],
    "V2": [(SMALL.max_header_bytes + 64).to_bytes(4, "little"), b"GET / HTTP/1.1\r\n\r\n"],
    "V3": [(61).to_bytes(4, "little") + b"{}".ljust(61)],
    "V4": [
        frame_bytes(text)
        for text in (
            "",
            "{",
            "{}\0",
            '{"a":NaN}',
            '{"a":Infinity}',
            '{"a":1e400}',
            '{"a":"\\ud800"}',
            '{"a":"\\udc00"}',
            '{"a":"\x01"}',
            "\ufeff{}",
            b'{"a":"\xff"}',
            b'{"a":"\xed\xa0\x80"}',
        )
    ],
    "V5": [frame_bytes("[]"), frame_bytes("null"), frame_bytes('"x"')],
    "V6": [frame_bytes('{"payload":{}}'), frame_bytes('{"payload":1}')],
    "V7": [
        frame_bytes('{"payload":[' + text + "]}")
        for text in ("1", "{}", '{"size":-1}', '{"size":1.0}', '{"size":true}')
    ],
    "V8": [frame_bytes('{"payload":[{"size":65}]}'), frame_bytes('{"payload":[{"size":32},{"size":33}]}')],
    "V9": [b"\x3c", frame_bytes("{}")[:-1], frame_bytes('{"payload":[{"size":1}]}')],
}


@pytest.mark.parametrize(
    ("id", "data"), [(id, data) for id, datas in FATAL.items() for data in datas], ids=lambda value: repr(value)[:40]
)
def test_a_fatal_violation_has_the_culprit_of_the_document(id: str, data: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        read_frames(data, SMALL)
    assert caught.value.culprit == code(violation(id)["culprit"])


def violation(id: str) -> Row:
    (row,) = (row for row in TABLES["id"] if row["id"] == id)
    return row


def judged(command: list[str], data: bytes) -> tuple[Any, dict[str, Any]]:
    """Id and error that the sidecar answers to a request that is open and then to these bytes."""
    conversation = Conversation()
    conversation.receive(Request("open", "ping"))
    try:
        event = conversation.receive(parse(one_frame(data)))
        if isinstance(event, Answer):
            failure: Any = event.response
            return failure.id, msgspec.to_builtins(failure.error)
    except BadMessage as bad:
        return bad.failure.id, msgspec.to_builtins(bad.failure.error)
    return served(command, data)


def served(command: list[str], data: bytes) -> tuple[Any, dict[str, Any]]:
    """What the process answers where the conversation finds no fault."""
    headers = [frame.header for frame in read_frames(talk(command, data).stdout)]
    (answer,) = (header for header in headers if "error" in header)
    return answer["id"], answer["error"]


HEAD = '{"jsonrpc":"2.0",'
ANSWERED: dict[str, list[str]] = {
    "V10": ['{"id":1,"method":"ping"}', '{"jsonrpc":2.0,"id":1,"method":"ping"}', '{"jsonrpc":"1.0","method":"ping"}'],
    "V11": [HEAD + f'"id":{id},"method":"ping"}}' for id in ("1.0", "true", "null", "[]")],
    "V12": [HEAD + '"id":1,"method":5}', HEAD + '"method":null}'],
    "V13": [HEAD + '"id":1,"method":"ping","params":[]}', HEAD + '"method":"ping","params":null}'],
    "V14": [HEAD + '"id":1}', HEAD + '"x":1}'],
    "V15": [HEAD + '"id":1,"result":1}', HEAD + '"id":1,"error":{"code":1,"message":"","data":{}}}'],
    "V16": [HEAD + '"id":1,"error":{"code":1,"message":""}}', HEAD + '"id":null,"error":1}'],
    "V17": [described(descriptor(type=type)) for type in ("float128", None, [], 1)],
    "V18": [
        described(descriptor(path)) for path in (None, "params", [], ["id"], ["result", "x"], ["params", 1.0], [[]])
    ],
    "V19": [
        described(descriptor(["params", "a", "b"])),
        described(descriptor(["params", "data"]), params='{"data":1}'),
        described(descriptor(["params", "data", 0]), params='{"data":[]}'),
        described(descriptor(["params", "data", -1]), params='{"data":[null]}'),
        described(descriptor(), descriptor()),
        described(descriptor(["params", "a"]), descriptor(["params", "a", "b"])),
        described(descriptor(["params"])),
    ],
    "V20": [described(descriptor(shape=shape)) for shape in (1, [1], [], [-1], [None, 0], [0.0], [True], ["x"])]
    + [described(descriptor(type="bytes", shape=[0]))],
    "V21": [HEAD + '"id":"open","method":"ping"}'],
    "V22": [HEAD + '"id":1,"method":"initialize","params":{"protocol_version":"1.0.0"}}'],
    "V23": [HEAD + f'"id":1,"method":"{name}"}}' for name in ("nope", "hello", "$/cancelRequest")],
    "V24": [HEAD + '"id":1,"method":"ping","params":{"y":1}}', HEAD + '"id":1,"method":"sessions/close"}'],
    "V25": [
        HEAD + '"method":"streams/data","params":{"stream":"s","batches":"x"}}',
        HEAD + '"method":"streams/credit","params":{"stream":"s","bytes":-1}}',
        HEAD + '"method":"streams/close"}',
        HEAD + '"method":"streams/cancel","params":{"stream":""}}',
    ],
    "V26": [
        HEAD + '"method":"streams/data","params":{"stream":"s"},'
        '"payload":[{"path":["params","batches"],"type":"arrow","size":0}]}',
        HEAD + '"method":"streams/credit","params":{"stream":"s","bytes":1}}',
        HEAD + '"method":"streams/close","params":{"stream":"s"}}',
        HEAD + '"method":"streams/cancel","params":{"stream":"s"}}',
    ],
}


@pytest.mark.parametrize(
    ("id", "header"), [(id, text) for id, texts in ANSWERED.items() for text in texts], ids=lambda value: value[:60]
)
def test_an_answered_violation_has_the_kind_and_the_id_of_the_document(
    sidecar_command: list[str], id: str, header: str
) -> None:
    row = violation(id)
    answered_id, error = judged(sidecar_command, frame_bytes(header))
    sent_id = json.loads(header).get("id")
    of_message = sent_id if isinstance(sent_id, int | str) and not isinstance(sent_id, bool) else None
    assert error["data"]["kind"] == code(row["kind"])
    assert answered_id == (None if row["id of the answer"] == "null" else of_message)


ENDING = [f"V{number}" for number in range(27, 33)]
"""Tried in `test_document_streams.py`."""


def test_violations_are_numbered_and_each_is_tried() -> None:
    listed = [row["id"] for row in TABLES["id"]]
    assert listed == [f"V{number}" for number in range(1, len(listed) + 1)]
    assert listed == [*FATAL, *ANSWERED, *ENDING]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1e-400}', 0.0),
        ('{"a":1,"a":2}', 2),
        ('{"a":123456789012345678901234567890}', 123456789012345678901234567890),
        ('{"a":"\\ud83d\\ude00"}', "\N{GRINNING FACE}"),
        ('\n {"a":null}\r\n\t', None),
    ],
    ids=["small", "twice", "large", "pair", "space"],
)
def test_strict_json_takes_what_the_document_says(text: str, value: Any) -> None:
    assert one_frame(frame_bytes(text)).header == {"a": value}


def test_an_error_without_an_id_is_not_answered() -> None:
    message = parse(one_frame(frame_bytes(HEAD + '"id":null,"error":{"code":1,"message":"","data":{}}}')))
    assert Conversation().receive(message) is None


def test_headers_may_be_nested_as_deeply_as_the_document_says(sidecar_command: list[str]) -> None:
    (taken,) = re.findall(r"At least (\d+) levels", TEXT)
    (refused,) = re.findall(r"Beyond (\d+) the header", TEXT)
    done = talk(sidecar_command, nested_ping(int(taken)) + nested_ping(int(refused) + 1))
    headers = [frame.header for frame in read_frames(done.stdout)]
    assert ["result" in header for header in headers if "id" in header] == [True]
    culprits = [header["params"]["culprit"] for header in headers if header.get("method") == "protocol_error"]
    assert culprits == ["header"]


def nested_ping(levels: int) -> bytes:
    """A request whose header has this many levels: two objects, and lists."""
    lists = levels - 2
    return frame_bytes(HEAD + '"id":1,"method":"ping","params":{"data":' + "[" * lists + "]" * lists + "}}")
