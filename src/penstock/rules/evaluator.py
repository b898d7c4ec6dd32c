"""Rules as a pure function of the input log: the same inputs in the same order give the same decisions, bit for bit.

Twins of rules (see `Vocabulary`) live apart from them: each shadow lane has a blackboard of its own, beside the real
one of its camera, that hears the real lanes too. So nothing that a shadow lane says can reach a rule.
"""

from collections.abc import Iterable, Iterator

from penstock.contracts.times import ClockReading
from penstock.rules.camera import CameraRules, Counts, ended_unseen
from penstock.rules.compiler import CompiledRule, compile_forms
from penstock.rules.decisions import Explanation, RuleDecision, RulesState, RulesStatistics
from penstock.rules.errors import RuleError
from penstock.rules.inputs import (
    CameraStateInput,
    ClockInput,
    ConfigInput,
    RestoreInput,
    ResultInput,
    RuleInput,
    StillInput,
    TickInput,
)
from penstock.rules.machine import EndCause
from penstock.rules.running import RunningRule
from penstock.rules.vocabulary import Vocabulary
from penstock.signals.holding import Holding

NS_PER_S = 1_000_000_000


class RuleEvaluator:
    """All rules on all cameras. Starts empty: the first input is a `ConfigInput`. One thread uses it."""

    def __init__(self) -> None:
        self._cameras: dict[str, CameraRules] = {}
        self._twins: dict[str, dict[str, CameraRules]] = {}
        """by camera and shadow lane; only for lanes that some rule has a twin on"""
        self._shadow_lanes: dict[str, tuple[str, ...]] = {}
        self._clock: ClockReading | None = None
        self._counts = Counts()

    def take(self, given: RuleInput) -> list[RuleDecision]:
        """What follows from the next input of the log, in order.

        Inputs for cameras or lanes that the configuration does not have are counted and otherwise ignored. A
        `ConfigInput` with a rule that cannot be used raises RuleError and changes nothing.
        """
        decisions: list[RuleDecision] = []
        match given:
            case ConfigInput():
                self._configure(given, decisions)
            case ClockInput(reading, camera):
                self._date_by(reading, camera)
            case RestoreInput(state):
                self._restore(state, decisions)
            case ResultInput() | StillInput() | TickInput() | CameraStateInput():
                if given.camera in self._cameras:
                    self._tell(given, decisions)
                else:
                    self._counts.unaddressed += 1
        return decisions

    def explain(self, rule: str, camera: str, shadow_lane: str = "") -> Explanation:
        """Why that rule is, or is not, confirmed on that camera; of its twin, where a shadow lane is named.

        Raises LookupError where it does not run.
        """
        twins = self._twins.get(camera, {})
        camera_rules = twins.get(shadow_lane) if shadow_lane else self._cameras.get(camera)
        running = None if camera_rules is None else camera_rules.rules.get(rule)
        if running is None:
            raise LookupError(
                f"no rule {rule!r} runs on camera {camera!r}" + (f" for {shadow_lane!r}" if shadow_lane else "")
            )
        return running.explain()

    def compiled(self) -> tuple[CompiledRule, ...]:
        """Every rule on every camera, in the order of the configuration; a camera's twins come after its rules."""
        return tuple(running.compiled for running in self._running())

    def floors(self) -> dict[str, float]:
        """By lane, the slowest rate in pictures per second at which every window over it holds two of its results.

        The largest that any rule or twin asks for; lanes without such a rule are left out.
        """
        floors: dict[str, float] = {}
        for running in self._running():
            for lane, interval_ns in running.compiled.slowest_interval_ns.items():
                if interval_ns is not None:
                    floors[lane] = max(floors.get(lane, 0.0), NS_PER_S / interval_ns)
        return floors

    def watch(self, camera: str, names: Iterable[str]) -> None:
        """From here on `holding` knows when these signals and classes of a camera were last so, by its real lanes."""
        if camera in self._cameras:
            self._cameras[camera].watch(names)

    def holding(self, camera: str, name: str) -> Holding | None:
        """When a watched name was last so; None where it never was."""
        camera_rules = self._cameras.get(camera)
        return None if camera_rules is None else camera_rules.holding(name)

    def snapshot(self) -> RulesState:
        """What must outlive a crash: open events, cooldowns, and up to when time was counted. Windows begin anew."""
        running = list(self._running())
        events = (rule.open_event() for rule in running)
        cooling = (rule.cooling() for rule in running)
        counted = (rule.counted() for rule in running)
        return RulesState(
            open_events=tuple(event for event in events if event is not None),
            cooling=tuple(rule for rule in cooling if rule is not None),
            counted=tuple(rule for rule in counted if rule is not None),
        )

    def restore(self, state: RulesState) -> list[RuleDecision]:
        """Takes up a snapshot of the same boot: the same as taking a `RestoreInput`.

        Follows the first `ConfigInput`. Events whose rule is gone or changed are ended where they last held.
        """
        return self.take(RestoreInput(state))

    def statistics(self) -> RulesStatistics:
        counts = self._counts
        return RulesStatistics(
            results=counts.results,
            late=counts.late,
            unusable=counts.unusable,
            stills=counts.stills,
            ticks=counts.ticks,
            unaddressed=counts.unaddressed,
            rules=tuple(rule.statistics() for rule in self._running()),
        )

    def _configure(self, given: ConfigInput, decisions: list[RuleDecision]) -> None:
        names: set[str] = set()
        for spec in given.rules:
            if spec.name in names:
                raise RuleError(
                    spec.name, spec.when, 0, "two rules have this name", "Give each rule a name of its own."
                )
            names.add(spec.name)
        compiled = {
            camera: [
                form
                for spec in given.rules
                if not spec.cameras or camera in spec.cameras
                for form in compile_forms(spec, camera, vocabulary)
            ]
            for camera, vocabulary in given.cameras.items()
        }
        for camera in [camera for camera in self._cameras if camera not in compiled]:
            self._cameras.pop(camera).end(EndCause.RULE_REMOVED, decisions)
            for twins in self._twins.pop(camera, {}).values():
                twins.end(EndCause.RULE_REMOVED, decisions)
        for camera, forms in compiled.items():
            if camera not in self._cameras:
                self._cameras[camera] = CameraRules(camera, self._clock)
            vocabulary = given.cameras[camera]
            rules = [form for form in forms if not form.shadow_lane]
            self._cameras[camera].configure(rules, vocabulary.real(), decisions)
            self._configure_twins(camera, forms, vocabulary, decisions)
        # Explanations and decisions follow the order of the configuration, not that of its history.
        self._cameras = {camera: self._cameras[camera] for camera in compiled}

    def _configure_twins(
        self, camera: str, forms: list[CompiledRule], vocabulary: Vocabulary, decisions: list[RuleDecision]
    ) -> None:
        before = self._twins.get(camera, {})
        lanes = self._shadow_lanes[camera] = vocabulary.shadow_lanes
        twins = {lane: [form for form in forms if form.shadow_lane == lane] for lane in lanes}
        self._twins[camera] = {
            lane: before.pop(lane) if lane in before else self._cameras[camera].beside()
            for lane in lanes
            if twins[lane]
        }
        for lane, rules in self._twins[camera].items():
            rules.configure(twins[lane], vocabulary.twin(lane), decisions)
        for removed in before.values():
            removed.end(EndCause.RULE_REMOVED, decisions)

    def _tell(
        self, given: ResultInput | StillInput | TickInput | CameraStateInput, decisions: list[RuleDecision]
    ) -> None:
        """To the camera's rules, then to its twins; what a shadow lane says, only to those on it."""
        camera_rules, twins = self._cameras[given.camera], self._twins[given.camera]
        match given:
            case ResultInput(_, lane) | StillInput(_, lane) if lane in self._shadow_lanes[given.camera]:
                if lane in twins:
                    _show(twins[lane], given, decisions, self._counts)
            case ResultInput() | StillInput():
                _show(camera_rules, given, decisions, self._counts)
                for twin in twins.values():
                    _show(twin, given, decisions, Counts())
            case TickInput():
                self._counts.ticks += 1
                for rules in (camera_rules, *twins.values()):
                    rules.take_tick(given, decisions)
            case CameraStateInput():
                for rules in (camera_rules, *twins.values()):
                    rules.take_state(given, decisions)

    def _date_by(self, reading: ClockReading, camera: str) -> None:
        if not camera:
            self._clock = reading
        for name in self._cameras:
            if camera in ("", name):
                for rules in self._of(name):
                    rules.date_by(reading)

    def _restore(self, state: RulesState, decisions: list[RuleDecision]) -> None:
        """Takes up what is there; events whose rule is no more as it was end where they last held."""
        decisions += [
            ended_unseen(event)
            for event in state.open_events
            if not any(rules.restore_open(event) for rules in self._of(event.camera))
        ]
        for cooling in state.cooling:
            for rules in self._of(cooling.camera):
                rules.restore_cooldown(cooling)
        for counted in state.counted:
            if counted.shadow_lane:
                twin = self._twins.get(counted.camera, {}).get(counted.shadow_lane)
                if twin is not None:
                    twin.restore_counted(counted)
            elif counted.camera in self._cameras:
                self._cameras[counted.camera].restore_counted(counted)

    def _of(self, camera: str) -> Iterator[CameraRules]:
        """The camera's rules, then its twins by lane."""
        if camera in self._cameras:
            yield self._cameras[camera]
            yield from self._twins[camera].values()

    def _running(self) -> Iterator[RunningRule]:
        for camera in self._cameras:
            for rules in self._of(camera):
                yield from rules.rules.values()


def _show(rules: CameraRules, given: ResultInput | StillInput, decisions: list[RuleDecision], counts: Counts) -> None:
    if isinstance(given, ResultInput):
        rules.take_result(given, decisions, counts)
    else:
        rules.take_still(given, decisions, counts)
