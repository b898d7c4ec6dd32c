"""Prometheus metrics, made from the newest statistics of every process at the moment of a scrape.

Names begin with `penstock_`, units are seconds and bytes, counters end in `_total`. Nothing is kept between
scrapes: what was counted lives where it was counted.
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penstock.base.clock import NS_PER_S
from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.contracts.messages import CameraState
from penstock.telemetry.analysis_statistics import (
    EngineStatistics,
    ExecutorStatistics,
    LaneStatistics,
    ModelStatistics,
    PlanStatistics,
    RuleStatistics,
)
from penstock.telemetry.families import Families
from penstock.telemetry.joined_statistics import all_executors, all_models
from penstock.telemetry.statistics import (
    CameraStatistics,
    JournalStatistics,
    ProcessStatistics,
    RecorderStatistics,
    SinkStatistics,
    Snapshot,
    TraceExportStatistics,
)


class StatisticsCollector(Collector):
    """Asks `snapshot` at every scrape; `now_ns` is the monotonic clock that statistics are dated with."""

    def __init__(self, snapshot: Snapshot, now_ns: Callable[[], int], version: str) -> None:
        self._snapshot = snapshot
        self._now_ns = now_ns
        self._version = version

    def collect(self) -> Iterable[Metric]:
        families = Families()
        families.gauge("build_info", "What runs; always 1.", {"version": self._version}, 1)
        now_ns = self._now_ns()
        processes = self._snapshot()
        for process in processes:
            _process(families, process, now_ns)
        for executor in all_executors(processes):
            _executor(families, executor)
        for model in all_models(processes):
            _model(families, model)
        return families.metrics()


def exposition(snapshot: Snapshot, now_ns: Callable[[], int], version: str) -> Callable[[], bytes]:
    """A function that renders all metrics in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatisticsCollector(snapshot, now_ns, version))
    return lambda: generate_latest(registry)


def _process(families: Families, process: ProcessStatistics, now_ns: int) -> None:
    labels = {"process": process.process, "kind": process.kind}
    families.counter("process_cpu_seconds", "Processor time used.", labels, process.cpu_s)
    families.gauge("process_resident_memory_bytes", "Memory in use.", labels, process.rss_bytes)
    families.gauge("process_threads", "Threads.", labels, process.threads)
    started_s = process.started_utc_ns / NS_PER_S
    families.gauge("process_start_time_seconds", "When it was started, since 1970.", labels, started_s)
    age_s = max(now_ns - process.published_ns, 0) / NS_PER_S
    families.gauge("process_statistics_age_seconds", "Since it last published statistics.", labels, age_s)
    for child in process.children:
        labels = {"process": child.process, "kind": child.kind}
        families.gauge("process_up", "Whether the process runs.", labels, child.state == "running")
        families.counter("process_restarts", "Times that it was started anew.", labels, child.restarts)
    for camera in process.cameras:
        _camera(families, camera, now_ns)
    for lane in process.lanes:
        _lane(families, lane)
    for rule in process.rules:
        _rule(families, rule)
    if process.engine is not None:
        _engine(families, process.engine)
    if process.plan is not None:
        _plan(families, process.plan)
    if process.recorder is not None:
        _recorder(families, process.recorder)
    if process.journal is not None:
        _journal(families, process.journal)
    if process.trace_export is not None:
        _trace_export(families, process.trace_export)
    for sink in process.sinks:
        _sink(families, sink)
    for queue in process.queues:
        labels = {"process": process.process, "queue": queue.queue}
        families.counter("queue_accepted", "Items taken.", labels, queue.accepted)
        families.counter("queue_refused", "Items refused because it was full.", labels, queue.refused)
        families.gauge("queue_length", "Items waiting.", labels, queue.length)
        families.gauge("queue_bound", "Items that may wait.", labels, queue.bound)
    for pool in process.pools:
        labels = {"process": process.process, "pool": pool.pool}
        families.gauge("pool_slots", "Slots for views.", labels, pool.slots)
        families.gauge("pool_leased", "Slots that somebody reads.", labels, pool.leased)
        families.gauge("pool_bytes", "Memory of the pool.", labels, pool.size_bytes)
        families.counter("pool_refused", "Views refused because no slot was free.", labels, pool.refused)
        families.counter("pool_reclaimed", "Leases taken back from holders that died.", labels, pool.reclaimed)


