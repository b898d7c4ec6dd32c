"""Who is asked for first, what is too late, and what happens to models that fail, hang or get slow."""

from typing import Any

import pytest

from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import OutcomeStatus
from penstock.scheduling.executors import ASK_TIMEOUT_NS
from penstock.scheduling.model_queue import DEFAULT_COST_NS

MS = 1_000_000
START_NS = 1_000_000_000_000


def jain(shares: list[int]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


# order


@pytest.mark.parametrize(
    ("lanes", "offers", "expected"),
    [
        pytest.param(
            [LaneSpec("a", "m"), LaneSpec("b", "m")], [("b", 0), ("a", 10)], ["b/m", "a/m"], id="who waits longest"
        ),
        pytest.param(
            [LaneSpec("a", "m", budget_ns=900 * MS), LaneSpec("b", "m", budget_ns=500 * MS)],
            [("a", 0), ("b", 10)],
            ["b/m", "a/m"],
            id="earliest deadline",
        ),
        pytest.param(
            [LaneSpec("a", "m"), LaneSpec("b", "m", priority=1)],
            [("a", 0), ("b", 10)],
            ["b/m", "a/m"],
            id="priority before deadline",
        ),
        pytest.param(
            [LaneSpec("a", "m"), LaneSpec("b", "m")],
            [("a", 0), ("b", 10), ("a", 20)],
            ["a/m", "b/m"],
            id="a newer frame keeps the place of the first",
        ),
    ],
)
def test_order(rig: Any, lanes: list[LaneSpec], offers: list[tuple[str, int]], expected: list[str]) -> None:
    box = rig([LaneSpec("busy", "m"), *lanes])
    box.offer("busy", 1, 0)
    ((running, _),) = box.asked(0)
    for index, (camera, at_ms) in enumerate(offers):
        box.offer(camera, index + 1, at_ms)
    assert box.arrive(running, 1, 0, 0)
    box.finish(running, 30)
    order = []
    for _ in expected:
        ((ticket, lane),) = box.asked(30)
        order.append(lane)
        box.scheduler.refused(ticket)
    assert order == expected
    assert box.asked(30) == []


def test_one_more_than_streams_is_under_way_and_asked_just_in_time(rig: Any) -> None:
    box = rig([LaneSpec(name, "m") for name in "abcd"], streams=2)
    for name in "abcd":
        box.offer(name, 1, 0)
    first = box.asked(0)
    assert [lane for _, lane in first] == ["a/m", "b/m"]
    assert box.asked(0) == [], "both streams are spoken for"
    for ticket, _ in first:
        assert box.arrive(ticket, 1, 0, 1)
    end_ns = START_NS + MS + DEFAULT_COST_NS
    plan = box.scheduler.plan(START_NS + 2 * MS)
    assert plan.ask == ()
    assert plan.wake_at_ns == end_ns - 1 * MS, "the view takes 1 ms, as measured, and shall be there at the end"
    (ask,) = box.scheduler.plan(plan.wake_at_ns).ask
    assert ask.lane == "c/m"
    assert box.asked(31) == [], "only one ahead"


def test_the_view_asked_for_is_the_newest(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=25)])
    box.offer("a", 1, 0)
    (ask,) = box.scheduler.plan(START_NS).ask
    assert (ask.after_index, ask.deadline_ns) == (0, START_NS + 500 * MS)
    box.offer("a", 2, 40)
    box.offer("a", 3, 80)
    assert box.arrive(ask.ticket, 3, 80, 81)
    assert box.fates("a/m") == {"superseded": 2}
    assert box.lanes["a/m"].running == 3


def test_two_lanes_share_a_saturated_executor_equally(rig: Any, world: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=25), LaneSpec("b", "m", max_fps=25)])
    run = world(box, frame_ms={"a": 40, "b": 40}, cost_ms=lambda lane, ms: 50.0)
    run.run(52_000)
    shares = [len(run.analysed["a/m"]), len(run.analysed["b/m"])]
    assert sum(shares) >= 1000
    assert jain(shares) >= 0.99
    assert abs(shares[0] - shares[1]) <= 1
    assert max(run.ages_ms["a/m"] + run.ages_ms["b/m"]) <= 5 + 40 + 50 + 50 + 2, "age stays bounded under overload"


