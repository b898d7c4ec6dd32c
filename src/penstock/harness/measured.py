"""What happened between two readings of a run's statistics: the measurement, free of start and warm-up.

Every counter is cumulative, so a measurement is a difference; histograms are subtracted bucket by bucket. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.base.clock import NS_PER_S
from penstock.contracts.fates import Fate
from penstock.telemetry.analysis_statistics import LaneStatistics, RuleStatistics, Stage
from penstock.telemetry.histogram import Histogram, HistogramRecord, grown
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics

_NONE = HistogramRecord()
SKIPPED = (Fate.SUPERSEDED, Fate.EXPIRED, Fate.SHED)
"""fates of frames that a lane was due for and that did not run, though nothing was wrong with them"""


@dataclass(frozen=True, slots=True)
class Reading:
    """The statistics of all processes at one instant."""

    at_ns: int
    processes: tuple[ProcessStatistics, ...]

    def cameras(self) -> dict[str, CameraStatistics]:
        """The streams that are decoded, by camera."""
        return {c.camera: c for p in self.processes for c in p.cameras if c.role == "detect"}

    def lanes(self) -> dict[tuple[str, str], LaneStatistics]:
        return {(lane.camera, lane.model): lane for p in self.processes for lane in p.lanes}

    def rules(self) -> dict[tuple[str, str], RuleStatistics]:
        return {(r.rule, r.camera): r for p in self.processes for r in p.rules}

    def published_ns(self, kind: str) -> int:
        """When the processes of that kind made their records; the reading's own instant where there is none."""
        return max((p.published_ns for p in self.processes if p.kind == kind), default=self.at_ns)


@dataclass(frozen=True, slots=True)
class LaneMeasured:
    camera: str
    model: str
    priority: int
    wanted_fps: float
    granted_fps: float
    """at the end"""
    budget_ns: int
    seconds: float
    offered: int
    fates: Mapping[str, int]
    late: int
    stages: Mapping[str, Histogram]

    @property
    def analysed(self) -> int:
        return self.fates.get(Fate.ANALYSED.label, 0)

    @property
    def analysed_fps(self) -> float:
        return self.analysed / self.seconds if self.seconds > 0 else 0.0

    @property
    def skipped(self) -> int:
        return sum(self.fates.get(fate.label, 0) for fate in SKIPPED)

    @property
    def age(self) -> Histogram:
        return self.stages.get(Stage.AGE.value) or Histogram()

    @property
    def over_budget(self) -> int:
        """Results that were older than the budget when the engine took them."""
        return self.age.count - self.age.cumulative([self.budget_ns])[0]


@dataclass(frozen=True, slots=True)
class CameraMeasured:
    camera: str
    seconds: float
    received: int
    lost: int
    """frames that were due and that the reader passed over, being late"""
    frames: int
    stalls: int
    sessions: int

    @property
    def fps(self) -> float:
        return self.received / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ProcessMeasured:
    kind: str
    cores: float
    """processor seconds per second"""
    rss_bytes: int
    """at the end"""
    rss_before_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one scenario, between the end of its warm-up and its end."""

    seconds: float
    cameras: tuple[CameraMeasured, ...] = ()
    lanes: tuple[LaneMeasured, ...] = ()
    compute: Mapping[str, Histogram] = field(default_factory=dict)
    """the models' calls, by model"""
    plan: Histogram = field(default_factory=Histogram)
    """scheduling decisions"""
    control: Histogram = field(default_factory=Histogram)
    plans: int = 0
    events: int = 0
    blind_ns: int = 0
    plan_changes: int = 0
    """grants that the capacity plan changed"""
    replaced: int = 0
    """executors that were killed and started anew"""
    failures: Mapping[str, int] = field(default_factory=dict)
    processes: tuple[ProcessMeasured, ...] = ()
    balanced: bool = True
    """the books of the whole run, as its report says"""
    unbalanced: tuple[str, ...] = ()
    rss_series_bytes: tuple[int, ...] = ()
    """all processes together, once a second"""
    changes_series: tuple[int, ...] = ()
    """grants changed so far, once a second"""

    @property
    def age(self) -> Histogram:
        return together(lane.age for lane in self.lanes)

    @property
    def exec(self) -> Histogram:
        return together(self.compute.values())

    def fate(self, fate: Fate) -> int:
        return sum(lane.fates.get(fate.label, 0) for lane in self.lanes)


def together(histograms: Iterable[Histogram]) -> Histogram:
    whole = Histogram()
    for histogram in histograms:
        whole.merge(histogram)
    return whole


