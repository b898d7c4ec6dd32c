"""How the plan decodes cameras when the host's time is short, as named cases with exact policies and rates."""

import msgspec
import pytest
from pictures import MS, lane, picture

from penstock.contracts.capacity import LadderStep
from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.capacity import Standing, compute
from penstock.scheduling.decode_ladder import ladder
from penstock.scheduling.picture import CameraCost, LaneDemand, Picture

ALL, NONREF, AUTO, KEYFRAMES, NONE = DecodePolicy


def camera(name: str, decode_ms: float = 2.0, *, disposable: float = 0.0, **fields: object) -> CameraCost:
    """25 pictures a second, one of them a keyframe."""
    return msgspec.structs.replace(
        CameraCost(name, 25.0, 1.0, disposable, decode_ms * MS, keyframe_ns=decode_ms * MS), **fields
    )


LADDERS = {
    "disposable": (camera("c", disposable=0.4), [(ALL, 25.0, 0.05), (NONREF, 15.0, 0.03), (KEYFRAMES, 1.0, 0.002)]),
    "nothing disposable": (camera("c"), [(ALL, 25.0, 0.05), (KEYFRAMES, 1.0, 0.002)]),
    "auto": (
        camera("c", disposable=0.4, configured=AUTO, active=0.25),
        [(AUTO, 25.0, 0.014), (KEYFRAMES, 1.0, 0.002)],
    ),
    "auto where something always moves": (
        camera("c", disposable=0.4, configured=AUTO),
        [(AUTO, 25.0, 0.05), (KEYFRAMES, 1.0, 0.002)],
    ),
    "keyframes": (camera("c", configured=KEYFRAMES), [(KEYFRAMES, 1.0, 0.002)]),
    "only keyframes": (camera("c", unit_fps=10.0, keyframe_fps=10.0), [(ALL, 10.0, 0.02)]),
    "no keyframe in sight": (camera("c", keyframe_fps=0.0), [(ALL, 25.0, 0.05)]),
    "costs nothing": (camera("c", 0.0), [(ALL, 25.0, 0.0)]),
    "silent": (camera("c", unit_fps=0.0), [(ALL, float("inf"), 0.0)]),
    "none": (camera("c", configured=NONE), []),
}


@pytest.mark.parametrize(("of", "expected"), LADDERS.values(), ids=LADDERS)
def test_ladders(of: CameraCost, expected: list[tuple[DecodePolicy, float, float]]) -> None:
    rungs = [(rung.policy, rung.decoded_fps, round(rung.cost, 9)) for rung in ladder(of).rungs]
    assert rungs == expected


def host(lanes: list[LaneDemand], cameras: list[CameraCost], host_s: float, each_ms: float) -> Picture:
    """`host_s` of processor time to plan with, `each_ms` per analysis, devices without limit."""
    return picture(lanes, models={"m": (0.0, each_ms)}, cores=host_s / 0.9, cameras=cameras)


def outcome(of: Picture, standing: Standing | None = None) -> dict[str, tuple[DecodePolicy, float]]:
    plan = compute(of, standing=standing)
    rates: dict[str, float] = {}
    for grant in plan.lanes:
        rates.setdefault(grant.lane.split("/")[0], grant.fps)
    return {one.camera: (one.decode, round(rates.get(one.camera, 0.0), 6)) for one in plan.cameras}


NAMES = ["a", "b", "c", "d"]

