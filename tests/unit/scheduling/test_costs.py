"""What calls are predicted to take, how soon a change is seen, and what the plan is told of it."""

from typing import Any

import pytest

from penstock.contracts.specs import LaneSpec
from penstock.scheduling.cost import PROBE_NS, CostModel, RunningQuantile
from penstock.scheduling.measurements import DecayingMean

MS = 1_000_000
START_NS = 1_000_000_000_000


def learnt(samples: list[int]) -> RunningQuantile:
    quantile = RunningQuantile()
    for sample in samples:
        quantile.add(sample)
    return quantile


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([30] * 64 + [300], 30, id="one outlier"),
        pytest.param([30] * 64 + [300, 300, 30, 300, 300], 30, id="outliers that do not follow one another"),
        pytest.param([30] * 64 + [300] * 3, 300, id="ten times slower: after three calls"),
        pytest.param([30] * 64 + [40] * 3, 30, id="a third slower: as the window moves"),
        pytest.param([300] * 64 + [30] * 4, 300, id="faster: not at once"),
        pytest.param([300] * 64 + [30] * 5, 30, id="but after five calls"),
        pytest.param(list(range(51, 62)), 60, id="0.9 of eleven"),
    ],
)
def test_the_running_quantile(samples: list[int], expected: int) -> None:
    assert learnt(samples).value == expected


def test_what_was_not_seen_borrows_from_what_was() -> None:
    costs = CostModel(30)
    assert costs.predict_ns(1, 4) == 120, "nothing is known: the default for each view"
    costs.observe(20, 1, 1)
    assert costs.predict_ns(3) == 20, "of another load"
    assert costs.predict_ns(1, 4) == 80, "in proportion"
    costs.observe(44, 2, 1, views=4)
    assert costs.predict_ns(2, 4) == 44
    assert costs.predict_ns(3, 4) == 44
    assert costs.predict_ns(1, 4) == 22, "alone it need not wait, and only a call can tell"
    assert costs.predict_ns(1, 3) == 33, "from the nearest number of views"
    assert costs.predict_ns(1) == 20


def test_a_model_that_changed_is_forgotten_at_every_load() -> None:
    costs = CostModel(30)
    for load in (1, 2):
        for _ in range(10):
            costs.observe(20, load, 1)
    assert [costs.observe(200, 2, 1) for _ in range(3)] == [False, False, True]
    assert (costs.predict_ns(1), costs.predict_ns(2), costs.predict_ns(3)) == (100, 200, 200)


def test_probes_of_all_cases_together_take_a_tenth_of_a_stream() -> None:
    costs = CostModel(30)
    for load in (1, 2):
        costs.observe(600 * MS, load, START_NS)
    assert not costs.may_probe(1, START_NS + PROBE_NS)
    assert costs.may_probe(1, START_NS + 6_000 * MS)
    costs.probing(1, START_NS + 6_000 * MS)
    assert not costs.may_probe(2, START_NS + 6_001 * MS)
    assert costs.may_probe(2, START_NS + 12_000 * MS)


def test_the_mean_follows_within_seconds() -> None:
    mean = DecayingMean(2_000 * MS)
    for n in range(100):
        mean.add(20 * MS, 1, n * 50 * MS)
    assert mean.value == pytest.approx(20 * MS)
    for n in range(100, 200):
        mean.add(2 * 40 * MS, 2, n * 50 * MS)
    assert mean.value == pytest.approx(40 * MS, rel=0.1)
    assert mean.count == 200


def test_the_plan_is_told_what_streams_take(rig: Any) -> None:
    """A call that waits for a stream inside its executor takes none: 30 ms, not the 50 from its submission."""
    box = rig([LaneSpec("a", "m"), LaneSpec("b", "m")])
    (before,) = box.scheduler.measurements().models
    assert (before.stream_ns, before.samples) == (0.0, 0)
    box.offer("a", 1, 0)
    box.offer("b", 1, 0)
    ((first, _),) = box.asked(0)
    assert box.arrive(first, 1, 0, 0)
    ((second, _),) = box.asked(28)
    assert box.arrive(second, 1, 0, 28)
    box.finish(first, 30)
    box.finish(second, 60)
    (measured,) = box.scheduler.measurements().models
    assert (measured.model, measured.executor, measured.samples) == ("m", "cpu", 2)
    assert measured.stream_ns == pytest.approx(30 * MS)
    assert measured.measured_ns == START_NS + 60 * MS


def test_a_model_that_gets_ten_times_slower_hurts_nobody_else(rig: Any, world: Any) -> None:
    lanes = [LaneSpec("slow", "s", max_fps=10, budget_ns=200 * MS), LaneSpec("fast", "f", max_fps=10)]
    box = rig(lanes)
    run = world(
        box,
        frame_ms={"slow": 40.0, "fast": 40.0},
        cost_ms=lambda lane, ms: 250.0 if lane == "slow/s" and 5_000 < ms < 25_000 else 25.0,
    )
    run.run(45_000)
    during = [at for at in run.analysed["slow/s"] if 5_000 < at < 25_000]
    assert len(during) <= 6, "it is seen within a few calls, and then probed"
    fast = [at for at in run.analysed["fast/f"] if 5_000 < at < 25_000]
    assert len(fast) >= 0.97 * 200
    after = [at for at in run.analysed["slow/s"] if at > 39_000]
    assert len(after) == pytest.approx(60, abs=2), "and comes back with a probe"
    assert box.fates("slow/s")["expired"] > 100
