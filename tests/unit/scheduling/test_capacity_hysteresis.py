"""The plan over time: down at once, up after the hold, silent under noise; who is equal stays equal."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import MS, lane, noisy, picture, pictures

from penstock.contracts.capacity import CapacityPlan, LadderStep, PlanChange
from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.capacity import CapacityPlanner, compute
from penstock.scheduling.picture import CameraCost, Picture

S = 1_000_000_000


def rates(plan: CapacityPlan) -> dict[str, float]:
    return {one.lane: round(one.fps, 6) for one in plan.lanes}


def four(each_ms: float) -> Picture:
    """Four equal lanes that want 20 analyses a second together; a device of 0.9 s/s."""
    return picture([lane(name) for name in "abcd"], models={"m": (each_ms, 0.0)})


def walk(planner: CapacityPlanner, steps: list[Picture], start_s: int = 0) -> list[CapacityPlan]:
    return [planner.update(of, (start_s + second) * S) for second, of in enumerate(steps)]


def test_the_first_plan_tells_of_those_that_do_not_get_all() -> None:
    of = picture([lane("a"), lane("b"), lane("c", wanted_fps=1.0)])
    plan = CapacityPlanner().update(of, 5 * S)
    arithmetic = "device:cpu: wanted 1.10 s/s, there is 0.90 s/s; 3 lanes × 3/s × 100.0 ms = 0.90 s/s"
    why = "device cpu is short: lanes of priority 0 share 8/s"
    assert plan.changes == tuple(
        PlanChange(5 * S, name, "rate", "new", "reduced 4/s", why, arithmetic) for name in ("a/m", "b/m")
    )
    assert rates(plan) == rates(compute(of))


def test_down_at_once_and_up_after_the_hold() -> None:
    planner = CapacityPlanner()
    plans = walk(planner, [four(40.0)] * 2 + [four(90.0)] * 2 + [four(40.0)] * 8)
    assert [rates(plan)["a/m"] for plan in plans] == [5.0, 5.0, 2.5, 2.5, 2.5, 2.5, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert [len(plan.changes) for plan in plans] == [0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0]
    assert plans[2].changes[0] == PlanChange(
        2 * S,
        "a/m",
        "rate",
        "full 5/s",
        "reduced 2.5/s",
        "device cpu is short: lanes of priority 0 share 10/s",
        "device:cpu: wanted 1.80 s/s, there is 0.90 s/s; 4 lanes × 2.5/s × 90.0 ms = 0.90 s/s",
    )
    assert plans[6].changes[3] == PlanChange(
        6 * S,
        "d/m",
        "rate",
        "reduced 2.5/s",
        "full 5/s",
        "device cpu has room again: all that is wanted fits",
        "device:cpu: wanted 0.80 s/s, there is 0.90 s/s; 4 lanes × 5/s × 40.0 ms = 0.80 s/s",
    )
    # Whoever changes together shares the words.
    assert len({id(change.why) for change in plans[2].changes}) == 1
    assert planner.plan is plans[-1]


def test_a_rise_that_does_not_last_is_not_followed() -> None:
    plans = walk(
        CapacityPlanner(), [four(90.0), four(60.0), four(60.0), four(90.0), four(60.0), four(60.0), four(90.0)]
    )
    assert {rates(plan)["a/m"] for plan in plans} == {2.5}


@pytest.mark.parametrize(("factor", "changes"), [(1.1, False), (0.91, False), (1.13, True), (0.8, True)])
def test_small_differences_of_cost_are_not_believed(factor: float, changes: bool) -> None:
    plans = walk(CapacityPlanner(), [four(90.0)] * 4 + [four(90.0 * factor)] * 6)
    assert (rates(plans[-1]) != rates(plans[0])) is changes


def test_after_a_clear_change_the_newest_measurement_is_believed_for_a_while() -> None:
    """It is of few calls; what is held then is a mean of many."""
    plans = walk(CapacityPlanner(), [four(90.0)] * 4 + [four(180.0), four(195.0), four(215.0)] + [four(205.0)] * 5)
    fps = [rates(plan)["a/m"] for plan in plans]
    assert fps[4:7] == [pytest.approx(0.225 / cost) for cost in (0.18, 0.195, 0.215)]
    assert set(fps[7:]) == {fps[6]}


def test_a_lane_that_joins_takes_the_level_of_its_equals() -> None:
    """A light one: the others need not move for it. A heavy one: all go to the new level."""
    planner = CapacityPlanner()
    lanes = [lane(f"c{number}") for number in range(40)]
    walk(planner, [picture(lanes)])
    before = rates(planner.plan)
    plan = planner.update(picture([*lanes, lane("new")]), 1 * S)
    assert rates(plan) == {**before, "new/m": before["c0/m"]}
    assert [change.subject for change in plan.changes] == ["new/m"]
    more = [lane(f"more{number}") for number in range(40)]
    plan = planner.update(picture([*lanes, *more]), 2 * S)
    assert set(rates(plan).values()) == {0.1125}


def test_a_lane_that_leaves_gives_its_share_after_the_hold() -> None:
    lanes = [lane("a"), lane("b"), lane("c")]
    plans = walk(CapacityPlanner(), [picture(lanes)] + [picture(lanes[:2])] * 5)
    assert [rates(plan)["a/m"] for plan in plans] == [3.0, 3.0, 3.0, 4.5, 4.5, 4.5]


def test_a_changed_wish_is_followed_at_once() -> None:
    plans = walk(CapacityPlanner(), [picture([lane("a")]), picture([lane("a", wanted_fps=8.0)])])
    assert [rates(plan)["a/m"] for plan in plans] == [5.0, 8.0]


def test_who_runs_is_not_put_out_by_an_equal() -> None:
    """There is room for two floors; the lane named first comes last."""
    planner = CapacityPlanner()
    two = [lane("b", floor_fps=4.0), lane("c", floor_fps=4.0)]
    plans = walk(planner, [picture(two)] + [picture([lane("a", floor_fps=4.0), *two])] * 6)
    assert [(one.lane, one.step) for one in plans[-1].lanes] == [
        ("a/m", LadderStep.MOTION_ONLY),
        ("b/m", LadderStep.REDUCED),
        ("c/m", LadderStep.REDUCED),
    ]
    assert plans[1].changes[0].why == "device cpu is short: a floor of 4/s does not fit"
    assert plans[1].changes[0].after == "motion-only"
    assert [len(plan.changes) for plan in plans] == [2, 1, 0, 0, 0, 0, 0]


def decoding(host_s: float) -> Picture:
    cameras = [CameraCost(name, 25.0, 1.0, 0.4, 2 * MS, keyframe_ns=2 * MS) for name in "abcd"]
    lanes = [lane(name) for name in "abcd"]
    return picture(lanes, models={"m": (0.0, 20.0)}, cores=host_s / 0.9, cameras=cameras)


def test_decoding_falls_at_once_and_rises_after_the_hold() -> None:
    plans = walk(CapacityPlanner(), [decoding(0.7)] + [decoding(0.52)] * 2 + [decoding(0.7)] * 6)
    assert [[one.decode for one in plan.cameras].count(DecodePolicy.NONREF) for plan in plans] == [
        *(0, 4, 4),
        *(4, 4, 0, 0, 0, 0),
    ]
    lowered = [change for change in plans[1].changes if change.aspect == "decode"]
    assert lowered[0] == PlanChange(
        1 * S,
        "a",
        "decode",
        "all",
        "nonref",
        "the host's processor time is short: decoding less leaves more for analyses",
        "host: wanted 0.60 s/s, there is 0.52 s/s; decoding 0.12 s/s + 4 lanes × 5/s × 20.0 ms = 0.52 s/s",
    )
    assert [change.after for change in plans[5].changes] == ["all"] * 4


def test_no_grant_exceeds_what_is_decoded_while_a_higher_policy_waits() -> None:
    for plan in walk(CapacityPlanner(), [decoding(0.06)] + [decoding(0.9)] * 5):
        for grant, camera in zip(plan.lanes, plan.cameras, strict=True):
            assert camera.decode is not DecodePolicy.KEYFRAMES or grant.fps <= 1.0
    assert rates(plan) == dict.fromkeys(("a/m", "b/m", "c/m", "d/m"), 5.0)


def fleet(cost: float) -> Picture:
    """64 cameras × 3 models of three priorities on two cores, with floors, decoding and shadow lanes."""
    cameras = [CameraCost(f"c{number:02}", 25.0, 1.0, 0.3 * (number % 2), 0.2 * MS) for number in range(64)]
    lanes = [
        lane(camera.camera, f"m{model}", priority=model, floor_fps=0.5 * (model == 1), shadow=number % 9 == 8)
        for number, camera in enumerate(cameras)
        for model in range(3)
    ]
    costs = {f"m{model}": (each * cost, each * cost) for model, each in enumerate((6.0, 2.0, 1.0))}
    return picture(lanes, models=costs, streams=2, cores=2.5, cameras=cameras)


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.4, 2.0, 4.0, 10.0])
def test_one_jump_settles_within_5_s_and_noise_changes_nothing_after_it(factor: float) -> None:
    for seed in range(12):
        drawn = random.Random(f"{factor} {seed}")
        planner = CapacityPlanner()
        base = drawn.choice([0.5, 1.0, 2.0, 4.0])
        before = walk(planner, [noisy(fleet(base), drawn) for _ in range(8)])
        assert not any(plan.changes for plan in before[5:])
        after = walk(planner, [noisy(fleet(base * factor), drawn) for _ in range(20)], 8)
        assert not any(plan.changes for plan in after[5:])


@settings(max_examples=150, deadline=None)
@given(pictures(), st.integers(0, 2**32), st.floats(2.0, 10.0), st.booleans())
def test_any_picture_settles_within_5_updates_and_is_silent(of: Picture, seed: int, jump: float, up: bool) -> None:
    drawn = random.Random(seed)
    planner = CapacityPlanner()
    assert not any(plan.changes for plan in walk(planner, [noisy(of, drawn) for _ in range(12)])[5:])
    factor = jump if up else 1 / jump
    dearer = msgspec.structs.replace(
        of,
        models=tuple(
            msgspec.structs.replace(one, stream_ns=one.stream_ns * factor, host_ns=one.host_ns * factor)
            for one in of.models
        ),
    )
    after = walk(planner, [noisy(dearer, drawn) for _ in range(15)], 12)
    assert not any(plan.changes for plan in after[5:])


@settings(max_examples=150, deadline=None)
@given(pictures(), pictures(), st.integers(0, 2**32))
def test_the_held_plan_is_the_computed_one_within_the_bands(first: Picture, second: Picture, seed: int) -> None:
    """Whatever was before: 5 updates after a picture has come, grants are what it allows, and overspend by the bands at
    most."""
    planner = CapacityPlanner()
    walk(planner, [first] * 3 + [second] * 6)
    for resource in planner.plan.resources:
        assert resource.used <= resource.supply * 1.055 + 1e-9
    for wish, grant in zip(second.lanes, planner.plan.lanes, strict=True):
        assert grant.fps == 0 or wish.floor_fps * (1 - 1e-9) <= grant.fps <= wish.wanted_fps


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.floats(10.0, 500.0)), min_size=2, max_size=8), st.integers(0, 2**32))
def test_equal_lanes_settle_on_one_rate_whenever_they_came(loads: list[tuple[int, float]], seed: int) -> None:
    drawn = random.Random(seed)
    planner = CapacityPlanner()
    second = 0
    for count, cost_ms in loads:
        of = picture([lane(f"c{number}") for number in range(count)], models={"m": (cost_ms, 0.0)})
        walk(planner, [noisy(of, drawn) for _ in range(6)], second)
        second += 6
        grants = sorted(one.fps for one in planner.plan.lanes)
        assert grants[-1] <= grants[0] * 1.055
        if grants[-1] < 5.0:
            assert grants[0] == pytest.approx(grants[-1])
