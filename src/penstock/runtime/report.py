"""The end of a run in numbers: books closed and compared, ages, events, clips, processes."""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.contracts.events import Event, EventState, EvidenceKind
from penstock.contracts.fates import Fate
from penstock.contracts.identity import Role
from penstock.contracts.specs import RunSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import Region
from penstock.ingest import books
from penstock.runtime import wiring
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.telemetry.histogram import Histogram, HistogramRecord
from penstock.telemetry.statistics import CameraStatistics, LaneStatistics, ProcessStatistics, Stage

_PERCENTILES = (50, 95, 99)


def close_books(spec: RunSpec, regions: Mapping[str, Region]) -> None:
    """Gives a fate to whatever a killed process left without one; only once every child has ended.

    Frames that ingest decoded and the engine never heard of end `cancelled`: the run ended first.
    """
    for camera in spec.cameras:
        for number, _ in wiring.streams_of(camera):
            books.UnitBooks(unit_counters(regions, camera.name, number)).close_after_crash()
    for number, lane in enumerate(spec.lanes):
        ledger = lane_ledger(spec, regions, number)
        frames = detect_frames(spec, regions, lane.camera)
        ledger.close_after_crash()
        if ledger.begun and ledger.last_index < frames:
            unheard = frames - ledger.last_index
            ledger.hear(frames)
            ledger.settle(Fate.CANCELLED, unheard)


def make_report(
    spec: RunSpec,
    regions: Mapping[str, Region],
    processes: Iterable[ProcessStatistics],
    events: Iterable[Event],
    *,
    duration_ns: int,
    stop_ns: int,
    memory_bytes: Mapping[str, int],
    failed: str,
) -> dict[str, Any]:
    """A dict that encodes as JSON; ages in milliseconds, see docs/report.md."""
    all_processes = list(processes)
    cameras = _cameras(spec, regions, all_processes)
    lanes = _lanes(spec, regions, all_processes)
    all_events = list(events)
    return {
        "run_id": spec.run_id,
        "failed": failed,
        "duration_s": round(duration_ns / 1e9, 3),
        "stop_s": round(stop_ns / 1e9, 3),
        "books_balanced": all(camera["balanced"] for camera in cameras) and all(lane["balanced"] for lane in lanes),
        "cameras": cameras,
        "lanes": lanes,
        "events": [_event(event) for event in all_events],
        "clips": [_clip(event) for event in all_events if any(e.kind is EvidenceKind.CLIP for e in event.evidence)],
        "processes": _processes(all_processes, memory_bytes),
        "engine": _engine(all_processes),
    }


def unit_counters(regions: Mapping[str, Region], camera: str, number: int) -> CounterBlock:
    return CounterBlock(regions[wiring.units_region(camera, number)].memory, books.WORDS)


def lane_ledger(spec: RunSpec, regions: Mapping[str, Region], number: int) -> LaneLedger:
    words = max(1, len(spec.lanes)) * WORDS_PER_LANE
    return LaneLedger(CounterBlock(regions[wiring.LEDGER].memory, words), number)


def detect_frames(spec: RunSpec, regions: Mapping[str, Region], name: str) -> int:
    """Frames that the camera's lanes were offered, by ingest's books."""
    camera = next(camera for camera in spec.cameras if camera.name == name)
    number = wiring.stream_number(camera, Role.DETECT)
    return 0 if number is None else unit_counters(regions, name, number)[books.Word.FRAMES]


def _cameras(spec: RunSpec, regions: Mapping[str, Region], processes: list[ProcessStatistics]) -> list[dict[str, Any]]:
    published = {(c.camera, c.role): c for process in processes for c in process.cameras}
    found = []
    for camera in spec.cameras:
        for number, stream in wiring.streams_of(camera):
            units = books.read_units(unit_counters(regions, camera.name, number))
            role = stream.roles[0].value
            seen = published.get((camera.name, role), CameraStatistics(camera.name))
            found.append(
                {
                    "camera": camera.name,
                    "role": role,
                    "state": seen.state.value,
                    "url": seen.url,
                    "codec": seen.codec,
                    "size": [seen.width_px, seen.height_px],
                    "received": units.received,
                    "decoded": units.decoded,
                    "skipped": units.skipped,
                    "undecodable": units.undecodable,
                    "lost": units.lost,
                    "kept": units.kept,
                    "balanced": units.in_flight == 0,
                    "frames": units.frames,
                    "still": units.still,
                    "sessions": units.sessions,
                    "stalls": units.stalls,
                    "connect_failures": units.connect_failures,
                    "connect_ms": _ms(seen.connect_ns),
                    "fps": round(seen.fps, 2),
                    "capture_basis": seen.capture_basis,
                    "capture_error_ms": _ms(seen.capture_error_ns),
                    "fault": seen.fault,
                }
            )
    return found