def _camera(families: Families, camera: CameraStatistics, now_ns: int) -> None:
    labels = {"camera": camera.camera, "role": camera.role}
    families.gauge("camera_up", "Whether pictures come.", labels, camera.state is CameraState.UP)
    for state in CameraState:
        here = {**labels, "state": state.value}
        families.gauge("camera_state", "1 for the state that it is in.", here, camera.state is state)
    units = camera.units
    families.counter("camera_access_units_received", "Access units received.", labels, units.received)
    for fate in ("decoded", "skipped", "undecodable", "lost", "kept"):
        here = {**labels, "fate": fate}
        families.counter("camera_access_units", "How access units ended.", here, getattr(units, fate))
    families.gauge("camera_access_units_pending", "Access units inside the decoder.", labels, units.pending)
    families.counter("camera_frames", "Decoded frames offered to lanes.", labels, camera.frames)
    families.counter("camera_notices_dropped", "Notices that found no room.", labels, camera.notices_dropped)
    families.counter("camera_views", "Views made.", labels, camera.views)
    families.counter("camera_views_refused", "Views asked for and not made.", labels, camera.views_refused)
    for verdict, count in (("moved", camera.gate_moved), ("still", camera.gate_still)):
        families.counter("camera_gate_frames", "What the gate said of frames.", {**labels, "verdict": verdict}, count)
    families.counter("camera_sessions", "Connections made.", labels, camera.sessions)
    families.counter("camera_reconnects", "Connections made after the first.", labels, camera.reconnects)
    families.counter("camera_stalls", "Connections thrown away because nothing came.", labels, camera.stalls)
    families.counter("camera_open_failures", "Connections that could not be made.", labels, camera.open_failures)
    families.counter("camera_time_jumps", "Jumps of the stream's own clock.", labels, camera.time_jumps)
    families.counter("camera_slips", "Times that late pictures moved playback on (HLS, files).", labels, camera.slips)
    families.counter("camera_lost_packets", "Network packets that never came (UDP).", labels, camera.lost_packets)
    families.counter("camera_times_refused", "Stated capture times not believed.", labels, camera.times_refused)
    families.counter("camera_received_bytes", "Encoded data received.", labels, camera.received_bytes)
    families.gauge("camera_connect_seconds", "Time the last connection took.", labels, camera.connect_ns / NS_PER_S)
    families.gauge("camera_frames_per_second", "Measured frame rate.", labels, camera.fps)
    error_s = camera.capture_error_ns / NS_PER_S
    families.gauge("camera_capture_error_seconds", "How wrong capture times can be.", labels, error_s)
    if camera.last_frame_ns:
        age_s = max(now_ns - camera.last_frame_ns, 0) / NS_PER_S
        families.gauge("camera_last_frame_age_seconds", "Since the newest frame was captured.", labels, age_s)
    families.gauge("camera_ring_bytes", "Encoded data held for clips.", labels, camera.ring_bytes)
    families.gauge("camera_ring_seconds", "Time span held for clips.", labels, camera.ring_span_ns / NS_PER_S)


def _lane(families: Families, lane: LaneStatistics) -> None:
    labels = {"camera": lane.camera, "model": lane.model}
    families.counter("lane_frames_offered", "Frames offered to the lane.", labels, lane.offered)
    for fate in Fate:
        here = {**labels, "fate": fate.label}
        families.counter("lane_frames", "How offered frames ended.", here, lane.fates.get(fate.label, 0))
    families.gauge("lane_in_flight", "Frames asked for or being analysed.", labels, lane.in_flight)
    families.counter("lane_late_results", "Results that came after their deadline.", labels, lane.late)
    families.gauge("lane_granted_fps", "Analyses per second that the plan grants.", labels, lane.granted_fps)
    families.gauge("lane_max_fps", "Analyses per second that are wanted.", labels, lane.max_fps)
    families.gauge("lane_floor_fps", "Analyses per second below which it is worth nothing.", labels, lane.floor_fps)
    for step in LadderStep:
        here = {**labels, "step": step.value}
        families.gauge("lane_step", "1 for the step of the ladder that it is on.", here, lane.level == step.value)
    if lane.limited_by:
        here = {**labels, "resource": lane.limited_by}
        families.gauge("lane_limited", "1 for what its lane has too little of to get all it wants.", here, 1)
    families.gauge(
        "lane_budget_seconds", "Age above which a result is worth nothing.", labels, lane.budget_ns / NS_PER_S
    )
    for stage, record in lane.stages.items():
        families.histogram("lane_stage_seconds", "Age of results by stage.", {**labels, "stage": stage}, record)


def _executor(families: Families, executor: ExecutorStatistics) -> None:
    labels = {"executor": executor.executor, "device": executor.device}
    families.gauge("executor_ready", "Whether it takes work.", labels, executor.ready)
    families.gauge("executor_streams", "Calls that it runs side by side.", labels, executor.streams)
    families.gauge("executor_in_flight", "Calls handed over and not finished.", labels, executor.in_flight)
    families.counter("executor_submitted", "Calls handed over.", labels, executor.submitted)
    for status, count in executor.outcomes.items():
        families.counter("executor_outcomes", "How calls ended.", {**labels, "status": status}, count)
    families.counter("executor_busy_seconds", "Time in calls, over its streams.", labels, executor.busy_ns / NS_PER_S)
    families.counter("executor_replaced", "Times that it was replaced.", labels, executor.replaced)


