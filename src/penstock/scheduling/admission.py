"""Answers what would happen if something were added: accept, reduce or refuse, with the arithmetic.

Both pictures are planned by the same function as the running plan; what runs before goes before newcomers of its
priority where not all floors fit, as it does in the plan.
"""

import enum
from collections.abc import Iterable

import msgspec

from penstock.base.units import format_size
from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant, PlanChange, ResourceUse
from penstock.scheduling.capacity import DEFAULT_SETTINGS, NEW, Standing, explain
from penstock.scheduling.picture import LaneDemand, Picture
from penstock.scheduling.planner_settings import PlannerSettings
from penstock.scheduling.reasons import label

_SAME = 1e-6


class Verdict(enum.StrEnum):
    ACCEPT = "accept"
    """nobody loses anything, and the newcomers get all they want"""
    REDUCE = "reduce"
    """it runs, and somebody gets less than before, or a newcomer less than it wants"""
    REFUSE = "refuse"
    """a floor or a memory limit cannot be met, or a newcomer would not run at all"""


class Admission(msgspec.Struct, frozen=True):
    """The answer to one question."""

    verdict: Verdict
    shrinks: tuple[PlanChange, ...]
    """lanes that get less, newcomers below what they want, and cameras that are decoded less; shadow lanes among them,
    though these alone change no verdict"""
    before: tuple[ResourceUse, ...]
    after: tuple[ResourceUse, ...]
    reasons: tuple[str, ...]
    """why, one sentence each, the most important first"""
    newcomers: tuple[LaneGrant, ...] = ()
    """what the new lanes would get"""

    @property
    def resources(self) -> tuple[ResourceUse, ...]:
        """As they would be."""
        return self.after


def what_if(before: Picture, after: Picture, settings: PlannerSettings = DEFAULT_SETTINGS) -> Admission:
    """New are the lanes of `after` that `before` does not name. A lane that itself asks for less loses nothing.

    An empty `before` asks whether a whole configuration fits.
    """
    old_plan = explain(before, settings)[0]
    running = frozenset(grant.lane for grant in old_plan.lanes if grant.fps > 0)
    plan, allocation, reasons = explain(after, settings, Standing(running))
    old_grants = {grant.lane: grant for grant in old_plan.lanes}
    old_lanes = {lane.lane: lane for lane in before.lanes}
    shrinks = []
    refusals: list[str] = []
    losses = 0
    for lane, grant in zip(after.lanes, plan.lanes, strict=True):
        old = old_grants.get(lane.lane)
        if not _loses(lane, grant, old, old_lanes.get(lane.lane)):
            continue
        why, arithmetic = reasons.of_lane(lane, old, grant, allocation.shares[lane.lane])
        shrinks.append(
            PlanChange(0, lane.lane, "rate", NEW if old is None else label(old), label(grant), why, arithmetic)
        )
        if lane.shadow:
            continue
        losses += 1
        if not grant.fps and (old is None or lane.floor_fps > 0 or lane.lane in allocation.refused):
            refusals.append(f"{lane.lane} would not run: {why} ({arithmetic})")
    shrinks += _decoded_less(old_plan, plan, after, reasons.arithmetic("host"))
    if refusals:
        verdict, texts = Verdict.REFUSE, refusals
    elif losses or any(change.aspect == "decode" for change in shrinks):
        verdict, texts = Verdict.REDUCE, [f"{why} ({arithmetic})" for why, arithmetic in _causes(shrinks)]
    else:
        verdict, texts = Verdict.ACCEPT, ["all that is asked for fits, and nobody gets less than before"]
    newcomers = tuple(grant for grant in plan.lanes if grant.lane not in old_lanes)
    return Admission(verdict, tuple(shrinks), old_plan.resources, plan.resources, tuple(texts), newcomers)


def lines(admission: Admission, most: int = 20) -> list[str]:
    """For people: the verdict, why, what each resource has, and at most `most` of those that get less."""
    told = [f"{admission.verdict}: {admission.reasons[0]}" if admission.reasons else str(admission.verdict)]
    told += [f"  {reason}" for reason in admission.reasons[1:most]]
    if len(admission.reasons) > most:
        told.append(f"  … and {len(admission.reasons) - most} more")
    before = {use.resource: use for use in admission.before}
    told.append("resources, before → after:")
    for use in admission.after:
        had = before.get(use.resource)
        told.append(
            f"  {use.resource}: {'–' if had is None else _amount(had.used, use.unit)} → {_amount(use.used, use.unit)}"
            f" of {_amount(use.supply, use.unit)} (wanted {_amount(use.wanted, use.unit)})"
        )
    if admission.newcomers:
        told.append("new:")
        told += _shortened([f"  {grant.lane}: {label(grant)}" for grant in admission.newcomers], most)
    if admission.shrinks:
        told.append("would get less:")
        told += _shortened(
            [f"  {change.subject}: {change.before} → {change.after}, {change.why}" for change in admission.shrinks],
            most,
        )
    return told


def _loses(lane: LaneDemand, grant: LaneGrant, old: LaneGrant | None, old_lane: LaneDemand | None) -> bool:
    if old is None or old_lane is None:
        return grant.step is not LadderStep.FULL
    return grant.fps < min(old.fps, lane.wanted_fps) * (1 - _SAME)


def _decoded_less(old_plan: CapacityPlan, plan: CapacityPlan, after: Picture, arithmetic: str) -> list[PlanChange]:
    had = {grant.camera: grant.decode for grant in old_plan.cameras}
    changes = []
    for camera, grant in zip(after.cameras, plan.cameras, strict=True):
        before = had.get(camera.camera, camera.configured)
        if list(type(before)).index(grant.decode) > list(type(before)).index(before):
            why = "the host's processor time is short: fewer of its pictures are decoded"
            changes.append(PlanChange(0, camera.camera, "decode", before, grant.decode, why, arithmetic))
    return changes


def _causes(shrinks: Iterable[PlanChange]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((change.why, change.arithmetic) for change in shrinks))


def _amount(value: float, unit: str) -> str:
    return format_size(value) if unit == "bytes" else f"{value:.2f} {unit}"


def _shortened(told: list[str], most: int) -> list[str]:
    return told if len(told) <= most else [*told[:most], f"  … and {len(told) - most} more"]