CASES: dict[str, tuple[Picture, dict[str, tuple[DecodePolicy, float]]]] = {
    # Decoding 0.2 s/s, analyses 20 × 20 ms.
    "time for all": (
        host([lane(n) for n in NAMES], [camera(n) for n in NAMES], 0.6, 20.0),
        dict.fromkeys(NAMES, (ALL, 5.0)),
    ),
    # An equal share of 2.5/s is better for everybody than keyframes for some.
    "a share above what keyframes give": (
        host([lane(n) for n in NAMES], [camera(n) for n in NAMES], 0.4, 20.0),
        dict.fromkeys(NAMES, (ALL, 2.5)),
    ),
    # Disposable pictures are worth less than analyses: 4 × 15 × 2 ms leave 0.28 s/s.
    "what nobody refers to goes first": (
        host([lane(n) for n in NAMES], [camera(n, disposable=0.4) for n in NAMES], 0.4, 20.0),
        dict.fromkeys(NAMES, (NONREF, 3.5)),
    ),
    # The camera named last is enough.
    "no more than needed": (
        host([lane(n) for n in NAMES], [camera(n, disposable=0.4) for n in NAMES], 0.585, 20.0),
        {"a": (ALL, 5.0), "b": (ALL, 5.0), "c": (ALL, 5.0), "d": (NONREF, 5.0)},
    ),
    # A share of 0.5/s with everything decoded: keyframes give that and more, 0.06 s/s for 4 × 0.65/s × 20 ms.
    "a share below what keyframes give": (
        host([lane(n) for n in NAMES], [camera(n) for n in NAMES], 0.06, 20.0),
        dict.fromkeys(NAMES, (KEYFRAMES, 0.65)),
    ),
    "one camera too many": (
        host([lane(n) for n in NAMES], [camera(n) for n in NAMES], 0.16, 0.01),
        {"a": (ALL, 5.0), "b": (ALL, 5.0), "c": (ALL, 5.0), "d": (KEYFRAMES, 1.0)},
    ),
    "a lower priority gives way": (
        host(
            [lane("a", priority=0), lane("b", priority=1)],
            [camera("a"), camera("b")],
            0.16,
            20.0,
        ),
        {"a": (KEYFRAMES, 0.4), "b": (ALL, 5.0)},
    ),
    "the floor keeps its decoding": (
        host([lane("a"), lane("b", floor_fps=2.0)], [camera("a"), camera("b")], 0.12, 20.0),
        {"a": (KEYFRAMES, 1.0), "b": (ALL, 2.4)},
    ),
    "a floor that cannot be had leaves the gate its keyframes": (
        host([lane("a"), lane("b", floor_fps=2.0)], [camera("a"), camera("b")], 0.08, 20.0),
        {"a": (ALL, 1.4), "b": (KEYFRAMES, 0.0)},
    ),
    "keyframes do not fit either": (
        host([lane("a", priority=1), lane("b")], [camera("a", 10.0), camera("b", 10.0)], 0.355, 20.0),
        {"a": (ALL, 5.0), "b": (NONE, 0.0)},
    ),
    "auto costs what moves": (
        host([lane("a")], [camera("a", configured=AUTO, active=0.25)], 0.114, 20.0),
        {"a": (AUTO, 5.0)},
    ),
    "a camera without lanes takes what is left": (
        host([lane("a")], [camera("a"), camera("x"), camera("y")], 0.21, 20.0),
        {"a": (ALL, 5.0), "x": (ALL, 0.0), "y": (KEYFRAMES, 0.0)},
    ),
    "decoding is configured away": (
        host([lane("a")], [camera("a", configured=NONE)], 1.0, 20.0),
        {"a": (NONE, 0.0)},
    ),
    "its camera is slower than the lane": (
        host([lane("a")], [camera("a", unit_fps=3.0)], 1.0, 20.0),
        {"a": (ALL, 3.0)},
    ),
    "its camera is measured a little slow": (
        host([lane("a")], [camera("a", unit_fps=4.8)], 1.0, 20.0),
        {"a": (ALL, 5.0)},
    ),
    "a stalling camera keeps its floors": (
        host([lane("a", floor_fps=2.0)], [camera("a", unit_fps=0.3, keyframe_fps=0.1)], 1.0, 20.0),
        {"a": (ALL, 2.0)},
    ),
}


@pytest.mark.parametrize(("of", "expected"), CASES.values(), ids=CASES)
def test_decoding(of: Picture, expected: dict[str, tuple[DecodePolicy, float]]) -> None:
    assert outcome(of) == expected


def test_a_lower_lane_raises_a_camera_that_only_watched() -> None:
    """Its lane of priority 1 does not fit on the device, its lane of priority 0 runs elsewhere."""
    lanes = [lane("a", "big", priority=1, floor_fps=5.0), lane("a", "small")]
    of = picture(lanes, models={"big": (400.0, 0.0), "small": (10.0, 0.0)}, cameras=[camera("a")], cores=1.0)
    plan = compute(of)
    assert [(one.step, one.fps) for one in plan.lanes] == [(LadderStep.MOTION_ONLY, 0.0), (LadderStep.FULL, 5.0)]
    assert plan.cameras[0].decode is ALL
    assert compute(msgspec.structs.replace(of, lanes=tuple(lanes[:1]))).cameras[0].decode is KEYFRAMES


def test_the_limit_of_a_lowered_camera_is_the_host_that_of_a_slow_one_its_decoding() -> None:
    lowered = compute(CASES["one camera too many"][0])
    slow = compute(CASES["its camera is slower than the lane"][0])
    assert [one.limited_by for one in lowered.lanes] == ["", "", "", "host"]
    assert [one.limited_by for one in slow.lanes] == ["decode"]


def test_what_is_lowered_stays_so_until_there_is_room_to_stay() -> None:
    """Four cameras and their lanes take 0.6 s/s. There are 0.62: enough, but not 5 % more than enough."""
    of = host([lane(n) for n in NAMES], [camera(n, disposable=0.4) for n in NAMES], 0.62, 20.0)
    standing = Standing(frozenset(f"{n}/m" for n in NAMES), {"a": NONREF}, 0.05)
    assert outcome(of)["a"][0] is ALL
    assert outcome(of, standing)["a"][0] is NONREF
    more = host([lane(n) for n in NAMES], [camera(n, disposable=0.4) for n in NAMES], 0.64, 20.0)
    assert outcome(more, standing)["a"][0] is ALL