def _model(families: Families, model: ModelStatistics) -> None:
    labels = {"model": model.model, "executor": model.executor}
    families.gauge("model_ready", "Whether it is loaded and not suspended.", labels, model.state == "ready")
    families.counter("model_calls", "Calls.", labels, model.calls)
    for cause, count in model.failures.items():
        families.counter("model_failures", "Calls without a result.", {**labels, "cause": cause}, count)
    families.gauge("model_load_seconds", "Time that loading took.", labels, model.load_ns / NS_PER_S)
    predicted_s = model.predicted_cost_ns / NS_PER_S
    families.gauge("model_predicted_cost_seconds", "What the next call is expected to take.", labels, predicted_s)
    families.histogram("model_compute_seconds", "Time of the network and its head.", labels, model.compute)


def _rule(families: Families, rule: RuleStatistics) -> None:
    labels = {"rule": rule.rule, "camera": rule.camera, "shadow": _on_trial(rule)}
    families.counter("rule_evaluations", "Evaluations.", labels, rule.evaluations)
    families.counter("rule_confirmed", "Events confirmed.", labels, rule.confirmed)
    families.counter("rule_blind_seconds", "Time in which it could not be decided.", labels, rule.blind_ns / NS_PER_S)
    families.counter("rule_known_seconds", "Time in which it could be decided.", labels, rule.known_ns / NS_PER_S)


def _on_trial(rule: RuleStatistics) -> str:
    """Empty for what is real; `rule` where the rule is on trial, or the model that its twin tries."""
    if rule.shadow_lane:
        return rule.shadow_lane.removeprefix(f"{rule.camera}/")
    return "rule" if rule.shadow else ""


def _engine(families: Families, engine: EngineStatistics) -> None:
    families.counter("engine_plans", "Scheduling decisions.", {}, engine.plans)
    families.counter("engine_inputs", "Records of the ordered input log.", {}, engine.inputs)
    families.counter("engine_late_results", "Results too old for their lane's rules.", {}, engine.late_results)
    families.gauge("engine_lease_epoch", "Generation of the engine.", {}, engine.lease_epoch)
    families.histogram("engine_plan_seconds", "Time of one scheduling decision.", {}, engine.plan, fast=True)
    families.histogram("engine_control_seconds", "Control work per analysed frame.", {}, engine.control, fast=True)
    families.histogram("event_delay_seconds", "From the deciding capture to the decision.", {}, engine.event_delay)


def _plan(families: Families, plan: PlanStatistics) -> None:
    families.counter("plan_computed", "Times that the capacity plan was worked out.", {}, plan.computed)
    for after, count in plan.changes.items():
        families.counter("plan_changes", "Grants changed, by what they came to.", {"to": after}, count)
    for use in plan.resources:
        labels = {"resource": use.resource, "unit": use.unit}
        families.gauge("plan_supply", "What there is of the resource.", labels, use.supply)
        families.gauge("plan_used", "What the grants take of it.", labels, use.used)
        families.gauge("plan_wanted", "What everybody together asked for.", labels, use.wanted)
    for camera, policy in plan.decode.items():
        here = {"camera": camera, "policy": policy}
        families.gauge("camera_decode_policy", "1 for what is decoded of it.", here, 1)


def _recorder(families: Families, recorder: RecorderStatistics) -> None:
    families.counter("clip_jobs", "Clips asked for.", {}, recorder.jobs)
    families.counter("clip_jobs_refused", "Clips refused because too many were under way.", {}, recorder.jobs_refused)
    families.gauge("clip_jobs_active", "Clips under way.", {}, recorder.jobs_active)
    for state, count in recorder.clips.items():
        families.counter("clips", "How clips ended.", {"state": state}, count)
    for state, count in recorder.snapshots.items():
        families.counter("snapshots", "How snapshots ended.", {"state": state}, count)
    families.counter("recorder_written_bytes", "Evidence written.", {}, recorder.written_bytes)
    families.counter("recorder_lapped", "Times that a ring overtook the recorder.", {}, recorder.lapped)


def _journal(families: Families, journal: JournalStatistics) -> None:
    families.counter("journal_appended", "Revisions of events made durable.", {}, journal.appended)
    families.counter("journal_failures", "Attempts to write that failed.", {}, journal.failures)
    families.gauge("journal_bytes", "Size of the journal.", {}, journal.size_bytes)
    families.gauge("journal_backlog", "Revisions not yet durable.", {}, journal.backlog)
    families.histogram("journal_sync_seconds", "Time to make a batch durable.", {}, journal.sync)


def _sink(families: Families, sink: SinkStatistics) -> None:
    labels = {"sink": sink.sink}
    families.counter("sink_delivered", "Revisions delivered.", labels, sink.delivered)
    families.counter("sink_failures", "Deliveries that failed.", labels, sink.failures)
    families.counter("sink_expired", "Revisions given up.", labels, sink.expired)
    families.gauge("sink_backlog", "Revisions waiting.", labels, sink.backlog)


def _trace_export(families: Families, export: TraceExportStatistics) -> None:
    for outcome in ("exported", "failed", "dropped"):
        here = {"outcome": outcome}
        families.counter("trace_export_traces", "How traces of sampled frames ended.", here, getattr(export, outcome))
    families.counter("trace_export_missed_records", "Records overwritten before they were read.", {}, export.missed)
    families.gauge("trace_export_backlog", "Batches that wait for the collector.", {}, export.backlog)