def test_eight_cameras_on_one_executor_stay_fair_and_fresh(rig: Any, world: Any) -> None:
    names = [f"c{n}" for n in range(8)]
    box = rig([LaneSpec(name, "m", max_fps=5) for name in names])
    run = world(box, frame_ms=dict.fromkeys(names, 40.0), cost_ms=lambda lane, ms: 45.0)
    run.run(60_000)
    assert jain([len(run.analysed[f"{name}/m"]) for name in names]) >= 0.999
    ages = sorted(age for of in run.ages_ms.values() for age in of)
    assert ages[int(len(ages) * 0.99)] <= 150


def test_priority_takes_what_it_needs(rig: Any, world: Any) -> None:
    """Every second call at most: one is under way, for no call is broken off, when it comes to wait."""
    names = ["low1", "low2", "low3", "high"]
    box = rig([LaneSpec(name, "m", max_fps=12.5, priority=int(name == "high")) for name in names])
    run = world(box, frame_ms=dict.fromkeys(names, 40.0), cost_ms=lambda lane, ms: 60.0)
    run.run(40_000)
    shares = {name: len(run.analysed[f"{name}/m"]) for name in names}
    assert shares.pop("high") == pytest.approx(333, abs=3)
    assert jain(list(shares.values())) >= 0.999
    assert sum(shares.values()) == pytest.approx(333, abs=3)


# too late


def test_a_frame_that_cannot_be_in_time_expires_unstarted(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=25, budget_ns=100 * MS)])
    assert box.analyse("a", 1, 0, took_ms=40) == ["a/m"]
    box.offer("a", 2, 100, now_ms=161)
    assert box.asked(161) == []
    box.offer("a", 3, 140, now_ms=200)
    ((ticket, _),) = box.asked(200)
    assert not box.arrive(ticket, 3, 140, 201), "1 ms too late: 201 + 40 > 140 + 100"
    assert box.fates("a/m") == {"analysed": 1, "expired": 2}


def test_what_a_model_costs_is_learnt_by_load(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=25), LaneSpec("b", "m", max_fps=25)], streams=2)
    for n in range(1, 12):
        box.offer("a", n, n * 200)
        ((first, _),) = box.asked(n * 200)
        box.arrive(first, n, n * 200, n * 200)
        box.offer("b", n, n * 200)
        ((second, _),) = box.asked(n * 200)
        box.arrive(second, n, n * 200, n * 200)
        box.finish(first, n * 200 + 20)
        box.finish(second, n * 200 + 50 + n)
    costs = box.executors["cpu"].models["m"].costs
    assert costs.predict_ns(1) == 20 * MS
    assert costs.predict_ns(2) == 60 * MS, "0.9 of 51, 52, … 61 ms"
    assert costs.predict_ns(3) == 58 * MS, "an unseen load borrows from all: 0.9 of 11 × 20 and 51 … 61 ms"


def test_a_model_that_was_slow_for_a_while_comes_back(rig: Any, world: Any) -> None:
    """Refused for its cost it would never run, and never be seen to be fast again; so it is probed."""
    box = rig([LaneSpec("a", "m", max_fps=5, budget_ns=200 * MS)])
    run = world(box, frame_ms={"a": 40}, cost_ms=lambda lane, ms: 600.0 if 10_000 < ms < 60_000 else 30.0)
    run.run(10_000)
    assert len(run.analysed["a/m"]) == pytest.approx(50, abs=1)
    assert run.probes == 0
    run.run(70_000)
    late = [age for age in run.ages_ms["a/m"] if age > 200]
    assert len(late) <= 8 + 50_000 / 6_000, "a probe every ten times its cost, once the cost is known"
    recovered = [at for at in run.analysed["a/m"] if at > 67_000]
    assert len(recovered) == pytest.approx(15, abs=1)


