"""The capacity plan as it travels: who gets what of each resource, and why. Resources are a vector, by name."""

import enum

import msgspec

from penstock.contracts.specs import DecodePolicy


class LadderStep(enum.StrEnum):
    """How much of what it asks for a lane gets, best first."""

    FULL = "full"
    REDUCED = "reduced"
    """less often than wanted, not less often than its floor"""
    MOTION_ONLY = "motion-only"
    """its model does not run; the camera is still decoded and its gate still watches"""
    PAUSED = "paused"
    """its model does not run, and nothing is decoded for it; packets are still kept"""


class LaneGrant(msgspec.Struct, frozen=True, gc=False):
    """What the plan gives one lane."""

    lane: str
    step: LadderStep
    fps: float
    """analyses per second at most; 0 where its model does not run"""
    limited_by: str = ""
    """the resource that was spent, or `floor`; empty at `full`"""


class CameraGrant(msgspec.Struct, frozen=True, gc=False):
    """What the plan lets ingest decode of one camera."""

    camera: str
    decode: DecodePolicy


class ResourceUse(msgspec.Struct, frozen=True, gc=False):
    """One resource of the plan: what there is and what the grants take, both in `unit`."""

    resource: str
    """`device:NAME` (stream time of an executor), `host` (processor time), `memory`, `device-memory:NAME`"""
    unit: str
    """`s/s` (seconds of time per second) or `bytes`"""
    supply: float
    used: float
    wanted: float
    """what everybody together asked for"""


class PlanChange(msgspec.Struct, frozen=True):
    """One change of the plan: who, from, to, why, and the numbers that say so."""

    at_ns: int
    """monotonic"""
    subject: str
    """a lane (`camera/model`) or a camera"""
    aspect: str
    """`rate` or `decode`"""
    before: str
    """as in `reduced 2.5/s` or `nonref`"""
    after: str
    why: str
    """one sentence"""
    arithmetic: str
    """the sum behind it, as in `device:cpu: wanted 2.40 s/s of 1.80 s/s`"""


class CapacityPlan(msgspec.Struct, frozen=True):
    """Who gets what from `at_ns` on; lanes and cameras in the order in which they were given."""

    at_ns: int
    lanes: tuple[LaneGrant, ...] = ()
    cameras: tuple[CameraGrant, ...] = ()
    resources: tuple[ResourceUse, ...] = ()
    changes: tuple[PlanChange, ...] = ()
    """against the plan before this one; empty where nothing changed"""
