"""The one file that needs OpenTelemetry: turns frame traces into its spans and sends them.

Spans are made by the SDK's tracer with ids given by us, so that a frame has the same trace id wherever it is told.
"""

import logging
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from penstock.telemetry.open_telemetry_spans import FrameTrace, Span
from penstock.telemetry.trace import TracedRun

REQUEST_S = 5.0
"""a request, its repetitions included, is given up after this"""
_THEIR_LOGS = "opentelemetry.exporter"
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class _GivenIds(IdGenerator):
    """Says the ids that it was told."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Gathering(SpanProcessor):
    """Keeps the spans of one batch."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class _LastWord(logging.Handler):
    """Keeps what the exporter says of its failures, which is else lost: one line for each attempt is too much."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR or not self.text:
            self.text = record.getMessage()


class SpanSender:
    """Sends batches; `wait_sent` is called by one thread."""

    def __init__(self, run: TracedRun, endpoint: str, service_name: str, version: str) -> None:
        self._clock = run.clock
        self._ids = _GivenIds()
        self._gathering = _Gathering()
        resource = Resource.create(
            {
                "service.name": service_name,
                "service.version": version,
                "service.instance.id": run.run_id,
                "host.id": run.host_id,
            }
        )
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(self._gathering)
        self._tracer = provider.get_tracer("penstock", version)
        self._last_word = _LastWord()
        self._theirs = logging.getLogger(_THEIR_LOGS)
        self._theirs.addHandler(self._last_word)
        self._theirs.propagate = False
        self._exporter = OTLPSpanExporter(endpoint, timeout=REQUEST_S, compression=Compression.Gzip)

    def wait_sent(self, traces: Sequence[FrameTrace]) -> bool:
        """Sends the spans of `traces` in one request; False where the collector did not take them in time."""
        for trace in traces:
            for span in trace.spans:
                self._make(int(trace.trace_id, 16), span)
        spans, self._gathering.spans = self._gathering.spans, []
        self._last_word.text = ""
        return self._exporter.export(spans) is SpanExportResult.SUCCESS

    @property
    def fault(self) -> str:
        """Why the last batch was not taken."""
        return self._last_word.text or "it gave no reason"

    def stop_nowait(self) -> None:
        """Whoever waits in `wait_sent` returns soon, unless the network itself hangs."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Gives their logger back."""
        self._theirs.removeHandler(self._last_word)
        self._theirs.propagate = True

    def _make(self, trace_id: int, span: Span) -> None:
        self._ids.trace_id, self._ids.span_id = trace_id, span.span_id
        context = Context()
        if span.parent_id:
            parent = SpanContext(trace_id, span.parent_id, is_remote=False, trace_flags=_SAMPLED)
            context = set_span_in_context(NonRecordingSpan(parent), context)
        made = self._tracer.start_span(
            span.name, context, attributes=span.attributes, start_time=self._clock.utc_ns_of(span.begin_ns)
        )
        for note in span.notes:
            made.add_event(note.name, note.attributes, self._clock.utc_ns_of(note.at_ns))
        made.end(self._clock.utc_ns_of(span.end_ns))
