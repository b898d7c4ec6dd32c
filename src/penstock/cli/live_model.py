"""What the live table shows, computed from one snapshot after another: pure, its time is an argument."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.telemetry.analysis_statistics import LaneStatistics, Stage
from penstock.telemetry.histogram import Histogram, HistogramRecord, grown
from penstock.telemetry.joined_statistics import all_cameras
from penstock.telemetry.log_format import utc_text
from penstock.telemetry.statistics import CameraStatistics, EventNote, ProcessStatistics

WINDOW_NS = 5 * NS_PER_S
"""rates and ages are those of the last seconds"""
EVENTS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class CameraRow:
    camera: str
    state: str
    fault: str
    fps_in: float
    """decoded pictures per second"""
    analysed_per_s: float
    """over all models"""
    granted: str
    """what the plan gives its worst-served model: `all`, `2.5/s`, `motion-only` or `paused`"""
    age_p50_ms: float | None
    """None while nothing was analysed in the window"""
    age_p99_ms: float | None
    events: int
    last_event: str


@dataclass(frozen=True, slots=True)
class LiveState:
    """Everything the terminal shows at one instant."""

    rows: tuple[CameraRow, ...]
    processes: int
    cpu_cores: float
    """cores kept busy by all processes together"""
    rss_bytes: int
    events: tuple[EventNote, ...]
    """the newest last"""
    fates: dict[str, int]
    """over all lanes"""
    resources: dict[str, float]
    """part of each resource that the plan has given out"""


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ns: int
    frames: dict[str, int]
    analysed: dict[str, int]
    ages: dict[tuple[str, str], HistogramRecord]
    cpu_s: float


class LiveModel:
    """Feeds on snapshots; keeps those of the window, at most one every quarter of a second."""

    def __init__(self, window_ns: int = WINDOW_NS) -> None:
        self._window_ns = window_ns
        self._samples: deque[_Sample] = deque(maxlen=4 * window_ns // NS_PER_S + 2)
        self._events: dict[str, EventNote] = {}
        self._counts: dict[str, int] = {}

    def update(self, processes: Sequence[ProcessStatistics], now_ns: int) -> LiveState:
        cameras = {camera.camera: camera for camera in all_cameras(processes) if camera.role == "detect"}
        lanes = [lane for process in processes for lane in process.lanes]
        self._note_events(processes)
        sample = _sample(processes, cameras, lanes, now_ns)
        while len(self._samples) > 1 and now_ns - self._samples[0].at_ns > self._window_ns:
            self._samples.popleft()
        before = self._samples[0] if self._samples else sample
        if not self._samples or now_ns - self._samples[-1].at_ns >= NS_PER_S // 4:
            self._samples.append(sample)
        seconds = (now_ns - before.at_ns) / NS_PER_S
        granted = {name: granted_text([lane for lane in lanes if lane.camera == name]) for name in cameras}
        rows = tuple(self._row(camera, granted, sample, before, seconds) for camera in cameras.values())
        fates: dict[str, int] = {}
        for lane in lanes:
            for fate, count in lane.fates.items():
                fates[fate] = fates.get(fate, 0) + count
        return LiveState(
            rows=rows,
            processes=len(processes),
            cpu_cores=max(sample.cpu_s - before.cpu_s, 0.0) / seconds if seconds else 0.0,
            rss_bytes=sum(process.rss_bytes for process in processes),
            events=tuple(list(self._events.values())[-EVENTS_SHOWN:]),
            fates=fates,
            resources={
                use.resource: use.used / use.supply
                for process in processes
                if process.plan is not None
                for use in process.plan.resources
                if use.supply > 0
            },
        )

    def _row(
        self, camera: CameraStatistics, granted: dict[str, str], sample: _Sample, before: _Sample, seconds: float
    ) -> CameraRow:
        name = camera.camera
        ages = Histogram()
        for (owner, model), record in sample.ages.items():
            if owner == name:
                ages.merge(grown(record, before.ages.get((owner, model), HistogramRecord())))
        counted = ages.count
        last = next((note for note in reversed(self._events.values()) if note.camera == name), None)
        return CameraRow(
            camera=name,
            state=camera.state.value,
            fault=camera.fault,
            fps_in=_rate(sample.frames, before.frames, name, seconds) if seconds else camera.fps,
            analysed_per_s=_rate(sample.analysed, before.analysed, name, seconds),
            granted=granted[name],
            age_p50_ms=ages.percentile_ns(50) / NS_PER_MS if counted else None,
            age_p99_ms=ages.percentile_ns(99) / NS_PER_MS if counted else None,
            events=self._counts.get(name, 0),
            last_event=event_text(last) if last else "",
        )

    def _note_events(self, processes: Sequence[ProcessStatistics]) -> None:
        counts: dict[str, int] = {}
        for process in processes:
            for note in process.recent_events:
                self._events[note.event_id] = note
            for rule in process.rules:
                counts[rule.camera] = counts.get(rule.camera, 0) + (0 if rule.shadow else rule.confirmed)
        self._counts = counts or self._counts
        while len(self._events) > 64:
            del self._events[next(iter(self._events))]


def granted_text(lanes: Sequence[LaneStatistics]) -> str:
    """What the plan gives the worst-served of a camera's lanes."""
    worst = min(lanes, key=lambda lane: lane.granted_fps / lane.max_fps if lane.max_fps else 1.0, default=None)
    if worst is None or worst.level == LadderStep.FULL.value:
        return "all"
    return f"{worst.granted_fps:.1f}/s" if worst.level == LadderStep.REDUCED.value else worst.level


def event_text(note: EventNote) -> str:
    """`12:00:05 two_people (open)`, in UTC."""
    at = utc_text(note.confirmed_utc_ns / NS_PER_S)[11:19]
    return f"{at} {note.rule} ({note.state})"


def _sample(
    processes: Sequence[ProcessStatistics],
    cameras: dict[str, CameraStatistics],
    lanes: Sequence[LaneStatistics],
    now_ns: int,
) -> _Sample:
    analysed: dict[str, int] = {}
    for lane in lanes:
        analysed[lane.camera] = analysed.get(lane.camera, 0) + lane.fates.get(Fate.ANALYSED.label, 0)
    return _Sample(
        at_ns=now_ns,
        frames={name: camera.frames for name, camera in cameras.items()},
        analysed=analysed,
        ages={(lane.camera, lane.model): lane.stages.get(Stage.AGE.value, HistogramRecord()) for lane in lanes},
        cpu_s=sum(process.cpu_s for process in processes),
    )


def _rate(now: dict[str, int], before: dict[str, int], name: str, seconds: float) -> float:
    return max(now.get(name, 0) - before.get(name, 0), 0) / seconds if seconds else 0.0
