"""The streaming document: each of its samples runs with only its import line changed, and does what it promises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pyarrow as pa
import pytest

from sidecar import AnnotatedBatch, ExchangeState, ProducerState, Sidecar, Stream, serve_pipe
from sidecar.client import Host
from sidecar.streams.describe import MethodDescription, describe_service

SAMPLES = Path(__file__).parent / "document_samples"
HEADER = "JobHeader(total_rows=100, description='Results for: SELECT *')"


def source(name: str) -> str:
    """A sample, imported from this package instead of its own."""
    return (SAMPLES / f"{name}.txt").read_text("utf-8").replace("from vgi_rpc import", "from sidecar import")


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """What the samples are run in, with the one name that they use and do not import."""
    made = ModuleType("sample")
    made.Protocol = Protocol  # type: ignore[attr-defined]
    sys.modules["sample"] = made
    yield made
    del sys.modules["sample"]


def run(module: ModuleType, name: str) -> Any:
    """Run a sample in the module; `dont_inherit` keeps the annotations as the document has them."""
    exec(compile(source(name), name, "exec", dont_inherit=True), vars(module))
    return module


def test_every_sample_is_run_here() -> None:
    names = {path.stem for path in SAMPLES.glob("*.txt")}
    assert names == {name for name in names if f'run(module, "{name}")' in Path(__file__).read_text("utf-8")}
    assert len(names) == 8


def kept(state: Any) -> Any:
    """The state as a token would hold it: "every field is automatically serializable"."""
    return type(state).deserialize_from_bytes(state.serialize_to_bytes())


def test_a_state_with_every_sort_of_field(module: ModuleType) -> None:
    sample = run(module, "running_stats")
    state = sample.RunningStatsState(label="now")

    class Stats(Protocol):
        def stats(self) -> Stream[ExchangeState]: ...

    class Implementation:
        def stats(self) -> Stream[ExchangeState]:
            columns = pa.schema([("count", pa.int64()), ("mean", pa.float64())])
            return Stream(columns, state, pa.schema([("value", pa.float64())]))

    with serve_pipe(Stats, Implementation()) as proxy, proxy.stats() as session:
        first = session.exchange(AnnotatedBatch.from_pydict({"value": [1.0, 2.0]}))
        second = session.exchange(AnnotatedBatch.from_pydict({"value": [6.0]}))
    assert first.batch.to_pydict() == {"count": [2], "mean": [1.5]}
    assert second.batch.to_pydict() == {"count": [3], "mean": [3.0]}
    assert state == sample.RunningStatsState(3, 9.0, [1.0, 2.0, 6.0], "now")
    assert kept(state) == state


def test_a_producer(module: ModuleType) -> None:
    sample = run(module, "paginated_query")
    pages: list[int] = []

    class ThreePages(sample.PaginatedQueryState):  # type: ignore[name-defined, misc]
        """The sample's query never runs out."""

        def produce(self, out: Any, ctx: Any) -> None:
            self.exhausted = self.offset == 3 * self.page_size
            pages.append(self.offset)
            super().produce(out, ctx)

    class Queries(Protocol):
        def search(self, query: str, page_size: int = 100) -> Stream[ProducerState]: ...

    class Implementation:
        def search(self, query: str, page_size: int = 100) -> Stream[ProducerState]:
            return Stream(pa.schema([("value", pa.int64())]), ThreePages(query, page_size))

    with serve_pipe(Queries, Implementation()) as sample.proxy:
        run(module, "paginated_query_client")
    assert sample.rows == [{"value": value} for value in range(200, 300)]
    assert pages == [0, 100, 200, 300]
    state = sample.PaginatedQueryState("SELECT *", 10, 20, True)
    assert kept(state) == state


def test_an_exchange(module: ModuleType) -> None:
    sample = run(module, "stateful_pipeline")
    columns = pa.schema([("phase", pa.string()), ("buffer_size", pa.int64()), ("total", pa.float64())])
    states: list[Any] = []

    class Pipelines(Protocol):
        def pipeline(self, threshold: float) -> Stream[ExchangeState]: ...

    class Implementation:
        def pipeline(self, threshold: float) -> Stream[ExchangeState]:
            states.append(sample.StatefulPipeline(threshold=threshold))
            return Stream(columns, states[0], pa.schema([("value", pa.float64())]))

    with serve_pipe(Pipelines, Implementation()) as sample.proxy:
        sample.AnnotatedBatch = AnnotatedBatch
        run(module, "stateful_pipeline_client")
    assert sample.r1.batch.to_pylist() == [{"phase": "collecting", "buffer_size": 2, "total": 30.0}]
    assert sample.r2.batch.to_pylist() == [{"phase": "processing", "buffer_size": 3, "total": 110.0}]
    assert states == [sample.StatefulPipeline(sample.Phase.PROCESSING, [10.0, 20.0, 80.0], 100.0)]
    assert kept(states[0]) == states[0]