def test_no_probe_is_wasted_on_a_frame_that_is_too_late_already(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=25, budget_ns=100 * MS)])
    assert box.analyse("a", 1, 0, took_ms=150) == ["a/m"]
    box.offer("a", 2, 2_000, now_ms=2_100)
    assert box.asked(2_100) == []
    box.offer("a", 3, 3_000)
    ((ticket, _),) = box.asked(3_000)
    start = box.scheduler.arrived(ticket, 3, START_NS + 3_000 * MS, START_NS + 3_000 * MS)
    assert start is not None
    assert start.probe


def test_lossless_frames_never_expire_and_say_until_when_they_wait(rig: Any) -> None:
    box = rig([LaneSpec("file", "m", max_fps=25), LaneSpec("file", "n", max_fps=25)])
    box.scheduler.set_lossless("file", True)
    box.offer("file", 1, 0, now_ms=900_000)
    assert box.scheduler.undecided("file", 1)
    ((one, _),) = box.asked(900_000)
    assert box.arrive(one, 1, 0, 900_000)
    assert box.scheduler.undecided("file", 1), "the other lane has not had it"
    box.finish(one, 900_100)
    ((two, _),) = box.asked(900_100)
    assert box.arrive(two, 1, 0, 900_100)
    assert not box.scheduler.undecided("file", 1), "both have its pixels: decode on"
    assert box.scheduler.busy("file")
    box.finish(two, 900_200)
    assert not box.scheduler.busy("file")
    assert box.fates("file/m") == box.fates("file/n") == {"analysed": 1}


# failures


def failing(box: Any, camera: str, index: int, at_ms: int) -> bool:
    """Whether a frame was tried; every call fails."""
    box.offer(camera, index, at_ms)
    asks = box.asked(at_ms)
    for ticket, _ in asks:
        assert box.arrive(ticket, index, at_ms, at_ms)
        box.finish(ticket, at_ms, OutcomeStatus.FAILED)
    return bool(asks)


def test_a_failing_model_is_left_alone_ever_longer_and_probed(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=10)])
    tried = [n * 100 for n in range(1400) if failing(box, "a", n + 1, n * 100)]
    assert tried == [0, 100, 200, 1200, 3200, 7200, 15200, 31200, 61200, 91200, 121200]
    assert box.fates("a/m") == {"model_failed": 1400}


def test_one_success_forgives_all(rig: Any) -> None:
    box = rig([LaneSpec("a", "m", max_fps=10)])
    for n in range(3):
        assert failing(box, "a", n + 1, n * 100)
    assert not failing(box, "a", 4, 300)
    assert box.analyse("a", 5, 1_200) == ["a/m"]
    for n in range(3):
        assert failing(box, "a", n + 6, 1_400 + n * 100)


def test_a_suspended_models_queue_is_not_worked_off(rig: Any) -> None:
    """With many lanes each would fail in turn, and the wait would be at its cap after one round."""
    names = [f"c{n}" for n in range(20)]
    box = rig([LaneSpec(name, "m") for name in names])
    for name in names:
        box.offer(name, 1, 0)
    tried = 0
    while asks := box.asked(0):
        for ticket, _ in asks:
            tried += 1
            assert box.arrive(ticket, 1, 0, 0)
            box.finish(ticket, 0, OutcomeStatus.FAILED)
    assert tried == 3
    assert sum(box.fates(f"{name}/m").get("model_failed", 0) for name in names) == 20
    for n, name in enumerate(names):
        box.offer(name, 2, 1_000 + n)
    ((ticket, _),) = box.asked(1_020)
    assert box.arrive(ticket, 2, 1_000, 1_020)
    box.finish(ticket, 1_020, OutcomeStatus.FAILED)
    assert box.asked(1_020) == [], "one probe failed: the next is in two seconds"
    box.offer("c0", 3, 3_020)
    assert len(box.asked(3_020)) == 1


