"""The slowest rates at which the rules of a configuration can be decided, before any model is loaded.

Where only the loaded model knows its classes, every class may be one of its: its lane has the floor of all rules.
"""

from collections.abc import Mapping

from penstock.base.clock import NS_PER_S
from penstock.config.crosscheck import known_models
from penstock.config.model_questions import ModelAnswer
from penstock.config.schema import Config
from penstock.contracts.specs import RuleSpec, ZoneSpec
from penstock.rules.compiler import compile_forms
from penstock.rules.errors import RuleError
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary


def rule_floors(config: Config, answers: Mapping[str, ModelAnswer]) -> dict[str, float]:
    """Analyses per second by lane; lanes that no rule reads over a window are left out."""
    floors: dict[str, float] = {}
    for camera_name, camera in config.cameras.items():
        if not camera.enabled:
            continue
        vocabulary = Vocabulary(
            zones=tuple(ZoneSpec(zone, shape.coordinates) for zone, shape in camera.zones.items()),
            lanes=tuple(
                LaneVocabulary(
                    f"{camera_name}/{model.name}",
                    model.classes or (),
                    model.signals,
                    complete=model.classes is not None,
                    shadow=model.shadow,
                )
                for model in known_models(config, camera, answers)
            ),
        )
        for name, rule in config.rules.items():
            if rule.cameras and camera_name not in rule.cameras:
                continue
            try:
                forms = compile_forms(RuleSpec(name, rule.when), camera_name, vocabulary)
            except RuleError:
                continue  # told where rules are checked
            for form in forms:
                for lane, interval_ns in form.slowest_interval_ns.items():
                    if interval_ns is not None:
                        floors[lane] = max(floors.get(lane, 0.0), NS_PER_S / interval_ns)
    return floors
