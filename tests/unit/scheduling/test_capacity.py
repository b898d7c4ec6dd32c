"""The plan of one picture: devices, host, memory, priorities and shadow lanes, and what must hold for any picture."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import MS, lane, picture, pictures

from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant, ResourceUse
from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.allocation import lane_costs
from penstock.scheduling.capacity import PlannerSettings, compute
from penstock.scheduling.picture import CameraCost, ExecutorSupply, HostSupply, LaneDemand, ModelCost, Picture

SETTINGS = PlannerSettings()
FULL, REDUCED, MOTION_ONLY, PAUSED = LadderStep


def told(plan: CapacityPlan) -> dict[str, tuple[LadderStep, float, str]]:
    return {one.lane: (one.step, round(one.fps, 9), one.limited_by) for one in plan.lanes}


def uses(plan: CapacityPlan) -> list[tuple[str, str, float, float, float]]:
    return [
        (one.resource, one.unit, round(one.supply, 9), round(one.used, 9), round(one.wanted, 9))
        for one in plan.resources
    ]


def test_what_fits_is_granted_whole() -> None:
    plan = compute(picture([lane("a"), lane("b", wanted_fps=4.0)]), at_ns=7)
    assert plan.at_ns == 7
    assert plan.lanes == (LaneGrant("a/m", FULL, 5.0), LaneGrant("b/m", FULL, 4.0))
    assert [one.decode for one in plan.cameras] == [DecodePolicy.ALL, DecodePolicy.ALL]
    assert uses(plan) == [("device:cpu", "s/s", 0.9, 0.9, 0.9), ("host", "s/s", 90.0, 0.0, 0.0)]
    assert plan.changes == ()


def test_a_short_device_is_shared() -> None:
    plan = compute(picture([lane("a"), lane("b"), lane("c", wanted_fps=1.0)]))
    assert told(plan) == {
        "a/m": (REDUCED, 4.0, "device:cpu"),
        "b/m": (REDUCED, 4.0, "device:cpu"),
        "c/m": (FULL, 1.0, ""),
    }
    assert uses(plan)[0] == ("device:cpu", "s/s", 0.9, 0.9, 1.1)


def test_every_view_of_an_analysis_costs() -> None:
    plan = compute(picture([lane("a", views=3.0)]))
    assert told(plan)["a/m"] == (REDUCED, 3.0, "device:cpu")


def test_executors_and_the_host_are_limits_of_their_own() -> None:
    lanes = [lane("a", "m"), lane("a", "n", "gpu"), lane("b", "n", "gpu", priority=1)]
    of = Picture(
        tuple(lanes),
        (ModelCost("m", "cpu", 300 * MS), ModelCost("n", "gpu", 100 * MS, 200 * MS)),
        (CameraCost("a"), CameraCost("b")),
        (ExecutorSupply("cpu", 1), ExecutorSupply("gpu", 2)),
        HostSupply(2.0, fixed_ns=400 * MS),
    )
    plan = compute(of)
    assert told(plan) == {
        "a/m": (REDUCED, 3.0, "device:cpu"),
        "a/n": (REDUCED, 2.0, "host"),
        "b/n": (FULL, 5.0, ""),
    }
    assert [(one[0], one[2]) for one in uses(plan)] == [
        ("device:cpu", 0.9),
        ("device:gpu", 1.8),
        ("host", 1.4),
    ]


def test_a_floor_that_does_not_fit_leaves_motion() -> None:
    plan = compute(picture([lane("a", floor_fps=2.0, priority=1), lane("b", floor_fps=4.5), lane("c")]))
    assert told(plan) == {
        "a/m": (FULL, 5.0, ""),
        "b/m": (MOTION_ONLY, 0.0, "floor"),
        "c/m": (REDUCED, 4.0, "device:cpu"),
    }


def test_nothing_is_left_for_the_lowest() -> None:
    plan = compute(picture([lane("a"), lane("b", wanted_fps=9.0, priority=1)]))
    assert told(plan)["a/m"] == (MOTION_ONLY, 0.0, "device:cpu")


def test_shadow_lanes_come_last_and_leave_a_reserve() -> None:
    lanes = [lane("a", shadow=True, priority=9), lane("b", wanted_fps=4.0), lane("c", wanted_fps=2.0, priority=-1)]
    assert told(compute(picture(lanes)))["a/m"] == (REDUCED, 2.1, "device:cpu")
    lanes[1] = lane("b", wanted_fps=6.5)
    assert told(compute(picture(lanes))) == {
        "a/m": (MOTION_ONLY, 0.0, "device:cpu"),
        "b/m": (FULL, 6.5, ""),
        "c/m": (FULL, 2.0, ""),
    }


def test_a_model_that_does_not_fit_into_memory_is_refused_with_its_lanes() -> None:
    of = Picture(
        (lane("a", "big"), lane("a", "small"), lane("b", "big"), lane("b", "tiny", priority=1)),
        (
            ModelCost("big", "cpu", MS, memory_bytes=600),
            ModelCost("small", "cpu", MS, memory_bytes=200),
            ModelCost("tiny", "cpu", MS, memory_bytes=250),
        ),
        (CameraCost("a", memory_bytes=50), CameraCost("b", memory_bytes=50)),
        (ExecutorSupply("cpu", 1),),
        HostSupply(1.0, memory_bytes=1_000, fixed_memory_bytes=100),
    )
    plan = compute(of)
    assert told(plan) == {
        "a/big": (PAUSED, 0.0, "memory"),
        "a/small": (FULL, 5.0, ""),
        "b/big": (PAUSED, 0.0, "memory"),
        "b/tiny": (FULL, 5.0, ""),
    }
    assert plan.resources[-1] == ResourceUse("memory", "bytes", 1_000, 650, 1_250)


def test_device_memory_is_counted_once_per_model() -> None:
    of = Picture(
        (lane("a", "m", "gpu"), lane("b", "m", "gpu"), lane("b", "n", "gpu")),
        (ModelCost("m", "gpu", MS, device_memory_bytes=600), ModelCost("n", "gpu", MS, device_memory_bytes=500)),
        (CameraCost("a"), CameraCost("b")),
        (ExecutorSupply("gpu", 1, "cuda:0", device_memory_bytes=1_000),),
        HostSupply(1.0),
    )
    plan = compute(of)
    assert told(plan)["b/m"] == (FULL, 5.0, "")
    assert told(plan)["b/n"] == (PAUSED, 0.0, "device-memory:gpu")
    assert plan.resources[-1] == ResourceUse("device-memory:gpu", "bytes", 1_000, 600, 1_100)


def test_a_camera_that_does_not_fit_into_memory_is_not_decoded() -> None:
    of = picture([lane("a"), lane("b")], cameras=[CameraCost("a", memory_bytes=80), CameraCost("b", memory_bytes=80)])
    plan = compute(msgspec.structs.replace(of, host=HostSupply(9.0, memory_bytes=100)))
    assert told(plan)["b/m"] == (PAUSED, 0.0, "memory")
    assert [one.decode for one in plan.cameras] == [DecodePolicy.ALL, DecodePolicy.NONE]


def test_what_is_not_known_is_not_limited() -> None:
    of = Picture((lane("a", "unknown", "elsewhere"),), (), (), (), HostSupply(1.0))
    assert told(compute(of))["a/unknown"] == (FULL, 5.0, "")


def decoded_fps(camera: CameraCost, policy: DecodePolicy) -> float:
    return {
        DecodePolicy.ALL: camera.unit_fps,
        DecodePolicy.NONREF: camera.unit_fps * (1 - camera.disposable),
        DecodePolicy.AUTO: camera.unit_fps,
        DecodePolicy.KEYFRAMES: camera.keyframe_fps,
        DecodePolicy.NONE: 0.0,
    }[policy]


def decode_s(camera: CameraCost, policy: DecodePolicy) -> float:
    every_s = camera.unit_fps * camera.unit_ns / 1e9
    keyframes_s = min(camera.keyframe_fps * (camera.keyframe_ns or 3 * camera.unit_ns) / 1e9, every_s)
    if policy is DecodePolicy.AUTO:
        return keyframes_s + camera.active * (every_s - keyframes_s)
    if policy is DecodePolicy.KEYFRAMES:
        return keyframes_s
    return decoded_fps(camera, policy) * camera.unit_ns / 1e9


@settings(max_examples=200, deadline=None)
@given(pictures())
def test_no_resource_is_overspent(of: Picture) -> None:
    plan = compute(of)
    costs = lane_costs(of)
    used = dict.fromkeys((one.resource for one in plan.resources), 0.0)
    for grant in plan.lanes:
        cost = costs[grant.lane]
        fps = min(grant.fps, cost.need_fps)
        used[cost.device] += fps * cost.device_s
        used["host"] += fps * cost.host_s
    for camera, one in zip(of.cameras, plan.cameras, strict=True):
        used["host"] += decode_s(camera, one.decode)
    for resource in plan.resources:
        assert used[resource.resource] <= resource.supply * (1 + 1e-6) + 1e-9
        assert resource.used == pytest.approx(used[resource.resource], abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(pictures())
def test_grants_are_possible(of: Picture) -> None:
    plan = compute(of)
    cameras = {one.camera: one for one in of.cameras}
    decode = {one.camera: one.decode for one in plan.cameras}
    for wish, grant in zip(of.lanes, plan.lanes, strict=True):
        camera = cameras[wish.camera]
        policy = decode[wish.camera]
        assert 0 <= grant.fps <= wish.wanted_fps
        assert grant.fps == 0 or grant.fps >= wish.floor_fps * (1 - 1e-9)
        assert (grant.fps == wish.wanted_fps) == (grant.step is FULL) == (not grant.limited_by)
        if grant.fps:
            # On the configured policy a measured rate may be a little low, and a floor is kept.
            slack = max(0.1 * wish.wanted_fps, wish.floor_fps) if policy is camera.configured else 0.0
            assert grant.fps <= decoded_fps(camera, policy) + slack + 1e-9
        assert list(DecodePolicy).index(policy) >= list(DecodePolicy).index(camera.configured)
        if not grant.fps:
            assert grant.step is (PAUSED if policy is DecodePolicy.NONE else MOTION_ONLY)


def without(of: Picture, lanes: list[LaneDemand]) -> Picture:
    kept = {one.lane for one in lanes}
    return msgspec.structs.replace(of, lanes=tuple(one for one in of.lanes if one.lane in kept))


@settings(max_examples=200, deadline=None)
@given(pictures(), st.integers(0, 2))
def test_lower_priorities_and_shadow_lanes_change_nothing_above_them(of: Picture, priority: int) -> None:
    together = {one.lane: one.fps for one in compute(of).lanes}
    for upper in (
        [one for one in of.lanes if not one.shadow and one.priority >= priority],
        [one for one in of.lanes if not one.shadow],
        [one for one in of.lanes if not one.shadow or one.priority >= priority],
    ):
        alone = compute(without(of, upper))
        assert {one.lane: one.fps for one in alone.lanes} == {one.lane: together[one.lane] for one in upper}


@settings(max_examples=200, deadline=None)
@given(pictures())
def test_nobody_goes_short_while_there_is_room(of: Picture) -> None:
    """A lane below its wish is short of something that is spent: but for the reserve if it is a shadow lane, and for
    what its floor would take, or its camera on the next rung with twice the analyses."""
    plan = compute(of)
    costs = lane_costs(of)
    cameras = {one.camera: one for one in of.cameras}
    decode = {one.camera: one.decode for one in plan.cameras}
    supply = {one.resource: one.supply for one in plan.resources}
    room = {one.resource: one.supply - one.used for one in plan.resources}
    worth_s: dict[str, float] = {}
    for wish, grant in zip(of.lanes, plan.lanes, strict=True):
        rate = min(max(2 * grant.fps, wish.floor_fps, SETTINGS.least_fps), wish.wanted_fps, costs[wish.lane].need_fps)
        worth_s[wish.camera] = worth_s.get(wish.camera, 0.0) + rate * costs[wish.lane].host_s
    for wish, grant in zip(of.lanes, plan.lanes, strict=True):
        if grant.step is FULL or grant.limited_by == "decode":
            continue
        cost = costs[wish.lane]
        camera = cameras[wish.camera]
        step_s = decode_s(camera, camera.configured) - decode_s(camera, decode[wish.camera])
        device_s = host_s = 0.0
        if step_s > 0:
            host_s = step_s + worth_s[wish.camera]
        elif not grant.fps:
            host_s = worth_s[wish.camera]
        if not grant.fps:
            device_s = max(wish.floor_fps, SETTINGS.least_fps) * cost.device_s
        reserve = SETTINGS.shadow_reserve if wish.shadow else 0.0
        device_spent = cost.device_s > 0 and room[cost.device] <= reserve * supply[cost.device] + device_s + 1e-6
        assert device_spent or room["host"] <= reserve * supply["host"] + host_s + 1e-6


@settings(max_examples=200, deadline=None)
@given(pictures())
def test_equal_lanes_have_equal_rates_while_their_cameras_are_decoded_equally(of: Picture) -> None:
    plan = compute(of)
    assert compute(of) == plan
    decode = {one.camera: one.decode for one in plan.cameras}
    cameras = {one.camera: msgspec.structs.replace(one, camera="") for one in of.cameras}
    rates: dict[object, float] = {}
    for wish, grant in zip(of.lanes, plan.lanes, strict=True):
        if grant.fps:
            kind = (msgspec.structs.replace(wish, lane="", camera=""), cameras[wish.camera], decode[wish.camera])
            assert rates.setdefault(kind, grant.fps) == grant.fps
