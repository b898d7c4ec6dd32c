"""Work for models and its outcomes: submitted without waiting, completed through a queue, safe to deliver twice."""

import enum
from typing import Protocol

import msgspec

from penstock.contracts.frames import View, ViewSpec
from penstock.contracts.results import Result


class Work(msgspec.Struct, frozen=True, gc=False):
    """One call of one model on one or more leased views."""

    work_id: int
    """unique within `lease_epoch`"""
    lease_epoch: int
    """the engine's generation: outcomes of another epoch are dropped"""
    model: str
    lane: str
    """`camera/model`: executors keep a stateful model's memory by it"""
    views: tuple[View, ...]
    deadline_ns: int
    """monotonic; an executor that cannot start before it answers `expired` without running"""
    submitted_ns: int
    attempt: int = 1
    trace_id: str = ""


class OutcomeStatus(enum.StrEnum):
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class FailureCause(enum.StrEnum):
    """Why a model gave no result."""

    LOAD_FAILED = "load_failed"
    RAISED = "raised"
    BAD_OUTPUT = "bad_output"
    OUT_OF_MEMORY = "out_of_memory"
    LEASE_LOST = "lease_lost"
    HUNG = "hung"
    EXECUTOR_DIED = "executor_died"
    UNKNOWN_MODEL = "unknown_model"
    REFUSED = "refused"


class Failure(msgspec.Struct, frozen=True):
    cause: FailureCause
    message: str


class Outcome(msgspec.Struct, frozen=True):
    """The end of one `Work`. `results` has one entry per view, in order, when `status` is `done`."""

    work_id: int
    lease_epoch: int
    model: str
    status: OutcomeStatus
    device: str
    attempt: int = 1
    results: tuple[Result, ...] = ()
    failure: Failure | None = None
    received_ns: int = 0
    """monotonic: when the executor took the work"""
    started_ns: int = 0
    finished_ns: int = 0
    queue_ns: int = 0
    """waiting inside the executor"""
    transfer_ns: int = 0
    """moving pixels to the device"""
    compute_ns: int = 0
    """the network and its head"""


class ModelDescription(msgspec.Struct, frozen=True):
    """What an executor says of a model once it is loaded."""

    model: str
    view: ViewSpec
    weight_hash: str
    head: str
    class_names: tuple[str, ...]
    device: str
    signals: tuple[str, ...] = ()
    """names of the scalars that its results carry"""
    picture_classes: tuple[str, ...] = ()
    """names of the classes of whole pictures (classifiers); `class_names` are those of boxes"""
    load_ns: int = 0
    max_batch: int = 1
    """most views that one call takes together"""


class Executor(Protocol):
    """Runs models somewhere; local, remote and GPU executors have this shape."""

    @property
    def name(self) -> str: ...

    @property
    def credits(self) -> int:
        """How many more `Work` it takes now: one running per stream, at most one more ahead."""
        ...

    def submit_nowait(self, work: Work) -> bool:
        """Hands over `work`; False, and nothing kept, where there is no credit or no connection."""
        ...

    def cancel_nowait(self, work_id: int) -> None:
        """Asks that work not yet started end as `cancelled`; started work goes on."""
        ...

    def completed_nowait(self) -> list[Outcome]:
        """Takes what has finished since the last call."""
        ...
