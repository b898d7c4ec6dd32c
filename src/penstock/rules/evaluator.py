"""Rules as a pure function of the input log: the same inputs in the same order give the same decisions, bit for bit."""

from penstock.contracts.times import ClockReading
from penstock.rules.camera import CameraRules, Counts, ended_unseen
from penstock.rules.compiler import CompiledRule, compile_rule
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


class RuleEvaluator:
    """All rules on all cameras. Starts empty: the first input is a `ConfigInput`. One thread uses it."""

    def __init__(self) -> None:
        self._cameras: dict[str, CameraRules] = {}
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
                camera_rules = self._cameras.get(given.camera)
                if camera_rules is None:
                    self._counts.unaddressed += 1
                    return decisions
                match given:
                    case ResultInput():
                        camera_rules.take_result(given, decisions)
                    case StillInput():
                        camera_rules.take_still(given, decisions)
                    case TickInput():
                        camera_rules.take_tick(given, decisions)
                    case CameraStateInput():
                        camera_rules.take_state(given, decisions)
        return decisions

    def explain(self, rule: str, camera: str) -> Explanation:
        """Why that rule is, or is not, confirmed on that camera; raises LookupError where it does not run."""
        camera_rules = self._cameras.get(camera)
        running = None if camera_rules is None else camera_rules.rules.get(rule)
        if running is None:
            raise LookupError(f"no rule {rule!r} runs on camera {camera!r}")
        return running.explain()

    def compiled(self) -> tuple[CompiledRule, ...]:
        """Every rule on every camera, in the order of the configuration."""
        return tuple(running.compiled for camera in self._cameras.values() for running in camera.rules.values())

    def snapshot(self) -> RulesState:
        """What must outlive a crash: open events and cooldowns. Windows begin anew after one."""
        running = [rule for camera in self._cameras.values() for rule in camera.rules.values()]
        events = (rule.open_event() for rule in running)
        cooling = (rule.cooling() for rule in running)
        return RulesState(
            open_events=tuple(event for event in events if event is not None),
            cooling=tuple(rule for rule in cooling if rule is not None),
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
            rules=tuple(rule.statistics() for camera in self._cameras.values() for rule in camera.rules.values()),
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
                compile_rule(spec, camera, vocabulary)
                for spec in given.rules
                if not spec.cameras or camera in spec.cameras
            ]
            for camera, vocabulary in given.cameras.items()
        }
        for camera in [camera for camera in self._cameras if camera not in compiled]:
            self._cameras.pop(camera).end(EndCause.RULE_REMOVED, decisions)
        for camera, rules in compiled.items():
            if camera not in self._cameras:
                self._cameras[camera] = CameraRules(camera, self._clock, self._counts)
            self._cameras[camera].configure(rules, given.cameras[camera], decisions)
        # Explanations and decisions follow the order of the configuration, not that of its history.
        self._cameras = {camera: self._cameras[camera] for camera in compiled}

    def _date_by(self, reading: ClockReading, camera: str) -> None:
        if not camera:
            self._clock = reading
        for name, camera_rules in self._cameras.items():
            if camera in ("", name):
                camera_rules.date_by(reading)

    def _restore(self, state: RulesState, decisions: list[RuleDecision]) -> None:
        decisions += [ended_unseen(event) for event in state.open_events if event.camera not in self._cameras]
        for camera_rules in self._cameras.values():
            camera_rules.restore(state, decisions)
