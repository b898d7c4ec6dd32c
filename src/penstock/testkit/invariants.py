"""What must be true of every run, looked at after every step: books, bounds, deadlines, starvation; and at its end
fairness and a plan that has come to rest.

A broken one is an exception at the very event that broke it, with the lane and the numbers, so that the seed and the
instant say where to look. Checking costs about as much as a hundred times the run: it is for small hosts.
"""

from collections.abc import Iterable, Sequence

import msgspec

from penstock.contracts.capacity import PlanChange
from penstock.contracts.fates import Fate
from penstock.scheduling.lane import Lane, LaneState
from penstock.scheduling.plan import StartWork
from penstock.testkit.host_model import NS_PER_S
from penstock.testkit.simulated_executor import AskedView, SimulatedCall
from penstock.testkit.simulated_host import SimulatedHost

SETTLE_NS = 5 * NS_PER_S
"""after a change of load, the plan may change for so long"""


class InvariantBroken(AssertionError):
    """Says which, where and when."""


class Limits(msgspec.Struct, frozen=True):
    """How long a lane may go without an analysis while it is granted a rate and its camera moves."""

    starvation_intervals: float = 4.0
    starvation_slack_ns: int = 2 * NS_PER_S


class InvariantWatch:
    """A `Watcher` of one host; `host.watcher` is to be set to it before the first step."""

    def __init__(self, host: SimulatedHost, limits: Limits | None = None) -> None:
        self._host = host
        self._limits = limits
        self._fates: list[tuple[int, ...]] = [(0,) * len(Fate) for _ in host.lanes]
        self._fed_ns: list[int] = [0] * len(host.lanes)
        """by lane: when it last got an analysis, or last had no claim to one"""
        self._intervals: list[int] = [lane.interval_ns for lane in host.lanes]
        self.steps = 0

    def stepped(self, now_ns: int) -> None:
        self.steps += 1
        for lane in self._host.lanes:
            self._check_books(lane, now_ns)
        self._check_bounds(now_ns)
        if self._limits is not None:
            self._check_starvation(self._limits, now_ns)

    def started(self, start: StartWork, call: SimulatedCall, now_ns: int) -> None:
        """Nothing starts that is predicted to come too late, but for probes."""
        if start.probe:
            return
        state = self._host.states[start.executor]
        predicted_ns = state.models[start.model].costs.predict_ns(len(state.started), sum(v.views for v in call.views))
        for view in call.views:
            deadline_ns = view.capture_ns + self._host.model.lanes[view.lane].budget_ns
            if now_ns + predicted_ns > deadline_ns:
                late_ms = (now_ns + predicted_ns - deadline_ns) / 1e6
                raise self._broken(now_ns, f"{start.lanes} was started to end {late_ms:.1f} ms after its deadline")

    def analysed(self, view: AskedView, call: SimulatedCall, taken_ns: int) -> None:  # noqa: ARG002
        self._fed_ns[view.lane] = taken_ns

    def _check_books(self, lane: Lane, now_ns: int) -> None:
        ledger = lane.ledger
        counts = tuple([ledger.count(fate) for fate in Fate])
        settled, in_flight = sum(counts), lane.in_flight
        if ledger.offered != settled + in_flight:
            raise self._broken(
                now_ns, f"{lane.name} was offered {ledger.offered}, and {settled} ended with {in_flight} in flight"
            )
        before = self._fates[lane.number]
        if counts != before:
            if any(now < was for now, was in zip(counts, before, strict=True)):
                raise self._broken(now_ns, f"a count of {lane.name} fell from {before} to {counts}")
            self._fates[lane.number] = counts

    def _check_bounds(self, now_ns: int) -> None:
        host = self._host
        for name, state in host.states.items():
            in_flight = len(state.asked) + len(state.started)
            if in_flight > state.streams + 1:
                raise self._broken(now_ns, f"{in_flight} calls on {name}, which has {state.streams} streams")
            executor = host.executors[name]
            if len(executor.running) > state.streams or executor.queued > 1:
                raise self._broken(now_ns, f"{name} runs {len(executor.running)} calls and queues {executor.queued}")
            waiting = sum(queue.waiting for queue in state.queues)
            queued = sum(lane.state is LaneState.QUEUED and lane.executor == name for lane in host.lanes)
            if waiting != queued or waiting != state.waiting:
                raise self._broken(now_ns, f"{waiting} lanes wait for {name}, and {queued} say that they do")

    def _check_starvation(self, limits: Limits, now_ns: int) -> None:
        for lane in self._host.lanes:
            fed_ns = self._fed_ns[lane.number]
            camera = self._host.cameras[lane.camera]
            entitled = lane.active and not lane.shed and not lane.shadow and not lane.requires and lane.crops is None
            paced = lane.interval_ns == self._intervals[lane.number]
            if not (entitled and paced and camera.up and camera.moves_at(now_ns)):
                self._fed_ns[lane.number] = now_ns
                self._intervals[lane.number] = lane.interval_ns
                continue
            may_ns = limits.starvation_slack_ns + round(limits.starvation_intervals * lane.interval_ns) + lane.budget_ns
            if now_ns - fed_ns > may_ns:
                raise self._broken(
                    now_ns,
                    f"{lane.name} is granted {lane.grant.fps:.2f}/s and has waited for {(now_ns - fed_ns) / 1e9:.1f} s",
                )

    def _broken(self, now_ns: int, what: str) -> InvariantBroken:
        return InvariantBroken(f"at {now_ns / NS_PER_S:.6f} s, seed {self._host.seed}: {what}")


def jain(rates: Sequence[float]) -> float:
    """Jain's fairness index (Jain, Chiu, Hawe, 1984): 1 where all are equal, 1/n where one has everything."""
    squares = sum(rate * rate for rate in rates)
    return 1.0 if squares == 0 else sum(rates) ** 2 / (len(rates) * squares)


def unsettled(changes: Iterable[PlanChange], loads: Sequence[int], until_ns: int) -> list[PlanChange]:
    """Changes of the plan that came when it should have been at rest: later than `SETTLE_NS` after the latest change
    of load before them. `loads` are the instants of the latter, ascending; the start is one."""
    wrong = []
    for change in changes:
        load_ns = max((at_ns for at_ns in loads if at_ns <= change.at_ns), default=0)
        if change.at_ns - load_ns > SETTLE_NS and change.at_ns <= until_ns:
            wrong.append(change)
    return wrong
