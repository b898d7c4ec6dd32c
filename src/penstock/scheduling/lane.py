"""One camera × one model: what it has heard of, what it waits for, and when it is due."""

import enum
from typing import TYPE_CHECKING

from penstock.contracts.capacity import LadderStep, LaneGrant
from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec
from penstock.scheduling.activity import Activity
from penstock.scheduling.ledger import LaneLedger
from penstock.scheduling.measurements import ACTIVITY_MEMORY_NS, DecayingMean

if TYPE_CHECKING:
    from penstock.scheduling.model_queue import ModelQueue

NS_PER_S = 1_000_000_000
# Added to the rank of shadow lanes: they come after every real one.
SHADOW_RANK = 1 << 40
_MAX_EARLY_NS = 10_000_000


class LaneState(enum.IntEnum):
    IDLE = 0
    """no frame waits"""
    QUEUED = 1
    """a frame waits for a model"""
    ASKED = 2
    """a view has been asked for"""
    RUNNING = 3
    """a model works on a frame, or its view waits for the others of a batch; a newer one may wait"""


class Lane:
    """State of one lane. Frames are known by index; `candidate` is the newest due frame that nobody has taken.

    A due frame is never stored: only its index and capture time are, since the pixels stay in ingest.
    """

    __slots__ = (
        "active",
        "activity",
        "analysed_capture_ns",
        "analysed_index",
        "budget_ns",
        "camera",
        "candidate",
        "candidate_capture_ns",
        "candidate_views",
        "crops",
        "due_ns",
        "due_seen_ns",
        "early_ns",
        "executor",
        "gated",
        "grant",
        "interval_ns",
        "last_index",
        "ledger",
        "lossless",
        "model",
        "moved_index",
        "name",
        "number",
        "queue",
        "queue_token",
        "quiet_ns",
        "rank",
        "requires",
        "running",
        "running_capture_ns",
        "shadow",
        "shed",
        "state",
        "ticket",
        "views_per_analysis",
        "waiting_since_ns",
        "wanted_interval_ns",
    )

    queue: "ModelQueue"
    """where it waits; set by whoever brings lanes and models together (`board`)"""

    def __init__(self, number: int, spec: LaneSpec, executor: str, quiet_ns: int, ledger: LaneLedger) -> None:
        self.number = number
        self.name = spec.name
        self.camera = spec.camera
        self.model = spec.model
        self.executor = executor
        self.shadow = spec.shadow
        self.rank = SHADOW_RANK * spec.shadow - spec.priority
        """the lane with the smallest goes first"""
        self.budget_ns = spec.budget_ns
        self.requires = spec.requires
        self.crops = spec.crops
        self.wanted_interval_ns = round(NS_PER_S / spec.max_fps)
        self.grant = LaneGrant(spec.name, LadderStep.FULL, spec.max_fps)
        self.shed = False
        """the plan lets its model not run"""
        self.interval_ns = 0
        self.early_ns = 0
        self.keep_interval(self.wanted_interval_ns)
        self.gated = spec.gated and spec.crops is None
        self.quiet_ns = quiet_ns
        self.ledger = ledger
        self.lossless = False
        self.active = False
        self.state = LaneState.IDLE
        self.last_index = ledger.last_index
        self.candidate = 0
        self.candidate_capture_ns = 0
        self.candidate_views = 1
        self.waiting_since_ns = 0
        self.due_ns = 0
        self.due_seen_ns = 0
        self.activity = Activity(min(1.0, self.wanted_interval_ns / quiet_ns) if self.gated and quiet_ns else 0.0)
        self.views_per_analysis = DecayingMean(ACTIVITY_MEMORY_NS)
        self.ticket = 0
        self.running = 0
        self.running_capture_ns = 0
        self.queue_token = 0
        self.moved_index = 0
        self.analysed_index = 0
        self.analysed_capture_ns = 0

    @property
    def in_flight(self) -> int:
        """Frames without a fate: the candidate, and the one that a model works on."""
        return (self.candidate > 0) + (self.running > 0)

    def is_due(self, capture_ns: int) -> bool:
        return capture_ns >= self.due_ns - self.early_ns or self._went_back(capture_ns)

    def is_still(self, capture_ns: int) -> bool:
        """Whether a frame that shows no movement may be left to the last result.

        Only after a frame *later* than the last movement was analysed: what is extended is then a result of the
        still scene, not of something on its way out. And only for `quiet_ns`.
        """
        return (
            self.gated
            and self.analysed_index > self.moved_index
            and 0 <= capture_ns - self.analysed_capture_ns < self.quiet_ns
        )

    def advance_due(self, capture_ns: int) -> None:
        """A frame was taken: the next is due one interval after the last due time, so that rates do not drift, but
        never before an eighth of an interval has passed, so that a late frame is made up for by one frame, not by a
        burst. The first frame, also of a new capture clock, sets the pace.

        To set it anew after every pause would be unfair: of lanes that are served about one interval late, the later
        ones would each time wait longer."""
        if not self.due_ns or self._went_back(capture_ns):
            self.due_ns = capture_ns
        self.due_ns = self.due_after(capture_ns)

    def stay_due(self, capture_ns: int) -> None:
        """A due frame lacked what the lane requires: the next one is due, and sets the pace. Nothing is made up for."""
        if capture_ns > self.due_ns or self._went_back(capture_ns):
            self.due_ns = capture_ns

    def due_after(self, capture_ns: int) -> int:
        """When the lane will be due again if a frame of that capture is taken."""
        return max(self.due_ns + self.interval_ns, capture_ns + self.interval_ns // 8)

    def set_pace(self, interval_ns: int, newest_capture_ns: int) -> None:
        """The interval changes: the next frame is due that long after the last due time. Where that is over, it is due
        now and sets the pace, so that what was not granted before is not made up for."""
        if self.due_ns and interval_ns != self.interval_ns and not self._went_back(newest_capture_ns):
            self.due_ns = max(self.due_ns - self.interval_ns + interval_ns, min(self.due_ns, newest_capture_ns))
        self.keep_interval(interval_ns)

    def keep_interval(self, interval_ns: int) -> None:
        """As `set_pace`, but the next frame is due when it was."""
        self.interval_ns = interval_ns
        self.early_ns = min(interval_ns // 8, _MAX_EARLY_NS)

    def _went_back(self, capture_ns: int) -> bool:
        """Whether this is another session's clock: within one, a due time is at most an interval away."""
        return self.due_ns - capture_ns > self.interval_ns + self.early_ns

    def saw_due(self, capture_ns: int, *, needed: bool) -> None:
        """A due frame needed the model, or did not. Time is counted, not frames: a lane that waits is offered many."""
        elapsed_ns = min(capture_ns - self.due_seen_ns, 2 * self.interval_ns)
        if elapsed_ns > 0:
            self.activity.saw(elapsed_ns, capture_ns, needed=needed)
        self.due_seen_ns = capture_ns

    def drop_candidate(self, fate: Fate) -> None:
        if self.candidate:
            self.ledger.settle(fate, 1, self.candidate)
            self.candidate = 0

    def end_running(self, fate: Fate) -> None:
        if self.running:
            self.ledger.settle(fate, 1, self.running)
            self.running = 0