def test_a_producer_with_a_header(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run(module, "header_producer")
    run(module, "header_producer_client")
    first, *others = capsys.readouterr().out.splitlines()
    assert first == HEADER
    assert others == [str({"value": [value]}) for value in range(100, 0, -1)]


TRANSFORM_ROWS = """
from sidecar import ExchangeState

VALUES = pa.schema([("value", pa.float64())])

@dataclass
class Scale(ExchangeState):
    factor: float

    def exchange(self, input, out, ctx) -> None:
        out.emit_pydict({"value": [self.factor * value for value in input.batch.column("value").to_pylist()]})

class DataService(DataService, Protocol):
    def transform_rows(self, factor: float) -> Stream[StreamState, JobHeader]: ...

class DataServiceImpl(DataServiceImpl):
    def transform_rows(self, factor: float) -> Stream[Scale, JobHeader]:
        return Stream(VALUES, Scale(factor), VALUES, JobHeader(total_rows=1, description=f"times {factor}"))
"""
"""The service of the document's last sample, which shows its caller alone."""


def test_an_exchange_with_a_header(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    sample = run(module, "header_producer")
    exec(compile(TRANSFORM_ROWS, "service", "exec", dont_inherit=True), vars(module))
    sample.serve_pipe = serve_pipe
    run(module, "header_exchange_client")
    assert capsys.readouterr().out == "JobHeader(total_rows=1, description='times 2.0')\n"
    assert sample.result.batch.to_pydict() == {"value": [2.0]}


def test_in_a_process_of_its_own(module: ModuleType, tmp_path: Path) -> None:
    """What the document calls the subprocess transport, with the same service and the same caller."""
    main = "from sidecar import Sidecar\nSidecar().mount(DataService, DataServiceImpl()).run()\n"
    program = tmp_path / "data_service.py"
    program.write_text("\n".join(["from typing import Protocol", source("header_producer"), main]), "utf-8")
    sample = run(module, "header_producer")
    with Host.spawn([sys.executable, str(program)]) as host:
        session = host.service(sample.DataService).fetch_rows(query="SELECT *")
        assert repr(session.header) == HEADER
        assert [batch.batch.to_pylist()[0]["value"] for batch in session] == list(range(100, 0, -1))


# -- the notes ---------------------------------------------------------------------------------------------------


class Plain(Protocol):
    def count(self) -> Stream[ProducerState]: ...


class Counter(ProducerState):
    def produce(self, out: Any, ctx: Any) -> None:
        out.finish()


class PlainImplementation:
    def count(self) -> Stream[ProducerState]:
        return Stream(pa.schema([]), Counter())


def test_a_stream_without_a_header() -> None:
    with serve_pipe(Plain, PlainImplementation()) as proxy, proxy.count() as session:
        assert session.header is None
        with pytest.raises(TypeError, match="header of type int was expected, but the stream has none"):
            session.typed_header(int)


def test_a_typed_header(module: ModuleType) -> None:
    sample = run(module, "header_producer")
    with (
        serve_pipe(sample.DataService, sample.DataServiceImpl()) as proxy,
        proxy.fetch_rows(query="q") as session,
    ):
        assert session.typed_header(sample.JobHeader) == sample.JobHeader(100, "Results for: q")
        with pytest.raises(TypeError, match="header of type dict was expected, but it is a JobHeader"):
            session.typed_header(dict)


def described(protocol: Any, implementation: Any) -> list[MethodDescription]:
    """What `describe` says of the methods of a service."""
    (service,) = Sidecar().mount(protocol, implementation).services.values()
    return describe_service(service).methods


def test_headers_are_visible_in_describe(module: ModuleType) -> None:
    sample = run(module, "header_producer")
    (with_header,) = described(sample.DataService, sample.DataServiceImpl())
    assert with_header.has_header
    assert with_header.header_schema is not None
    assert [(column.name, column.dtype, column.nullable) for column in with_header.header_schema] == [
        ("total_rows", "int64", False),
        ("description", "string", False),
    ]
    (plain,) = described(Plain, PlainImplementation())
    assert (plain.has_header, plain.header_schema, plain.header) == (False, None, None)
