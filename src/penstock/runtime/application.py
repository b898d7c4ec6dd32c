"""Runs a specification from start to stop: memory, process tree, signals, live view, report."""

import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from penstock.base.clock import NS_PER_S, Clock, SystemClock
from penstock.base.reactor import Reactor
from penstock.contracts.events import Event
from penstock.contracts.specs import RunSpec
from penstock.control.launchers import Launcher, ProcessLauncher, ThreadLauncher
from penstock.control.supervisor import Supervisor
from penstock.framebus.cell import LatestCell
from penstock.framebus.regions import HeapRegions, MemfdRegions, Region, Regions
from penstock.runtime import wiring
from penstock.runtime.census import Census
from penstock.runtime.closing import close_books, disagreements, settled_statistics
from penstock.runtime.data_folder import DataFolder, DataFolderError
from penstock.runtime.decisions import journal_folder
from penstock.runtime.shell import proportional_bytes, resident_bytes
from penstock.store.records import EventRecord
from penstock.store.segments import records_in, segment_numbers, segment_path
from penstock.telemetry.live import LiveView
from penstock.telemetry.logs import Logging
from penstock.telemetry.report import run_report
from penstock.telemetry.statistics import ChildStatistics, ProcessStatistics, encode

log = logging.getLogger(__name__)

OVERVIEW_NS = 500_000_000
MEMORY_SAMPLE_NS = 2 * NS_PER_S
_OTHERS = 0o007


class RunError(Exception):
    """The run could not begin, or not go on: what, where and what to do."""


class Application:
    """One run. `run` returns its report after everything has ended."""

    def __init__(self, spec: RunSpec, *, isolation: str = "process", live: LiveView | None = None) -> None:
        self._spec = spec
        self._isolation = isolation
        self._live = live
        self._clock: Clock = SystemClock()
        self._memory_bytes: dict[str, int] = {}
        self._started_ns = 0

    def run(self, for_ns: int | None = None) -> dict[str, Any]:
        """Runs for `for_ns`, or until every lossless camera has ended, or until SIGINT or SIGTERM.

        Raises RunError where the run could not begin or go on.
        """
        folder = DataFolder(Path(self._spec.data_dir))
        umask = keep_from_others()
        try:
            folder.take()
            try:
                return self._run(for_ns)
            finally:
                folder.give_back()
        except DataFolderError as error:
            raise RunError(str(error)) from error
        finally:
            os.umask(umask)

    def _run(self, for_ns: int | None) -> dict[str, Any]:
        raise_descriptor_limit()
        regions, launcher = self._isolated()
        memory = wiring.create_regions(self._spec, regions)
        spec_region = wiring.create_spec_region(self._spec, regions)
        reactor = Reactor(self._clock).open()
        supervisor = Supervisor(
            wiring.process_plans(self._spec),
            memory,
            spec_region,
            launcher,
            reactor,
            self._clock,
            on_finished=lambda: stop(),  # noqa: PLW0108 - it is being made here
        )
        self._started_ns = self._clock.now_ns()

        def stop() -> None:
            # The last moment at which everything is still there: a short run has no other.
            if not supervisor.stopping:
                self._sample_memory(supervisor)
            supervisor.stop()

        handlers = catch_signals(stop, reactor)
        census = Census(memory)
        try:
            if self._live is not None:
                self._live.start(census)
            supervisor.start()
            if for_ns is not None:
                reactor.call_at(self._started_ns + for_ns, stop)
            reactor.call_every(OVERVIEW_NS, lambda: self._overview(supervisor, memory))
            reactor.call_every(MEMORY_SAMPLE_NS, lambda: self._sample_memory(supervisor))
            supervisor.run()
            self._overview(supervisor, memory)
        finally:
            if self._live is not None:
                self._live.stop()
            restore_signals(handlers)
            reactor.close()
        report = self._report(supervisor, memory, census)
        for region in [*memory.values(), spec_region]:
            region.close()
        if supervisor.failed:
            raise RunError(supervisor.failed)
        return report

    def _report(self, supervisor: Supervisor, memory: Mapping[str, Region], census: Census) -> dict[str, Any]:
        spec = self._spec
        close_books(spec, memory)
        report = run_report(
            settled_statistics(spec, memory, census()),
            run_id=spec.run_id,
            started_utc_ns=spec.clock.utc_ns,
            ended_utc_ns=self._clock.utc_ns(),
            events=run_events(spec),
        )
        report["unbalanced"] += list(disagreements(spec, memory))
        report["books_balanced"] = not report["unbalanced"]
        report["stop_s"] = round(supervisor.stop_took_ns / NS_PER_S, 3)
        for name, process in report["processes"].items():
            process["pss_bytes"] = self._memory_bytes.get(name, 0)
        return report

    def _isolated(self) -> tuple[Regions, Launcher]:
        if self._isolation == "process":
            os.environ["PENSTOCK_LOG_FORMAT"] = self._spec.log_format
            os.environ["PENSTOCK_LOG_LEVEL"] = self._spec.log_level
            return MemfdRegions(), ProcessLauncher()
        # Everything in one process: only then does this one load what its children need.
        from penstock.runtime.child import run_child  # noqa: PLC0415

        heap = HeapRegions()

        def child_main(name: str, control: socket.socket) -> None:
            run_child(name, control, heap, self._clock)

        return heap, ThreadLauncher(child_main)

    def _overview(self, supervisor: Supervisor, memory: Mapping[str, Region]) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        statistics = ProcessStatistics(
            process=wiring.SUPERVISOR,
            kind=wiring.SUPERVISOR,
            pid=os.getpid(),
            started_utc_ns=self._spec.clock.utc_ns,
            published_ns=self._clock.now_ns(),
            cpu_s=usage.ru_utime + usage.ru_stime,
            rss_bytes=resident_bytes(),
            threads=threading.active_count(),
            children=tuple(
                ChildStatistics(
                    process=process.plan.name,
                    kind=process.plan.kind.value,
                    pid=process.child.pid if process.child is not None else 0,
                    state=process.state,
                    restarts=process.restarts,
                    heartbeat_ns=process.heard_ns,
                    last_exit=process.last_exit,
                )
                for process in supervisor.processes()
            ),
        )
        LatestCell(memory[wiring.statistics_region(wiring.SUPERVISOR)].memory).write(encode(statistics))

    def _sample_memory(self, supervisor: Supervisor) -> None:
        pids = {wiring.SUPERVISOR: os.getpid()}
        if self._isolation == "process":
            pids |= {p.plan.name: p.child.pid for p in supervisor.processes() if p.child is not None}
        for name, pid in pids.items():
            self._memory_bytes[name] = max(proportional_bytes(pid), self._memory_bytes.get(name, 0))


