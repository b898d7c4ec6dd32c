"""What is published of analyses and what follows from them: lanes, models, executors, rules, decisions, the plan.

Part of what a process says of itself, `telemetry.statistics.ProcessStatistics`; the same holds of names and units.
"""

import enum

import msgspec

from penstock.contracts.capacity import PlanChange, ResourceUse
from penstock.telemetry.histogram import HistogramRecord


class Stage(enum.StrEnum):
    """Parts of a result's age, in order. `age` is their whole: from capture to the result in the engine."""

    DECODE = "decode"
    """capture to decoded"""
    WAIT = "wait"
    """decoded to asked for"""
    VIEW = "view"
    """asked for to pixels ready"""
    QUEUE = "queue"
    """pixels ready to the model's start"""
    COMPUTE = "compute"
    RESULT = "result"
    """the model's end to taken by the engine"""
    AGE = "age"


class LaneStatistics(msgspec.Struct, frozen=True):
    """One camera × one model, as the engine sees it: `offered` = Σ fates + in_flight."""

    camera: str
    model: str
    offered: int = 0
    fates: dict[str, int] = {}
    """by `Fate.label`"""
    in_flight: int = 0
    late: int = 0
    """results that came after their deadline"""
    granted_fps: float = 0.0
    max_fps: float = 0.0
    budget_ns: int = 0
    level: str = "full"
    """step of the ladder: full, reduced, motion-only, paused"""
    limited_by: str = ""
    """the resource that ran short, or `floor`"""
    floor_fps: float = 0.0
    last_result_ns: int = 0
    """monotonic capture time of the last frame analysed"""
    first_taken_ns: int = 0
    """monotonic: when the engine took the lane's first result; 0 before it"""
    last_heard_ns: int = 0
    """monotonic: when the engine last heard of a frame for the lane"""
    stages: dict[str, HistogramRecord] = {}
    """by `Stage`"""

    @property
    def balanced(self) -> bool:
        return self.offered == sum(self.fates.values()) + self.in_flight


class ModelStatistics(msgspec.Struct, frozen=True):
    """One model on one executor. Engine and executor each publish what they know of it: see `whole`."""

    model: str
    executor: str = ""
    state: str = "loading"
    """loading, ready, suspended, failed; empty where the publisher does not know"""
    device: str = ""
    head: str = ""
    weight_hash: str = ""
    calls: int = 0
    failures: dict[str, int] = {}
    """by `FailureCause`"""
    load_ns: int = 0
    predicted_cost_ns: int = 0
    """what the scheduler expects of the next call"""
    compute: HistogramRecord = HistogramRecord()
    fault: str = ""


class ExecutorStatistics(msgspec.Struct, frozen=True):
    """One executor, as it and the engine see it: see `whole`."""

    executor: str
    device: str = "cpu"
    ready: bool = False
    streams: int = 0
    submitted: int = 0
    outcomes: dict[str, int] = {}
    """by `OutcomeStatus`"""
    in_flight: int = 0
    busy_ns: int = 0
    """summed over its streams"""
    replaced: int = 0
    """times that it was killed or died and was started anew"""


class RuleStatistics(msgspec.Struct, frozen=True):
    """One rule on one camera."""

    rule: str
    camera: str
    state: str = "idle"
    """idle, potential, confirmed, cooldown"""
    evaluations: int = 0
    potential: int = 0
    confirmed: int = 0
    blind_ns: int = 0
    """time in which the rule could not be decided"""
    known_ns: int = 0
    """time in which it could: with `blind_ns`, all the time since the rule was there and its camera up"""
    counted_until_ns: int = 0
    """up to when both are counted, on the clock of the camera's captures; 0 where nothing is counted"""
    shadow: bool = False
    """its events are kept and delivered to nobody: the rule is on trial, or a model is"""
    shadow_lane: str = ""
    """of a rule's twin, the lane on trial (`camera/model`) that it reads"""
    last_event_utc_ns: int = 0
    last_held_ns: int = 0
    """capture time at which an open event's condition last held: what an engine after a crash goes on from"""


class EngineStatistics(msgspec.Struct, frozen=True):
    plans: int = 0
    inputs: int = 0
    """records of the ordered input log"""
    late_results: int = 0
    """older than the last evaluated instant of their lane: counted, not inserted"""
    lease_epoch: int = 0
    plan: HistogramRecord = HistogramRecord()
    """time of one scheduling decision"""
    control: HistogramRecord = HistogramRecord()
    """control work per analysed frame"""
    event_delay: HistogramRecord = HistogramRecord()
    """from the capture time that confirmed an event to the decision"""


class PlanStatistics(msgspec.Struct, frozen=True):
    """The capacity plan as it is now."""

    computed: int = 0
    """times that it was worked out"""
    changes: dict[str, int] = {}
    """grants changed so far, by the step or decode policy they came to"""
    changed_ns: int = 0
    """monotonic: when it last changed"""
    resources: tuple[ResourceUse, ...] = ()
    decode: dict[str, str] = {}
    """decode policy by camera"""
    recent: tuple[PlanChange, ...] = ()
    """the newest last, at most 32"""
