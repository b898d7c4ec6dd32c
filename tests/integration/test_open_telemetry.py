"""Traces of sampled frames, sent over real HTTP to a collector that decodes them, and to some that do not work."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from running import free_port
from traced_runs import FRAME_NS, SESSIONS, TracedProcesses, traced

from penstock.base.clock import SystemClock
from penstock.contracts.times import ClockReading
from penstock.contracts.traces import frame_trace_id
from penstock.telemetry import open_telemetry
from penstock.telemetry.open_telemetry import TraceExport
from penstock.telemetry.open_telemetry_spans import SampledFrames

messages = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="penstock[otel] is not installed"
)

CLOCK = SystemClock()


class Collector:
    """Takes OTLP over HTTP and keeps what it was sent."""

    def __init__(self, status: int = 200) -> None:
        received: list[Any] = []
        self.received = received
        self.paths: set[str] = set()
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.headers["content-type"] == "application/x-protobuf"
                paths.add(self.path)
                if status == 200:
                    received.append(messages.ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def spans(self) -> list[Any]:
        return [
            span
            for request in list(self.received)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Run:
    """Processes that write records, and the export of them."""

    def __init__(self, endpoint: str, sample: float) -> None:
        self.processes = TracedProcesses()
        self.clock = ClockReading("monotonic", CLOCK.now_ns(), CLOCK.utc_ns())
        self.traced = traced(self.clock)
        self.export = TraceExport(
            self.traced,
            self.processes.tap,
            CLOCK,
            endpoint=endpoint,
            sample=sample,
            service_name="yard",
            version="1.2.3",
        )

    def __enter__(self) -> "Run":
        self.export.start()
        wait_for(lambda: self.processes.engine._armed[0] > 0)
        return self

    def __exit__(self, *_: object) -> None:
        self.export.stop()

    def write(self, steps: int) -> None:
        """Frames of the last moments, all at once."""
        now_ns = CLOCK.now_ns()
        for number in range(steps):
            self.processes.step(now_ns - (steps - number) * FRAME_NS)


def wait_for(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, "it did not happen in time"
        time.sleep(0.02)


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def test_every_frame_is_one_trace(collector: Collector) -> None:
    with Run(collector.url, 1.0) as run:
        run.write(10)
        wait_for(lambda: len({span.trace_id for span in collector.spans()}) == 20)
        exported = run.export.statistics()
    assert collector.paths == {"/v1/traces"}
    resource = attributes(collector.received[0].resource_spans[0].resource)
    assert (resource["service.name"], resource["service.instance.id"], resource["host.id"]) == ("yard", "run1", "host1")
    frame = next(one for one in run.processes.frames if one.id.stream.camera == "front")
    trace_id = bytes.fromhex(frame_trace_id(SESSIONS["front"], frame.id.seq))
    found = {span.name: span for span in collector.spans() if span.trace_id == trace_id}
    assert set(found) == {"frame", "decode", "analyse", "wait", "view", "send", "queue", "compute", "result"}
    root = found["frame"]
    assert root.parent_span_id == b""
    assert root.start_time_unix_nano == run.clock.utc_ns_of(frame.capture.mono_ns)
    assert found["decode"].parent_span_id == found["analyse"].parent_span_id == root.span_id
    assert found["compute"].parent_span_id == found["analyse"].span_id
    assert found["compute"].end_time_unix_nano - found["compute"].start_time_unix_nano == 20_000_000
    said = attributes(found["analyse"])
    assert (said["camera"], said["model"], said["fate"], said["age_ms"]) == ("front", "people", "analysed", 57.0)
    assert [(note.name, attributes(note)["model"]) for note in root.events] == [("not_due", "faces")]
    assert (exported.failed, exported.dropped, exported.missed) == (0, 0, 0)


def test_only_the_sampled_part_is_sent(collector: Collector) -> None:
    with Run(collector.url, 0.2) as run:
        run.write(100)
        sampled = SampledFrames(run.traced, 0.2).is_sampled
        ids = {frame_trace_id(one.id.stream.session, one.id.seq) for one in run.processes.frames}
        expected = {one for one in ids if sampled(one)}
        assert 15 < len(expected) < 75
        wait_for(lambda: {span.trace_id.hex() for span in collector.spans()} == expected)


@pytest.mark.parametrize("broken", ["nobody listens", "refuses", "never answers"])
def test_a_collector_that_does_not_work_delays_nobody(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_telemetry, "BATCHES_BOUND", 2)
    monkeypatch.setattr(open_telemetry, "BATCH_BOUND", 2)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, Collector(status=400) as refusing:
        endpoint = {
            "nobody listens": f"http://127.0.0.1:{free_port()}",
            "refuses": refusing.url,
            "never answers": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }[broken]
        with Run(endpoint, 1.0) as run:
            run.write(40)

            def accounted() -> bool:
                now = run.export.statistics()
                return now.failed > 0 and (now.dropped > 0 or broken == "refuses")

            wait_for(accounted)
            # The reader goes on: what is written now is read in time, whatever the sender does.
            run.write(40)
            time.sleep(0.6)
            now = run.export.statistics()
            assert now.exported == 0
            assert now.missed == 0
            assert now.backlog <= 2
    # Said once, not at every attempt.
    said = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len(said) == 1
    assert said[0].startswith(f"traces cannot be sent to {endpoint}/v1/traces: ")
    assert "no reason" not in said[0]


def test_it_ends_where_it_never_began() -> None:
    run = Run("http://127.0.0.1:4318", 0.5)
    run.export.stop()
    assert run.export.statistics().exported == 0
