"""The report of a run: what came in, what became of it and how old the results were. JSON-ready, ages in ms.

A pure function of the last statistics of every process and of the events, so that the numbers of the report are
the numbers of the metrics.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.events import Event, Evidence
from penstock.contracts.fates import Fate
from penstock.telemetry.analysis_statistics import (
    LaneStatistics,
    ModelStatistics,
    PlanStatistics,
    RuleStatistics,
    Stage,
)
from penstock.telemetry.histogram import Histogram, HistogramRecord, merged
from penstock.telemetry.joined_statistics import all_models
from penstock.telemetry.log_format import utc_text
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics

REPORT_VERSION = 1


def run_report(
    processes: Sequence[ProcessStatistics],
    *,
    run_id: str,
    started_utc_ns: int,
    ended_utc_ns: int,
    events: Iterable[Event] = (),
) -> dict[str, Any]:
    """Of several revisions of an event the highest counts.

    `books_balanced` says that every access unit and every offered frame has exactly one fate and that none is left
    without; `unbalanced` names the books where that is not so.
    """
    duration_s = max(ended_utc_ns - started_utc_ns, 0) / NS_PER_S
    cameras = [camera for process in processes for camera in process.cameras]
    lanes = [lane for process in processes for lane in process.lanes]
    newest: dict[str, Event] = {}
    for event in events:
        if event.event_id not in newest or event.revision >= newest[event.event_id].revision:
            newest[event.event_id] = event
    in_order = sorted(newest.values(), key=lambda event: event.start_utc_ns)
    unbalanced = [f"access units of {_stream(camera)}" for camera in cameras if not _closed(camera)]
    unbalanced += [
        f"frames of lane {lane.camera}/{lane.model}" for lane in lanes if not lane.balanced or lane.in_flight
    ]
    return {
        "report_version": REPORT_VERSION,
        "run_id": run_id,
        "started_utc": utc_text(started_utc_ns / NS_PER_S),
        "ended_utc": utc_text(ended_utc_ns / NS_PER_S),
        "duration_s": round(duration_s, 3),
        "books_balanced": not unbalanced,
        "unbalanced": unbalanced,
        "cameras": {_stream(camera): _camera(camera) for camera in cameras},
        "lanes": {f"{lane.camera}/{lane.model}": _lane(lane, duration_s) for lane in lanes},
        "plan": next((_plan(process.plan) for process in processes if process.plan is not None), None),
        "rules": [_rule(rule) for process in processes for rule in process.rules],
        "models": {model.model: _model(model) for model in all_models(processes)},
        "events": [_event(event) for event in in_order if not event.shadow],
        "shadow_events": [{**_event(event), "model": event.shadow_model} for event in in_order if event.shadow],
        "clips": [_evidence(event, piece) for event in newest.values() for piece in event.evidence],
        "processes": _processes(processes),
    }


def percentiles_ms(record: HistogramRecord | Histogram) -> dict[str, float | int]:
    """`count`, `p50`, `p95`, `p99` and `max` in milliseconds, within 1.6 %."""
    histogram = record if isinstance(record, Histogram) else merged([record])
    found = {f"p{percent}": round(histogram.percentile_ns(percent) / NS_PER_MS, 3) for percent in (50, 95, 99)}
    return {"count": histogram.count, **found, "max": round(histogram.max_ns / NS_PER_MS, 3)}


def _stream(camera: CameraStatistics) -> str:
    return camera.camera if camera.role == "detect" else f"{camera.camera}/{camera.role}"


def _closed(camera: CameraStatistics) -> bool:
    return camera.units.balanced and camera.units.pending == 0


def _camera(camera: CameraStatistics) -> dict[str, Any]:
    units = camera.units
    return {
        "url": camera.url,
        "role": camera.role,
        "state": camera.state.value,
        "fault": camera.fault,
        "codec": camera.codec,
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "fps": round(camera.fps, 3),
        "access_units": {
            "received": units.received,
            "decoded": units.decoded,
            "skipped": units.skipped,
            "undecodable": units.undecodable,
            "lost": units.lost,
            "kept": units.kept,
            "pending": units.pending,
            "balanced": _closed(camera),
        },
        "frames": camera.frames,
        "gate": {"moved": camera.gate_moved, "still": camera.gate_still},
        "sessions": camera.sessions,
        "reconnects": camera.reconnects,
        "stalls": camera.stalls,
        "open_failures": camera.open_failures,
        "time_jumps": camera.time_jumps,
        "slips": camera.slips,
        "lost_packets": camera.lost_packets,
        "times_refused": camera.times_refused,
        "connect_ms": round(camera.connect_ns / NS_PER_MS, 3),
        "capture_basis": camera.capture_basis,
        "capture_error_ms": round(camera.capture_error_ns / NS_PER_MS, 3),
        "received_bytes": camera.received_bytes,
    }


def _lane(lane: LaneStatistics, duration_s: float) -> dict[str, Any]:
    stages = {stage: percentiles_ms(record) for stage, record in lane.stages.items()}
    analysed = lane.fates.get(Fate.ANALYSED.label, 0)
    return {
        "camera": lane.camera,
        "model": lane.model,
        "offered": lane.offered,
        "fates": {fate.label: lane.fates.get(fate.label, 0) for fate in Fate},
        "in_flight": lane.in_flight,
        "balanced": lane.balanced and lane.in_flight == 0,
        "late": lane.late,
        "wanted_fps": lane.max_fps,
        "granted_fps": round(lane.granted_fps, 3),
        "step": lane.level,
        "limited_by": lane.limited_by,
        "analysed_per_s": round(_per_s(lane, analysed, duration_s), 3),
        "budget_ms": round(lane.budget_ns / NS_PER_MS, 3),
        "age_ms": stages.pop(Stage.AGE.value, percentiles_ms(HistogramRecord())),
        "stages_ms": stages,
    }


def _plan(plan: PlanStatistics) -> dict[str, Any]:
    """As it was at the end."""
    return {
        "computed": plan.computed,
        "changes": plan.changes,
        "resources": [
            {
                "resource": use.resource,
                "unit": use.unit,
                "supply": round(use.supply, 4),
                "used": round(use.used, 4),
                "wanted": round(use.wanted, 4),
            }
            for use in plan.resources
        ],
        "decode": plan.decode,
        "last_changes": [
            {
                "subject": change.subject,
                "aspect": change.aspect,
                "before": change.before,
                "after": change.after,
                "why": change.why,
                "arithmetic": change.arithmetic,
            }
            for change in plan.recent
        ],
    }


def _rule(rule: RuleStatistics) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "camera": rule.camera,
        "shadow": rule.shadow,
        "state": rule.state,
        "confirmed": rule.confirmed,
        "known_s": round(rule.known_ns / NS_PER_S, 3),
        "blind_s": round(rule.blind_ns / NS_PER_S, 3),
    }


def _per_s(lane: LaneStatistics, analysed: int, duration_s: float) -> float:
    """From the lane's first result to the last frame it heard of: before that its camera was not up or its model not
    loaded, after it nothing was there to be analysed."""
    lasted_ns = lane.last_heard_ns - lane.first_taken_ns
    if analysed > 1 and lane.first_taken_ns and lasted_ns > 0:
        return (analysed - 1) * NS_PER_S / lasted_ns
    return analysed / duration_s if duration_s else 0.0


def _model(model: ModelStatistics) -> dict[str, Any]:
    return {
        "executor": model.executor,
        "state": model.state,
        "fault": model.fault,
        "device": model.device,
        "head": model.head,
        "weight_hash": model.weight_hash,
        "calls": model.calls,
        "failures": model.failures,
        "load_ms": round(model.load_ns / NS_PER_MS, 3),
        "compute_ms": percentiles_ms(model.compute),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "revision": event.revision,
        "rule": event.rule,
        "camera": event.camera,
        "state": event.state.value,
        "severity": event.severity.value,
        "start_utc": utc_text(event.start_utc_ns / NS_PER_S),
        "confirmed_utc": utc_text(event.confirmed_utc_ns / NS_PER_S),
        "end_utc": None if event.end_utc_ns is None else utc_text(event.end_utc_ns / NS_PER_S),
        "lasted_s": None if event.end_utc_ns is None else round((event.end_utc_ns - event.start_utc_ns) / NS_PER_S, 3),
        "decision_delay_ms": round((event.decided_utc_ns - event.confirmed_utc_ns) / NS_PER_MS, 3),
        "reason": {term.text: term.value for term in event.reason.terms},
    }


def _evidence(event: Event, piece: Evidence) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "kind": piece.kind.value,
        "state": piece.state.value,
        "path": piece.path,
        "manifest": piece.manifest,
        "reason": piece.reason,
    }


def _processes(processes: Sequence[ProcessStatistics]) -> dict[str, Any]:
    restarts = {child.process: child for process in processes for child in process.children}
    return {
        process.process: {
            "kind": process.kind,
            "pid": process.pid,
            "cpu_s": round(process.cpu_s, 3),
            "rss_bytes": process.rss_bytes,
            "restarts": restarts[process.process].restarts if process.process in restarts else 0,
            "last_exit": restarts[process.process].last_exit if process.process in restarts else "",
        }
        for process in processes
    }