def _lanes(spec: RunSpec, regions: Mapping[str, Region], processes: list[ProcessStatistics]) -> list[dict[str, Any]]:
    published = {(lane.camera, lane.model): lane for process in processes for lane in process.lanes}
    found = []
    for number, lane in enumerate(spec.lanes):
        ledger = lane_ledger(spec, regions, number)
        seen = published.get((lane.camera, lane.model), LaneStatistics(lane.camera, lane.model))
        frames = detect_frames(spec, regions, lane.camera)
        fates = {fate.label: ledger.count(fate) for fate in Fate}
        found.append(
            {
                "camera": lane.camera,
                "model": lane.model,
                "offered": ledger.offered,
                "fates": fates,
                # Ingest and engine count apart: what one decoded since the lane began, the other gave a fate.
                "balanced": ledger.offered == sum(fates.values()) and (not ledger.begun or ledger.last_index == frames),
                "late": seen.late,
                "max_fps": lane.max_fps,
                "budget_ms": _ms(lane.budget_ns),
                "age_ms": _percentiles(seen.stages.get(Stage.AGE.value)),
                "stages_ms": {stage.value: _percentiles(seen.stages.get(stage.value)) for stage in Stage},
            }
        )
    return found


def _event(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "revision": event.revision,
        "rule": event.rule,
        "camera": event.camera,
        "state": event.state.value,
        "severity": event.severity.value,
        "start_utc_ns": event.start_utc_ns,
        "confirmed_utc_ns": event.confirmed_utc_ns,
        "end_utc_ns": event.end_utc_ns,
        "interrupted": event.state is EventState.INTERRUPTED,
        "decision_delay_ms": _ms(event.decided_utc_ns - event.confirmed_utc_ns),
    }


def _clip(event: Event) -> dict[str, Any]:
    clip = next(one for one in event.evidence if one.kind is EvidenceKind.CLIP)
    snapshot = next((one for one in event.evidence if one.kind is EvidenceKind.SNAPSHOT), None)
    return {
        "event_id": event.event_id,
        "camera": event.camera,
        "state": clip.state.value,
        "path": clip.path,
        "manifest": clip.manifest,
        "reason": clip.reason,
        "snapshot": snapshot.path if snapshot is not None else "",
    }


def _processes(processes: list[ProcessStatistics], memory_bytes: Mapping[str, int]) -> list[dict[str, Any]]:
    children = {child.process: child for process in processes for child in process.children}
    return [
        {
            "process": process.process,
            "kind": process.kind,
            "pid": process.pid,
            "cpu_s": round(process.cpu_s, 3),
            "rss_bytes": process.rss_bytes,
            "pss_bytes": memory_bytes.get(process.process, 0),
            "restarts": children[process.process].restarts if process.process in children else 0,
            "last_exit": children[process.process].last_exit if process.process in children else "",
        }
        for process in processes
    ]


def _engine(processes: list[ProcessStatistics]) -> dict[str, Any]:
    for process in processes:
        if process.engine is not None:
            engine = process.engine
            return {
                "plans": engine.plans,
                "inputs": engine.inputs,
                "late_results": engine.late_results,
                "plan_us": _percentiles(engine.plan, unit_ns=1000),
                "control_us": _percentiles(engine.control, unit_ns=1000),
            }
    return {}


def _percentiles(record: HistogramRecord | None, unit_ns: int = 1_000_000) -> dict[str, float]:
    histogram = Histogram()
    if record is not None:
        histogram.merge(record)
    values = {f"p{percent}": round(histogram.percentile_ns(percent) / unit_ns, 2) for percent in _PERCENTILES}
    return values | {"max": round(histogram.max_ns / unit_ns, 2), "count": histogram.count}


def _ms(ns: int) -> float:
    return round(ns / 1e6, 2)
