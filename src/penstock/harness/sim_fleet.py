"""A fleet of independent simulated hosts, for sizing: so many cameras on so many hosts, and what each lane would get.

Every host is its own simulation with a seed of its own, made of the fleet's; hosts run one after another and nothing
passes between them. What is counted depends on the seed alone, never on how fast it was computed.
"""

from collections.abc import Callable, Iterator

import msgspec

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec, RuleSpec
from penstock.telemetry.histogram import Histogram
from penstock.testkit.call_costs import ConstantCost, LogNormalCost
from penstock.testkit.chance_tables import ChanceTables
from penstock.testkit.host_model import CameraModel, ExecutorModel, HostModel
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import CostedModel, SeesMovement

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
HIGH_PRIORITY = 10
PERCENTILES = (50.0, 95.0, 99.0, 99.9)


class FleetSpec(msgspec.Struct, frozen=True):
    """What a fleet is made of."""

    cameras: int = 5000
    hosts: int = 100
    for_ns: int = 3600 * NS_PER_S
    seed: int = 0
    model_cost_ns: int = 30 * NS_PER_MS
    cost_sigma: float = 0.15
    """spread of the cost: of its logarithm"""
    streams: int = 2
    cores: float = 4.0
    fps: float = 1.0
    """analyses that each lane asks for, per second"""
    camera_fps: float = 5.0
    moving: float = 0.2
    """part of the time in which something moves before a camera"""
    high: float = 0.1
    """part of the cameras that have priority 10; the others have 0"""
    budget_ns: int = 500 * NS_PER_MS
    unit_ns: int = 1_500_000
    """processor time of decoding one picture"""
    rules: float = 0.1
    """part of the cameras on which a rule runs"""


class PriorityRow(msgspec.Struct, frozen=True):
    """All lanes of one priority. Rates are per lane."""

    priority: int
    lanes: int
    wanted_fps: float
    granted_fps: float
    """mean over the run"""
    analysed_fps: float
    least_analysed_fps: float
    """of the lane that got least"""
    late: int
    ages_ns: dict[str, int]
    """percentiles of the age of results, by name (`p50`)"""


class HostRow(msgspec.Struct, frozen=True):
    """One host."""

    host: int
    cameras: int
    analyses: int
    late: int
    plan_changes: int
    device_use: float
    """of all its streams, 0–1"""
    host_use: float
    """of its cores, 0–1"""
    decode_short_s: float
    """for how long decoding alone wanted more than its cores: believe nothing where this is not 0"""


class FleetReport(msgspec.Struct, frozen=True):
    """What a run came to. The same spec gives the same report, byte for byte."""

    spec: FleetSpec
    priorities: tuple[PriorityRow, ...]
    fates: dict[str, int]
    steps: dict[str, int]
    """lanes by their step of the ladder at the end"""
    events: int
    """of the simulation"""
    analyses: int
    plan_changes: int
    rule_events: int
    rule_blind: float
    """part of the time in which rules could not say, of those that ran"""
    hosts: tuple[HostRow, ...]


def shares(total: int, parts: int) -> Iterator[int]:
    """`total` divided as evenly as whole numbers allow."""
    for number in range(parts):
        yield total // parts + (number < total % parts)


def host_of(spec: FleetSpec, cameras: int) -> HostModel:
    """One host of the fleet."""
    high = round(cameras * spec.high)
    ruled = round(cameras * spec.rules)
    names = [f"c{number}" for number in range(cameras)]
    cost = LogNormalCost(ConstantCost(spec.model_cost_ns), spec.cost_sigma)
    model = CostedModel("detector", cost, answers=SeesMovement())
    # Rules go to the last cameras, high priorities to the first: most rules run where lanes are shed first.
    ruled_names = tuple(names[cameras - ruled :])
    rules = (RuleSpec("seen", "seen > 0 for 3s", ruled_names),) if ruled else ()
    return HostModel(
        cameras=tuple(
            CameraModel(name, fps=spec.camera_fps, moving=spec.moving, unit_ns=spec.unit_ns) for name in names
        ),
        lanes=tuple(
            LaneSpec(
                name,
                "detector",
                max_fps=spec.fps,
                priority=HIGH_PRIORITY if number < high else 0,
                budget_ns=spec.budget_ns,
            )
            for number, name in enumerate(names)
        ),
        executors=(ExecutorModel("cpu", (model,), spec.streams),),
        rules=rules,
        cores=spec.cores,
    )