def measured(
    before: Reading,
    after: Reading,
    wanted: Mapping[tuple[str, str], tuple[float, int]],
    series: Sequence[Reading] = (),
) -> Measured:
    """The difference of two readings; `wanted` is each lane's rate and priority as the scenario asked for them.

    A process that began anew in between counts from its beginning: its counters are the run's, but for its processor
    time. Rates are by the instants at which the processes counted, not by those at which they were read.
    """
    engine_s = (after.published_ns("engine") - before.published_ns("engine")) / NS_PER_S
    return Measured(
        seconds=(after.at_ns - before.at_ns) / NS_PER_S,
        cameras=_cameras(before, after),
        lanes=_lanes(before.lanes(), after.lanes(), wanted, engine_s),
        compute=_compute(before, after),
        plan=_engine(before, after, "plan"),
        control=_engine(before, after, "control"),
        plans=_plans(after) - _plans(before),
        events=sum(rule.confirmed for rule in after.rules().values())
        - sum(rule.confirmed for rule in before.rules().values()),
        blind_ns=sum(rule.blind_ns for rule in after.rules().values())
        - sum(rule.blind_ns for rule in before.rules().values()),
        plan_changes=changes(after) - changes(before),
        replaced=_replaced(after) - _replaced(before),
        failures=_failures(before, after),
        processes=_processes(before, after),
        rss_series_bytes=tuple(rss_bytes(reading) for reading in series),
        changes_series=tuple(changes(reading) for reading in series),
    )


def rss_bytes(reading: Reading) -> int:
    """Resident memory of all processes; pages that they share count once for each."""
    return sum(process.rss_bytes for process in reading.processes)


def changes(reading: Reading) -> int:
    """Grants that the capacity plan has changed so far."""
    return sum(sum(p.plan.changes.values()) for p in reading.processes if p.plan is not None)


def _lanes(
    before: Mapping[tuple[str, str], LaneStatistics],
    after: Mapping[tuple[str, str], LaneStatistics],
    wanted: Mapping[tuple[str, str], tuple[float, int]],
    seconds: float,
) -> tuple[LaneMeasured, ...]:
    found = []
    for key, now in after.items():
        then = before.get(key) or LaneStatistics(*key)
        rate, priority = wanted.get(key, (now.max_fps, 0))
        found.append(
            LaneMeasured(
                camera=now.camera,
                model=now.model,
                priority=priority,
                wanted_fps=rate,
                granted_fps=now.granted_fps,
                budget_ns=now.budget_ns,
                seconds=seconds,
                offered=now.offered - then.offered,
                fates={name: count - then.fates.get(name, 0) for name, count in now.fates.items()},
                late=now.late - then.late,
                stages={name: grown(record, then.stages.get(name, _NONE)) for name, record in now.stages.items()},
            )
        )
    return tuple(found)


def _cameras(before: Reading, after: Reading) -> tuple[CameraMeasured, ...]:
    earlier, found = before.cameras(), []
    made_ns = {c.camera: p.published_ns for p in after.processes for c in p.cameras}
    made_before_ns = {c.camera: p.published_ns for p in before.processes for c in p.cameras}
    for name, now in after.cameras().items():
        then = earlier.get(name) or CameraStatistics(name)
        found.append(
            CameraMeasured(
                camera=name,
                seconds=(made_ns[name] - made_before_ns.get(name, before.at_ns)) / NS_PER_S,
                received=now.units.received - then.units.received,
                lost=now.lost_packets - then.lost_packets,
                frames=now.frames - then.frames,
                stalls=now.stalls - then.stalls,
                sessions=now.sessions - then.sessions,
            )
        )
    return tuple(found)


def _compute(before: Reading, after: Reading) -> dict[str, Histogram]:
    def of(reading: Reading) -> dict[str, HistogramRecord]:
        return {m.model: m.compute for p in reading.processes if p.kind == "engine" for m in p.models}

    earlier = of(before)
    return {model: grown(record, earlier.get(model, _NONE)) for model, record in of(after).items()}


def _engine(before: Reading, after: Reading, name: str) -> Histogram:
    def of(reading: Reading) -> HistogramRecord:
        found = (getattr(p.engine, name) for p in reading.processes if p.engine is not None)
        return next(found, _NONE)

    return grown(of(after), of(before))


def _plans(reading: Reading) -> int:
    return sum(p.engine.plans for p in reading.processes if p.engine is not None)


def _replaced(reading: Reading) -> int:
    return sum(child.restarts for p in reading.processes for child in p.children if child.kind == "executor")


def _failures(before: Reading, after: Reading) -> dict[str, int]:
    def of(reading: Reading) -> dict[str, int]:
        causes: dict[str, int] = {}
        for process in reading.processes:
            for model in process.models if process.kind == "engine" else ():
                for cause, count in model.failures.items():
                    causes[cause] = causes.get(cause, 0) + count
        return causes

    earlier = of(before)
    return {cause: count - earlier.get(cause, 0) for cause, count in of(after).items()}


def _processes(before: Reading, after: Reading) -> tuple[ProcessMeasured, ...]:
    earlier = {process.process: process for process in before.processes}
    found = []
    for now in after.processes:
        then = earlier.get(now.process)
        if then is None or then.pid != now.pid:
            cpu_s, since_ns, rss = now.cpu_s, before.at_ns, 0
        else:
            cpu_s, since_ns, rss = now.cpu_s - then.cpu_s, then.published_ns, then.rss_bytes
        seconds = (now.published_ns - since_ns) / NS_PER_S
        found.append(ProcessMeasured(now.kind, cpu_s / seconds if seconds > 0 else 0.0, now.rss_bytes, rss))
    return tuple(found)
