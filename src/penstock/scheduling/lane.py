"""One camera × one model: what it has heard of, what it waits for, and when it is due."""

import enum

from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec
from penstock.scheduling.ledger import LaneLedger

NS_PER_S = 1_000_000_000
_MAX_EARLY_NS = 10_000_000


class LaneState(enum.IntEnum):
    IDLE = 0
    """no frame waits"""
    QUEUED = 1
    """a frame waits for a model"""
    ASKED = 2
    """a view has been asked for"""
    RUNNING = 3
    """a model works on a frame; a newer one may wait"""


class Lane:
    """State of one lane. Frames are known by index; `candidate` is the newest due frame that nobody has taken.

    A due frame is never stored: only its index and capture time are, since the pixels stay in ingest.
    """

    __slots__ = (
        "active",
        "analysed_capture_ns",
        "analysed_index",
        "budget_ns",
        "camera",
        "candidate",
        "candidate_capture_ns",
        "due_ns",
        "early_ns",
        "executor",
        "gated",
        "interval_ns",
        "last_index",
        "ledger",
        "lossless",
        "model",
        "moved_index",
        "name",
        "number",
        "priority",
        "queue_token",
        "quiet_ns",
        "running",
        "running_capture_ns",
        "state",
        "ticket",
        "waiting_since_ns",
    )

    def __init__(self, number: int, spec: LaneSpec, executor: str, quiet_ns: int, ledger: LaneLedger) -> None:
        self.number = number
        self.name = spec.name
        self.camera = spec.camera
        self.model = spec.model
        self.executor = executor
        self.priority = spec.priority
        self.budget_ns = spec.budget_ns
        self.interval_ns = round(NS_PER_S / spec.max_fps)
        self.early_ns = min(self.interval_ns // 8, _MAX_EARLY_NS)
        self.gated = spec.gated
        self.quiet_ns = quiet_ns
        self.ledger = ledger
        self.lossless = False
        self.active = False
        self.state = LaneState.IDLE
        self.last_index = ledger.last_index
        self.candidate = 0
        self.candidate_capture_ns = 0
        self.waiting_since_ns = 0
        self.due_ns = 0
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
        self.due_ns = max(self.due_ns + self.interval_ns, capture_ns + self.interval_ns // 8)

    def _went_back(self, capture_ns: int) -> bool:
        """Whether this is another session's clock: within one, a due time is at most an interval away."""
        return self.due_ns - capture_ns > self.interval_ns + self.early_ns

    def drop_candidate(self, fate: Fate) -> None:
        if self.candidate:
            self.ledger.settle(fate)
            self.candidate = 0

    def end_running(self, fate: Fate) -> None:
        if self.running:
            self.ledger.settle(fate)
            self.running = 0
