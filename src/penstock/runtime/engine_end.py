"""The end of the engine, step by step and without waiting: results under way, events, their evidence.

Each step has its time; what is not done by then is given up by name: frames as `cancelled`, evidence as failed.
"""

from penstock.base.clock import NS_PER_MS, Clock
from penstock.base.reactor import Reactor
from penstock.runtime.calls import CallBook
from penstock.runtime.decisions import DecisionPath
from penstock.scheduling.scheduler import Scheduler

CHECK_NS = 20 * NS_PER_MS
# Kept of the grace for the last records to reach the disk.
RESERVE_NS = 300 * NS_PER_MS
# Results that are still on their way when the run ends are waited for this long.
MODELS_NS = 500 * NS_PER_MS


class EngineEnd:
    """One end of one engine, in the loop of its reactor."""

    def __init__(self, clock: Clock, reactor: Reactor, scheduler: Scheduler, calls: CallBook, decisions: DecisionPath):
        self._clock = clock
        self._reactor = reactor
        self._scheduler = scheduler
        self._calls = calls
        self._decisions = decisions
        self._end_by_ns = 0
        self._models_by_ns = 0
        self._interrupted = False

    def begin(self, grace_ns: int) -> None:
        """Stops the reactor when all is done, or `grace_ns` is nearly over."""
        now_ns = self._clock.now_ns()
        self._end_by_ns = now_ns + max(0, grace_ns - RESERVE_NS)
        self._models_by_ns = min(now_ns + MODELS_NS, self._end_by_ns)
        self._wait_for_models()

    def _wait_for_models(self) -> None:
        now_ns = self._clock.now_ns()
        if self._scheduler.running() and now_ns < self._models_by_ns:
            self._reactor.call_at(now_ns + CHECK_NS, self._wait_for_models)
            return
        self._scheduler.cancel_all()
        self._calls.end_all()
        self._wait_for_evidence()

    def _wait_for_evidence(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns < self._end_by_ns and not self._events_closed():
            self._reactor.call_at(now_ns + CHECK_NS, self._wait_for_evidence)
            return
        self._decisions.abandon_evidence("the run ended before the clip did")
        self._reactor.stop_nowait()

    def _events_closed(self) -> bool:
        """Interrupts open events once what was confirmed is on disk; True when their evidence is settled too."""
        if not self._interrupted:
            if self._decisions.journalling():
                return False
            self._decisions.take_committed()
            self._decisions.interrupt()
            self._interrupted = True
        if self._decisions.awaits_evidence():
            self._decisions.finish_clips()
            return False
        return not self._decisions.journalling()