def run(
    spec: RunSpec, *, isolation: str = "process", for_ns: int | None = None, live: LiveView | None = None
) -> dict[str, Any]:
    """Runs `spec` and returns its report, JSON-ready. Raises RunError."""
    logs = Logging(wiring.SUPERVISOR, SystemClock(), form=spec.log_format, level=spec.log_level)
    logs.start()
    try:
        return Application(spec, isolation=isolation, live=live).run(for_ns)
    finally:
        logs.stop()


def run_events(spec: RunSpec) -> Iterable[Event]:
    """The latest revision of each event of this run, from its journal."""
    folder = journal_folder(spec.data_dir)
    newest: dict[str, Event] = {}
    for number in segment_numbers(folder):
        for record, _ in records_in(segment_path(folder, number)):
            if isinstance(record, EventRecord) and record.event.run_id == spec.run_id:
                known = newest.get(record.event.event_id)
                if known is None or record.event.revision > known.revision:
                    newest[record.event.event_id] = record.event
    return sorted(newest.values(), key=lambda event: event.start_utc_ns)


def keep_from_others() -> int:
    """What this process and its children make from here on holds pictures of people: only its user and group may
    read it. Returns the mask before, for `os.umask`."""
    before = os.umask(0o077)
    os.umask(before | _OTHERS)
    return before


def raise_descriptor_limit() -> None:
    """Every camera takes a few descriptors in every process; the usual soft limit is low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def catch_signals(stop: Callable[[], None], reactor: Reactor) -> dict[int, Any]:
    """SIGINT and SIGTERM stop the run in order. Only the main thread may; embedded runs are stopped by their host."""
    requested = False

    def on_signal(number: int, frame: object) -> None:
        del number, frame
        nonlocal requested
        requested = True
        reactor.wake_nowait()

    def on_wake() -> None:
        if requested:
            stop()

    reactor.on_wake(on_wake)
    try:
        return {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        return {}


def restore_signals(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
