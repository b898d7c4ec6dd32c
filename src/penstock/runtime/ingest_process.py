"""An ingest process: the cameras of one group, each stream in its own thread, one loop for the engine's asks."""

import logging
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import msgspec

from penstock.base.clock import NS_PER_S
from penstock.base.ids import new_session_id
from penstock.base.redaction import redact
from penstock.contracts.frames import Location
from penstock.contracts.identity import Role
from penstock.contracts.messages import CameraState, Load, Message, Unusable
from penstock.contracts.specs import CameraSpec, LaneSpec, StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.links import Link
from penstock.framebus.ring import RingWriter
from penstock.framebus.slots import SlotAllocator
from penstock.ingest import books
from penstock.ingest.gate import Gate
from penstock.ingest.newest import NewestFrame
from penstock.ingest.service import IngestService, ServedCamera
from penstock.ingest.status import StreamStatus
from penstock.ingest.stream import StreamWorker
from penstock.runtime import wiring
from penstock.runtime.shell import Shell, resident_bytes
from penstock.runtime.tracing import ingest_trace
from penstock.runtime.unit_book import unit_book
from penstock.sources.backoff import Backoff
from penstock.sources.opening import open_source
from penstock.telemetry.statistics import CameraStatistics, PoolStatistics, ProcessStatistics

log = logging.getLogger(__name__)

LOAD_EVERY_NS = NS_PER_S
_STOP_RESERVE_NS = 200_000_000


