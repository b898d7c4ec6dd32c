"""Tracing of a run, put together: who writes into which ring, and what its numbers mean to whoever reads."""

from collections.abc import Callable, Mapping

from penstock.base.clock import Clock
from penstock.contracts.identity import Role
from penstock.contracts.specs import CameraSpec, RunSpec, SourceMode
from penstock.contracts.traces import TraceTap
from penstock.framebus.regions import Region
from penstock.framebus.trace_ring import TraceRings, TraceWriter
from penstock.framebus.trace_writers import EngineTraceWriter, IngestTraceWriter
from penstock.runtime import wiring
from penstock.telemetry.trace import TracedCamera, TracedExecutor, TracedRun


def engine_trace(spec: RunSpec, regions: Mapping[str, Region], clock: Clock) -> EngineTraceWriter:
    """The engine's writer; it goes on where that of an engine before it stopped."""
    return EngineTraceWriter(
        TraceWriter(regions[wiring.trace_region(wiring.ENGINE)]),
        cameras=(camera.name for camera in spec.cameras),
        lanes=(lane.name for lane in spec.lanes),
        rules=(rule.name for rule in spec.rules),
        now_ns=clock.now_ns,
    )


def ingest_trace(spec: RunSpec, process: str, regions: Mapping[str, Region]) -> IngestTraceWriter:
    """The writer of one ingest process, for all its threads."""
    writer = TraceWriter(regions[wiring.trace_region(process)])
    return IngestTraceWriter(writer, (camera.name for camera in spec.cameras))


def trace_taps(spec: RunSpec, regions: Mapping[str, Region]) -> Callable[[], TraceTap]:
    """Makes readers of everything that the run's processes write, each with a place of its own."""
    rings = {process: regions[wiring.trace_region(process)] for process in wiring.tracing_processes(spec)}
    return lambda: TraceRings(rings)


def traced_run(spec: RunSpec) -> TracedRun:
    """Names and settings behind the numbers of trace records."""
    process_of = {
        camera: wiring.ingest_name(number) for number, group in enumerate(spec.ingest_groups) for camera in group
    }
    return TracedRun(
        run_id=spec.run_id,
        host_id=spec.host_id,
        clock=spec.clock,
        cameras=tuple(TracedCamera(one.name, process_of.get(one.name, ""), _lossless(one)) for one in spec.cameras),
        lanes=spec.lanes,
        executors=tuple(
            TracedExecutor(
                executor=one.name,
                process=wiring.executor_process(one.name),
                device=one.device,
                streams=one.streams,
                models=tuple(model.name for model in one.models),
            )
            for one in spec.executors
        ),
        rules=tuple(rule.name for rule in spec.rules),
        engine=wiring.ENGINE,
    )


def _lossless(camera: CameraSpec) -> bool:
    stream = camera.stream_with(Role.DETECT)
    return stream is not None and stream.mode is SourceMode.LOSSLESS
