"""All rules of one camera, and the order of what they hear: a lane's past is never rewritten."""

from collections.abc import Iterable

from penstock.contracts.messages import CameraState
from penstock.contracts.times import ClockReading
from penstock.rules.compiler import CompiledRule
from penstock.rules.decisions import CoolingRule, CountedRule, Ended, OpenEvent, RuleDecision
from penstock.rules.inputs import CameraStateInput, ResultInput, StillInput, TickInput
from penstock.rules.machine import EndCause
from penstock.rules.running import RunningRule, Scene
from penstock.rules.vocabulary import Vocabulary
from penstock.signals.blackboard import Blackboard
from penstock.signals.holding import Holding, NameWatch
from penstock.signals.statements import CLASSES, DETECTIONS, signals_of


class Counts:
    """What the evaluator has taken; see `decisions.RulesStatistics`."""

    __slots__ = ("late", "results", "stills", "ticks", "unaddressed", "unusable")

    def __init__(self) -> None:
        self.results = 0
        self.late = 0
        self.unusable = 0
        self.stills = 0
        self.ticks = 0
        self.unaddressed = 0


class CameraRules:
    """One camera's blackboard and running rules; each method appends what is decided to `decisions`."""

    def __init__(self, camera: str, clock: ClockReading | None) -> None:
        self.rules: dict[str, RunningRule] = {}
        self.blackboard = Blackboard(camera)
        self._camera = camera
        self._scene = Scene(clock=clock)
        self._vocabulary = Vocabulary()
        self._readers: dict[str, list[RunningRule]] = {}
        self._last_ns: dict[str, int] = {}
        """by lane: the last instant taken of it; what is older comes too late"""
        self._session_declared = False
        self._sees = False
        """something was taken since the camera last went away"""
        self._settle_ns = 0
        self._heard_ns: int | None = None
        """newest instant that anything was heard of; None before the first"""
        self._counting = False
        """the rules' time is counted: the camera is up, or was, and has not ended"""
        self._watches: dict[str, NameWatch] = {}
        self._pictured = False
        """a result was taken since the counting began"""

    def beside(self) -> "CameraRules":
        """Another one that has heard as much of the camera, and nothing of its lanes."""
        other = CameraRules(self._camera, self._scene.clock)
        other._scene.session = self._scene.session
        other._session_declared = self._session_declared
        other._heard_ns = self._heard_ns
        other._counting = self._counting
        return other

    def date_by(self, reading: ClockReading) -> None:
        self._scene.clock = reading

    def configure(self, rules: list[CompiledRule], vocabulary: Vocabulary, decisions: list[RuleDecision]) -> None:
        """From here on these rules: unchanged ones go on, events of others end."""
        before, self.rules = self.rules, {}
        for compiled in rules:
            running = before.get(compiled.name)
            if running is None or running.compiled.rule_hash != compiled.rule_hash:
                running = RunningRule(compiled, compiled.bind(self.blackboard), self._scene)
                if self._counting and self._heard_ns is not None:
                    running.machine.count_from(self._heard_ns)
            else:
                del before[compiled.name]
                same_reading = self._vocabulary == vocabulary
                running.rebind(compiled, running.program if same_reading else compiled.bind(self.blackboard))
            self.rules[compiled.name] = running
        for removed in before.values():
            removed.end(EndCause.RULE_REMOVED, decisions)
        self._vocabulary = vocabulary
        self._bind_watches()
        self._settle_ns = max((lane.budget_ns for lane in vocabulary.lanes), default=0)
        self._readers = {
            lane.lane: [running for running in self.rules.values() if lane.lane in running.compiled.lanes]
            for lane in vocabulary.lanes
        }
        self.blackboard.history_ns = max((rule.history_ns for rule in rules), default=0)

    def take_result(self, given: ResultInput, decisions: list[RuleDecision], counts: Counts) -> None:
        result, lane = given.result, given.lane
        readers = self._readers.get(lane)
        if readers is None:
            counts.unaddressed += 1
            return
        if result.late:
            counts.unusable += 1
            return
        at_ns = result.frame.capture.mono_ns
        session = result.frame.id.stream.session
        if not self._in_session(session, at_ns, decisions) or at_ns < self._last_ns.get(lane, at_ns):
            counts.late += 1
            return
        counts.results += 1
        self._hear(at_ns)
        if not self._pictured:
            self._pictured = True
            self._count_from(at_ns)
        for running in readers:
            running.run_out(at_ns, decisions)
        for signal in signals_of(result, lane, given.validity_ns):
            self.blackboard.set(signal)
        self._last_ns[lane] = at_ns
        self._scene.newest[lane] = result
        self._sees = True
        for watch in self._watches.values():
            watch.update()
        for running in readers:
            running.evaluate(at_ns, result, decisions)

    def take_still(self, given: StillInput, decisions: list[RuleDecision], counts: Counts) -> None:
        lane, at_ns = given.lane, given.at_ns
        readers = self._readers.get(lane)
        if readers is None:
            counts.unaddressed += 1
            return
        if at_ns < self._last_ns.get(lane, at_ns):
            counts.late += 1
            return
        counts.stills += 1
        for running in readers:
            running.run_out(at_ns, decisions)
        if self.blackboard.extend(lane, given.valid_until_ns):
            self._hear(at_ns)
            for watch in self._watches.values():
                watch.update()
            self._last_ns[lane] = at_ns
            for running in readers:
                running.evaluate(at_ns, self._scene.newest.get(lane), decisions)

    def take_tick(self, given: TickInput, decisions: list[RuleDecision]) -> None:
        self._hear(given.now_ns)
        # Results younger than the largest budget may still come: what ran out since then is not decided yet.
        settled_ns = given.now_ns - self._settle_ns
        for running in self.rules.values():
            running.pass_time(settled_ns, decisions)

    def take_state(self, given: CameraStateInput, decisions: list[RuleDecision]) -> None:
        self._hear(given.at_ns)
        goes_on = given.state is CameraState.UP and given.session == self._scene.session
        # Losing sight once is enough: the first pictures of a session may be older than the news of it.
        if self._sees and not goes_on:
            self._lose_sight(given.at_ns, decisions)
        if given.state is CameraState.UP:
            self._scene.session = given.session
            self._session_declared = True
            if not self._counting:
                self._pictured = False
                self._count_from(given.at_ns)
        elif given.state is CameraState.ENDED:
            self.end(EndCause.CAMERA_ENDED, decisions)
            self._counting = False
            for running in self.rules.values():
                running.machine.stop_counting(given.at_ns)

    def end(self, cause: EndCause, decisions: list[RuleDecision]) -> None:
        for running in self.rules.values():
            running.end(cause, decisions)

    def restore_open(self, event: OpenEvent) -> bool:
        """Goes on with a kept event; False where no rule here is what it was."""
        running = self._running(event.rule, event.rule_hash)
        if running is not None:
            running.restore_open(event)
        return running is not None

    def restore_cooldown(self, cooling: CoolingRule) -> None:
        running = self._running(cooling.rule, cooling.rule_hash)
        if running is not None:
            running.machine.restore_cooldown(cooling.until_ns)

    def restore_counted(self, counted: CountedRule) -> None:
        """The camera was up before: from where its time was counted to, the rule was blind."""
        running = self.rules.get(counted.rule)
        if running is not None:
            self._counting = True
            running.machine.go_on_counting(counted.until_ns)

    def watch(self, names: Iterable[str]) -> None:
        """From here on, `holding` knows of these signals and classes."""
        self._watches = {name: self._watches.get(name) or NameWatch(name) for name in names}
        self._bind_watches()

    def holding(self, name: str) -> Holding | None:
        """See `NameWatch.holding`; None for a name that is not watched, too."""
        watch = self._watches.get(name)
        return None if watch is None else watch.holding()

    def _bind_watches(self) -> None:
        for name, watch in self._watches.items():
            cells = [
                self.blackboard.cell(statement, lane.lane)
                for lane in self._vocabulary.lanes
                for statement, stated in (
                    (name, lane.knows_scalar(name)),
                    (CLASSES, name in lane.picture_classes),
                    (DETECTIONS, lane.knows_class(name)),
                )
                if stated
            ]
            watch.read(cells)

    def _hear(self, at_ns: int) -> None:
        self._heard_ns = at_ns if self._heard_ns is None else max(self._heard_ns, at_ns)

    def _count_from(self, at_ns: int) -> None:
        self._counting = True
        for running in self.rules.values():
            running.machine.count_from(at_ns)

    def _running(self, rule: str, rule_hash: str) -> RunningRule | None:
        running = self.rules.get(rule)
        return running if running is not None and running.compiled.rule_hash == rule_hash else None

    def _in_session(self, session: int, at_ns: int, decisions: list[RuleDecision]) -> bool:
        """Whether a result of that session is to be taken; an undeclared session begins with its first result."""
        if session != self._scene.session:
            if self._session_declared:
                return False
            if self._scene.session is not None:
                self._lose_sight(at_ns, decisions)
            self._scene.session = session
        return True

    def _lose_sight(self, at_ns: int, decisions: list[RuleDecision]) -> None:
        """Nothing is known from `at_ns` on; what was captured before it and comes later is late."""
        for running in self.rules.values():
            running.run_out(at_ns, decisions)
        self.blackboard.end(at_ns)
        for watch in self._watches.values():
            watch.update()
        for lane, last_ns in self._last_ns.items():
            self._last_ns[lane] = max(last_ns, at_ns)
        for running in self.rules.values():
            if running.last_ns is not None:
                running.evaluate(at_ns, None, decisions)
        self._sees = False


def ended_unseen(event: OpenEvent) -> Ended:
    """The end of a kept event that no rule goes on with."""
    return Ended(
        rule=event.rule,
        rule_hash=event.rule_hash,
        camera=event.camera,
        session=event.session,
        start_ns=event.start_ns,
        end_ns=event.last_held_ns,
        cause=EndCause.RULE_REMOVED,
        clock=event.clock,
    )
