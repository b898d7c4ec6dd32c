"""What the rules of a run start from: what they may speak of, where they run, and what an engine before left open."""

from collections.abc import Mapping

import msgspec

from penstock.contracts.events import Event, EventState
from penstock.contracts.specs import LaneSpec, RuleSpec, RunSpec
from penstock.contracts.work import ModelDescription
from penstock.rules.compiler import compile_rule
from penstock.rules.decisions import CoolingRule, OpenEvent, RulesState
from penstock.rules.errors import RuleError
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary
from penstock.store.recovery import RecoveryState
from penstock.telemetry.statistics import RuleStatistics


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


def validity_ns(lane: LaneSpec) -> int:
    """A result holds until two further ones should have come, each with its whole budget."""
    return 2 * round(1e9 / lane.max_fps) + lane.budget_ns


def known_end_utc_ns(event: Event, run_id: str) -> int | None:
    """When an event ended, as far as anybody knows; None while it lasts.

    An event that its whole run left open held at least when it was confirmed.
    """
    if event.end_utc_ns is not None:
        return event.end_utc_ns
    return None if event.run_id == run_id else event.confirmed_utc_ns


def recovered_rules(
    spec: RunSpec, recovered: RecoveryState, published: Mapping[tuple[str, str], RuleStatistics]
) -> RulesState:
    """Open events and cooldowns of an engine before this one, on this boot's monotonic clock.

    Cooldowns hold across runs and boots, by UTC; events of another run have been interrupted by now. What was
    `published`, by rule and camera, tells until when a condition held: without it, an event that lasted longer than its
    unknown limit would end with its engine.
    """
    clock = spec.clock
    offset_ns = clock.utc_ns - clock.mono_ns
    cooldowns = {rule.name: rule.cooldown_ns for rule in spec.rules}

    def last_held_ns(rule: str, camera: str) -> int:
        before = published.get((rule, camera))
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
                last_held_ns=max(event.confirmed_utc_ns - offset_ns, last_held_ns(event.rule, event.camera)),
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
    )


def placed_rule(rule: RuleSpec, vocabularies: Mapping[str, Vocabulary]) -> RuleSpec:
    """A rule that names no camera runs on all cameras whose zones and models it can be decided on.

    Raises RuleError where it names cameras on which it cannot, or where it can on none.
    """
    if rule.cameras:
        return rule
    cameras = []
    error: RuleError | None = None
    for camera, vocabulary in vocabularies.items():
        try:
            compile_rule(rule, camera, vocabulary)
        except RuleError as found:
            error = error or found
        else:
            cameras.append(camera)
    if not cameras and error is not None:
        raise error
    return msgspec.structs.replace(rule, cameras=tuple(cameras))


def _lane_vocabulary(lane: LaneSpec, model: ModelDescription | None) -> LaneVocabulary:
    if model is None:
        return LaneVocabulary(lane.name, budget_ns=lane.budget_ns, complete=False)
    return LaneVocabulary(
        lane.name, model.class_names, model.signals, lane.budget_ns, picture_classes=model.picture_classes
    )
