"""One rule at work on one camera: which instants it is evaluated at, and what its moves decide.

It is evaluated at the captures of results and still pictures of the lanes it reads, and at the first instant after
the validity of anything it reads ran out. Ticks add no instant of their own: they only let what ran out be noticed
when nothing else comes. Its instants never go back: a lane that lags behind another is heard at the later instant.
"""

from dataclasses import dataclass, field

from penstock.contracts.results import Result
from penstock.contracts.times import ClockReading
from penstock.rules.compiler import CompiledRule, Program
from penstock.rules.decisions import (
    CoolingRule,
    CountedRule,
    Ended,
    Explanation,
    Opened,
    OpenEvent,
    RuleDecision,
    RuleStatistics,
    Term,
)
from penstock.rules.machine import EndCause, Move, RuleMachine, RuleState


@dataclass(slots=True)
class Scene:
    """What all rules of one camera share besides its blackboard."""

    session: int | None = None
    clock: ClockReading | None = None
    newest: dict[str, Result] = field(default_factory=dict)
    """the newest result taken, by lane"""


class RunningRule:
    """A compiled rule, its conditions on a blackboard, its state machine, and the event it has open."""

    __slots__ = (
        "_clock",
        "_ended",
        "_evaluations",
        "_opened",
        "_scene",
        "_session",
        "_start_error_ns",
        "compiled",
        "last_ns",
        "machine",
        "program",
    )

    def __init__(self, compiled: CompiledRule, program: Program, scene: Scene) -> None:
        self.compiled = compiled
        self.program = program
        self.machine = RuleMachine(compiled.cooldown_ns, compiled.unknown_limit_ns)
        self.last_ns: int | None = None
        """the last evaluated instant"""
        self._scene = scene
        self._session = 0
        self._start_error_ns = 0
        self._clock: ClockReading | None = None
        self._evaluations = 0
        self._opened = 0
        self._ended = 0

    def rebind(self, compiled: CompiledRule, program: Program) -> None:
        """The same rule reads other lanes from here on: its state stays, its windows start anew."""
        self.compiled = compiled
        self.program = program

    def evaluate(self, at_ns: int, trigger: Result | None, decisions: list[RuleDecision]) -> None:
        """Evaluates at `at_ns`, or at the last evaluated instant where that is later; adds what it decides."""
        if self.last_ns is not None and at_ns < self.last_ns:
            at_ns = self.last_ns
        self.last_ns = at_ns
        self._evaluations += 1
        program = self.program
        program.evaluate(at_ns)
        moves = self.machine.step(at_ns, program.root.truth, program.root.inner)
        if moves:
            self._decide(moves, at_ns, trigger, decisions)

    def run_out(self, before_ns: int, decisions: list[RuleDecision]) -> None:
        """Evaluates at every instant before `before_ns` at which something the rule reads had just become stale."""
        if self.last_ns is None:
            return
        while True:
            next_ns = before_ns
            for cell in self.program.cells:
                if cell.signal is not None and self.last_ns <= cell.valid_until_ns < next_ns - 1:
                    next_ns = cell.valid_until_ns + 1
            if next_ns == before_ns:
                return
            self.evaluate(next_ns, None, decisions)

    def pass_time(self, until_ns: int, decisions: list[RuleDecision]) -> None:
        """All that can be seen before `until_ns` has been: decides what ran out by then."""
        self.run_out(until_ns, decisions)
        moves = self.machine.pass_time(until_ns)
        if moves:
            self._decide(moves, until_ns, None, decisions)

    def end(self, cause: EndCause, decisions: list[RuleDecision]) -> None:
        """Ends an open event, for a reason that is not in its condition."""
        moves = self.machine.end(cause)
        if moves:
            self._decide(moves, moves[0].at_ns, None, decisions)

    def restore_open(self, event: OpenEvent) -> None:
        self.machine.restore_open(event.start_ns, event.confirmed_ns, event.last_held_ns, event.unknown_since_ns)
        self._session = event.session
        self._start_error_ns = event.start_error_ns
        self._clock = event.clock

    def open_event(self) -> OpenEvent | None:
        """The open event as it must be kept; None where there is none."""
        machine, rule = self.machine, self.compiled
        if machine.start_ns is None or machine.confirmed_ns is None or machine.last_held_ns is None:
            return None
        return OpenEvent(
            rule=rule.name,
            rule_hash=rule.rule_hash,
            camera=rule.camera,
            session=self._session,
            start_ns=machine.start_ns,
            start_error_ns=self._start_error_ns,
            confirmed_ns=machine.confirmed_ns,
            last_held_ns=machine.last_held_ns,
            clock=self._clock,
            unknown_since_ns=machine.last_held_ns if machine.unknown_since_ns is None else machine.unknown_since_ns,
        )

    def cooling(self) -> CoolingRule | None:
        """The cooldown as it must be kept; None where there is none."""
        until_ns, rule = self.machine.cooldown_until_ns, self.compiled
        return None if until_ns is None else CoolingRule(rule.name, rule.rule_hash, rule.camera, until_ns)

    def counted(self) -> CountedRule | None:
        """Up to when its time was counted; None where none is."""
        until_ns, rule = self.machine.counted_until_ns, self.compiled
        return None if until_ns is None else CountedRule(rule.name, rule.camera, until_ns, rule.shadow_lane)

    def explain(self) -> Explanation:
        return Explanation(
            rule=self.compiled.name,
            camera=self.compiled.camera,
            rule_text=self.compiled.text,
            state=self.machine.state,
            truth=self.program.root.truth,
            at_ns=self.last_ns,
            start_ns=self.machine.start_ns,
            cooldown_until_ns=self.machine.cooldown_until_ns,
            terms=() if self.last_ns is None else self._terms(self.last_ns),
        )

    def statistics(self) -> RuleStatistics:
        return RuleStatistics(
            rule=self.compiled.name,
            camera=self.compiled.camera,
            state=self.machine.state,
            evaluations=self._evaluations,
            opened=self._opened,
            ended=self._ended,
            blind_ns=self.machine.blind_ns,
            known_ns=self.machine.known_ns,
            counted_until_ns=self.machine.counted_until_ns,
            shadow=self.compiled.shadow,
            shadow_lane=self.compiled.shadow_lane,
            last_held_ns=self.machine.last_held_ns or 0,
        )

    def _decide(
        self, moves: tuple[Move, ...], at_ns: int, trigger: Result | None, decisions: list[RuleDecision]
    ) -> None:
        rule = self.compiled
        for move in moves:
            if move.before is RuleState.IDLE and move.after is not RuleState.COOLDOWN:
                evidence = trigger or self._newest()
                self._session = self._scene.session or 0
                self._start_error_ns = 0 if evidence is None else evidence.frame.capture.error_ns
            if move.after is RuleState.CONFIRMED:
                assert move.start_ns is not None
                self._opened += 1
                self._clock = self._scene.clock
                decisions.append(
                    Opened(
                        rule=rule.name,
                        rule_hash=rule.rule_hash,
                        camera=rule.camera,
                        session=self._session,
                        start_ns=move.start_ns,
                        start_error_ns=self._start_error_ns,
                        confirmed_ns=move.at_ns,
                        rule_text=rule.text,
                        terms=self._terms(at_ns),
                        result=trigger or self._newest(),
                        clock=self._clock,
                        shadow_lane=rule.shadow_lane,
                    )
                )
            elif move.cause is not None:
                assert move.start_ns is not None
                assert move.end_ns is not None
                self._ended += 1
                decisions.append(
                    Ended(
                        rule=rule.name,
                        rule_hash=rule.rule_hash,
                        camera=rule.camera,
                        session=self._session,
                        start_ns=move.start_ns,
                        end_ns=move.end_ns,
                        cause=move.cause,
                        clock=self._clock,
                    )
                )

    def _terms(self, at_ns: int) -> tuple[Term, ...]:
        return tuple(Term(leaf.text, leaf.truth, leaf.values(at_ns), leaf.since_ns) for leaf in self.program.leaves)

    def _newest(self) -> Result | None:
        newest = (self._scene.newest.get(lane) for lane in self.compiled.lanes)
        known = [result for result in newest if result is not None]
        return max(known, key=lambda result: result.frame.capture.mono_ns, default=None)
