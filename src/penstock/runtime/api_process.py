"""The API process: metrics, health and traces over HTTP, the journal into database and sinks. Nothing waits for it."""

from pathlib import Path

import msgspec

from penstock import __version__
from penstock.base.clock import NS_PER_S
from penstock.contracts.messages import Message
from penstock.framebus.links import Link
from penstock.runtime.census import Census
from penstock.runtime.decisions import journal_folder
from penstock.runtime.shell import CannotStart, Shell
from penstock.runtime.tracing import trace_taps, traced_run
from penstock.sinks.jsonl import JsonLinesSink
from penstock.store.database import EventStore, sqlite_url
from penstock.store.feeder import Feeder, SinkTarget
from penstock.telemetry.open_telemetry import TraceExport, TraceExportOff
from penstock.telemetry.server import MetricsServer, PortUnavailable
from penstock.telemetry.statistics import ProcessStatistics, SinkStatistics
from penstock.telemetry.trace_server import TraceDesk

WAKE_NS = NS_PER_S // 5


class ApiUnit:
    """See `runtime.shell.Unit`."""

    def __init__(self, shell: Shell) -> None:
        spec = shell.spec
        data_dir = Path(spec.data_dir)
        self._shell = shell
        self._store = EventStore(spec.database_url or sqlite_url(data_dir / "penstock.db"))
        sink = JsonLinesSink(Path(spec.events_file) if spec.events_file else data_dir / "events.jsonl")
        self._feeder = Feeder(
            journal_folder(data_dir), [self._store, SinkTarget(sink, data_dir / "sinks")], shell.clock
        )
        self._server: MetricsServer | None = None
        if spec.metrics_port >= 0:
            census = Census(shell.regions)
            traces = TraceDesk(traced_run(spec), trace_taps(spec, shell.regions), shell.clock)
            self._server = MetricsServer(
                spec.metrics_host, spec.metrics_port, census, shell.clock, version=__version__, traces=traces
            )
        self._trace_export = _trace_export(shell)

    def start(self) -> None:
        try:
            self._store.start()
        except ValueError as error:
            raise CannotStart(str(error)) from error
        except OSError:
            # Away or locked: the feeder tries again for as long as it takes, and says so.
            pass
        if self._server is not None:
            try:
                self._server.start()
            except PortUnavailable as error:
                raise CannotStart(str(error)) from error
        try:
            self._trace_export.start()
        except ValueError as error:
            raise CannotStart(str(error)) from error
        self._feeder.start()
        self._shell.reactor.call_every(WAKE_NS, self._feeder.wake_nowait)

    def attached(self, link: Link) -> None:
        """This process has no peers."""

    def detached(self, link: Link) -> None:
        """This process has no peers."""

    def received(self, link: Link, message: Message) -> None:
        """This process has no peers."""

    def statistics(self, base: ProcessStatistics) -> ProcessStatistics:
        sinks = tuple(
            SinkStatistics(
                sink=lane.name,
                delivered=lane.delivered,
                failures=lane.failures,
                expired=lane.skipped_segments,
                fault=lane.last_error if lane.away else "",
            )
            for lane in self._feeder.statistics()
        )
        return msgspec.structs.replace(base, sinks=sinks, trace_export=self._trace_export.statistics())

    def stop(self, grace_ns: int) -> None:
        del grace_ns
        self._shell.done()

    def close(self) -> None:
        self._feeder.stop()
        self._trace_export.stop()
        if self._server is not None:
            self._server.stop()


def _trace_export(shell: Shell) -> TraceExport | TraceExportOff:
    spec = shell.spec
    if not spec.tracing_endpoint:
        return TraceExportOff()
    return TraceExport(
        traced_run(spec),
        trace_taps(spec, shell.regions),
        shell.clock,
        endpoint=spec.tracing_endpoint,
        sample=spec.tracing_sample,
        service_name=spec.tracing_service_name,
        version=__version__,
    )
