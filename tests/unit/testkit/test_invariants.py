"""Schedules that look for a broken promise, and proof that a broken one is found."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.contracts.capacity import PlanChange
from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec, Requirement
from penstock.testkit.call_costs import CallCost, ConstantCost, LogNormalCost, RaisingCost, SlowerCost, StuckCost
from penstock.testkit.host_model import CameraModel, ExecutorModel, HostModel
from penstock.testkit.invariants import InvariantBroken, InvariantWatch, Limits, jain, unsettled
from penstock.testkit.schedules import check, draw
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import CostedModel, SeesMovement

MS = 1_000_000
S = 1_000_000_000
UNTIL_NS = 8 * S

spans = st.tuples(st.integers(0, UNTIL_NS // MS), st.integers(1, 6_000)).map(
    lambda span: (span[0] * MS, (span[0] + span[1]) * MS)
)


@st.composite
def costs(draw_: st.DrawFn) -> CallCost:
    cost: CallCost = ConstantCost(draw_(st.integers(1, 400)) * MS, draw_(st.sampled_from([None, MS, 0])))
    if draw_(st.booleans()):
        cost = LogNormalCost(cost, draw_(st.floats(0.01, 1.0)))
    for made in draw_(st.lists(st.sampled_from([SlowerCost, StuckCost, RaisingCost]), max_size=2)):
        from_ns, until_ns = draw_(spans)
        cost = made(cost, from_ns, until_ns)
    return cost


@st.composite
def hosts(draw_: st.DrawFn) -> HostModel:
    """Cameras that jitter, flap and move; models that hang, raise and slow down; lanes of all kinds."""
    cameras = []
    for number in range(draw_(st.integers(1, 4))):
        outages: list[tuple[int, int]] = []
        for span in sorted(draw_(st.lists(spans, max_size=3))):
            if not outages or span[0] > outages[-1][1]:
                outages.append(span)
        cameras.append(
            CameraModel(
                f"c{number}",
                fps=draw_(st.sampled_from([1.0, 5.0, 12.5, 30.0])),
                latency_ns=draw_(st.integers(1, 300)) * MS,
                latency_sigma=draw_(st.sampled_from([0.0, 0.5])),
                unit_ns=draw_(st.integers(0, 80)) * MS,
                moving=draw_(st.sampled_from([0.0, 0.3, 1.0])),
                moving_ns=S,
                outages=tuple(outages),
                stall_timeout_ns=draw_(st.sampled_from([500 * MS, 3 * S])),
                ingest=draw_(st.integers(0, 1)),
            )
        )
    models = [
        CostedModel(f"m{n}", draw_(costs()), answers=SeesMovement(f"s{n}"), max_batch=draw_(st.sampled_from([1, 1, 4])))
        for n in range(draw_(st.integers(1, 3)))
    ]
    lanes = []
    for camera in cameras:
        for number, model in enumerate(models):
            requires = (Requirement("s0"),) if number and draw_(st.booleans()) else ()
            lanes.append(
                LaneSpec(
                    camera.name,
                    model.name,
                    max_fps=draw_(st.sampled_from([0.5, 2.0, 10.0, 30.0])),
                    min_fps=draw_(st.sampled_from([0.0, 0.0, 0.4])),
                    priority=draw_(st.integers(0, 2)),
                    weight=draw_(st.sampled_from([1.0, 2.0])),
                    budget_ns=draw_(st.integers(50, 2000)) * MS,
                    requires=requires,
                    shadow=number > 0 and draw_(st.booleans()),
                    gated=draw_(st.booleans()),
                )
            )
    cut = draw_(st.integers(1, len(models)))
    executors = [ExecutorModel("a", tuple(models[:cut]), draw_(st.integers(1, 3)), hang_timeout_ns=S, restart_ns=S)]
    if models[cut:]:
        executors.append(ExecutorModel("b", tuple(models[cut:]), 1, hang_timeout_ns=2 * S, restart_ns=300 * MS))
    return HostModel(
        tuple(cameras),
        tuple(lanes),
        tuple(executors),
        cores=draw_(st.sampled_from([0.5, 2.0, 16.0])),
        planned=draw_(st.booleans()),
    )


@given(model=hosts(), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_schedule_breaks_books_bounds_or_deadlines(model: HostModel, seed: int) -> None:
    host = SimulatedHost(model, seed)
    host.watcher = InvariantWatch(host)
    host.run(UNTIL_NS)
    host.finish()
    for lane in host.lanes:
        assert lane.in_flight == 0
        assert lane.ledger.offered == lane.ledger.settled()


@pytest.mark.parametrize("seed", range(12))
def test_drawn_schedules_starve_nobody_and_are_fair(seed: int) -> None:
    checked = check(draw(seed), seed)
    assert checked.steps > 500
    assert [fault for fault in checked.faults if "Jain" in fault] == []


def small() -> SimulatedHost:
    cameras = tuple(CameraModel(f"c{n}", fps=10.0) for n in range(3))
    lanes = tuple(LaneSpec(f"c{n}", "m", max_fps=5.0) for n in range(3))
    executor = ExecutorModel("cpu", (CostedModel("m", ConstantCost(20 * MS)),))
    return SimulatedHost(HostModel(cameras, lanes, (executor,)), 1)


def test_a_frame_that_is_counted_twice_is_found() -> None:
    host = small()
    host.watcher = InvariantWatch(host)
    host.run(2 * S)
    host.lanes[1].ledger.settle(Fate.LOST)
    with pytest.raises(InvariantBroken, match=r"at 2\.\d+ s, seed 1: c1/m was offered \d+, and \d+ ended"):
        host.run(3 * S)


def test_a_count_that_falls_is_found() -> None:
    host = small()
    host.watcher = InvariantWatch(host)
    host.run(2 * S)
    ledger = host.lanes[0].ledger
    ledger.settle(Fate.NOT_DUE, -1)
    ledger.settle(Fate.SHED, 1)
    with pytest.raises(InvariantBroken, match="a count of c0/m fell"):
        host.run(3 * S)


def test_a_start_that_must_be_late_is_found() -> None:
    host = small()
    host.watcher = InvariantWatch(host)
    host.run(2 * S)
    lanes = host.model.lanes
    late = msgspec.structs.replace(lanes[0], budget_ns=30 * MS)
    host.model = msgspec.structs.replace(host.model, lanes=(late, *lanes[1:]))
    with pytest.raises(InvariantBroken, match=r"\('c0/m',\) was started to end \d+\.\d ms after its deadline"):
        host.run(3 * S)


def test_a_lane_that_gets_nothing_is_found() -> None:
    host = small()
    host.watcher = InvariantWatch(host, Limits(starvation_intervals=4.0, starvation_slack_ns=S))
    host.run(2 * S)
    # Nobody tells its frames any more: from the scheduler's side there is nothing to analyse.
    host.cameras["c2"].told_index = 1 << 40
    with pytest.raises(InvariantBroken, match=r"c2/m is granted 5\.00/s and has waited for 2\.3 s"):
        host.run(6 * S)


def test_more_calls_than_streams_are_found() -> None:
    host = small()
    watch = InvariantWatch(host)
    host.run(2 * S)
    watch.stepped(host.now_ns)
    host.states["cpu"].asked.update(dict.fromkeys((-1, -2, -3)))  # type: ignore[arg-type]
    with pytest.raises(InvariantBroken, match="3 calls on cpu, which has 1 streams"):
        watch.stepped(host.now_ns)


@pytest.mark.parametrize(
    ("rates", "index"), [([1.0, 1.0, 1.0], 1.0), ([1.0, 0.0, 0.0, 0.0], 0.25), ([], 1.0), ([3.0, 1.0], 0.8)]
)
def test_jains_index(rates: list[float], index: float) -> None:
    assert jain(rates) == pytest.approx(index)


def test_changes_are_allowed_for_five_seconds_after_a_change_of_load() -> None:
    changes = [PlanChange(at_s * S, "c/m", "rate", "full", "reduced 1/s", "", "") for at_s in (3, 5, 6, 20, 25, 26, 40)]
    late = unsettled(changes, (0, 20 * S), 30 * S)
    assert [change.at_ns // S for change in late] == [6, 26]
