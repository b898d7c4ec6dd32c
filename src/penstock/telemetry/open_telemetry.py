"""Sends the traces of sampled frames to a collector, OTLP over HTTP, and never lets anybody wait for it.

One thread reads the rings; a bounded queue; one thread that sends. Where the collector is away or slow the queue fills
and what comes then is dropped and counted. The conversion is OpenTelemetry's own (`pip install penstock[otel]`), which
also reads the standard variables: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_CERTIFICATE`, and so on.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.queues import BoundedQueue
from penstock.base.redaction import redact
from penstock.contracts.traces import TraceTap
from penstock.telemetry.open_telemetry_spans import FrameTrace, SampledFrames
from penstock.telemetry.statistics import TraceExportStatistics
from penstock.telemetry.trace import TracedRun

if TYPE_CHECKING:
    from penstock.telemetry.open_telemetry_sender import SpanSender

log = logging.getLogger(__name__)

BATCHES_BOUND = 32
"""of up to `BATCH_BOUND` frames each: half a minute at four batches a second"""
BATCH_BOUND = 512
_POLL_S = 0.25
_ARMED_AHEAD_NS = 2 * NS_PER_S
_STOP_S = 0.4
_TRACES_PATH = "/v1/traces"


class TraceExport:
    """Runs between `start` and `stop`."""

    def __init__(
        self,
        run: TracedRun,
        open_tap: Callable[[], TraceTap],
        clock: Clock,
        *,
        endpoint: str,
        sample: float,
        service_name: str,
        version: str = "",
    ) -> None:
        """`endpoint` as in `http://collector:4318`; a path other than the standard's may follow."""
        self._run = run
        self._open_tap = open_tap
        self._clock = clock
        self._endpoint = traces_endpoint(endpoint)
        self._service_name = service_name
        self._version = version
        self._frames = SampledFrames(run, sample)
        self._batches: BoundedQueue[Sequence[FrameTrace]] = BoundedQueue(BATCHES_BOUND)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sender: SpanSender | None = None
        self._tap: TraceTap | None = None
        self._exported = self._failed = self._dropped = 0
        self._failing = False

    def start(self) -> None:
        """Raises ValueError, which says what to do, where OpenTelemetry is not installed."""
        try:
            from penstock.telemetry.open_telemetry_sender import SpanSender  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ValueError(
                f"tracing.endpoint is set, but OpenTelemetry cannot be loaded ({error}): "
                "pip install 'penstock[otel]', or remove tracing.endpoint"
            ) from error
        self._sender = SpanSender(self._run, self._endpoint, self._service_name, self._version)
        self._tap = self._open_tap()
        for name, work in (("trace-reader", self._read), ("trace-sender", self._send)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        log.info("traces of sampled frames go to %s", redact(self._endpoint))

    def stop(self) -> None:
        """What is queued is dropped where the collector does not take it at once; a request that hangs is left behind
        and ends with the process. Safe to call twice."""
        self._stop.set()
        threads, self._threads = self._threads, []
        for thread in threads[:1]:
            thread.join()
        self._batches.close()
        for thread in threads[1:]:
            thread.join(0 if self._failing else _STOP_S)
        if self._sender is not None:
            self._sender.stop_nowait()
            for thread in threads[1:]:
                thread.join(_STOP_S)
            self._sender.close()
            self._sender = None

    def statistics(self) -> TraceExportStatistics:
        return TraceExportStatistics(
            exported=self._exported,
            failed=self._failed,
            dropped=self._dropped,
            missed=sum(self._tap.missed().values()) if self._tap is not None else 0,
            backlog=self._batches.statistics().length,
        )

    def _read(self) -> None:
        assert self._tap is not None
        stopping = False
        while not stopping:
            self._tap.arm(self._clock.now_ns() + _ARMED_AHEAD_NS)
            stopping = self._clock.wait(self._stop, _POLL_S)
            while records := self._tap.read_nowait():
                self._frames.take(records)
            traces = self._frames.complete(self._clock.now_ns())
            for first in range(0, len(traces), BATCH_BOUND):
                batch = traces[first : first + BATCH_BOUND]
                if not self._batches.put_nowait(batch):
                    self._dropped += len(batch)

    def _send(self) -> None:
        sender = self._sender
        assert sender is not None
        while True:
            batch = self._batches.wait_get(1.0)
            if batch is None:
                if self._stop.is_set():
                    return
                continue
            if sender.wait_sent(batch):
                self._exported += len(batch)
                if self._failing:
                    log.info("the collector takes traces again; %d were not sent so far", self._failed + self._dropped)
                self._failing = False
                continue
            self._failed += len(batch)
            if self._stop.is_set():
                return
            if not self._failing:
                log.warning(
                    "traces cannot be sent to %s: %s. Tried again for as long as it takes; what has no room is dropped",
                    redact(self._endpoint),
                    redact(sender.fault),
                )
            self._failing = True


class TraceExportOff:
    """Exports nothing."""

    def start(self) -> None:
        """Nothing begins."""

    def stop(self) -> None:
        """Nothing ends."""

    def statistics(self) -> TraceExportStatistics | None:
        return None


def traces_endpoint(endpoint: str) -> str:
    """The address to send to: a collector's base address is completed with the standard's path."""
    parts = urlsplit(endpoint)
    return endpoint if parts.path not in ("", "/") else parts._replace(path=_TRACES_PATH).geturl()
