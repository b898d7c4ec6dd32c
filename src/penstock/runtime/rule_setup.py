"""What the rules of a run start from: what they may speak of, where they run, and what an engine before left open."""

from collections.abc import Iterable, Mapping

import msgspec

from penstock.contracts.events import Event, EventState
from penstock.contracts.specs import LaneSpec, RuleSpec, RunSpec
from penstock.contracts.work import ModelDescription
from penstock.rules.compiler import compile_forms
from penstock.rules.decisions import CoolingRule, CountedRule, OpenEvent, RulesState
from penstock.rules.decisions import RuleStatistics as EvaluatorStatistics
from penstock.rules.errors import RuleError
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary
from penstock.store.recovery import RecoveryState
from penstock.telemetry.analysis_statistics import RuleStatistics

NS_PER_S = 1_000_000_000

RuleKey = tuple[str, str, str]
"""rule, camera, and of a twin its shadow lane"""


def vocabularies_of(spec: RunSpec, models: Mapping[str, ModelDescription]) -> dict[str, Vocabulary]:
    """Each camera's zones and what its lanes' models know; a model that is not loaded may know anything."""
    return {
        camera.name: Vocabulary(
            zones=camera.zones,
            lanes=tuple(
                _lane_vocabulary(lane, models.get(lane.model)) for lane in spec.lanes if lane.camera == camera.name
            ),
        )
        for camera in spec.cameras
    }


def validity_ns(lane: LaneSpec, granted_fps: float) -> int:
    """A result holds until two further ones should have come, at the rate that is granted, with its whole budget.

    Raises ValueError for a rate of 0: what is granted nothing has no interval.
    """
    if granted_fps <= 0:
        raise ValueError(f"lane {lane.name} at {granted_fps} pictures a second has no interval")
    return 2 * round(NS_PER_S / granted_fps) + lane.budget_ns


class Validities:
    """How long a result of each lane holds, as the plan stands.

    A result keeps the validity that it was given. Where a lane's interval becomes longer, the last result under the
    shorter one may run out before the next comes, and the rule is blind meanwhile: it was decided, and maybe acted on,
    that nothing was known from then on, and a decision is never taken back. The next result has the longer validity.
    """

    def __init__(self, lanes: Iterable[LaneSpec]) -> None:
        self._lanes = {lane.name: lane for lane in lanes}
        self._ns = {name: validity_ns(lane, lane.max_fps) for name, lane in self._lanes.items()}

    def __getitem__(self, lane: str) -> int:
        return self._ns[lane]

    def set_granted(self, lane: str, fps: float) -> None:
        """At 0 the last rate above it stays: what is still under way was asked for at that rate."""
        if fps > 0:
            self._ns[lane] = validity_ns(self._lanes[lane], fps)


def known_end_utc_ns(event: Event, run_id: str) -> int | None:
    """When an event ended, as far as anybody knows; None while it lasts.

    An event that its whole run left open held at least when it was confirmed.
    """
    if event.end_utc_ns is not None:
        return event.end_utc_ns
    return None if event.run_id == run_id else event.confirmed_utc_ns


def recovered_rules(spec: RunSpec, recovered: RecoveryState, published: Mapping[RuleKey, RuleStatistics]) -> RulesState:
    """Open events and cooldowns of an engine before this one, on this boot's monotonic clock.

    Cooldowns hold across runs and boots, by UTC; events of another run have been interrupted by now. What was
    `published` tells until when a condition held: without it, an event that lasted longer than its unknown limit would
    end with its engine. It also tells up to when time was counted: from there to the new engine the rules were blind.
    """
    clock = spec.clock
    offset_ns = clock.utc_ns - clock.mono_ns
    cooldowns = {rule.name: rule.cooldown_ns for rule in spec.rules}

    def last_held_ns(event: Event) -> int:
        lane = f"{event.camera}/{event.shadow_model}" if event.shadow_model else ""
        before = published.get((event.rule, event.camera, lane))
        return 0 if before is None else before.last_held_ns

    return RulesState(
        open_events=tuple(
            OpenEvent(
                rule=event.rule,
                rule_hash=event.rule_hash,
                camera=event.camera,
                session=event.session,
                start_ns=event.start_utc_ns - offset_ns,
                start_error_ns=event.start_error_ns,
                confirmed_ns=event.confirmed_utc_ns - offset_ns,
                last_held_ns=max(event.confirmed_utc_ns - offset_ns, last_held_ns(event)),
                clock=clock,
            )
            for event in recovered.open_events()
            if event.run_id == spec.run_id and event.state is EventState.OPEN
        ),
        cooling=tuple(
            CoolingRule(event.rule, event.rule_hash, event.camera, end_utc_ns - offset_ns + cooldowns[event.rule])
            for event in recovered.last_events()
            if event.rule in cooldowns and (end_utc_ns := known_end_utc_ns(event, spec.run_id)) is not None
        ),
        counted=tuple(
            CountedRule(rule.rule, rule.camera, rule.counted_until_ns, rule.shadow_lane)
            for rule in published.values()
            if rule.counted_until_ns
        ),
    )


def required_names(spec: RunSpec) -> dict[str, list[str]]:
    """By camera, the signals and classes that its lanes require, each once."""
    found: dict[str, dict[str, None]] = {}
    for lane in spec.lanes:
        for requirement in lane.requires:
            found.setdefault(lane.camera, {})[requirement.signal] = None
    return {camera: list(names) for camera, names in found.items()}


def continued(now: EvaluatorStatistics, before: RuleStatistics | None) -> RuleStatistics:
    """What is published of a rule: this engine's part on top of what the one before it published."""
    before = before or RuleStatistics(now.rule, now.camera)
    return RuleStatistics(
        rule=now.rule,
        camera=now.camera,
        state=now.state.value,
        evaluations=before.evaluations + now.evaluations,
        confirmed=before.confirmed + now.opened,
        blind_ns=before.blind_ns + now.blind_ns,
        known_ns=before.known_ns + now.known_ns,
        counted_until_ns=now.counted_until_ns or 0,
        last_held_ns=now.last_held_ns,
        shadow=now.shadow,
        shadow_lane=now.shadow_lane,
    )


def placed_rule(rule: RuleSpec, vocabularies: Mapping[str, Vocabulary]) -> RuleSpec:
    """A rule that names no camera runs on all cameras whose zones and models it can be decided on, shadow ones too.

    Raises RuleError where it names cameras on which it cannot, or where it can on none.
    """
    if rule.cameras:
        return rule
    cameras = []
    error: RuleError | None = None
    for camera, vocabulary in vocabularies.items():
        try:
            compile_forms(rule, camera, vocabulary)
        except RuleError as found:
            error = error or found
        else:
            cameras.append(camera)
    if not cameras and error is not None:
        raise error
    return msgspec.structs.replace(rule, cameras=tuple(cameras))


def _lane_vocabulary(lane: LaneSpec, model: ModelDescription | None) -> LaneVocabulary:
    if model is None:
        return LaneVocabulary(lane.name, budget_ns=lane.budget_ns, complete=False, shadow=lane.shadow)
    return LaneVocabulary(
        lane.name,
        model.class_names,
        model.signals,
        lane.budget_ns,
        picture_classes=model.picture_classes,
        shadow=lane.shadow,
    )
