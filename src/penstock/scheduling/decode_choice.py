"""Chooses how the cameras of one priority are decoded when the host's time does not suffice for all of it.

Analyses come first: the common level of the lanes is found that fits with every camera on the lowest rung that still
gives its lanes that many pictures. What is then left is given back to cameras, from the first named on, so that those
named last are the ones that stay lowered. So a camera is lowered only where its own lanes lose nothing by it, or where
all of them together do not fit: an equal share of analyses at a rate that keyframes could not give is better for
everybody than some cameras at the rate of their keyframes.

A lane comes with what its floor needs, decoding included, or not at all: no rung breaks the floor of a lane that runs.
Cameras of which no lane comes are watched at their lowest rung where that fits beside the floors of the others: it is
little, and the difference between knowing that something moves and knowing nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from penstock.scheduling.decode_ladder import Ladder

_STEPS = 28
_RUNNING_DISCOUNT = 0.75


class HostLane(msgspec.Struct, frozen=True, gc=False):
    """One lane as far as the host's processor time is concerned."""

    lane: str
    camera: str
    weight: float
    floor_fps: float
    most_fps: float
    """what the devices and its wish allow"""
    need_fps: float
    """what it takes on average, however much it is granted"""
    host_s: float
    """processor seconds per analysis"""
    running: bool


class DecodeChoice(msgspec.Struct, frozen=True):
    rungs: dict[str, int]
    """by camera that is decoded for lanes of this priority, or watched"""
    left_out: frozenset[str]
    """lanes that the host has no time for: their floor, or the cheapest decoding of their camera"""


class _Camera:
    """One camera with its admitted lanes. `paid` is the rung that higher priorities have paid for."""

    def __init__(self, ladder: Ladder, paid: int | None) -> None:
        self.ladder = ladder
        self.lowest = len(ladder.rungs) - 1 if paid is None else paid
        self.paid_s = 0.0 if paid is None else ladder.cost(paid)
        self.lanes: list[HostLane] = []
        self.rung = self.lowest

    def decode_s(self, rung: int) -> float:
        return self.ladder.cost(rung) - self.paid_s

    def rung_for(self, fps: float) -> int:
        return min(self.ladder.cheapest_for(fps), self.lowest)


def choose_decoding(
    lanes: Sequence[HostLane],
    watched: Sequence[str],
    ladders: Mapping[str, Ladder],
    paid: Mapping[str, int],
    host_s: float,
    reserve_s: float,
    lowered: frozenset[str],
) -> DecodeChoice:
    """Rungs for the cameras of `lanes`, in the order in which these are named, within `host_s` seconds per second;
    `watched` are cameras of which no lane can run whatever the host has.

    `reserve_s` of them are kept free by lanes that do not run yet, and by cameras that are `lowered` now: they come
    back only when there is room to stay.
    """
    cameras = {lane.camera: _Camera(ladders[lane.camera], paid.get(lane.camera)) for lane in lanes}
    left_out, floors_s = _admit(lanes, cameras, host_s, reserve_s)
    rungs: dict[str, int] = {}
    host_s -= floors_s
    for name in (*(name for name, camera in cameras.items() if not camera.lanes), *watched):
        one = _Camera(ladders[name], paid.get(name))
        if one.lowest >= 0 and one.decode_s(one.lowest) <= host_s - (reserve_s if name in lowered else 0.0):
            rungs[name] = one.lowest
            host_s -= one.decode_s(one.lowest)
    host_s += floors_s
    cameras = {name: camera for name, camera in cameras.items() if camera.lanes}
    level = _common_level(cameras, host_s)
    slack_s = host_s
    for camera in cameras.values():
        camera.rung = _rung_at(camera, level)
        slack_s -= camera.decode_s(camera.rung) + sum(_use_s(lane, _rate(lane, level)) for lane in camera.lanes)
    # What is decoded as configured now goes before what is not, so that equal cameras do not swap places.
    for name in sorted(cameras, key=lambda name: name in lowered):
        kept_s = reserve_s if name in lowered else 0.0
        slack_s -= _give_back(cameras[name], level, slack_s - kept_s)
    rungs.update((name, camera.rung) for name, camera in cameras.items())
    return DecodeChoice(rungs, left_out)