def run_fleet(spec: FleetSpec, told: Callable[[int, int], None] | None = None) -> FleetReport:
    """Runs it; `told` hears after each host how many are done and how many events that took."""
    tally = _Tally(spec)
    for number, cameras in enumerate(shares(spec.cameras, spec.hosts)):
        if cameras:
            seed = f"{spec.seed}/{number}"
            host = SimulatedHost(host_of(spec, cameras), seed, tables=ChanceTables(seed), ages=tally.ages_of)
            host.run(spec.for_ns)
            host.finish()
            tally.add(number, host)
        if told is not None:
            told(number + 1, tally.events)
    return tally.report()


class _Tally:
    """Sums over hosts."""

    def __init__(self, spec: FleetSpec) -> None:
        self._spec = spec
        self._ages: dict[int, Histogram] = {}
        self._lanes: dict[int, list[tuple[float, float, int]]] = {}
        """by priority: granted and analysed rate of each lane, and its late results"""
        self._fates = {fate.label: 0 for fate in Fate}
        self._steps = {step.value: 0 for step in LadderStep}
        self._hosts: list[HostRow] = []
        self.events = 0
        self._rule_events = 0
        self._blind_ns = 0
        self._known_ns = 0

    def ages_of(self, lane: LaneSpec) -> Histogram:
        return self._ages.setdefault(lane.priority, Histogram())

    def add(self, number: int, host: SimulatedHost) -> None:
        spec = self._spec
        seconds = spec.for_ns / NS_PER_S
        plan = host.plan
        granted = plan.granted_fps(spec.for_ns) if plan is not None else {}
        for lane, wanted in zip(host.lanes, host.model.lanes, strict=True):
            fates = host.fates(lane.number)
            for fate, count in fates.items():
                self._fates[fate] += count
            self._steps[lane.grant.step.value] += 1
            rates = (granted.get(lane.name, wanted.max_fps), fates["analysed"] / seconds, host.late_of[lane.number])
            self._lanes.setdefault(wanted.priority, []).append(rates)
        busy_ns = sum(executor.busy_ns for executor in host.executors.values())
        self._hosts.append(
            HostRow(
                host=number,
                cameras=len(host.cameras),
                analyses=host.analyses,
                late=sum(host.late_of),
                plan_changes=len(plan.changes) if plan is not None else 0,
                device_use=busy_ns / (spec.streams * spec.for_ns),
                host_use=host.processor.used_ns / (spec.cores * spec.for_ns),
                decode_short_s=host.processor.decode_short_ns / NS_PER_S,
            )
        )
        self.events += host.events
        rules = host.rules.statistics().rules
        self._rule_events += sum(rule.opened for rule in rules)
        self._blind_ns += sum(rule.blind_ns for rule in rules)
        self._known_ns += sum(rule.known_ns for rule in rules)

    def report(self) -> FleetReport:
        rows = []
        for priority in sorted(self._lanes, reverse=True):
            lanes, ages = self._lanes[priority], self._ages[priority]
            rows.append(
                PriorityRow(
                    priority=priority,
                    lanes=len(lanes),
                    wanted_fps=self._spec.fps,
                    granted_fps=sum(lane[0] for lane in lanes) / len(lanes),
                    analysed_fps=sum(lane[1] for lane in lanes) / len(lanes),
                    least_analysed_fps=min(lane[1] for lane in lanes),
                    late=sum(lane[2] for lane in lanes),
                    ages_ns={f"p{percent:g}": ages.percentile_ns(percent) for percent in PERCENTILES},
                )
            )
        counted_ns = self._blind_ns + self._known_ns
        return FleetReport(
            spec=self._spec,
            priorities=tuple(rows),
            fates=self._fates,
            steps=self._steps,
            events=self.events,
            analyses=sum(host.analyses for host in self._hosts),
            plan_changes=sum(host.plan_changes for host in self._hosts),
            rule_events=self._rule_events,
            rule_blind=self._blind_ns / counted_ns if counted_ns else 0.0,
            hosts=tuple(self._hosts),
        )
