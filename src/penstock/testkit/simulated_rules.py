"""The rules of a simulated host: the real evaluator on the real blackboards, fed in the engine's order.

What is decided is kept with the instant at which it was. Floors and validities follow the engine's rules: a result
holds for twice the granted interval and the lane's budget; a lane's floor has two results in the shortest window.
"""

from collections.abc import Iterable, Mapping

import msgspec

from penstock.contracts.messages import CameraState
from penstock.contracts.results import Result
from penstock.contracts.specs import LaneSpec, RuleSpec
from penstock.contracts.times import ClockReading
from penstock.rules.decisions import RuleDecision, RulesStatistics
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import (
    CameraStateInput,
    ClockInput,
    ConfigInput,
    ResultInput,
    RuleInput,
    StillInput,
    TickInput,
)
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary
from penstock.testkit.host_model import NS_PER_S
from penstock.testkit.simulated_models import SimulatedModel


class Decided(msgspec.Struct, frozen=True):
    """One decision and when it was taken."""

    at_ns: int
    decision: RuleDecision


class SimulatedRules:
    """All rules of one host, on the cameras that they name."""

    def __init__(
        self, rules: Iterable[RuleSpec], lanes: Iterable[LaneSpec], models: Mapping[str, SimulatedModel]
    ) -> None:
        self.decided: list[Decided] = []
        self._evaluator = RuleEvaluator()
        lanes = tuple(lanes)
        rules = tuple(rules)
        everywhere = any(not rule.cameras for rule in rules)
        named = {camera for rule in rules for camera in rule.cameras}
        self.cameras = {lane.camera for lane in lanes if everywhere or lane.camera in named} if rules else set()
        self._lanes = {lane.name: lane for lane in lanes if lane.camera in self.cameras}
        self._validity_ns = {
            lane.name: 2 * round(NS_PER_S / lane.max_fps) + lane.budget_ns for lane in self._lanes.values()
        }
        vocabularies = {
            camera: Vocabulary(
                lanes=tuple(
                    LaneVocabulary(
                        lane.name,
                        models[lane.model].class_names,
                        models[lane.model].signals,
                        lane.budget_ns,
                        shadow=lane.shadow,
                    )
                    for lane in lanes
                    if lane.camera == camera
                )
            )
            for camera in sorted(self.cameras)
        }
        if rules:
            self._evaluator.take(ConfigInput(rules, vocabularies))
            self._evaluator.take(ClockInput(ClockReading("simulated", 0, 0)))

    def floors(self) -> dict[str, float]:
        """The slowest rate at which all rules are decidable, by lane; lanes without such a rule are left out."""
        floors: dict[str, float] = {}
        for rule in self._evaluator.compiled():
            for lane, interval_ns in rule.slowest_interval_ns.items():
                if interval_ns is not None:
                    floors[lane] = max(floors.get(lane, 0.0), NS_PER_S / interval_ns)
        return floors

    def set_granted(self, lane: str, fps: float) -> None:
        spec = self._lanes.get(lane)
        if spec is not None and fps > 0:
            self._validity_ns[lane] = 2 * round(NS_PER_S / fps) + spec.budget_ns

    def validity_ns(self, lane: LaneSpec) -> int:
        known = self._validity_ns.get(lane.name)
        return 2 * round(NS_PER_S / lane.max_fps) + lane.budget_ns if known is None else known

    def result(self, lane: LaneSpec, result: Result, now_ns: int) -> None:
        self._take(ResultInput(lane.camera, lane.name, result, self._validity_ns[lane.name]), now_ns)

    def still(self, camera: str, lane: str, capture_ns: int, now_ns: int) -> None:
        self._take(StillInput(camera, lane, capture_ns, capture_ns + self._validity_ns[lane]), now_ns)

    def tick(self, now_ns: int) -> None:
        for camera in sorted(self.cameras):
            self._take(TickInput(camera, now_ns), now_ns)

    def camera_state(self, camera: str, state: CameraState, session: int, now_ns: int) -> None:
        if camera in self.cameras:
            self._take(CameraStateInput(camera, state, session, now_ns), now_ns)

    def statistics(self) -> RulesStatistics:
        return self._evaluator.statistics()

    def _take(self, given: RuleInput, now_ns: int) -> None:
        for decision in self._evaluator.take(given):
            self.decided.append(Decided(now_ns, decision))