def test_a_hung_call_is_named_when_its_time_is_over(rig: Any) -> None:
    box = rig([LaneSpec("a", "m"), LaneSpec("b", "n")], hang_ms=3_000, executors={"x": ("m",), "y": ("n",)})
    box.offer("a", 1, 0)
    box.offer("b", 1, 0)
    (one, _), (other, _) = box.asked(0)
    assert box.arrive(one, 1, 0, 0)
    assert box.arrive(other, 1, 0, 0)
    box.finish(other, 10)
    plan = box.scheduler.plan(START_NS + 20 * MS)
    assert plan.hung == ()
    assert plan.wake_at_ns == START_NS + 3_000 * MS
    assert box.scheduler.plan(plan.wake_at_ns - 1).hung == ()
    (hung,) = box.scheduler.plan(plan.wake_at_ns).hung
    assert (hung.executor, hung.work, hung.running_ns) == ("x", one, 3_000 * MS)
    box.scheduler.executor_lost("x", Fate.MODEL_FAILED, plan.wake_at_ns)
    assert box.fates("a/m") == {"model_failed": 1}
    assert box.scheduler.plan(plan.wake_at_ns).hung == ()
    assert box.analyse("b", 2, 3_200) == ["b/n"], "the other goes on"


def test_a_model_that_hangs_is_suspended_beyond_its_return(rig: Any) -> None:
    box = rig([LaneSpec("a", "m")], hang_ms=1_000)
    at_ms, index, starts = 0, 0, []
    while at_ms < 20_000:
        index += 1
        box.offer("a", index, at_ms)
        for ticket, _ in box.asked(at_ms):
            assert box.arrive(ticket, index, at_ms, at_ms)
            starts.append(at_ms)
            at_ms += 1_000
            assert box.scheduler.plan(START_NS + at_ms * MS).hung
            box.scheduler.executor_lost("cpu", Fate.MODEL_FAILED, START_NS + at_ms * MS)
            box.scheduler.model_ready("m", {"a": index})
        at_ms += 200
    assert starts == [0, 2_000, 5_000, 10_000, 19_000], "1, 2, 4, 8 s after each hang"


def test_an_ask_without_answer_is_given_up(rig: Any) -> None:
    box = rig([LaneSpec("a", "m"), LaneSpec("b", "m")])
    box.offer("a", 1, 0)
    ((lost, _),) = box.asked(0)
    box.offer("b", 1, 600)
    plan = box.scheduler.plan(START_NS + 600 * MS)
    assert (plan.ask, plan.wake_at_ns) == ((), START_NS + ASK_TIMEOUT_NS)
    ((_, lane),) = [(ask.ticket, ask.lane) for ask in box.scheduler.plan(plan.wake_at_ns).ask]
    assert lane == "b/m"
    assert box.fates("a/m") == {"superseded": 1}
    assert not box.arrive(lost, 1, 0, 1_001), "its view comes after all: nobody waits for it"


def test_a_model_that_no_lane_uses_comes_and_goes(rig: Any) -> None:
    box = rig([LaneSpec("a", "m")], executors={"cpu": ("m", "spare")})
    box.scheduler.model_unavailable("spare")
    box.scheduler.executor_lost("cpu", Fate.LOST, START_NS)
    box.scheduler.model_ready("spare", {})
    box.offer("a", 1, 0)
    assert box.fates("a/m") == {"model_failed": 1}
    box.scheduler.model_ready("m", {"a": 1})
    assert box.analyse("a", 2, 200) == ["a/m"]


def test_lanes_begin_with_the_frame_after_their_model_is_there(rig: Any) -> None:
    box = rig([LaneSpec("a", "m"), LaneSpec("a", "n")], executors={"cpu": ("m",), "gpu": ("n",)})
    box.scheduler.cancel_all()
    box.offer("a", 5, 0)
    assert [one.offered for one in box.scheduler.snapshot()] == [0, 0]


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.CANCELLED])
def test_a_lost_camera_takes_its_waiting_frames_along(rig: Any, fate: Fate) -> None:
    box = rig([LaneSpec("a", "m"), LaneSpec("b", "m")])
    box.offer("a", 1, 0)
    box.offer("b", 1, 0)
    ((ticket, _),) = box.asked(0)
    box.scheduler.camera_lost("a", fate)
    assert box.fates("a/m") == {fate.label: 1}
    assert [lane for _, lane in box.asked(0)] == ["b/m"]
    assert not box.arrive(ticket, 1, 0, 1)
