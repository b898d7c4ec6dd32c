"""The API process: metrics and health over HTTP, the journal into the database and the sinks. Nothing waits for it."""

from pathlib import Path

import msgspec

from penstock import __version__
from penstock.base.clock import NS_PER_S
from penstock.contracts.messages import Message
from penstock.framebus.links import Link
from penstock.runtime.census import Census
from penstock.runtime.decisions import journal_folder
from penstock.runtime.shell import CannotStart, Shell
from penstock.sinks.jsonl import JsonLinesSink
from penstock.store.database import EventStore, sqlite_url
from penstock.store.feeder import Feeder, SinkTarget
from penstock.telemetry.server import MetricsServer, PortUnavailable
from penstock.telemetry.statistics import ProcessStatistics, SinkStatistics

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
            self._server = MetricsServer(spec.metrics_host, spec.metrics_port, census, shell.clock, version=__version__)

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
        return msgspec.structs.replace(base, sinks=sinks)

    def stop(self, grace_ns: int) -> None:
        del grace_ns
        self._shell.done()

    def close(self) -> None:
        self._feeder.stop()
        if self._server is not None:
            self._server.stop()
