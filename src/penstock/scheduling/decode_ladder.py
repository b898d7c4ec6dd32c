"""What each decode policy of a camera costs and how many pictures a second it gives: the rungs of its ladder.

A rung that saves next to nothing is left out: passing over disposable pictures gains nothing where no sender marks any.
"""

import msgspec

from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.picture import CameraCost

NS_PER_S = 1_000_000_000
_LOWER = (DecodePolicy.NONREF, DecodePolicy.KEYFRAMES)
_COST_ORDER = tuple(DecodePolicy)
# A rung must save this part of the one above it.
_LEAST_GAIN = 0.02
# A keyframe is larger than other pictures: measured, 2 to 9 times the mean unit's time, where its own is not known.
_KEYFRAME_UNITS = 3.0
# A rate measured over seconds says 4.8 of a camera of 5 fps: a lane that wants 5 has them all.
_MEASURED_SHORT = 0.9


class Rung(msgspec.Struct, frozen=True, gc=False):
    """One decode policy of one camera."""

    policy: DecodePolicy
    decoded_fps: float
    """infinite where the camera's rate is not known"""
    cost: float
    """seconds of processor time per second"""


class Ladder(msgspec.Struct, frozen=True):
    """The rungs that make sense for one camera, the configured one first, each cheaper than the one before; `none` is
    below the last and not among them."""

    camera: str
    rungs: tuple[Rung, ...]
    """empty where nothing is to be decoded by configuration"""

    def allowed_fps(self, rung: int, wanted_fps: float, floor_fps: float) -> float:
        """The most that a lane may be granted on this rung. On the configured one a lane keeps its floor even where
        the camera is slower, for a camera that stalls must not stop its lanes."""
        decoded_fps = self.rungs[rung].decoded_fps
        if rung == 0:
            return wanted_fps if decoded_fps >= wanted_fps * _MEASURED_SHORT else max(decoded_fps, floor_fps)
        return min(wanted_fps, decoded_fps)

    def cheapest_for(self, fps: float) -> int:
        """The lowest rung that still gives so many pictures a second."""
        for rung in range(len(self.rungs) - 1, 0, -1):
            if self.rungs[rung].decoded_fps >= fps * (1 - 1e-9):
                return rung
        return 0

    def index(self, policy: DecodePolicy) -> int:
        """The rung of `policy`; the next cheaper one where the policy is not among them, `len(rungs)` for none."""
        at = _COST_ORDER.index(policy)
        for rung, one in enumerate(self.rungs):
            if _COST_ORDER.index(one.policy) >= at:
                return rung
        return len(self.rungs)

    def policy(self, rung: int) -> DecodePolicy:
        return self.rungs[rung].policy if rung < len(self.rungs) else DecodePolicy.NONE

    def cost(self, rung: int) -> float:
        return self.rungs[rung].cost if 0 <= rung < len(self.rungs) else 0.0


def ladder(camera: CameraCost) -> Ladder:
    """From the configured policy downward. What `auto` costs: its keyframes always, the rest while something moves."""
    if camera.configured is DecodePolicy.NONE:
        return Ladder(camera.camera, ())
    rungs = [_rung(camera, camera.configured)]
    for policy in _LOWER:
        if _COST_ORDER.index(policy) <= _COST_ORDER.index(camera.configured):
            continue
        rung = _rung(camera, policy)
        if rung.decoded_fps > 0 and rung.cost < rungs[-1].cost * (1 - _LEAST_GAIN):
            rungs.append(rung)
    return Ladder(camera.camera, tuple(rungs))


def _rung(camera: CameraCost, policy: DecodePolicy) -> Rung:
    all_fps = camera.unit_fps
    keyframe_units = camera.keyframe_ns / camera.unit_ns if camera.keyframe_ns and camera.unit_ns else _KEYFRAME_UNITS
    keyframe_fps = min(camera.keyframe_fps, all_fps)
    decoded_fps = all_fps
    paid_fps = all_fps
    if policy is DecodePolicy.NONREF:
        decoded_fps = paid_fps = all_fps * (1.0 - camera.disposable)
    elif policy is DecodePolicy.KEYFRAMES:
        decoded_fps = keyframe_fps
        paid_fps = min(keyframe_fps * keyframe_units, all_fps)
    elif policy is DecodePolicy.AUTO:
        resting_fps = min(keyframe_fps * keyframe_units, all_fps)
        paid_fps = resting_fps + camera.active * (all_fps - resting_fps)
    if all_fps <= 0:
        # Nothing came yet, or nothing comes: no reason to hold its lanes back.
        decoded_fps = float("inf")
    return Rung(policy, decoded_fps, paid_fps * camera.unit_ns / NS_PER_S)