def _admit(
    lanes: Sequence[HostLane], cameras: Mapping[str, _Camera], host_s: float, reserve_s: float
) -> tuple[frozenset[str], float]:
    """Puts lanes to their cameras, the smallest floor first, as long as floors and the decoding they need fit; which do
    not, and what the others take."""

    def order(item: tuple[int, HostLane]) -> tuple[float, float, int]:
        number, lane = item
        camera = cameras[lane.camera]
        alone_s = camera.decode_s(camera.rung_for(lane.floor_fps)) + lane.floor_fps * lane.host_s
        return (alone_s * (_RUNNING_DISCOUNT if lane.running else 1.0), -lane.weight, number)

    used_s = 0.0
    left_out = set()
    for _, lane in sorted(enumerate(lanes), key=order):
        camera = cameras[lane.camera]
        rung = min(camera.rung_for(lane.floor_fps), camera.rung)
        before_s = camera.decode_s(camera.rung) if camera.lanes else 0.0
        more_s = camera.decode_s(rung) - before_s + _use_s(lane, lane.floor_fps)
        free_s = host_s - used_s - (0.0 if lane.running else reserve_s)
        if more_s > 0 and more_s > free_s + 1e-12:
            left_out.add(lane.lane)
            continue
        used_s += more_s
        camera.rung = rung
        camera.lanes.append(lane)
    return frozenset(left_out), used_s


def _rate(lane: HostLane, level: float) -> float:
    return min(max(lane.weight * level, lane.floor_fps), lane.most_fps)


def _use_s(lane: HostLane, fps: float) -> float:
    return min(fps, lane.need_fps) * lane.host_s


def _rung_at(camera: _Camera, level: float) -> int:
    return camera.rung_for(max(_rate(lane, level) for lane in camera.lanes))


def _common_level(cameras: Mapping[str, _Camera], host_s: float) -> float:
    """The highest level at which everything fits with each camera on its cheapest sufficient rung. What that takes
    rises with the level, in jumps where a rung no longer suffices, so that halving finds it."""
    kinds: Counter[tuple[object, ...]] = Counter()
    examples: dict[tuple[object, ...], _Camera] = {}
    for camera in cameras.values():
        kind = (
            camera.lowest,
            camera.paid_s,
            camera.ladder.rungs,
            *((lane.weight, lane.floor_fps, lane.most_fps, lane.need_fps, lane.host_s) for lane in camera.lanes),
        )
        kinds[kind] += 1
        examples.setdefault(kind, camera)
    groups = [(count, examples[kind]) for kind, count in kinds.items()]

    def takes_s(level: float) -> float:
        return sum(
            count
            * (
                camera.decode_s(_rung_at(camera, level))
                + sum(_use_s(lane, _rate(lane, level)) for lane in camera.lanes)
            )
            for count, camera in groups
        )

    high = max((lane.most_fps / lane.weight for camera in cameras.values() for lane in camera.lanes), default=0.0)
    if takes_s(high) <= host_s:
        return high
    low = 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if takes_s(middle) <= host_s:
            low = middle
        else:
            high = middle
    return low


def _give_back(camera: _Camera, level: float, slack_s: float) -> float:
    """Raises the camera as far as `slack_s` allows; what that takes of it. Where the rung holds its lanes back, only if
    it is worth it: with time for twice their analyses, or all they want."""
    now = camera.rung
    for rung in range(now):
        decode_s = camera.decode_s(rung) - camera.decode_s(now)
        analyses_s = 0.0
        for lane in camera.lanes:
            rate = _rate(lane, level)
            worth = max(rate, min(lane.most_fps, camera.ladder.rungs[rung].decoded_fps, 2 * rate))
            analyses_s += _use_s(lane, worth) - _use_s(lane, rate)
        if decode_s + analyses_s <= slack_s:
            camera.rung = rung
            return decode_s + analyses_s
    return 0.0