class IngestUnit:
    """See `runtime.shell.Unit`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._workers: list[tuple[StreamWorker, CameraSpec, int]] = []
        self._served: list[ServedCamera] = []
        self._service = IngestService((), shell.clock)
        self._trace = ingest_trace(shell.spec, shell.name, shell.regions)
        self._engine: Link | None = None
        self._stop_by_ns: int | None = None

    def start(self) -> None:
        shell = self._shell
        group = shell.spec.ingest_groups[int(shell.name.rpartition("-")[2])]
        cameras = {camera.name: camera for camera in shell.spec.cameras}
        for name in group:
            camera = cameras[name]
            for number, stream in wiring.streams_of(camera):
                worker = self._make_worker(camera, number, stream)
                self._workers.append((worker, camera, number))
                if Role.DETECT in stream.roles:
                    self._served.append(self._serve(camera, worker))
        self._service = IngestService(self._served, shell.clock, self._trace)
        shell.reactor.on_wake(self._service.tell_news)
        shell.reactor.on_wake(self._tell_unreadable)
        shell.reactor.call_every(LOAD_EVERY_NS, self._tell_load)
        for worker, _, _ in self._workers:
            worker.start()

    def attached(self, link: Link) -> None:
        self._engine = link
        self._service.connect(link.send_nowait)

    def detached(self, link: Link) -> None:
        del link
        self._engine = None
        self._service.disconnect()

    def received(self, link: Link, message: Message) -> None:
        del link
        self._service.handle(message)

    def statistics(self, base: ProcessStatistics) -> ProcessStatistics:
        cameras = tuple(self._camera_statistics())
        pools = tuple(
            PoolStatistics(
                pool=wiring.pool_region(camera.worker.spec.camera),
                slots=(now := camera.slots.statistics()).slots,
                leased=now.leased,
                refused=now.refused,
                reclaimed=now.reclaimed,
                size_bytes=now.slots * camera.slots.slot_bytes,
            )
            for camera in self._served
        )
        return msgspec.structs.replace(base, cameras=cameras, pools=pools)

    def stop(self, grace_ns: int) -> None:
        self._stop_by_ns = self._shell.clock.now_ns() + grace_ns - _STOP_RESERVE_NS
        self._service.end()
        for worker, _, _ in self._workers:
            worker.stop_nowait()
        self._shell.done()

    def close(self) -> None:
        clock = self._shell.clock
        stop_by_ns = self._stop_by_ns or clock.now_ns()
        for worker, camera, _ in self._workers:
            worker.stop_nowait()
            if not worker.wait_stopped(max(0.0, (stop_by_ns - clock.now_ns()) / NS_PER_S)):
                log.info("a read under way is left to end with the process", extra={"camera": camera.name})

    def _tell_load(self) -> None:
        """What this process has used so far; one that cannot be sent is made up for by the next."""
        if self._engine is None:
            return
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._engine.send_nowait(
            Load(
                at_ns=self._shell.clock.now_ns(),
                cpu_ns=round((usage.ru_utime + usage.ru_stime) * NS_PER_S),
                resident_bytes=resident_bytes(),
                cameras=self._service.loads(),
            )
        )

    def _tell_unreadable(self) -> None:
        """A file that was to be read without loss cannot be: the run has no result worth waiting for."""
        for worker, camera, _ in self._workers:
            phase = worker.phase()
            if worker.lossless and phase.state is CameraState.DOWN:
                advice = (
                    "It was to be read without loss (mode: lossless), so the run ends: correct the file or the path"
                )
                self._shell.tell_supervisor(Unusable(f"camera {camera.name}: {phase.reason}. {advice}"))

    def _make_worker(self, camera: CameraSpec, number: int, stream: StreamSpec) -> StreamWorker:
        shell = self._shell
        spec = shell.spec
        counters = CounterBlock(shell.regions[wiring.units_region(camera.name, number)].memory, books.WORDS)
        source = open_source(
            stream,
            host_id=spec.host_id,
            boot_id=spec.boot_id,
            run_id=spec.run_id,
            clock=shell.clock,
            new_session=lambda: new_session_id(shell.clock.utc_ns()),
            data_dir=Path(spec.data_dir),
        )
        return StreamWorker(
            stream,
            source,
            books=books.UnitBooks(counters),
            ring=RingWriter(shell.regions[wiring.ring_region(camera.name, number)], stream.ring_seconds_ns),
            newest=NewestFrame(0 if source.lossless else self._still_hold_ns(camera)),
            gate=Gate(camera.gate),
            backoff=Backoff(stream.reconnect_cap_ns, random.random),
            clock=shell.clock,
            on_news=shell.reactor.wake_nowait,
            decode=camera.decode,
            quiet_ns=camera.gate.quiet_interval_ns,
            encodes_raw=_gives_evidence(camera, stream),
            trace=self._trace,
        )

    def _serve(self, camera: CameraSpec, worker: StreamWorker) -> ServedCamera:
        region = self._shell.regions[wiring.pool_region(camera.name)]
        location = Location.MEMFD if region.handle.shared else Location.HEAP
        crops = any(lane.crops is not None for lane in self._lanes_of(camera))
        return ServedCamera(worker, SlotAllocator(region), location, crops=crops)

    def _still_hold_ns(self, camera: CameraSpec) -> int:
        """While nothing moves, its lanes miss nothing that comes within half of the shortest of their intervals."""
        fastest_fps = max((lane.max_fps for lane in self._lanes_of(camera)), default=0.0)
        return round(NS_PER_S / fastest_fps / 2) if fastest_fps else 0

    def _lanes_of(self, camera: CameraSpec) -> list[LaneSpec]:
        return [lane for lane in self._shell.spec.lanes if lane.camera == camera.name]

    def _camera_statistics(self) -> Iterator[CameraStatistics]:
        for worker, camera, _ in self._workers:
            yield camera_statistics(worker.status(), camera, worker.spec)


def _gives_evidence(camera: CameraSpec, stream: StreamSpec) -> bool:
    """Whether the recorder reads its packets: for clips those of a record stream, for snapshots of a detect stream."""
    return camera.record.enabled and (Role.RECORD in stream.roles or camera.record.snapshot)


def camera_statistics(status: StreamStatus, camera: CameraSpec, stream: StreamSpec) -> CameraStatistics:
    """A stream's status in the terms of telemetry."""
    units = status.units
    return CameraStatistics(
        camera=camera.name,
        role=stream.roles[0].value,
        state=status.state,
        session=status.session,
        url=redact(stream.url),
        codec=status.codec,
        width_px=status.width_px,
        height_px=status.height_px,
        units=unit_book(units),
        frames=units.frames,
        notices_dropped=units.notices_refused,
        views=units.views,
        views_refused=units.views_refused,
        gate_moved=units.frames - units.still,
        gate_still=units.still,
        sessions=units.sessions,
        reconnects=max(0, units.sessions - 1),
        stalls=units.stalls,
        open_failures=units.connect_failures,
        time_jumps=units.time_jumps,
        slips=units.slips,
        lost_packets=units.lost_packets,
        times_refused=units.times_refused,
        connect_ns=status.connect_ns,
        fps=status.fps,
        capture_basis=status.basis,
        capture_error_ns=status.capture_error_ns,
        last_frame_ns=status.last_capture_ns,
        received_bytes=units.received_bytes,
        ring_bytes=status.ring.held_bytes,
        ring_span_ns=status.ring.held_ns,
        ring_packets=status.ring.packets,
        fault=status.reason,
    )
