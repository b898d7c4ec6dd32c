"""What would happen if something were added: verdicts, who shrinks, and what people are told."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from pictures import MS, lane, picture, pictures

from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant, PlanChange
from penstock.scheduling.admission import Verdict, lines, what_if
from penstock.scheduling.capacity import compute
from penstock.scheduling.picture import CameraCost, HostSupply, LaneDemand, Picture

EMPTY = picture([])


def costly(*names: str, **fields: Any) -> list[LaneDemand]:
    """Each wants 0.5 s/s of the device's 0.9."""
    return [lane(name, **fields) for name in names]


CASES: dict[str, tuple[Picture, Picture, Verdict, list[tuple[str, str, str]]]] = {
    "there is room": (
        picture(costly("a", wanted_fps=4.0)),
        picture(costly("a", "b", wanted_fps=4.0)),
        Verdict.ACCEPT,
        [],
    ),
    "all shrink": (
        picture(costly("a")),
        picture(costly("a", "b")),
        Verdict.REDUCE,
        [("a/m", "full 5/s", "reduced 4.5/s"), ("b/m", "new", "reduced 4.5/s")],
    ),
    "a lower priority shrinks, even to nothing": (
        picture(costly("a", wanted_fps=9.0)),
        picture([*costly("a", wanted_fps=9.0), lane("b", wanted_fps=9.0, priority=1)]),
        Verdict.REDUCE,
        [("a/m", "full 9/s", "motion-only")],
    ),
    "a floor of those who are there": (
        picture(costly("a", floor_fps=4.0)),
        picture([*costly("a", floor_fps=4.0), lane("b", wanted_fps=9.0, priority=1)]),
        Verdict.REFUSE,
        [("a/m", "full 5/s", "motion-only")],
    ),
    "the newcomer's floor": (
        picture(costly("a", priority=1)),
        picture([*costly("a", priority=1), lane("b", floor_fps=4.5)]),
        Verdict.REFUSE,
        [("b/m", "new", "motion-only")],
    ),
    "who is there goes before its equal": (
        picture([lane("z", floor_fps=5.0)]),
        picture([lane("a", floor_fps=5.0), lane("z", floor_fps=5.0)]),
        Verdict.REFUSE,
        [("a/m", "new", "motion-only")],
    ),
    "nothing is left for the newcomer": (
        picture(costly("a", wanted_fps=9.0, priority=1)),
        picture([*costly("a", wanted_fps=9.0, priority=1), lane("b")]),
        Verdict.REFUSE,
        [("b/m", "new", "motion-only")],
    ),
    "a shadow lane takes nothing from anybody": (
        picture(costly("a", wanted_fps=9.0)),
        picture([*costly("a", wanted_fps=9.0), lane("b", shadow=True)]),
        Verdict.ACCEPT,
        [("b/m", "new", "motion-only")],
    ),
    "a shadow lane gives way": (
        picture([lane("a", wanted_fps=3.0), lane("s", shadow=True)]),
        picture([lane("a", wanted_fps=3.0), lane("b"), lane("s", shadow=True)]),
        Verdict.ACCEPT,
        [("s/m", "full 5/s", "reduced 0.1/s")],
    ),
    "who asks for less loses nothing": (
        picture(costly("a")),
        picture([lane("a", wanted_fps=2.0), lane("b")]),
        Verdict.ACCEPT,
        [],
    ),
    "a whole configuration": (
        EMPTY,
        picture(costly("a", "b")),
        Verdict.REDUCE,
        [
            ("a/m", "new", "reduced 4.5/s"),
            ("b/m", "new", "reduced 4.5/s"),
        ],
    ),
    "nothing new": (picture(costly("a", "b")), picture(costly("a", "b")), Verdict.ACCEPT, []),
}


@pytest.mark.parametrize(("before", "after", "verdict", "shrinks"), CASES.values(), ids=CASES)
def test_verdicts(before: Picture, after: Picture, verdict: Verdict, shrinks: list[tuple[str, str, str]]) -> None:
    answer = what_if(before, after)
    assert answer.verdict is verdict
    assert [(one.subject, one.before, one.after) for one in answer.shrinks] == shrinks
    assert answer.reasons


