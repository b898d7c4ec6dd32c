"""Shadow lanes take only what nobody else wants."""

from typing import Any

from penstock.contracts.specs import LaneSpec

MS = 1_000_000
START_NS = 1_000_000_000_000


def test_a_shadow_lane_comes_after_every_real_one(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", shadow=True, priority=9), LaneSpec("b", "m"), LaneSpec("c", "n", priority=-5)])
    for camera in "abc":
        box.offer(camera, 1, 0)
    order = []
    for _ in range(3):
        ((ticket, lane),) = box.asked(0)
        order.append(lane)
        assert box.arrive(ticket, 1, 0, 0)
        box.finish(ticket, 1)
    assert order == ["b/m", "c/n", "a/m"]


def test_a_shadow_lane_does_not_take_the_last_stream_from_one_that_is_due_soon(rig: Any) -> None:
    box = rig([LaneSpec("real", "m", max_fps=5), LaneSpec("trial", "m", max_fps=25, shadow=True)])
    for n in range(3):
        assert box.analyse("real", n + 1, n * 200, took_ms=30)
    box.offer("trial", 1, 575)
    plan = box.scheduler.plan(START_NS + 575 * MS)
    assert plan.ask == (), "the call would end at 605, and the real lane is due at 600"
    assert START_NS + 575 * MS < plan.wake_at_ns <= START_NS + 600 * MS
    box.offer("real", 4, 600)
    assert [lane for _, lane in box.asked(600)] == ["real/m"]


def test_a_shadow_lane_runs_between(rig: Any) -> None:
    box = rig([LaneSpec("real", "m", max_fps=5), LaneSpec("trial", "m", max_fps=25, shadow=True)])
    for n in range(3):
        assert box.analyse("real", n + 1, n * 200, took_ms=30)
    box.offer("trial", 1, 450)
    assert [lane for _, lane in box.asked(450)] == ["trial/m"]


def test_a_shadow_lane_is_never_asked_ahead_and_leaves_one_stream(rig: Any) -> None:
    lanes = [LaneSpec("real", "m", max_fps=25), *(LaneSpec(name, "m", max_fps=25, shadow=True) for name in "xyz")]
    box = rig(lanes, streams=2)
    assert box.analyse("real", 1, 0, took_ms=30)
    for camera in "xyz":
        box.offer(camera, 1, 20)
    assert [lane for _, lane in box.asked(20)] == ["x/m"], "two streams are free, and the real lane is due in 20 ms"


def test_a_real_lane_that_is_quiet_or_away_does_not_keep_shadow_lanes_waiting(rig: Any) -> None:
    box = rig([LaneSpec("away", "m"), LaneSpec("trial", "m", shadow=True)])
    assert box.analyse("away", 1, 0, took_ms=30)
    box.offer("trial", 1, 190)
    assert box.asked(190) == []
    box.offer("trial", 2, 400)
    assert [lane for _, lane in box.asked(400)] == ["trial/m"], "its frame should have come 200 ms ago"


def test_real_lanes_lose_nothing_to_a_shadow_lane(rig: Any, world: Any) -> None:
    """Beside twice what a stream can do, eight real lanes are as fast and as fresh as alone."""
    names = [f"c{n}" for n in range(8)]
    results = []
    for shadows in (0, 4):
        lanes = [LaneSpec(name, "m", max_fps=2) for name in names]
        lanes += [LaneSpec(f"c{n}", "trial", max_fps=25, shadow=True) for n in range(shadows)]
        box = rig(lanes)
        run = world(box, frame_ms=dict.fromkeys(names, 40.0), cost_ms=lambda lane, ms: 20.0)
        run.run(20_000)
        ages = [age for name in names for age in run.ages_ms[f"{name}/m"]]
        results.append((sum(len(run.analysed[f"{name}/m"]) for name in names), max(ages)))
    assert results[1][0] >= results[0][0] - 1
    assert results[1][1] <= results[0][1] + 25, "one call and its view at most"
    assert sum(len(run.analysed[f"c{n}/trial"]) for n in range(4)) > 200, "and there is something to spare"
