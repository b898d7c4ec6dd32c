"""The capacity plan: what each lane is granted and how each camera is decoded, computed about once a second and held.

`compute` is the plan of one picture: a pure function (see `allocation` for how it is found). `CapacityPlanner` adds
what makes it a plan to rely on: measured values are believed until they differ clearly (`beliefs`), grants and decode
policies fall at once and rise after a while (`hysteresis`), what runs goes before what does not, and every change is a
record with its reason. After one clear change of load it has settled within 5 s: the hold, and the time for which what
changed is measured anew. Under constant load measured to within ± 5 % it does not change.

Until a grant has followed, a resource may be overspent by the bands: by `cost_band` where all costs were measured too
low, and by `down_band`. The headroom is there for that.
"""

from collections.abc import Mapping

from penstock.contracts.capacity import CameraGrant, CapacityPlan, LadderStep, LaneGrant, PlanChange
from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.allocation import HOST, Allocation, LaneShare, Standing, allocate, rate_supply
from penstock.scheduling.beliefs import Beliefs
from penstock.scheduling.fair_weights import with_fair_weights
from penstock.scheduling.hysteresis import DecodeHold, LaneHold
from penstock.scheduling.picture import LaneDemand, Picture
from penstock.scheduling.planner_settings import PlannerSettings
from penstock.scheduling.reasons import Reasons, label, limit_of

__all__ = ["CapacityPlanner", "PlannerSettings", "Standing", "compute"]

DEFAULT_SETTINGS = PlannerSettings()
NEW = "new"
"""what a lane was that the plan before did not know"""


def compute(
    picture: Picture, settings: PlannerSettings = DEFAULT_SETTINGS, standing: Standing | None = None, at_ns: int = 0
) -> CapacityPlan:
    """The plan of one picture, without hysteresis and without `changes`."""
    return explain(picture, settings, standing, at_ns)[0]


def explain(
    picture: Picture, settings: PlannerSettings = DEFAULT_SETTINGS, standing: Standing | None = None, at_ns: int = 0
) -> tuple[CapacityPlan, Allocation, Reasons]:
    """`compute`, with what says why."""
    picture = with_fair_weights(picture, rate_supply(picture, settings))
    allocation = allocate(picture, settings, standing)
    plan, reasons = _plan(picture, allocation, allocation.shares, allocation.decode, at_ns)
    return plan, allocation, reasons


class CapacityPlanner:
    """Keeps the plan of one run. Never waits; not safe between threads."""

    def __init__(self, settings: PlannerSettings = DEFAULT_SETTINGS) -> None:
        self._settings = settings
        self._beliefs = Beliefs(settings.cost_band)
        self._lanes = LaneHold(settings)
        self._decode = DecodeHold(settings)
        self.plan = CapacityPlan(at_ns=0)

    def update(self, picture: Picture, now_ns: int) -> CapacityPlan:
        """The plan from `now_ns` on; its `changes` are against the plan before. Of lanes and cameras that are new only
        those are told of that do not get all they ask for."""
        believed = self._beliefs.update(picture, now_ns)
        believed = with_fair_weights(believed, rate_supply(believed, self._settings))
        standing = Standing(
            frozenset(grant.lane for grant in self.plan.lanes if grant.fps > 0),
            self._decode.held,
            self._settings.room_band if self.plan.lanes else 0.0,
        )
        allocation = allocate(believed, self._settings, standing)
        decode = self._decode.update(allocation.decode, allocation.ladders, now_ns)
        shares = self._lanes.update(believed.lanes, allocation.shares, now_ns)
        for lane in believed.lanes:
            shares[lane.lane] = _within_decoding(shares[lane.lane], lane, allocation, decode[lane.camera])
        plan, reasons = _plan(believed, allocation, shares, decode, now_ns)
        changes = _changes(self.plan, plan, believed, allocation, shares, reasons)
        self.plan = CapacityPlan(now_ns, plan.lanes, plan.cameras, plan.resources, changes)
        return self.plan


def _within_decoding(share: LaneShare, lane: LaneDemand, allocation: Allocation, policy: DecodePolicy) -> LaneShare:
    """No lane is granted more than its camera is decoded, also while a higher policy or a lower grant waits."""
    ladder = allocation.ladders[lane.camera]
    rung = ladder.index(policy)
    if rung == 0 or not share.fps:
        return share
    allowed_fps = ladder.allowed_fps(rung, lane.wanted_fps, lane.floor_fps) if rung < len(ladder.rungs) else 0.0
    if share.fps <= allowed_fps:
        return share
    return LaneShare(allowed_fps, share.limited_by or HOST, allowed_fps / lane.weight)


def _plan(
    picture: Picture,
    allocation: Allocation,
    shares: Mapping[str, LaneShare],
    decode: Mapping[str, DecodePolicy],
    at_ns: int,
) -> tuple[CapacityPlan, Reasons]:
    lanes = []
    for lane in picture.lanes:
        share = shares[lane.lane]
        refused = lane.lane in allocation.refused
        if share.fps >= lane.wanted_fps and not refused:
            step = LadderStep.FULL
        elif share.fps > 0:
            step = LadderStep.REDUCED
        elif refused or decode[lane.camera] is DecodePolicy.NONE:
            step = LadderStep.PAUSED
        else:
            step = LadderStep.MOTION_ONLY
        lanes.append(LaneGrant(lane.lane, step, share.fps, limit_of(lane, share, step, refused=refused)))
    cameras = tuple(CameraGrant(camera.camera, decode[camera.camera]) for camera in picture.cameras)
    reasons = Reasons(picture, allocation, shares, decode)
    return CapacityPlan(at_ns, tuple(lanes), cameras, reasons.resources()), reasons


def _changes(
    before: CapacityPlan,
    after: CapacityPlan,
    picture: Picture,
    allocation: Allocation,
    shares: Mapping[str, LaneShare],
    reasons: Reasons,
) -> tuple[PlanChange, ...]:
    changes = []
    lanes_before = {grant.lane: grant for grant in before.lanes}
    running = set()
    for lane, grant in zip(picture.lanes, after.lanes, strict=True):
        if grant.fps > 0:
            running.add(lane.camera)
        old = lanes_before.get(grant.lane)
        if grant.step is LadderStep.FULL if old is None else (grant.step is old.step and grant.fps == old.fps):
            continue
        why, arithmetic = reasons.of_lane(lane, old, grant, shares[lane.lane])
        was = NEW if old is None else label(old)
        changes.append(PlanChange(after.at_ns, grant.lane, "rate", was, label(grant), why, arithmetic))
    cameras_before = {grant.camera: grant.decode for grant in before.cameras}
    for camera, one in zip(picture.cameras, after.cameras, strict=True):
        had = cameras_before.get(camera.camera, camera.configured)
        if had is one.decode:
            continue
        ladder = allocation.ladders[camera.camera]
        why, arithmetic = reasons.of_camera(ladder.index(had), ladder.index(one.decode), camera.camera in running)
        changes.append(PlanChange(after.at_ns, camera.camera, "decode", had, one.decode, why, arithmetic))
    return tuple(changes)