def test_a_model_that_does_not_fit_into_memory() -> None:
    def sized(lanes: list[LaneDemand]) -> Picture:
        of = picture(lanes, models={"m": (1.0, 1.0), "big": (1.0, 1.0)})
        models = tuple(msgspec.structs.replace(one, memory_bytes=len(one.model) * 2**30) for one in of.models)
        return msgspec.structs.replace(of, models=models, host=HostSupply(4.0, memory_bytes=3 * 2**30))

    answer = what_if(sized([lane("a")]), sized([lane("a"), lane("a", "big")]))
    assert answer.verdict is Verdict.REFUSE
    assert answer.newcomers == (LaneGrant("a/big", LadderStep.PAUSED, 0.0, "memory"),)
    why, arithmetic = (
        "memory is short: model big does not fit",
        "memory: model big needs 3 GiB, 2 GiB of 3 GiB are free",
    )
    assert answer.reasons == (f"a/big would not run: {why} ({arithmetic})",)
    assert "  memory: 1 GiB → 1 GiB of 3 GiB (wanted 4 GiB)" in lines(answer)


def test_cameras_that_would_be_decoded_less() -> None:
    def with_cameras(*names: str) -> Picture:
        cameras = [CameraCost(name, 25.0, 1.0, 0.4, 2 * MS, keyframe_ns=2 * MS) for name in names]
        return picture([lane(name) for name in names], models={"m": (0.0, 1.0)}, cores=0.1, cameras=cameras)

    answer = what_if(with_cameras("a"), with_cameras("a", "b"))
    assert answer.verdict is Verdict.REDUCE
    assert answer.shrinks == (
        PlanChange(
            0,
            "b",
            "decode",
            "all",
            "nonref",
            "the host's processor time is short: fewer of its pictures are decoded",
            "host: wanted 0.11 s/s, there is 0.09 s/s; decoding 0.08 s/s + 2 lanes × 5/s × 1.0 ms = 0.09 s/s",
        ),
    )


def test_what_people_read() -> None:
    answer = what_if(picture(costly("a")), picture(costly("a", "b")))
    why = "device cpu is short: lanes of priority 0 share 9/s"
    assert lines(answer) == [
        f"reduce: {why} (device:cpu: wanted 1.00 s/s, there is 0.90 s/s; 2 lanes × 4.5/s × 100.0 ms = 0.90 s/s)",
        "resources, before → after:",
        "  device:cpu: 0.50 s/s → 0.90 s/s of 0.90 s/s (wanted 1.00 s/s)",
        "  host: 0.00 s/s → 0.00 s/s of 90.00 s/s (wanted 0.00 s/s)",
        "new:",
        "  b/m: reduced 4.5/s",
        "would get less:",
        f"  a/m: full 5/s → reduced 4.5/s, {why}",
        f"  b/m: new → reduced 4.5/s, {why}",
    ]
    many = lines(what_if(EMPTY, picture(costly(*(f"c{number:02}" for number in range(30))))), most=3)
    assert many[-2:] == [f"  c02/m: new → reduced 0.3/s, {why}", "  … and 27 more"]


def grants(plan: CapacityPlan) -> dict[str, float]:
    return {one.lane: one.fps for one in plan.lanes}


@settings(max_examples=150, deadline=None)
@given(pictures())
def test_whoever_is_accepted_costs_nobody_anything(of: Picture) -> None:
    """The last camera is added to the others."""
    newcomer = of.cameras[-1].camera
    before = msgspec.structs.replace(
        of, cameras=of.cameras[:-1], lanes=tuple(one for one in of.lanes if one.camera != newcomer)
    )
    answer = what_if(before, of)
    had = grants(compute(before))
    real = [one for one in of.lanes if not one.shadow]
    if answer.verdict is Verdict.ACCEPT:
        granted = grants(compute(of))
        for one in real:
            assert granted[one.lane] >= had.get(one.lane, one.wanted_fps) * (1 - 1e-6)
    else:
        assert answer.shrinks
    if not real:
        assert answer.verdict is not Verdict.REFUSE
    assert lines(answer)[0].startswith(answer.verdict)
