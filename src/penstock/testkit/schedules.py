"""Hosts drawn by seed, whose load changes now and then and is constant in between: what the plan must come to rest on.

Cameras, models, costs, priorities and rates are drawn; so is what changes: a model gets dearer or cheaper, cameras fall
silent or come, stillness turns into movement. Load is drawn between a third and five times of what there is.
"""

import random

import msgspec

from penstock.contracts.specs import LaneSpec
from penstock.testkit.call_costs import CallCost, ConstantCost, LogNormalCost, SlowerCost
from penstock.testkit.host_model import NS_PER_MS, NS_PER_S, CameraModel, ExecutorModel, HostModel
from penstock.testkit.invariants import InvariantWatch, Limits, jain, unsettled
from penstock.testkit.movement import Span
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import CostedModel

_FIRST_CHANGE_NS = 15 * NS_PER_S
_SECOND_CHANGE_NS = 35 * NS_PER_S
_UNTIL_NS = 55 * NS_PER_S
LEAST_JAIN = 0.99


class Schedule(msgspec.Struct, frozen=True):
    """One host, when its load changes, and until when it is to run."""

    host: HostModel
    loads: tuple[int, ...]
    until_ns: int
    kind: str
    """of the change"""


class Checked(msgspec.Struct, frozen=True):
    """What a schedule came to."""

    seed: int
    kind: str
    steps: int
    analyses: int
    changes: int
    """of the plan"""
    settled_ns: int
    """longest time from a change of load to the plan's last change before the next"""
    faults: tuple[str, ...]
    """what was not as it must be; empty for a good run"""


def draw(seed: int) -> Schedule:
    """The schedule of that seed."""
    chance = random.Random(f"schedule {seed}")
    kind = chance.choice(("dearer", "cheaper", "outage", "movement"))
    cameras = chance.randint(4, 16)
    streams = chance.choice((1, 2, 2, 4))
    models = chance.choice((1, 1, 2))
    lane_fps = chance.choice((1.0, 2.0, 5.0))
    fps = chance.choice((10.0, 15.0, 25.0))
    load = chance.choice((0.33, 0.7, 0.95, 1.2, 2.0, 5.0)) * chance.uniform(0.9, 1.1)
    # Slower models are called so seldom that no second's measurements say what they cost.
    call_ns = min(max(NS_PER_MS, round(load * streams * NS_PER_S / (cameras * models * lane_fps))), 120 * NS_PER_MS)
    # A model that takes longer than the budget has no result in time at any rate: that is another question.
    budget_ns = max(500 * NS_PER_MS, 6 * call_ns)
    sigma = chance.choice((0.0, 0.05, 0.15))
    priorities = chance.choice(((0,), (0, 1), (0, 5, 9)))
    changed: Span = (_FIRST_CHANGE_NS, _SECOND_CHANGE_NS)
    costs: list[CallCost] = []
    for number in range(models):
        cost: CallCost = ConstantCost(call_ns)
        if sigma:
            cost = LogNormalCost(cost, sigma)
        if number == 0 and kind in ("dearer", "cheaper"):
            cost = SlowerCost(cost, *changed, factor=3.0 if kind == "dearer" else 0.3)
        costs.append(cost)
    specs = []
    for number in range(cameras):
        odd = number % 2 == 1
        specs.append(
            CameraModel(
                f"c{number}",
                fps=fps,
                unit_ns=100_000,
                script=(changed,) if kind == "movement" and odd else None,
                outages=(changed,) if kind == "outage" and odd else (),
            )
        )
    lanes = tuple(
        LaneSpec(
            f"c{number}",
            f"m{model}",
            max_fps=lane_fps,
            priority=priorities[number % len(priorities)],
            budget_ns=budget_ns,
        )
        for number in range(cameras)
        for model in range(models)
    )
    executor = ExecutorModel("cpu", tuple(CostedModel(f"m{n}", cost) for n, cost in enumerate(costs)), streams)
    cores = streams + 2.0
    return Schedule(HostModel(tuple(specs), lanes, (executor,), cores=cores), (0, *changed), _UNTIL_NS, kind)


def check(schedule: Schedule, seed: int, *, every_step: bool = True) -> Checked:
    """Runs it; raises InvariantBroken where a step breaks one, and lists what is wrong with the run as a whole."""
    host = SimulatedHost(schedule.host, seed)
    watch = InvariantWatch(host, Limits())
    if every_step:
        host.watcher = watch
    host.run(schedule.until_ns)
    changes = host.plan.changes if host.plan is not None else []
    faults = [
        f"{change.subject} changed from {change.before} to {change.after} at {change.at_ns / NS_PER_S:.1f} s, "
        f"when the load had been constant: {change.why} ({change.arithmetic})"
        for change in unsettled(changes, schedule.loads, schedule.until_ns)
    ]
    faults += _unfair(host, schedule)
    settled_ns = 0
    for change in changes:
        settled_ns = max(settled_ns, change.at_ns - max(at_ns for at_ns in schedule.loads if at_ns <= change.at_ns))
    return Checked(
        seed, schedule.kind, watch.steps, host.analyses, len(changes), settled_ns, tuple(dict.fromkeys(faults))
    )


def _unfair(host: SimulatedHost, schedule: Schedule) -> list[str]:
    """Lanes that ask for the same must have got the same, within Jain's index of `LEAST_JAIN`; where half the cameras
    were away or still, each half is compared with itself."""
    groups: dict[tuple[str, int, bool], list[float]] = {}
    for lane, spec in zip(host.lanes, schedule.host.lanes, strict=True):
        odd = int(spec.camera[1:]) % 2 == 1
        analysed = host.fates(lane.number)["analysed"]
        groups.setdefault((spec.model, spec.priority, odd), []).append(float(analysed))
    return [
        f"lanes of {model} at priority {priority} got {rates}: Jain's index is {jain(rates):.4f}"
        for (model, priority, _), rates in groups.items()
        if jain(rates) < LEAST_JAIN and max(rates) - min(rates) > 3
    ]
