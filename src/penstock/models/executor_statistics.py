"""What an executor has done, as cumulative counts, and what it is doing now."""

from collections import Counter
from dataclasses import dataclass

from penstock.contracts.work import Failure, FailureCause, OutcomeStatus, Work


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A stream that is busy; one that was busy for too long hangs."""

    stream: int
    model: str
    work_id: int | None
    """None while the model is being loaded"""
    started_ns: int


@dataclass(frozen=True, slots=True)
class ExecutorStatistics:
    """Taken work = done + failures + expired + cancelled + waiting + running, once models are loaded."""

    done: int
    late: int
    """of those done: finished after their deadline"""
    failures: dict[FailureCause, int]
    expired: int
    cancelled: int
    refused: int
    """submitted without a credit, and not taken"""
    callback_failures: int
    busy_ns: tuple[int, ...]
    """per stream: time in calls that have ended"""
    models: dict[str, tuple[int, int]]
    """by model: views looked at, and time in calls that have ended"""
    loaded: int
    waiting: int
    running: int


class CallCounts:
    """The counts while they grow; guarded by its owner's lock."""

    def __init__(self, streams: int) -> None:
        self.refused = 0
        self.callback_failures = 0
        self._done = 0
        self._late = 0
        self._failures: Counter[FailureCause] = Counter()
        self._unstarted: Counter[OutcomeStatus] = Counter()
        self._busy_ns = [0] * streams
        self._models: dict[str, tuple[int, int]] = {}

    def called(self, stream: int, work: Work, busy_ns: int, failure: Failure | None, late: bool) -> None:
        """A call has ended, with a result or a failure."""
        self._busy_ns[stream] += busy_ns
        views, taken_ns = self._models.get(work.model, (0, 0))
        self._models[work.model] = (views + len(work.views), taken_ns + busy_ns)
        if failure is not None:
            self._failures[failure.cause] += 1
        else:
            self._done += 1
            self._late += late

    def ended(self, status: OutcomeStatus) -> None:
        """Work has ended without a call."""
        self._unstarted[status] += 1

    def frozen(self, loaded: int, waiting: int, running: int) -> ExecutorStatistics:
        return ExecutorStatistics(
            done=self._done,
            late=self._late,
            failures=dict(self._failures),
            expired=self._unstarted[OutcomeStatus.EXPIRED],
            cancelled=self._unstarted[OutcomeStatus.CANCELLED],
            refused=self.refused,
            callback_failures=self.callback_failures,
            busy_ns=tuple(self._busy_ns),
            models=dict(self._models),
            loaded=loaded,
            waiting=waiting,
            running=running,
        )
